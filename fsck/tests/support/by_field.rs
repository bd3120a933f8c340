//! Wounds of fields: of each a few places, at each a few other values, under right checksums.

use std::collections::BTreeMap;

use super::{
    base,
    fields::{self, Field},
    forge::Whole,
};

/// By structure and name.
pub type ByName = BTreeMap<(&'static str, &'static str), Vec<Field>>;

/// A store, and the fields that are hurt in it.
pub struct Ground {
    pub name: &'static str,
    pub whole: Whole,
    pub fields: ByName,
}

/// What stands in the log, and what the superblock says of it, is hurt where the log holds something.
pub fn grounds() -> [Ground; 2] {
    ["closed.cow.gz", "running.cow.gz"].map(|name| {
        let whole = Whole::new(base::stored(name));
        let mut by_name = ByName::new();
        for field in fields::all(&whole) {
            let of_log = field.structure.starts_with("log ")
                || field.structure.starts_with("redo ")
                || field.structure == "superblock" && field.name.starts_with("log ");
            if of_log == (name == "running.cow.gz") {
                by_name.entry((field.structure, field.name)).or_default().push(field);
            }
        }
        Ground { name, whole, fields: by_name }
    })
}

/// A change of a field.
pub struct Change {
    pub field: Field,
    pub new: Vec<u8>,
}

/// The lowest bit flipped, all zero, all ones; at the first place, the last, and some between.
pub fn changes<'a>(whole: &'a Whole, places: &'a [Field]) -> impl Iterator<Item = Change> + 'a {
    let step = places.len().div_ceil(4).max(1);
    let chosen = places.iter().step_by(step).chain(places.last().filter(|_| places.len() > 1));
    chosen.flat_map(move |&field| {
        let old = &whole.wreck.bytes[field.at..field.at + field.size];
        let mut flipped = old.to_vec();
        flipped[0] ^= 1;
        [flipped, vec![0; field.size], vec![0xFF; field.size]]
            .into_iter()
            .filter(move |new| new != old)
            .map(move |new| Change { field, new })
    })
}

impl Change {
    pub fn image(&self, whole: &Whole) -> Vec<u8> {
        whole.with(self.field.at, &self.new, self.field.seal)
    }
}
