//! Reading a stream: into a branch that nobody sees, which becomes the snapshot when the end has
//! come.
//!
//! ```text
//! frames, each verified --> up to 16 MiB in memory --> one transaction on the hidden branch,
//!                                                      with the position behind it
//!                                  at the end: the last transaction also makes the snapshot
//! ```
//!
//! The writer is kept waiting while a batch is applied, not while the pipe is; only a large value
//! that does not fit a batch holds it until it has come. A stream that fits one batch leaves nothing
//! behind if it fails; of a longer one the branch remains, to be continued or dropped.

use std::{collections::VecDeque, io::Read};

use cowslip_pager::{Pointer, mutant};

use super::{
    Begin, In, Mode, VERSION,
    frame::{Frame, FrameReader, Kind, damaged},
    operation::{Decoder, Operation},
    position::{Position, Token},
    send::{snapshot_by_id, snapshot_by_name},
};
use crate::{
    Database,
    draft::{Arrived, Draft, lookup, now},
    error::{Error, Result},
    meta::{self, BRANCH, BranchRecord, INCOMING, Incoming, SNAPSHOT, SnapshotRecord},
    tree::Span,
};

/// How a stream is received.
#[derive(Debug, Clone, Default)]
pub struct ReceiveOptions {
    name: Option<String>,
    follow: Option<String>,
    keep_partial: bool,
}

impl ReceiveOptions {
    /// The snapshot's name here, instead of the one it has at the sender's.
    pub fn name(mut self, name: &str) -> ReceiveOptions {
        self.name = Some(name.into());
        self
    }

    /// This branch goes on from the snapshot: it is made if it is missing; one that is empty or
    /// stands at the stream's base is moved; any other is [`Error::BranchNotAtBase`], and nothing is
    /// received.
    pub fn follow(mut self, branch: &str) -> ReceiveOptions {
        self.follow = Some(branch.into());
        self
    }

    /// Of a stream that breaks off, keep what came, so that it can be continued
    /// ([`Database::receive_token`]). Otherwise it is dropped.
    pub fn keep_partial(mut self, keep: bool) -> ReceiveOptions {
        self.keep_partial = keep;
        self
    }
}

/// What a stream brought.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceiveReport {
    /// The snapshot's name here.
    pub snapshot: String,
    /// The name of its base here.
    pub base: Option<String>,
    /// Entries that were put.
    pub puts: u64,
    /// Entries, and whole tables, that were removed.
    pub removals: u64,
}

/// Bytes of frames that are applied in one transaction.
const BATCH: usize = 16 << 20;

impl Database {
    /// Receives a snapshot: reads a stream to its end mark, and not beyond. Nothing is visible before
    /// all of it has come and was verified.
    ///
    /// [`Error::BaseNotFound`] if the stream builds on a snapshot that is not here;
    /// [`Error::DamagedStream`] or [`Error::StreamEnded`] if it is not as it was sent.
    pub fn receive(&self, input: impl Read) -> Result<ReceiveReport> {
        self.receive_with(input, &ReceiveOptions::default())?.ok_or(Error::StreamEnded { at: 0 })
    }

    /// The same with options. `None`: the input is at its end; so a series of streams can be received
    /// from one input, one call after the other.
    pub fn receive_with(
        &self,
        input: impl Read,
        options: &ReceiveOptions,
    ) -> Result<Option<ReceiveReport>> {
        let Some(mut frames) = FrameReader::new(input)? else { return Ok(None) };
        let first = frames.next()?;
        if first.kind != Kind::Begin {
            return damaged(first.at, "kind of the first frame", 1, first.kind as u64);
        }
        let mut body = In(&first.body);
        let version = first.sound(body.u32())?;
        if version != VERSION {
            return Err(Error::NewerFormat { found: version.into(), supported: VERSION.into() });
        }
        let begin = first.sound(Begin::decode(body))?;
        let mut receiver = Receiver::new(self, begin, options)?;
        match receiver.run(&mut frames) {
            Ok((puts, removals)) => Ok(Some(ReceiveReport {
                snapshot: receiver.name,
                base: receiver.base.map(|(name, _)| name),
                puts,
                removals,
            })),
            Err(error) => {
                // The stream's error is the one to report.
                if !receiver.keep_partial
                    && let Err(second) = receiver.discard()
                {
                    tracing::warn!(%second, "dropping what was received in part");
                }
                Err(error)
            }
        }
    }

    /// The token by which [`resume_send`](Database::resume_send) goes on with a snapshot that was
    /// received in part; `None` if there is nothing of that name. To drop the part instead, delete
    /// the branch of that name.
    pub fn receive_token(&self, name: &str) -> Result<Option<String>> {
        let reader = self.shared.pager()?.begin_read();
        let key = meta::key(INCOMING, name);
        let Some((bytes, page)) = lookup(reader.view(), reader.version().root, &key)? else {
            return Ok(None);
        };
        let incoming = Incoming::decode(&bytes, page)?;
        let position = Position::whole(&incoming.position)
            .map_err(|fault| Error::corrupted(page.0, fault.what, fault.expected, fault.found))?;
        let Incoming { snapshot, base, .. } = incoming;
        Ok(Some(Token { snapshot, base, position }.text()))
    }

    /// The snapshots that were received in part.
    pub fn partly_received(&self) -> Result<Vec<String>> {
        let reader = self.shared.pager()?.begin_read();
        let names = Draft::names(reader.view(), reader.version().root, INCOMING)?;
        Ok(names.into_iter().map(|(name, ..)| name).collect())
    }
}

/// The range that is being replaced: all in it that is not mentioned goes.
struct Range {
    /// Behind the last key that was mentioned.
    next: Vec<u8>,
    to: Option<Vec<u8>>,
}

impl Range {
    fn new(from: &[u8], to: Option<&[u8]>) -> Range {
        Range { next: from.to_vec(), to: to.map(<[u8]>::to_vec) }
    }

    /// What lies between the last one that was mentioned and this one, which is mentioned now.
    fn pass(&mut self, key: &[u8]) -> Span {
        let mut next = key.to_vec();
        next.push(0);
        Span { from: std::mem::replace(&mut self.next, next), to: Some(key.to_vec()) }
    }

    fn covers(&self, key: &[u8]) -> bool {
        key >= self.next.as_slice() && self.to.as_deref().is_none_or(|to| key < to)
    }

    fn rest(self) -> Span {
        Span { from: self.next, to: self.to }
    }
}

struct Receiver<'d> {
    database: &'d Database,
    begin: Begin,
    name: String,
    base: Option<(String, SnapshotRecord)>,
    follow: Option<String>,
    keep_partial: bool,
    /// The hidden branch, once there is one, by its line: another stream may begin one anew.
    staged: Option<u64>,
    /// The line of the hidden branch that the transaction is on.
    line: u64,
    position: Position,
    tables: Option<Range>,
    table: Option<String>,
    range: Option<Range>,
    /// No table was named yet.
    at_begin: bool,
    puts: u64,
    removals: u64,
}

impl<'d> Receiver<'d> {
    fn new(database: &'d Database, begin: Begin, options: &ReceiveOptions) -> Result<Receiver<'d>> {
        if database.is_read_only() {
            return Err(Error::ReadOnly);
        }
        let name = options.name.clone().unwrap_or_else(|| begin.name.clone());
        meta::check_name(&name)?;
        if [&begin.branch, &begin.base_name].iter().any(|text| text.len() > meta::NAME_MAX)
            || begin.label.as_ref().is_some_and(|label| label.len() > meta::NAME_MAX)
        {
            return damaged(0, "length of a name (at most)", meta::NAME_MAX as u64, u64::MAX);
        }
        let reader = database.shared.pager()?.begin_read();
        let (view, root) = (reader.view(), reader.version().root);
        if lookup(view, root, &meta::key(SNAPSHOT, &name))?.is_some() {
            return Err(Error::AlreadyExists(name));
        }
        let branch = match lookup(view, root, &meta::key(BRANCH, &name))? {
            Some((bytes, page)) => Some(BranchRecord::decode(&bytes, page)?),
            None => None,
        };
        if branch.as_ref().is_some_and(|branch| !branch.incoming) {
            return Err(Error::AlreadyExists(name));
        }
        let base = match begin.mode {
            Mode::Full => None,
            Mode::Changes | Mode::Ranges => {
                let found = match snapshot_by_id(&reader, begin.base)? {
                    None if mutant!(BaseByName) => snapshot_by_name(&reader, &begin.base_name)?,
                    found => found,
                };
                Some(found.ok_or_else(|| Error::BaseNotFound {
                    name: begin.base_name.clone(),
                    id: begin.base,
                })?)
            }
        };
        if begin.resumed.is_some() {
            let part = match lookup(view, root, &meta::key(INCOMING, &name))? {
                Some((bytes, page)) => Some(Incoming::decode(&bytes, page)?),
                None => None,
            };
            let fits = part.as_ref().is_some_and(|part| {
                (part.snapshot, part.base) == (begin.snapshot, begin.base)
                    && Position::whole(&part.position)
                        .is_ok_and(|have| begin.resumed.as_ref().is_some_and(|from| *from <= have))
            });
            if !fits {
                return Err(Error::WrongBase(format!(
                    "the stream continues snapshot {name:?} (id {:#x}), of which what it goes on from is not here",
                    begin.snapshot
                )));
            }
        }
        if let Some(follow) = &options.follow {
            let stands = match lookup(view, root, &meta::key(BRANCH, follow))? {
                Some((bytes, page)) => BranchRecord::decode(&bytes, page)?.catalog,
                None => Pointer::NONE,
            };
            let wanted = base.as_ref().map_or(Pointer::NONE, |(_, base)| base.catalog);
            if !stands.is_none() && stands != wanted {
                let base = base.map(|(base, _)| base);
                return Err(Error::BranchNotAtBase {
                    branch: follow.clone(),
                    snapshot: name,
                    base,
                });
            }
        }
        let line = branch.and_then(|branch| branch.lineage.tip()).map(|tip| tip.line);
        let staged = line.filter(|_| begin.resumed.is_some());
        let position =
            begin.resumed.clone().unwrap_or_else(|| Position { table: String::new(), key: None });
        Ok(Receiver {
            database,
            staged,
            line: 0,
            name,
            base,
            follow: options.follow.clone(),
            // What an earlier stream brought is not lost by a later one that breaks off.
            keep_partial: options.keep_partial || begin.resumed.is_some(),
            position,
            tables: None,
            table: None,
            range: None,
            begin,
            at_begin: true,
            puts: 0,
            removals: 0,
        })
    }

    fn run(&mut self, frames: &mut FrameReader<impl Read>) -> Result<(u64, u64)> {
        let mut queue = VecDeque::new();
        let mut queued = 0;
        loop {
            let frame = match frames.next() {
                Ok(frame) => frame,
                Err(error) => {
                    if self.keep_partial && !queue.is_empty() {
                        self.apply::<&[u8]>(&mut queue, None, None)?;
                    }
                    return Err(error);
                }
            };
            if frame.kind == Kind::End {
                self.apply(&mut queue, Some(frames), Some(&frame))?;
                return Ok((self.puts, self.removals));
            }
            // Frames without a body take memory, too.
            queued += frame.body.len() + size_of::<Frame>();
            queue.push_back(frame);
            if queued >= BATCH {
                self.apply(&mut queue, Some(frames), None)?;
                queued = 0;
            }
        }
    }

    /// Does what the queued frames say in one transaction. A large value may need further ones;
    /// without `more` it is left out if it is not whole.
    fn apply<R: Read>(
        &mut self,
        queue: &mut VecDeque<Frame>,
        mut more: Option<&mut FrameReader<R>>,
        end: Option<&Frame>,
    ) -> Result<()> {
        let mut draft = self.begin()?;
        while let Some(frame) = queue.pop_front() {
            if frame.kind != Kind::Operations {
                return damaged(frame.at, "kind of a frame", 2, frame.kind as u64);
            }
            let Some((table, key, length)) = self.frame(&mut draft, &frame)? else { continue };
            let there: usize = queue.iter().map(|frame| frame.body.len()).sum();
            if length > there as u64 && more.is_some() {
                // It may be long in coming: what came before it is kept first.
                self.commit(draft)?;
                draft = self.begin()?;
            }
            if self.large(&mut draft, &table, &key, length, queue, more.as_deref_mut())? {
                self.done(table, key);
                self.puts += 1;
            }
        }
        match end {
            Some(end) => {
                self.end(&mut draft, end)?;
                draft.commit_by_checkpoint()?;
                self.database.shared.release_soon();
                Ok(())
            }
            None => self.commit(draft),
        }
    }

    /// A transaction on the hidden branch, which the first one makes.
    fn begin(&mut self) -> Result<Draft> {
        let mut draft = Draft::new(self.database.shared.pager()?.begin_write()?)?;
        if self.staged.is_none() {
            let base = self.base.as_ref().map(|(name, record)| (name.as_str(), record));
            draft.begin_incoming(&self.name, base, &self.incoming())?;
        }
        self.line = draft.open_incoming(&self.name)?;
        if self.staged.is_some_and(|line| line != self.line) && !mutant!(ForeignPartContinued) {
            return Err(Error::WrongBase(format!(
                "another stream has begun to bring snapshot {:?}",
                self.name
            )));
        }
        if let Some(table) = &self.table {
            draft.open_table(table)?;
        }
        Ok(draft)
    }

    fn commit(&mut self, mut draft: Draft) -> Result<()> {
        draft.put_incoming(&self.name, &self.incoming())?;
        draft.commit_by_checkpoint()?;
        self.staged = Some(self.line);
        self.database.shared.release_soon();
        Ok(())
    }

    /// Drops what was received so far, unless another stream has begun anew.
    fn discard(&self) -> Result<()> {
        let Some(line) = self.staged else { return Ok(()) };
        let mut draft = Draft::new(self.database.shared.pager()?.begin_write()?)?;
        if draft.branch_record(&self.name)?.lineage.tip().is_some_and(|tip| tip.line == line) {
            draft.delete_branch(&self.name)?;
            draft.commit_by_checkpoint()?;
            self.database.shared.release_soon();
        }
        Ok(())
    }

    fn incoming(&self) -> Incoming {
        let mut position = Vec::new();
        self.position.encode(&mut position);
        Incoming { snapshot: self.begin.snapshot, base: self.begin.base, position }
    }

    /// Does what a frame says. A large value that stands at its end is left to the caller: table,
    /// key, and length.
    fn frame(
        &mut self,
        draft: &mut Draft,
        frame: &Frame,
    ) -> Result<Option<(String, Vec<u8>, u64)>> {
        let mut operations = Decoder::new(&frame.body);
        while let Some(operation) = frame.sound(operations.next())? {
            let builds =
                matches!(operation, Operation::Table(_) | Operation::Put(_) | Operation::Large(_));
            // So what a full stream has brought lies up to its position, and nothing behind that.
            if self.begin.mode == Mode::Full && !builds {
                return damaged(frame.at, "operations that build from nothing", 1, 0);
            }
            match operation {
                Operation::Tables(from, to) => {
                    self.end_tables(draft)?;
                    self.tables = Some(Range::new(from, to));
                }
                Operation::Table(name) => {
                    self.pass_table(draft, frame, name)?;
                    draft.open_table(name)?;
                    self.table = Some(name.into());
                }
                Operation::DropTable(name) => {
                    frame.sound(Position { table: name.into(), key: None }.sound())?;
                    self.pass_table(draft, frame, name)?;
                    draft.delete_table(name)?;
                    self.removals += 1;
                }
                Operation::Range(from, to) => {
                    self.end_range(draft)?;
                    self.range = Some(Range::new(from, to));
                }
                Operation::Put(value) => {
                    let (table, key) = self.pass_key(draft, frame, operations.key())?;
                    draft.insert(&table, &key, value)?;
                    self.done(table, key);
                    self.puts += 1;
                }
                Operation::Remove => {
                    let (table, key) = self.pass_key(draft, frame, operations.key())?;
                    draft.remove(&table, &key)?;
                    self.done(table, key);
                    self.removals += 1;
                }
                Operation::Keep => {
                    let (table, key) = self.pass_key(draft, frame, operations.key())?;
                    if draft.table(&table)?.get(draft.txn.view(), &key)?.is_none() {
                        return Err(Error::WrongBase(format!(
                            "table {table:?} has no value under the key \"{}\", which the stream keeps as its base has it",
                            key.escape_ascii()
                        )));
                    }
                    self.done(table, key);
                }
                Operation::Large(length) => {
                    let (table, key) = self.pass_key(draft, frame, operations.key())?;
                    draft.check_key(&key)?;
                    frame.sound(operations.end())?;
                    return Ok(Some((table, key, length)));
                }
            }
        }
        Ok(None)
    }

    /// Reads a large value from the frames that follow. False: they are not all there.
    fn large<R: Read>(
        &mut self,
        draft: &mut Draft,
        table: &str,
        key: &[u8],
        length: u64,
        queue: &mut VecDeque<Frame>,
        mut more: Option<&mut FrameReader<R>>,
    ) -> Result<bool> {
        // A forged length must not make the file grow before the bytes have come.
        let mut value = draft.begin_value(length.min(BATCH as u64))?;
        let mut left = length;
        while left > 0 {
            let next = match (queue.pop_front(), more.as_deref_mut()) {
                (Some(frame), _) => Ok(Some(frame)),
                (None, Some(frames)) => frames.next().map(Some),
                (None, None) => Ok(None),
            };
            let put = match next {
                Ok(Some(frame)) if frame.kind != Kind::Part => {
                    damaged(frame.at, "kind of a frame", 3, frame.kind as u64)
                }
                Ok(Some(frame)) if frame.body.is_empty() || frame.body.len() as u64 > left => {
                    damaged(frame.at, "bytes of a value (at most)", left, frame.body.len() as u64)
                }
                Ok(Some(frame)) => {
                    left -= frame.body.len() as u64;
                    draft.extend_value(&mut value, &frame.body).map(|()| true)
                }
                Ok(None) => Ok(false),
                Err(error) => Err(error),
            };
            match put {
                Ok(true) => {}
                Ok(false) => {
                    draft.txn.abandon_extent(value);
                    return Ok(false);
                }
                Err(error) => {
                    draft.txn.abandon_extent(value);
                    return Err(error);
                }
            }
        }
        draft.finish_value(table, key, value, None)?;
        Ok(true)
    }

    /// A key is dealt with now: it must lie behind the last one, and in the range.
    fn pass_key(
        &mut self,
        draft: &mut Draft,
        frame: &Frame,
        key: &[u8],
    ) -> Result<(String, Vec<u8>)> {
        let Some(table) = self.table.clone() else {
            return damaged(frame.at, "table of an entry", 1, 0);
        };
        let ascends = self.position.table != table
            || self.position.key.as_deref().is_none_or(|last| last < key);
        if !ascends {
            return damaged(frame.at, "order of the keys", 1, 0);
        }
        if let Some(range) = &mut self.range {
            if !range.covers(key) {
                return damaged(frame.at, "keys inside their range", 1, 0);
            }
            let gap = range.pass(key);
            self.clear(draft, &table, &gap)?;
        }
        Ok((table, key.to_vec()))
    }

    fn done(&mut self, table: String, key: Vec<u8>) {
        self.position = Position { table, key: Some(key) };
    }

    /// A table is dealt with now.
    fn pass_table(&mut self, draft: &mut Draft, frame: &Frame, name: &str) -> Result<()> {
        self.end_range(draft)?;
        if let Some(table) = self.table.take() {
            draft.close_table(&table);
        }
        let last = self.position.table.as_str();
        // The first one of a stream that is continued is the last one of the part before.
        if name < last || name == last && !std::mem::take(&mut self.at_begin) {
            return damaged(frame.at, "order of the tables", 1, 0);
        }
        if let Some(tables) = &mut self.tables {
            if !tables.covers(name.as_bytes()) {
                return damaged(frame.at, "tables inside their range", 1, 0);
            }
            let gap = tables.pass(name.as_bytes());
            self.drop_tables(draft, &gap)?;
        }
        if name != self.position.table {
            self.position = Position { table: name.into(), key: None };
        }
        Ok(())
    }

    fn end_range(&mut self, draft: &mut Draft) -> Result<()> {
        if let (Some(range), Some(table)) = (self.range.take(), self.table.clone()) {
            self.clear(draft, &table, &range.rest())?;
        }
        Ok(())
    }

    fn end_tables(&mut self, draft: &mut Draft) -> Result<()> {
        self.end_range(draft)?;
        if let Some(table) = self.table.take() {
            draft.close_table(&table);
        }
        match self.tables.take() {
            Some(tables) => self.drop_tables(draft, &tables.rest()),
            None => Ok(()),
        }
    }

    /// Removes what the stream does not mention. Mostly there is nothing, which costs one look.
    fn clear(&mut self, draft: &mut Draft, table: &str, span: &Span) -> Result<()> {
        if !span.is_empty() && draft.has_any(table, span)? && !mutant!(GapsLeft) {
            self.removals += draft.remove_range(table, span)?;
        }
        Ok(())
    }

    fn drop_tables(&mut self, draft: &mut Draft, span: &Span) -> Result<()> {
        for name in draft.tables_in(span)? {
            draft.delete_table(&name)?;
            self.removals += 1;
        }
        Ok(())
    }

    /// All has come: the last gaps are closed, and the snapshot is made.
    fn end(&mut self, draft: &mut Draft, frame: &Frame) -> Result<()> {
        let mut body = In(&frame.body);
        let puts = frame.sound(body.u64())?;
        let digest = frame.sound(body.take(32))?;
        frame.sound(body.end())?;
        if digest != frame.digest {
            let word = |bytes: &[u8]| cowslip_pager::page::u64_at(bytes, 0);
            return damaged(frame.at, "digest of the stream", word(&frame.digest), word(digest));
        }
        if puts != self.puts && self.begin.resumed.is_none() {
            return damaged(frame.at, "entries that the stream puts", puts, self.puts);
        }
        self.end_tables(draft)?;
        draft.finish_incoming(&Arrived {
            name: &self.name,
            id: self.begin.snapshot,
            created: self.begin.created.min(now()),
            branch: &self.begin.branch,
            label: self.begin.label.as_deref(),
            base: self.base.as_ref().map(|(name, _)| name.as_str()),
            follow: self.follow.as_deref(),
        })
    }
}
