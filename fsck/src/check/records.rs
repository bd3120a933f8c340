//! What the entries of the tree of names and of the catalogs say. Reads them, and judges each by
//! itself; leaves to its users what follows from several.

use cowslip::meta::{BookmarkRecord, BranchRecord, Incoming, NAME_MAX, SnapshotRecord};
use cowslip_pager::{PageId, Pointer, Raw};

use crate::{problem::Kind, report::Problem};

/// An entry of the tree of names.
pub(super) struct Name<'a> {
    /// The name, as far as it is text.
    pub(super) text: String,
    /// It is none that may be given.
    pub(super) fault: Option<Problem>,
    pub(super) says: Result<Named<'a>, Box<Problem>>,
}

/// What stands under a name.
pub(super) enum Named<'a> {
    Branch(BranchRecord),
    Snapshot(SnapshotRecord),
    /// A bookmark, or what is being received: neither owns a page.
    NoPage,
    Release(Released<'a>),
}

/// What waits to be released.
pub(super) enum Released<'a> {
    Node(Pointer),
    /// The encoding of a large value.
    Extent(&'a [u8]),
    Raw(Raw),
}

impl<'a> Name<'a> {
    /// The entry `key` and `value` of a node at `here`.
    pub(super) fn read(key: &[u8], value: &'a [u8], here: PageId) -> Name<'a> {
        let Some((&first, rest)) = key.split_first() else {
            let empty = Problem::new(Kind::Name, "an empty key among the names");
            return Name { text: String::new(), fault: None, says: Err(Box::new(empty)) };
        };
        let text = String::from_utf8_lossy(rest).into_owned();
        let well_formed = std::str::from_utf8(rest).is_ok()
            && !rest.is_empty()
            && rest.len() <= NAME_MAX
            && !text.chars().any(char::is_control);
        let fault = (first != b'r' && !well_formed)
            .then(|| Problem::new(Kind::Name, format!("name {text:?}")));
        let unreadable =
            |error: cowslip_pager::Error| Box::new(Problem::new(Kind::Record, error.to_string()));
        let says = match first {
            b'b' => BranchRecord::decode(value, here).map(Named::Branch).map_err(unreadable),
            b's' => SnapshotRecord::decode(value, here).map(Named::Snapshot).map_err(unreadable),
            b'k' => BookmarkRecord::decode(value, here).map(|_| Named::NoPage).map_err(unreadable),
            b'i' => Incoming::decode(value, here).map(|_| Named::NoPage).map_err(unreadable),
            b'r' => released(value).map(Named::Release),
            other => {
                let problem = Problem::new(Kind::Name, "first byte of a name");
                Err(Box::new(problem.values("b, i, k, r or s", other)))
            }
        };
        Name { text, fault, says }
    }
}

fn released(value: &[u8]) -> Result<Released<'_>, Box<Problem>> {
    match value.split_first() {
        Some((0, pointer)) if pointer.len() == Pointer::SIZE => {
            Ok(Released::Node(Pointer::decode(pointer)))
        }
        Some((1, extent)) => Ok(Released::Extent(extent)),
        Some((2, pointer)) if pointer.len() == Pointer::SIZE => {
            let pointer = Pointer::decode(pointer);
            Ok(Released::Raw(Raw { page: pointer.page, height: pointer.level }))
        }
        _ => Err(Box::new(Problem::new(Kind::Record, "an entry of the release queue"))),
    }
}

/// The name of a table, and what is wrong with it.
pub(super) fn table_name(key: &[u8]) -> (String, Option<Problem>) {
    let name = String::from_utf8_lossy(key).into_owned();
    let well_formed = std::str::from_utf8(key).is_ok() && !key.is_empty() && key.len() <= 512;
    let fault = (!well_formed).then(|| Problem::new(Kind::Name, format!("table name {name:?}")));
    (name, fault)
}
