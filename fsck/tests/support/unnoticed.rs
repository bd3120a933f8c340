//! The fields that a check may pass over when they are changed under right checksums, and why.

/// Why a change is not noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It is another value that may stand there: the checksum alone vouches for it.
    Valid,
    /// Nobody reads it, or it may say anything.
    Unread,
    /// It ends the log as a power cut does, and no later record proves otherwise.
    Torn,
    /// It should be noticed, and is not.
    Gap,
}

use Why::{Torn, Unread, Valid};

/// By structure and field.
pub const UNNOTICED: &[(&str, &str, Why, &str)] = &[
    ("bookmark", "created", Valid, "any time"),
    ("bookmark", "id", Valid, "any number; 0 should not pass, and does"),
    ("bookmark", "lineage: line", Valid, "any number of a line"),
    ("bookmark", "snapshot", Valid, "any name: the snapshot may be gone"),
    ("branch", "catalog: kind", Unread, "of a pointer to no page"),
    ("branch", "catalog: level", Unread, "of a pointer to no page"),
    ("branch", "catalog: stamp", Unread, "of a pointer to no page"),
    ("branch", "created", Valid, "any time"),
    ("branch", "last snapshot", Valid, "any name: the snapshot may be gone"),
    ("branch", "lineage: line", Valid, "any number of a line"),
    ("branch", "lineage: stamp", Valid, "any stamp: where a line was left"),
    ("branch", "origin", Valid, "any name: what it was made of may be gone"),
    (
        "branch",
        "shared at",
        Valid,
        "any stamp from that of the youngest shared page to the store's",
    ),
    ("directory entry", "behind the last group", Unread, "of no group"),
    ("extent", "length", Valid, "any length that ends in the same page"),
    ("extent", "stamp", Valid, "any stamp up to its leaf's"),
    ("inner node", "free space", Unread, "of nobody"),
    ("log record", "body of a mark", Unread, "says nothing"),
    ("log record", "chain", Torn, "in the last record"),
    ("log record", "crc", Torn, "in the last record"),
    ("log record", "durable block", Valid, "any block: it proves less or more of a torn end"),
    ("log record", "durable checkpoint", Valid, "any up to the superblock's"),
    ("log record", "generation", Torn, "in the last record; and any that does not fall is valid"),
    ("log record", "kind", Torn, "in the last record"),
    ("log record", "length", Torn, "in the last record"),
    ("log record", "padding", Unread, "behind the body"),
    ("log record", "sequence", Torn, "in the last record"),
    ("log record", "stamp", Valid, "any stamp: later ones are above it"),
    ("log record", "store id", Torn, "in the last record"),
    ("log record", "zero", Torn, "in the last record"),
    ("map entry behind the end", "crc", Unread, "of no page"),
    ("map entry of a free page", "crc", Unread, "means nothing until the page is used"),
    ("map entry of a node", "count, in the delta list as well", Unread, "the list's counts"),
    ("map entry of a node", "crc, in the delta list as well", Unread, "the list's counts"),
    ("map entry of a reserved page", "crc", Unread, "has no meaning"),
    ("map entry of the log", "crc", Unread, "has no meaning"),
    ("raw page", "data", Valid, "any bytes"),
    ("record of a machine", "id", Valid, "any number"),
    ("record of a machine", "root: stamp", Valid, "any stamp up to the catalog's"),
    ("redo of names", "created", Valid, "any time"),
    ("redo of names", "held", Valid, "1 or 0"),
    ("redo of names", "name", Valid, "any name that may be given"),
    ("redo of names", "snapshot id", Valid, "any number"),
    (
        "redo of writes",
        "end of the range: present",
        Valid,
        "no end, where a key of no byte is removed next",
    ),
    ("redo of writes", "key", Valid, "any key"),
    ("redo of writes", "operation", Valid, "another one that takes the same bytes"),
    ("redo of writes", "table's name", Valid, "any name: the table is made"),
    ("redo of writes", "value", Valid, "any bytes"),
    ("release of a raw page", "kind", Unread, "the tag says it"),
    ("release of a raw page", "stamp", Unread, "a raw page has none"),
    ("slotted leaf", "free space", Unread, "of nobody"),
    ("slotted leaf", "head", Valid, "any key between its neighbours"),
    ("slotted leaf", "prefix", Valid, "any within the bounds of the leaf"),
    ("slotted leaf", "rest of a key", Valid, "any key between its neighbours"),
    ("slotted leaf", "value", Valid, "any bytes"),
    ("snapshot", "branch", Valid, "any name: the branch may be gone"),
    ("snapshot", "created", Valid, "any time"),
    ("snapshot", "held", Valid, "1 or 0; any other number counts as 1"),
    ("snapshot", "id", Valid, "any number; 0 should not pass, and does"),
    ("snapshot", "lineage: line", Valid, "any number of a line"),
    ("snapshot", "parent", Valid, "any name: the snapshot may be gone"),
    ("stream that is being received", "base id", Valid, "any number"),
    ("stream that is being received", "snapshot id", Valid, "any number"),
    ("superblock", "compatible features", Unread, "readers ignore it"),
    ("superblock", "created", Valid, "any time"),
    ("superblock", "log generation", Valid, "any up to that of the first record; else torn"),
    ("superblock", "stamp", Valid, "any from the youngest page's to the ceiling"),
    ("superblock", "stamp ceiling", Valid, "any from the stamp on"),
    ("superblock", "zero (117)", Unread, "not checked in version 1"),
    ("superblock", "zero (124)", Unread, "not checked in version 1"),
    ("superblock", "zero (164)", Unread, "not checked in version 1"),
    ("superblock", "zero (184)", Unread, "not checked in version 1"),
    ("uniform leaf", "free space", Unread, "of nobody"),
    ("uniform leaf", "head", Valid, "any key between its neighbours"),
    ("uniform leaf", "prefix", Valid, "any within the bounds of the leaf"),
    ("uniform leaf", "rest of a key", Valid, "any key between its neighbours"),
    ("uniform leaf", "value", Valid, "any bytes"),
];

/// Those that pass at other values only than the fixed changes try.
pub const RARELY: &[(&str, &str, Why, &str)] = &[
    (
        "stream that is being received",
        "position",
        Valid,
        "any up to the end of what has come; of a stream with a base any at all",
    ),
    ("superblock", "log chain", Torn, "where no later record proves that there was one"),
    ("superblock", "log sequence", Torn, "where no later record proves that there was one"),
    ("superblock", "log start", Torn, "where no later record proves that there was one"),
    ("table of a machine", "bits", Valid, "accessed, dirty, and what an area allows"),
    ("table of a machine", "empty word", Valid, "a guard, or the zero frame"),
    ("table of a machine", "page, lowest bits", Valid, "exclusive: bit 9"),
];

pub fn why(structure: &str, name: &str) -> Option<(Why, &'static str)> {
    let row = UNNOTICED.iter().chain(RARELY).find(|row| (row.0, row.1) == (structure, name))?;
    Some((row.2, row.3))
}
