//! Writing a stream: what the target has that the base has not.

use std::io::Write;

use cowslip_pager::{Pointer, Reader, mutant};

use super::{
    Begin, Mode,
    frame::{FrameWriter, Kind},
    operation::Encoder,
    position::{Position, Token},
};
use crate::{
    Database,
    diff::{Difference, Differences, Event, Kept, Place, Walk, table_of},
    draft::{self, Draft},
    error::{Error, Result},
    kinds::CATALOG,
    meta::{self, BOOKMARK, BookmarkRecord, SNAPSHOT, SnapshotRecord},
    tree::{Span, Tree},
    value,
};

/// What a stream contained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SendReport {
    /// Bytes of the stream.
    pub bytes: u64,
    /// Entries that it puts.
    pub puts: u64,
    /// Entries, and whole tables, that it removes.
    pub removals: u64,
}

/// Bytes of operations after which a frame is closed.
const FRAME: usize = 64 << 10;
/// Large values up to this size go among the operations, longer ones in frames of their own.
const INLINE_MAX: u64 = 32 << 10;

/// The state that a stream builds on.
enum Base {
    Nothing,
    Snapshot { id: u64, name: String, catalog: Pointer },
    Bookmark { id: u64, name: String, stamp: u64 },
}

impl Database {
    /// Writes a snapshot as a stream: whole, or only what changed since `since`, a snapshot or a
    /// bookmark that the receiver has as a snapshot. Waits until the snapshot is durable.
    ///
    /// [`Error::NoAncestor`] if `since` is a bookmark and no ancestor of the snapshot that could be
    /// proved: then its pages would be needed, and they are gone.
    pub fn send(
        &self,
        output: impl Write,
        snapshot: &str,
        since: Option<&str>,
    ) -> Result<SendReport> {
        let reader = self.shared.pager()?.begin_read();
        let target = find_snapshot(&reader, snapshot)?;
        let base = match since {
            None => Base::Nothing,
            Some(name) => find_base(&reader, name)?,
        };
        self.stream(output, &reader, (snapshot.into(), target), base, None)
    }

    /// Writes the rest of a stream that was interrupted, from the receiver's
    /// [`receive_token`](Database::receive_token).
    pub fn resume_send(&self, output: impl Write, token: &str) -> Result<SendReport> {
        let token = Token::parse(token)?;
        let reader = self.shared.pager()?.begin_read();
        let gone = |what: &str, id: u64| {
            Error::WrongBase(format!("the {what} of this token (id {id:#x}) is not here"))
        };
        let (name, target) = snapshot_by_id(&reader, token.snapshot)?
            .ok_or_else(|| gone("snapshot", token.snapshot))?;
        let base = match token.base {
            0 => Base::Nothing,
            id => base_by_id(&reader, id)?.ok_or_else(|| gone("base", id))?,
        };
        self.stream(output, &reader, (name, target), base, Some(token.position))
    }

    fn stream(
        &self,
        output: impl Write,
        reader: &Reader,
        (name, target): (String, SnapshotRecord),
        base: Base,
        resumed: Option<Position>,
    ) -> Result<SendReport> {
        let (mode, base_id, base_name) = match &base {
            Base::Nothing => (Mode::Full, 0, String::new()),
            Base::Snapshot { id, name, .. } => (Mode::Changes, *id, name.clone()),
            Base::Bookmark { id, name, .. } => (Mode::Ranges, *id, name.clone()),
        };
        if base_id == target.id {
            return Err(Error::WrongBase(format!("snapshot {name:?} cannot be sent since itself")));
        }
        if let Base::Bookmark { name: bookmark, .. } = &base {
            let record = find_bookmark(reader, bookmark)?;
            let descends =
                record.is_some_and(|record| target.lineage.descends_from(&record.lineage));
            if !descends && !mutant!(AnyBookmarkWillDo) {
                return Err(Error::NoAncestor { bookmark: bookmark.clone(), snapshot: name });
            }
        }
        no_machines(reader, target.catalog)?;
        if let Base::Snapshot { catalog, .. } = base {
            no_machines(reader, catalog)?;
        }
        // A receiver must not have what the sender may still lose.
        self.shared.pager()?.sync()?;
        let begin = Begin {
            mode,
            snapshot: target.id,
            name,
            branch: target.branch,
            label: target.label,
            created: target.created,
            base: base_id,
            base_name,
            resumed: resumed.clone(),
        };
        let mut frames = FrameWriter::new(output)?;
        frames.write(Kind::Begin, &begin.encode())?;
        let encoder = Encoder::default();
        let mut sender = Sender { reader, frames, encoder, report: SendReport::default() };
        match base {
            Base::Nothing => sender.changes(Pointer::NONE, target.catalog, resumed)?,
            Base::Snapshot { catalog, .. } => sender.changes(catalog, target.catalog, resumed)?,
            Base::Bookmark { stamp, .. } => sender.ranges(stamp, target.catalog, resumed)?,
        }
        sender.end()
    }
}

fn no_machines(reader: &Reader, catalog: Pointer) -> Result<()> {
    let catalog = Tree::new(CATALOG, 0, catalog).checked(0)?;
    let mut names = draft::machine_names(reader.view(), &catalog)?;
    names.pop().map_or(Ok(()), |name| Err(Error::MachineNotSent(name)))
}

fn find_snapshot(reader: &Reader, name: &str) -> Result<SnapshotRecord> {
    let root = reader.version().root;
    match draft::lookup(reader.view(), root, &meta::key(SNAPSHOT, name))? {
        Some((bytes, page)) => Ok(SnapshotRecord::decode(&bytes, page)?),
        None => Err(Error::SnapshotNotFound(name.into())),
    }
}

fn find_bookmark(reader: &Reader, name: &str) -> Result<Option<BookmarkRecord>> {
    let root = reader.version().root;
    let found = draft::lookup(reader.view(), root, &meta::key(BOOKMARK, name))?;
    Ok(found.map(|(bytes, page)| BookmarkRecord::decode(&bytes, page)).transpose()?)
}

/// The snapshot, or else the bookmark, of this name. A bookmark whose snapshot is still here is as
/// good as that.
fn find_base(reader: &Reader, name: &str) -> Result<Base> {
    match find_snapshot(reader, name) {
        Ok(record) => {
            Ok(Base::Snapshot { id: record.id, name: name.into(), catalog: record.catalog })
        }
        Err(Error::SnapshotNotFound(_)) => {
            let Some(bookmark) = find_bookmark(reader, name)? else {
                return Err(Error::SnapshotNotFound(name.into()));
            };
            Ok(match snapshot_by_id(reader, bookmark.id)? {
                Some((name, record)) => {
                    Base::Snapshot { id: record.id, name, catalog: record.catalog }
                }
                None => {
                    Base::Bookmark { id: bookmark.id, name: name.into(), stamp: bookmark.stamp }
                }
            })
        }
        Err(error) => Err(error),
    }
}

pub(super) fn snapshot_by_id(reader: &Reader, id: u64) -> Result<Option<(String, SnapshotRecord)>> {
    for (name, bytes, page) in Draft::names(reader.view(), reader.version().root, SNAPSHOT)? {
        let record = SnapshotRecord::decode(&bytes, page)?;
        if record.id == id {
            return Ok(Some((name, record)));
        }
    }
    Ok(None)
}

/// For a mutant that believes names.
pub(super) fn snapshot_by_name(
    reader: &Reader,
    name: &str,
) -> Result<Option<(String, SnapshotRecord)>> {
    Ok(find_snapshot(reader, name).ok().map(|record| (name.to_owned(), record)))
}

fn base_by_id(reader: &Reader, id: u64) -> Result<Option<Base>> {
    if let Some((name, record)) = snapshot_by_id(reader, id)? {
        return Ok(Some(Base::Snapshot { id, name, catalog: record.catalog }));
    }
    for (name, bytes, page) in Draft::names(reader.view(), reader.version().root, BOOKMARK)? {
        let record = BookmarkRecord::decode(&bytes, page)?;
        if record.id == id {
            return Ok(Some(Base::Bookmark { id, name, stamp: record.stamp }));
        }
    }
    Ok(None)
}

/// All keys behind a position's.
fn behind(key: Option<Vec<u8>>) -> Span {
    let mut from = key.unwrap_or_default();
    // An empty key is a key as well.
    from.push(0);
    Span { from, to: None }
}

struct Sender<'r, W> {
    reader: &'r Reader,
    frames: FrameWriter<W>,
    encoder: Encoder,
    report: SendReport,
}

impl<W: Write> Sender<'_, W> {
    /// Every key that differs between two catalogs.
    fn changes(&mut self, from: Pointer, to: Pointer, resumed: Option<Position>) -> Result<()> {
        let mut tables = Span::all();
        if let Some(position) = &resumed {
            tables.from = position.table.clone().into_bytes();
        }
        let mut differences = Differences::new(from, to, tables, Span::all())?;
        if let Some(Position { table, key: key @ Some(_) }) = resumed {
            differences = differences.with_first(&table, behind(key));
        }
        while let Some(event) = differences.next(self.reader.view())? {
            match event {
                Event::Machine { name, .. } => return Err(Error::MachineNotSent(name)),
                Event::Table { name, new: None, .. } => {
                    self.encoder.drop_table(&name);
                    self.report.removals += 1;
                    differences.skip_table();
                }
                Event::Table { name, old, new: Some(new) } => {
                    self.encoder.table(&name);
                    if new.is_none() && old.is_some() {
                        self.encoder.range(&[], None);
                        differences.skip_table();
                    }
                }
                Event::Entry(Difference { key, new: Some(value), .. }) => {
                    self.put(&key, value)?;
                }
                Event::Entry(Difference { key, new: None, .. }) => {
                    self.encoder.remove(&key);
                    self.report.removals += 1;
                }
            }
            self.pass_on()?;
        }
        Ok(())
    }

    /// Every leaf that is younger than `since`, with the range that it covers (I11).
    fn ranges(&mut self, since: u64, to: Pointer, resumed: Option<Position>) -> Result<()> {
        let catalog = Tree::new(CATALOG, 0, to).checked(0)?.root;
        let (table, mut key) = match resumed {
            Some(position) => (position.table.into_bytes(), position.key),
            None => (Vec::new(), None),
        };
        if catalog.is_none() {
            self.encoder.tables(&table, None);
            return Ok(());
        }
        let mut walk = Walk::new(catalog, Span { from: table.clone(), to: None });
        while let Some(place) = walk.place() {
            match place {
                Place::Subtree { pointer, .. } if pointer.stamp <= since => walk.skip(),
                Place::Subtree { pointer, low } => {
                    if pointer.level == 0 {
                        let low = low.max(&table).to_vec();
                        self.encoder.tables(&low, walk.high().as_deref());
                    }
                    walk.open(self.reader.view())?;
                }
                Place::Entry { key: name } => {
                    let keys = match key.take() {
                        Some(key) if name == table => behind(Some(key)),
                        _ => Span::all(),
                    };
                    let name = String::from_utf8_lossy(name).into_owned();
                    self.encoder.table(&name);
                    if let Some(root) = table_of(Some(&walk.value()?))? {
                        self.table_ranges(since, root, keys)?;
                    }
                    walk.skip();
                    self.pass_on()?;
                }
            }
        }
        Ok(())
    }

    fn table_ranges(&mut self, since: u64, root: Pointer, keys: Span) -> Result<()> {
        if root.is_none() {
            self.encoder.range(&keys.from, None);
            return Ok(());
        }
        let from = keys.from.clone();
        let mut walk = Walk::new(root, keys);
        while let Some(place) = walk.place() {
            match place {
                Place::Subtree { pointer, .. } if pointer.stamp <= since => walk.skip(),
                Place::Subtree { pointer, low } => {
                    if pointer.level == 0 {
                        let low = low.max(&from).to_vec();
                        self.encoder.range(&low, walk.high().as_deref());
                    }
                    walk.open(self.reader.view())?;
                }
                Place::Entry { key } => {
                    let key = key.to_vec();
                    match walk.value()? {
                        // It was there already, under the same key.
                        Kept::Extent(extent) if extent.stamp <= since => self.encoder.keep(&key),
                        value => self.put(&key, value)?,
                    }
                    walk.skip();
                    self.pass_on()?;
                }
            }
        }
        Ok(())
    }

    fn put(&mut self, key: &[u8], value: Kept) -> Result<()> {
        self.report.puts += 1;
        match value {
            Kept::Inline(bytes) => self.encoder.put(key, &bytes),
            Kept::Extent(extent) if extent.length <= INLINE_MAX => {
                let bytes = value::read_extent(self.reader.pager(), &extent)?;
                self.encoder.put(key, &bytes);
            }
            Kept::Extent(extent) => {
                self.encoder.large(key, extent.length);
                self.close_frame()?;
                value::for_each_part(self.reader.pager(), &extent, |part| {
                    self.frames.write(Kind::Part, part)
                })?;
            }
        }
        Ok(())
    }

    fn pass_on(&mut self) -> Result<()> {
        if self.encoder.body.len() >= FRAME { self.close_frame() } else { Ok(()) }
    }

    fn close_frame(&mut self) -> Result<()> {
        if !self.encoder.body.is_empty() {
            self.frames.write(Kind::Operations, &self.encoder.body)?;
            self.encoder.clear();
        }
        Ok(())
    }

    fn end(mut self) -> Result<SendReport> {
        self.close_frame()?;
        let mut body = Vec::new();
        body.extend_from_slice(&self.report.puts.to_le_bytes());
        body.extend_from_slice(&self.frames.digest());
        self.frames.write(Kind::End, &body)?;
        let bytes = self.frames.finish()?;
        Ok(SendReport { bytes, ..self.report })
    }
}
