//! The catalogue: every problem that the checker can find, by number.
//!
//! Numbers are stable: scripts and bug reports may cite them. The first two digits name the pass
//! (01 superblocks and file, 02 log, 03 page map, 04 nodes, 05 large values and machines, 06 names, 07 counts,
//! 08 replay). Each problem breaks one of these invariants, numbered as in `docs/design.md`:
//!
//! - I1: a committed page is never written in place.
//! - I2: a superblock is written only after a sync of all that it reaches.
//! - I3: a page's count equals the number of pointers to it.
//! - I4: a freed page is not used again while a durable checkpoint, one in progress, or a reader can
//!   reach it.
//! - I5: a child's stamp is at most its parent's.
//! - I6: keys ascend, and lie within the bounds that their ancestors set.
//! - I7: all leaves of a tree have one depth: a child's level is its parent's less one.
//! - I8: every page matches its checksums: header, page map, extent.
//! - I9: a snapshot's root never changes.
//! - I10: the counts of entries and pages in inner nodes and tables equal what is below.
//! - I11: what is younger than its branch's `shared_at` has one owner (R3).
//! - I12: the log's valid prefix replays on the checkpoint it follows.

use std::fmt;

use serde::{Serialize, Serializer};

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A second copy is gone; the first still serves.
    Redundancy,
    /// Space is lost, nothing else.
    Leak,
    /// Bookkeeping is wrong: data reads well now, and writing may destroy some.
    Corruption,
    /// Data, or the way to it, is damaged.
    Damage,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Redundancy => "redundancy",
            Severity::Leak => "leak",
            Severity::Corruption => "corruption",
            Severity::Damage => "damage",
        })
    }
}

/// What a repair of a problem costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Remedy {
    /// Nothing is lost; a repair does it unasked.
    Lossless,
    /// Data is lost, or taken from another state: only `--repair=lossy` does it.
    Lossy,
    /// There is none in place: the data must be salvaged.
    None,
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Remedy::Lossless => "lossless",
            Remedy::Lossy => "lossy",
            Remedy::None => "none",
        })
    }
}

/// What the catalogue says about one kind of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The kind.
    pub kind: Kind,
    /// Its stable number, such as `F0101`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it means, in a sentence.
    pub meaning: &'static str,
    /// What a repair costs.
    pub remedy: Remedy,
    /// What a repair would do.
    pub repair: &'static str,
    /// The invariant it breaks.
    pub invariant: &'static str,
}

macro_rules! catalogue {
    ($($kind:ident $code:literal $severity:ident $remedy:ident $invariant:literal $meaning:literal => $repair:literal;)*) => {
        /// The kinds of problem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $(#[doc = $meaning] $kind,)*
        }

        /// All kinds, ascending by code.
        pub const CATALOGUE: &[Entry] = &[
            $(Entry {
                kind: Kind::$kind,
                code: $code,
                severity: Severity::$severity,
                meaning: $meaning,
                remedy: Remedy::$remedy,
                repair: $repair,
                invariant: $invariant,
            },)*
        ];
    };
}

catalogue! {
    SuperblocksLost "F0101" Damage None "I2"
        "No copy of the superblock is readable."
        => "nothing in place: the data must be salvaged from the pages' own headers";
    SuperblockCopy "F0102" Redundancy Lossless "I8"
        "One copy of a superblock is damaged; its twin is whole."
        => "write the twin's bytes over it";
    SuperblockSlot "F0103" Corruption Lossy "I2"
        "Both copies of the superblock in one slot are damaged: it may have been the newest."
        => "keep the other slot's state, on demand: a newer checkpoint may be lost";
    SuperblocksDisagree "F0104" Corruption Lossy "I2"
        "Two readable superblocks contradict each other."
        => "keep the newest, on demand";
    SuperblockField "F0105" Damage Lossless "I8"
        "A superblock has a right checksum and an impossible field."
        => "write the twin's bytes over it; without one it is F0103";
    FileTooShort "F0111" Damage Lossless "I2"
        "The file is shorter than its superblock says."
        => "make it as long again; what stood there is reported page by page";
    RootMissing "F0112" Damage None "I2"
        "The superblock leads to no names, though pages or the log show that there was a commit."
        => "nothing in place: the data must be salvaged from the pages' own headers";
    LogDamaged "F0201" Damage Lossy "I12"
        "A log record that was durable is damaged: transactions behind it are lost."
        => "cut the log there, on demand: the transactions behind it are lost";
    LogNewer "F0202" Damage Lossy "I2"
        "The log proves that a newer superblock was durable than the one that was found."
        => "keep the older state, on demand: what the newer one had is lost";
    LogUnreadable "F0203" Damage Lossy "I12"
        "A part of the log cannot be read."
        => "cut the log there, on demand: the transactions behind it are lost";
    DirectoryCopy "F0301" Redundancy Lossless "I8"
        "One copy of the top page of the map's directory is damaged; its twin is whole."
        => "write the twin's bytes over it";
    DirectoryPage "F0302" Corruption Lossless "I8"
        "A page of the map's directory is damaged."
        => "rebuild the map from the trees";
    Group "F0303" Corruption Lossless "I8"
        "A group of the page map is damaged."
        => "rebuild it from the trees";
    FreeCount "F0304" Corruption Lossless "I3"
        "A number of free pages in the map's directory or superblock is wrong."
        => "write the right number";
    BeyondEnd "F0305" Leak Lossless "I3"
        "The map counts owners of a page behind the end of the file."
        => "set the count to zero";
    DeltaList "F0306" Corruption Lossless "I3"
        "The superblock's delta list names a page of a group that was never written."
        => "rebuild the map from the trees";
    PageUnreadable "F0401" Damage Lossy "I8"
        "A page cannot be read."
        => "refill its keys from a snapshot that has them, or cut it off, on demand";
    NodeChecksum "F0402" Damage Lossy "I8"
        "A node's bytes do not match its checksum."
        => "refill its keys from a snapshot that has them, or cut it off, on demand";
    NodePlace "F0403" Damage Lossy "I1"
        "A whole node stands where another one should: a misplaced write."
        => "refill its keys from a snapshot that has them, or cut it off, on demand";
    NodeStore "F0404" Damage Lossy "I8"
        "A node belongs to another store."
        => "refill its keys from a snapshot that has them, or cut it off, on demand";
    NodeIdentity "F0405" Damage Lossy "I1"
        "A node has another kind, level or stamp than the pointer to it says: an old version of the page."
        => "refill its keys from a snapshot that has them, or cut it off, on demand";
    NodeTree "F0406" Corruption Lossy "I4"
        "A node belongs to another tree than the one that leads to it."
        => "refill its keys from a snapshot that has them, or cut it off, on demand";
    NodeStructure "F0407" Damage Lossy "I8"
        "A node has a right checksum and an impossible structure."
        => "keep its readable entries, refill the others from a snapshot that has them, on demand";
    NodeOrder "F0408" Damage Lossy "I6"
        "Keys of a node do not ascend."
        => "keep the entries that ascend, refill the others from a snapshot that has them, on demand";
    NodeBounds "F0409" Damage Lossy "I6"
        "A key lies outside the bounds that its ancestors set, where no search finds it."
        => "drop the entry, and refill the node's keys from a snapshot that has them, on demand";
    EntryCount "F0410" Corruption Lossless "I10"
        "An inner node, or a table's record, counts another number of entries or pages than there are below."
        => "write the right number";
    PointerRange "F0411" Damage Lossy "I3"
        "A pointer leads to no page that a tree may use."
        => "refill its keys from a snapshot that has them, or cut it off, on demand";
    ChildLevel "F0412" Damage Lossy "I7"
        "A pointer's kind or level does not follow from its parent's."
        => "refill its keys from a snapshot that has them, or cut it off, on demand";
    ChildStamp "F0413" Corruption Lossless "I5"
        "A child claims to be younger than its parent."
        => "write its parents anew, younger";
    NodeMapChecksum "F0414" Corruption Lossless "I8"
        "The page map has another checksum for a node than the node itself."
        => "write the right checksum into the map";
    ExtentPointer "F0501" Damage Lossy "I8"
        "A reference to a large value is not readable."
        => "refill the value from a snapshot that has it, or drop the entry, on demand";
    ExtentPage "F0502" Damage Lossy "I8"
        "A page of a large value does not match its checksum."
        => "believe the value's own checksum; else refill it from a snapshot that has it, or drop it, on demand";
    ExtentChecksum "F0503" Damage Lossy "I8"
        "The checksums of a large value's pages do not match the value's own."
        => "refill the value from a snapshot that has it, or drop it, on demand";
    RawPage "F0504" Damage Lossy "I8"
        "A page of a stored machine does not match its checksum."
        => "take the machine from a snapshot that has it, or drop it, on demand";
    RawPointer "F0505" Damage Lossy "I7"
        "A table of a stored machine leads to no page that it may use, or at a wrong height."
        => "take the machine from a snapshot that has it, or drop it, on demand";
    MachineState "F0506" Damage Lossy "I7"
        "The pages of a stored machine are whole and make no machine: it cannot be resumed."
        => "take the machine from a snapshot that has it, or drop it, on demand";
    Record "F0601" Damage Lossy "I9"
        "A record of a branch, snapshot, table or release is not readable."
        => "drop the record, on demand";
    Name "F0602" Corruption Lossy "I9"
        "A name is not one that may be given."
        => "drop its record, on demand";
    NameTwice "F0603" Corruption Lossy "I9"
        "A branch and a snapshot have one name."
        => "drop the snapshot's record, on demand";
    NoMain "F0604" Damage Lossy "I9"
        "There is no branch named main."
        => "make it from the newest snapshot or branch, on demand";
    RecordStamp "F0605" Corruption Lossless "I5"
        "A record claims to be younger than the state it belongs to."
        => "write the state's own stamp";
    LineageEnd "F0606" Corruption Lossless "I9"
        "The lineage of a branch, snapshot or bookmark ends elsewhere than its record says: a stream may build on the wrong version."
        => "forget where it comes from: no stream builds on it";
    Incoming "F0607" Corruption Lossless "I9"
        "A branch is marked as a stream that is being received, or hidden from its users, and no record of one agrees; or a record has no such branch."
        => "believe the record: mark the branch where there is one, else show it; drop a record without a branch";
    StreamPosition "F0608" Corruption Lossless "I9"
        "A stream that is being received claims to be where it cannot be: what it leaves out would be missing."
        => "let it bring all once more, from its start";
    CountTooLow "F0701" Corruption Lossless "I3"
        "A page has more owners than the map counts: deleting one of them would destroy the others' data."
        => "write the right count";
    CountTooHigh "F0702" Leak Lossless "I3"
        "The map counts more owners of a page than it has."
        => "write the right count";
    Orphan "F0703" Leak Lossless "I3"
        "The map counts a page as used that nothing points to."
        => "free it";
    OwnedButFree "F0704" Corruption Lossless "I4"
        "The map says that a page is free that something points to: the next write may overwrite it."
        => "write the right count";
    DoubleUse "F0705" Damage Lossy "I4"
        "Two owners use one page as different things."
        => "keep the first owner, refill the other's keys from a snapshot that has them, on demand";
    YoungShared "F0706" Corruption Lossless "I11"
        "A page younger than its branch's last sharing has several owners: a write would change it for all."
        => "raise the branch's shared_at";
    ReplayFailed "F0801" Damage Lossy "I12"
        "The log's transactions cannot be replayed."
        => "keep the transactions before the failing one, on demand";
    ReplayPanicked "F0802" Damage Lossy "I12"
        "The engine broke off while it replayed the log: a fault of the program."
        => "keep the transactions before the failing one, on demand; and please report it, with the file";
    ReplayInconsistent "F0803" Corruption Lossy "I12"
        "The state after replay is not consistent, though the checkpoint before it was."
        => "keep the transactions before the failing one, on demand; and please report it, with the file";
}

impl Entry {
    /// Is data affected, and not only what keeps account of it?
    pub fn affects_data(&self) -> bool {
        self.severity == Severity::Damage
    }

    /// The entry in a line, and what a repair does in another one.
    pub fn text(&self) -> String {
        format!(
            "{}  {:10}  {:3}  {}\n       repair {:8}   {}, {}\n",
            self.code,
            self.severity.to_string(),
            self.invariant,
            self.meaning,
            self.remedy,
            if self.affects_data() { "data affected" } else { "data whole" },
            self.repair
        )
    }
}

/// The whole catalogue, as `--list-problems` prints it.
pub fn catalogue_text() -> String {
    CATALOGUE.iter().map(Entry::text).collect()
}

impl Kind {
    /// What the catalogue says about it.
    pub fn entry(self) -> &'static Entry {
        &CATALOGUE[self as usize]
    }

    /// Its stable number.
    pub fn code(self) -> &'static str {
        self.entry().code
    }

    /// What a repair of it costs.
    pub fn remedy(self) -> Remedy {
        self.entry().remedy
    }

    /// How bad it is.
    pub fn severity(self) -> Severity {
        self.entry().severity
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_ascend_and_stand_at_their_kind() {
        assert!(CATALOGUE.is_sorted_by(|a, b| a.code < b.code));
        for (i, entry) in CATALOGUE.iter().enumerate() {
            assert_eq!(entry.kind as usize, i);
            assert!(entry.meaning.ends_with('.'));
        }
    }
}
