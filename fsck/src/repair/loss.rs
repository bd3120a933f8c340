//! What was, or would be, lost: which keys of which tables in which states, and what took their place.

use std::fmt;

use serde::Serialize;

use crate::{
    problem::Kind,
    report::{Range, hexadecimal, keys_text, owner_text},
};

/// Damage to data, and what a lossy repair makes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Loss {
    /// What was wrong.
    pub code: Kind,
    /// The page, by its position in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<u64>,
    /// Whose keys they are: the first hundred states.
    pub ranges: Vec<Range>,
    /// How many states there are.
    pub states: u64,
    /// Entries that there were, if what leads to the page says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
    /// Entries in leaves that stood below the damaged page and were found again.
    pub own: u64,
    /// What other states still had of them.
    pub refilled: Vec<Refill>,
    /// What nobody had.
    #[serde(serialize_with = "spans")]
    pub dropped: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// Keys that were taken from another state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Refill {
    /// The state that had them, such as `snapshot monday`.
    pub source: String,
    /// The first key, in hexadecimal; empty: from the start.
    pub from: String,
    /// The first key that is not among them; none: to the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// How many there were in the keys asked for.
    pub entries: u64,
    #[serde(skip)]
    pub(super) text: String,
}

impl Refill {
    pub(super) fn new(source: &str, from: Vec<u8>, to: Option<Vec<u8>>, entries: u64) -> Refill {
        Refill {
            source: source.into(),
            from: hexadecimal(&from),
            to: to.as_deref().map(hexadecimal),
            entries,
            text: text((&from, to.as_deref())),
        }
    }
}

impl Loss {
    pub(super) fn new(code: Kind, page: Option<u64>, range: Range) -> Loss {
        Loss {
            code,
            page,
            ranges: vec![range],
            states: 0,
            entries: None,
            own: 0,
            refilled: Vec::new(),
            dropped: Vec::new(),
        }
    }

    /// Is there any key that does not come from where it was?
    pub fn loses(&self) -> bool {
        !self.refilled.is_empty() || !self.dropped.is_empty() || self.missing() > 0
    }

    /// At least so many entries have nothing in their place.
    pub fn missing(&self) -> u64 {
        let found = self.own + self.refilled.iter().map(|refill| refill.entries).sum::<u64>();
        self.entries.unwrap_or(0).saturating_sub(found)
    }

    /// The lines of it, in the words of somebody who did it, or who would.
    pub(super) fn lines(&self, would: bool) -> String {
        let mut out = String::new();
        let (be, drop) =
            if would { ("would be taken", "would be lost") } else { ("taken", "lost") };
        let owners: Vec<String> = self
            .ranges
            .iter()
            .map(|range| owner_text(&range.state, range.table.as_deref()))
            .collect();
        out += &format!("{} in {}", self.code, owners.join(", "));
        if let Some(first) = self.ranges.first() {
            out += &format!(": {}", keys_text(first.from.as_deref(), first.to.as_deref()));
        }
        out.push('\n');
        if self.own > 0 {
            let found = if would { "would be found" } else { "found" };
            out += &format!("      {found} in its own leaves: {} entries\n", self.own);
        }
        for refill in &self.refilled {
            let entries = refill.entries;
            out +=
                &format!("      {be} from {}: {}, {entries} entries\n", refill.source, refill.text);
        }
        if let (missing @ 1.., Some(entries)) = (self.missing(), self.entries) {
            out += &format!("      {drop}: at least {missing} of {entries} entries\n");
        }
        for (from, to) in &self.dropped {
            out += &format!("      {drop}: {}\n", text((from, to.as_deref())));
        }
        out
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines(false))
    }
}

fn text((from, to): (&[u8], Option<&[u8]>)) -> String {
    keys_text(Some(from).filter(|from| !from.is_empty()), to)
}

type Span = (Vec<u8>, Option<Vec<u8>>);

fn spans<S: serde::Serializer>(spans: &[Span], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(spans.iter().map(|(from, to)| {
        let to = to.as_deref().map(hexadecimal);
        [Some(hexadecimal(from)), to]
    }))
}
