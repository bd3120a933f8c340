//! What the entries of the tree of names and of the catalogs say. Reads them, and judges each by
//! itself; leaves to its users what follows from several.

use cowslip::meta::{BookmarkRecord, BranchRecord, Incoming, Lineage, NAME_MAX, SnapshotRecord};
use cowslip_pager::{PageId, Pointer, Raw, page::u64_at};

use super::hex;
use crate::{problem::Kind, report::Problem};

/// An entry of the tree of names.
pub(super) struct Name<'a> {
    /// The name, as far as it is text.
    pub(super) text: String,
    /// It is none that may be given; or the record marks its branch in no known way.
    pub(super) fault: Option<Problem>,
    pub(super) says: Result<Named<'a>, Problem>,
}

/// What stands under a name.
pub(super) enum Named<'a> {
    Branch(BranchRecord),
    Snapshot(SnapshotRecord),
    Bookmark(BookmarkRecord),
    /// How far a stream was received.
    Incoming(Incoming),
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
            return Name { text: String::new(), fault: None, says: Err(empty) };
        };
        let text = String::from_utf8_lossy(rest).into_owned();
        let well_formed = std::str::from_utf8(rest).is_ok()
            && !rest.is_empty()
            && rest.len() <= NAME_MAX
            && !text.chars().any(char::is_control);
        let fault = (first != b'r' && !well_formed)
            .then(|| Problem::new(Kind::Name, format!("name {text:?}")))
            .or_else(|| odd_mark(first, value, &text));
        let unreadable =
            |error: cowslip_pager::Error| Problem::new(Kind::Record, error.to_string());
        let says = match first {
            b'b' => BranchRecord::decode(value, here).map(Named::Branch).map_err(unreadable),
            b's' => SnapshotRecord::decode(value, here).map(Named::Snapshot).map_err(unreadable),
            b'k' => BookmarkRecord::decode(value, here).map(Named::Bookmark).map_err(unreadable),
            b'i' => Incoming::decode(value, here).map(Named::Incoming).map_err(unreadable),
            b'r' => released(value)
                .map(Named::Release)
                .ok_or_else(|| Problem::new(Kind::Record, "an entry of the release queue")),
            other => {
                Err(Problem::new(Kind::Name, "first byte of a name")
                    .values("b, i, k, r or s", other))
            }
        };
        Name { text, fault, says }
    }
}

impl Named<'_> {
    /// What is wrong with the stamps that the record of `name` has, in a state of stamp `newest`.
    pub(super) fn wrong_stamps(&self, name: &str, newest: u64) -> Vec<Problem> {
        let mut wrong = Vec::new();
        let mut judge = |what: &str, stamp: u64, lineage: &Lineage, end: u64| {
            if stamp > newest {
                let problem =
                    Problem::new(Kind::RecordStamp, format!("{what} of {name:?} (at most)"));
                wrong.push(problem.values(hex(newest), hex(stamp)));
            }
            if let Some(tip) = lineage.tip()
                && tip.stamp != end
            {
                let problem =
                    Problem::new(Kind::LineageEnd, format!("end of the lineage of {name:?}"));
                wrong.push(problem.values(hex(end), hex(tip.stamp)));
            }
        };
        match self {
            Named::Branch(record) => {
                judge("shared_at", record.shared_at, &record.lineage, u64::MAX);
            }
            Named::Snapshot(record) => {
                judge("stamp", record.stamp, &record.lineage, record.stamp);
            }
            Named::Bookmark(record) => {
                judge("stamp", record.stamp, &record.lineage, record.stamp);
            }
            Named::Incoming(_) | Named::Release(_) => {}
        }
        wrong
    }
}

/// The last word of a branch's record is 0, or 1: it is being received.
fn odd_mark(first: u8, value: &[u8], name: &str) -> Option<Problem> {
    let mark = u64_at(value.last_chunk::<8>().filter(|_| first == b'b')?, 0);
    let what = format!("mark of branch {name:?} (at most)");
    (mark > 1).then(|| Problem::new(Kind::Incoming, what).values(1, mark))
}

/// What an entry of the release queue says, if it is one.
fn released(value: &[u8]) -> Option<Released<'_>> {
    match value.split_first() {
        Some((0, pointer)) if pointer.len() == Pointer::SIZE => {
            Some(Released::Node(Pointer::decode(pointer)))
        }
        Some((1, extent)) => Some(Released::Extent(extent)),
        Some((2, pointer)) if pointer.len() == Pointer::SIZE => {
            let pointer = Pointer::decode(pointer);
            Some(Released::Raw(Raw { page: pointer.page, height: pointer.level }))
        }
        _ => None,
    }
}

/// The name of a table, and what is wrong with it.
pub(super) fn table_name(key: &[u8]) -> (String, Option<Problem>) {
    let name = String::from_utf8_lossy(key).into_owned();
    let well_formed = std::str::from_utf8(key).is_ok() && !key.is_empty() && key.len() <= 512;
    let fault = (!well_formed).then(|| Problem::new(Kind::Name, format!("table name {name:?}")));
    (name, fault)
}
