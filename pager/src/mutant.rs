//! Seeded faults, for measuring the tests: each *mutant* breaks one step of the protocol.
//!
//! A site in the code asks `mutant!(Name)`. Without the feature `mutants` that is the constant
//! `false`, and the site compiles to nothing. With it, the environment variable `COWSLIP_MUTANT`
//! chooses one mutant for the whole process, by its [`Mutant::name`]. The runner
//! (`tests/suite/mutants.rs`) starts every test with every mutant and asks which of them notices.

/// A mutant of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Which one.
    pub mutant: Mutant,
    /// The rule (R1 to R14, S1 to S7, Q1 to Q7) or invariant (I1 to I11) of `docs/design.md` that it breaks, or the
    /// engine in which this very failure happened.
    pub attacks: &'static str,
    /// What it does.
    pub what: &'static str,
    /// Why no test can notice it; empty if one can.
    pub equivalent: &'static str,
}

macro_rules! catalogue {
    ($($attacks:literal $name:ident $what:literal $(equivalent $why:literal)?)*) => {
        /// The seeded faults.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Mutant {
            $(#[doc = $what] $name,)*
        }

        /// All mutants.
        pub const CATALOGUE: &[Entry] = &[$(Entry {
            mutant: Mutant::$name,
            attacks: $attacks,
            what: $what,
            equivalent: concat!($($why)?),
        },)*];
    };
}

catalogue! {
    "R1" PinnedPageEdited "a page is edited in its frame though somebody else has pinned it"

    "R2" CountsAppliedAtOnce "a new owner is entered in the map at once and not at the commit"
    "R2" CountsAppliedByAbort "an abort enters the counts of its transaction in the map"
    "R2" AbortFreesPages "an abort frees what its transaction had freed"
    "R2" AbortLeaksPages "an abort does not give back the pages of its transaction"
    "R2" ChildrenDroppedThoughShared "children of a node that still has an owner lose one each"
    "R2" ChildrenNotDropped "children of a node that lost its last owner keep theirs"
    "R2" ReleaseQueueEntryLost "one entry for the release queue is not written"
    "R2" HalfDoneOperationCommits "a transaction may be committed after an operation failed halfway"

    "R3" ChildrenOfCopyNotCounted "the children of a copied shared node get no further owner"
    "R3" OldOwnerStaysCounted "a copied shared page keeps the owner that has the copy now"
    "R3" OldPageNotFreed "a copied page that nobody shares is not freed"
    "R3" SharedPageFreed "dropping one of several owners frees the page"
    "R3" SharingIgnoredByWriter "the writer takes every page for unshared, whatever its count"
    "R3" SnapshotNotCounted "a snapshot is no owner of its catalog"
    "R3" DroppedNameStaysCounted "a deleted or rolled back name keeps its count of the catalog"
    "R3" SharedAtNotRaisedBySnapshot "a snapshot does not raise its branch's shared_at"
    "R3" SharedAtNotRaisedByRollback "a rollback does not raise its branch's shared_at"
    "R3" SharedAtNotRaisedByBranch "a new branch has the shared_at 0"
    "R3" SharedAtNotRaisedAtOrigin "a branch made of a branch does not raise that one's shared_at"
    "R3" SharedAtNotRaisedByCompaction "compaction does not raise the branches' shared_at"
    "R3" SharedAtNotRaisedByPromotion "a promotion does not raise the two branches' shared_at"
        equivalent "each record moves together with the shared_at that belongs to its catalog"
    "R3" CompactionForgetsSharing "compaction copies a shared node once for each owner"
    "R3" RawChildrenNotCounted "the children that a stored table keeps beside a new one get no further owner"
    "R3" RawTableStaysCounted "a stored table keeps the owner that has the new one"
    "R3" RawTableTakenForSole "a stored table is given up with all it names, whoever else has it"

    "R4" PageReadInsideEpoch "a reader that misses a page reads it without leaving its epoch"

    "R5" GroupWrittenInPlace "a map group goes to the slot that the durable directory names"
    "R5" DirectoryWrittenInPlace "a directory page goes to the slot that is durable"
    "R5" DirectoryTopWrittenOnce "the top directory page is written to one of its two places"
    "R5" DeltaListKept "after a checkpoint the delta list of the one before counts"
    "R5" DeltaListNotApplied "a group that the delta list knows better is taken as it is read"
    "R5" DeltaChecksumsNotApplied "of a group that the delta list knows better only the counts are put right"
    "R5" DeltaTurnForgotten "no entry of the delta list says that a page has become free, or is not any more"
    "R5" GroupChecksumUnchecked "a map group is taken as it is read"
    "R5" DirectoryChecksumUnchecked "a directory page is taken as it is read"

    "R6" SealedGroupChanged "a checkpoint writes its groups as they are now and not as sealed"
    "R6" SealedGroupEvicted "a sealed group may leave memory before its checkpoint is durable"
    "R6" ChangeOfSealedGroupForgotten "a group that changes after the seal is not dirty again"
    "R6" ChecksumOnlyInSealedGroup "a page's checksum misses the copy made since the seal"

    "R7" FreedPageReusedAtOnce "a freed page may be used again by the next transaction"
    "R7" ReadersIgnored "pages are used again though a reader's version needs them"
    "R7" OverflowingReadersIgnored "readers beyond the number of slots hold no pages"
    "R7" UnseenVersionsIgnored "pages are used again though their death is not visible yet"
    "R7" DurableCheckpointIgnored "pages of the durable checkpoint are used again"
    "R7" CheckpointInProgressIgnored "pages of the checkpoint being written are used again"
    "R7" UnwrittenPagesIgnored "pages that the checkpoint is yet to write are used again"
    "R7" RingMovesWithYoungerStamp "a full log's checkpoint takes a stamp above the commit's"
    "R7" StalledLogWriteNotAwaited "blocks and rings are free while a log write is under way"
    "R7" OldRingNotFreed "the ring that the log has left is not freed"
    "R7" RawPageTakenForYoung "a raw page counts as made by the transaction that frees it"

    "R8" ChainUnchecked "a record need not continue the chain"
    "R8" SequenceUnchecked "a record may have any sequence number"
    "R8" GenerationUnchecked "a record may be of an older generation"
    "R8" StoreUnchecked "a record may be of another store"
    "R8" RecordChecksumUnchecked "a record's checksum is not compared"
    "R8" OnlyRecordChecksumChecked "nothing of a record is compared but its checksum"
    "R8" GenerationReused "recovery goes on in the generation that it found"
    "R8" NoWatermark "a later watermark does not tell damage from a torn tail"
    "R8" GapBehindPaddingOverlooked "a record right behind a lost one proves nothing"
    "R8" PaddingOverlooked "the lost record is sought before the padding"
    "R8" NewerCheckpointOverlooked "a record that names a newer checkpoint is no error"
    "R8" CheckpointUnmarked "no mark in the log tells that a checkpoint is durable"
    "R8" LostSlotOverlooked "an older superblock counts where both copies of a slot are lost"
    "R8" DurableWriteContinuesBlock "a durable write begins in the block of the last one"

    "R9" AcknowledgedBeforeDurable "an Immediate commit does not wait for its durable write"
    "R9" VisibleBeforeDurable "readers get a commit before it is durable"
    "R9" WeakCommitOvertakes "a weak commit is acknowledged before an earlier durable one"
    "R9" OnlyNewestRecordsDurable "a durable write leaves out what was written plainly before"
    "R9" EventualNotWritten "an Eventual commit stays in memory"
    "R9" EventualNeverSynced "no durable write follows an Eventual commit"
    "R9" EmptyDurableCommitDoesNothing "an Immediate commit without changes makes nothing durable"
    "R9" RecoveryDoesNotSync "recovery relies on records that are in the system's cache only"
    "R9" NamesNotLogged "snapshots, branches and rollbacks are not logged"

    "R10" UnloggedCommitNotDurable "a transaction that cannot be logged makes no checkpoint"
    "R10" UnloggedCommitLetsOthersWrite "the writer lock is given back before that checkpoint"

    "R11" LargeValuesLoggedInPart "the log gets the first MiB of a larger value"
    "R11" LargeRedoCutOff "the log gets the first 8 MiB of a larger transaction"

    "R12" StampsStartAtSuperblock "an opening starts at the superblock's stamp"
    "R12" NoSessionSuperblock "no superblock with a raised ceiling begins a session"
    "R12" SpillBeforeSession "pages are spilled before the session's superblock"
    "R12" NodeStampUnchecked "a node read from the file may have any stamp"

    "R13" ReadVersionContinued "a version is edited in place though somebody reads it"
    "R13" SealedVersionContinued "a version is edited in place though a checkpoint has it"
    "R13" ImagesNotPutBack "what a failed transaction has edited in place stays so"

    "R14" WriteBehindBeforeSession "settled pages are written before the session's superblock"
    "R14" WriteBehindKeepsNoPlace "the place of a page that is being written early may be used again"
    "R14" WriteBehindChecksumForgotten "the map does not learn the checksum of a page that is written early"

    "I2" SyncDropped "no sync before the superblock"
    "I2" MapWrittenAfterSync "the map is written behind the sync and not before it"
    "I2" SuperblockNotDurable "the superblock is written without waiting for the disk"
    "I2" SuperblockWrittenOnce "only the first copy of the superblock is written"
    "I2" SuperblockCopiesAtOnce "both copies of the superblock are written, then synced together"
    "I2" TornCopyNotMended "a session leaves a torn copy of the superblock as it is"
    "I2" LogStartMovedEarly "the log's old part is free before the superblock is durable"
    "I2" FileCutEarly "the file is cut before the superblock says so"
    "I2" FailedSyncIgnored "a failed sync counts as done"
    "I2" FailedSyncRetried "a failed sync is tried again, and the second answer counts"
    "I2" PoisoningForgotten "after a failed write the store goes on"

    "I10" PagesOfValuesNotCounted "the sums beside a child leave out the pages of large values"
    "I10" GoneNodeStaysCounted "a node that was removed stays in the sums above its parent"
    "I11" InheritorNotRewritten "the leaf that a removed leaf's keys fall to is not made new"
    "streams" FrameChecksumUnchecked "a frame of a stream is taken as it comes"
    "streams" BaseByName "a stream's base is whatever has its name"
    "streams" AnyBookmarkWillDo "a stream is made since a bookmark that is no ancestor"
    "streams" ForeignPartContinued "a stream goes on with a part that another one has begun"
    "streams" GapsLeft "what a stream's range does not mention stays"

    "I8" SuperblockChecksumUnchecked "a copy of the superblock is taken as it is read"
    "I8" NodeChecksumUnchecked "a node's checksum is not compared"
    "I8" PageIdUnchecked "a node's own position is not compared"
    "I8" NodeStoreUnchecked "a node may be of another store"
    "I8" RawPageChecksumUnchecked "the checksums of a large value's pages are not compared"
    "I8" SpilledChecksumForgotten "the map does not learn the checksum of a spilled page"
    "I8" GatheredPagesForgotten "the last raw pages of a transaction are not written"

    "S1" ScrubJudgesUnwritten "the scrub judges pages that are yet to be written"
    "S1" ScrubJudgesLog "the scrub judges the log's ring by the page map"
    "S2" ScrubBelievesFirstLook "the scrub does not look again at what differs"
    "S4" ScrubTakesFailureForDamage "a page that the scrub cannot read is damaged"
    "S6" ScrubProgressNotKept "no superblock is written for the progress of the scrub"

    "Q1" OtherRecordsOverlooked "a log with changes of names is answered from before its replay"
    "Q1" RangesOverlooked "a log with removals of ranges or tables is answered from before its replay"
    "Q1" OldestWordTold "of a key's words in the log the oldest one is told"
    "Q2" FailedReplayForgotten "a replay that has failed counts as ended"
    "Q3" ReplayedVersionPinnedLate "what the replay came to is pinned by the first who needs it"
    "Q4" WriterBeforeEnd "nobody waits for the end of a replay, writers neither"
    "Q5" UnsyncedWordTold "a word of the log is told before it is known to be durable"
    "Q5" UnsyncedTableTold "a table that the log makes is told before it is known to be durable"
    "Q6" BranchesMixed "words of one branch are told of another branch's table of that name"
    "Q7" WordsUnbounded "the words of a log may take any memory"

    "V6" WrittenFrameStaysStored "a frame that is written is still taken for the page that was stored"
    "V7" AnyStoredMachineTrusted "pages of a machine that was not stored are still taken for its own"

    "redb 2026-06" GrowthNotSyncedBeforeHeader "the file grows only after the superblock that needs it"
    "redb 2026-07" TornSlotReblessedByRecovery "a recovery gives a torn superblock a right checksum"
    "redb 2026-08" TransactionIdReusedAfterRepair "a recovery from the log gives stamps once more"
    "bbolt" FreeListNotRolledBack "what an aborted transaction freed may be used again"
    "bbolt" CrashDuringFirstInitialisation "a creation cut short is not told from a foreign file"
    "many engines" MetaBeforeData "the superblock is durable before the pages that it names"
    "redb #885" PanicTakenForCleanShutdown "a panic commits what its transaction had done so far"
    "redb 2.x" TransientIoErrorCorruptsLater "closing makes a checkpoint after a write has failed"
    "redb 2.x" FailedRecoveryIsClosed "closing makes a checkpoint after a recovery has failed halfway"
}

impl Mutant {
    /// As `COWSLIP_MUTANT` has it: the words of the identifier, with hyphens.
    pub fn name(self) -> String {
        let mut name = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_uppercase() && !name.is_empty() {
                name.push('-');
            }
            name.push(letter.to_ascii_lowercase());
        }
        name
    }
}

/// Has this process been started with this mutant?
#[cfg(feature = "mutants")]
pub fn is_active(mutant: Mutant) -> bool {
    use std::sync::LazyLock;
    static CHOSEN: LazyLock<Option<Mutant>> = LazyLock::new(|| {
        let name = std::env::var("COWSLIP_MUTANT").ok()?;
        let entry = CATALOGUE.iter().find(|entry| entry.mutant.name() == name);
        Some(entry.unwrap_or_else(|| panic!("no mutant has the name {name:?}")).mutant)
    });
    *CHOSEN == Some(mutant)
}

/// Never: this build has no mutants.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub const fn is_active(_: Mutant) -> bool {
    false
}

/// Has this process been started with (one of) these mutants? `false` in every ordinary build.
#[doc(hidden)]
#[macro_export]
macro_rules! mutant {
    ($($name:ident)|+) => {
        $($crate::mutant::is_active($crate::mutant::Mutant::$name))||+
    };
}
