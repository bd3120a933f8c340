//! Stores in memory: opening them, and reading all there is in them.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use cowslip::{Database, Error, ReadTransaction, Result, Storage};
use cowslip_fsck::{Options, Report};
use cowslip_pager::storage::{SimulatedStorage, simulated::Image};

/// Most bytes that a file may grow to.
pub const FILE_MAX: u64 = 16 << 20;
/// Most rows that are read of one store. The images have a twentieth of it.
const ROWS_MAX: usize = 50_000;
/// Most frames that a machine may have.
pub const FRAMES_MAX: u32 = 4096;

/// A row: its table, its key, its value.
pub type Row = (String, Vec<u8>, Vec<u8>);
type Rows = Vec<(Vec<u8>, Vec<u8>)>;

/// What a store holds.
#[derive(Debug, Default, PartialEq, Eq, Clone)]
pub struct Contents {
    /// The rows of each table, by the state (a branch or a snapshot) and the name.
    pub tables: BTreeMap<(String, String), Rows>,
    /// The machines, by state and name: their frames. None: what is stored makes no sense, though every page is whole.
    pub machines: BTreeMap<(String, String), Option<u32>>,
    /// The names of bookmarks.
    pub bookmarks: Vec<String>,
    /// The names of the states.
    pub states: Vec<String>,
}

impl Contents {
    /// Each row with its table; those of all states.
    pub fn rows(&self) -> impl Iterator<Item = Row> {
        self.tables.iter().flat_map(|((_, table), rows)| {
            rows.iter().map(|(key, value)| (table.clone(), key.clone(), value.clone()))
        })
    }
}

/// A disk with this image.
pub fn disk(image: Image) -> Arc<SimulatedStorage> {
    let disk = SimulatedStorage::from_image(image).without_history();
    disk.set_limit(FILE_MAX);
    Arc::new(disk)
}

/// Opens a store that is there.
pub fn open(storage: Arc<dyn Storage>) -> Result<Database> {
    Database::builder()
        .background(false)
        .cache_size(512 << 10)
        .max_size(FILE_MAX)
        .open_or_create_on(storage)
}

/// Checks an image. The report must be fit to be read, whatever is in it.
pub fn check(image: &Image) -> std::result::Result<Report, cowslip_fsck::Error> {
    let report = cowslip_fsck::check_storage(&Still(image.clone()), &Options::default())?;
    assert_eq!(report.exit_code() == 0, report.is_clean(), "{report}");
    assert!(report.to_json().is_object());
    assert!(report.to_string().contains(&report.verdict()));
    Ok(report)
}

/// Is this image a sound store?
pub fn is_sound(image: &Image) -> bool {
    check(image).is_ok_and(|report| report.is_clean())
}

/// Reads everything, or says what is the first thing that cannot be read.
pub fn read(db: &Database) -> Result<Contents> {
    let mut contents = Contents::default();
    let mut left = ROWS_MAX;
    for (name, reader) in states(db)? {
        read_state(&name, &reader, &mut contents, &mut left)?;
        contents.states.push(name);
    }
    contents.bookmarks = db.bookmarks()?.into_iter().map(|bookmark| bookmark.name).collect();
    Ok(contents)
}

fn states(db: &Database) -> Result<Vec<(String, ReadTransaction)>> {
    let mut states = Vec::new();
    for branch in db.branches()? {
        states.push((format!("branch {}", branch.name), db.begin_read_on(&branch.name)?));
    }
    for snapshot in db.snapshots()? {
        states.push((format!("snapshot {}", snapshot.name), db.begin_read_at(&snapshot.name)?));
    }
    Ok(states)
}

fn read_state(
    state: &str,
    reader: &ReadTransaction,
    contents: &mut Contents,
    left: &mut usize,
) -> Result<()> {
    for name in reader.tables()? {
        let table = reader.open_table(&name)?;
        let mut rows = Rows::new();
        for row in table.range::<&[u8]>(..)? {
            let (key, value) = row?;
            *left = left
                .checked_sub(1)
                .ok_or_else(|| Error::InvalidArgument("more rows than are read".into()))?;
            rows.push((key.to_vec(), value.to_vec()));
        }
        contents.tables.insert((state.to_owned(), name), rows);
    }
    for name in reader.machines()? {
        let frames = reader.machine(&name, FRAMES_MAX).ok().map(|machine| {
            let problems = machine.check();
            assert!(problems.is_empty(), "a machine that was resumed is not sound: {problems:?}");
            machine.frames().used()
        });
        contents.machines.insert((state.to_owned(), name), frames);
    }
    Ok(())
}

/// Reads in all other ways that there are. Of what they say nothing is asked.
pub fn browse(db: &Database) -> Result<()> {
    let _ = db.stats();
    let states = states(db)?;
    let names: Vec<&str> =
        states.iter().filter_map(|(name, _)| name.split_once(' ').map(|both| both.1)).collect();
    for (_, reader) in &states {
        for name in reader.tables()? {
            let table = reader.open_table(&name)?;
            let (_, first, last) = (table.len()?, table.first()?, table.last()?);
            for (key, _) in first.iter().chain(&last) {
                let _ = (table.get(key)?, table.reader(key)?.map(|value| value.len()));
            }
            let _ = table.get(b"key 000030")?;
            let _ = table.prefix(b"key 0000")?.take(50).count();
            let _ = table.range::<&[u8]>(..)?.rev().take(ROWS_MAX).count();
        }
    }
    for pair in names.windows(2) {
        let _ = db.diff(pair[0], pair[1]).map(|diff| diff.take(ROWS_MAX).count());
    }
    for name in &names {
        let _ = db.usage(name);
    }
    let _ = db.scrub();
    Ok(())
}

/// An image that nobody can write to.
#[derive(Debug)]
pub struct Still(pub Image);

fn denied<T>() -> io::Result<T> {
    Err(io::ErrorKind::PermissionDenied.into())
}

impl Storage for Still {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len())
    }
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read(buf, offset)
    }
    fn set_len(&self, _: u64) -> io::Result<()> {
        denied()
    }
    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        denied()
    }
    fn write_direct(&self, _: &[u8], _: u64) -> io::Result<()> {
        denied()
    }
    fn write_durable(&self, _: &[u8], _: u64) -> io::Result<()> {
        denied()
    }
    fn sync(&self) -> io::Result<()> {
        denied()
    }
    fn is_read_only(&self) -> bool {
        true
    }
}

/// An undo file of a repair: the one thing that must be a real one.
pub struct TemporaryFile(PathBuf);

impl TemporaryFile {
    /// In memory, where the system has such a place.
    pub fn create() -> TemporaryFile {
        let memory = PathBuf::from("/dev/shm");
        let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let thread = std::thread::current().id();
        let path = folder.join(format!("cowslip-fuzz-{}-{thread:?}.undo", std::process::id()));
        let _ = std::fs::remove_file(&path);
        TemporaryFile(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
