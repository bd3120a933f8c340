//! A small real file system that is full: nothing acknowledged is lost, and it can be emptied.
//!
//! An ext4 in an image, mounted where this thread and its children see it and nobody else. Skipped,
//! with a word, for want of root, of the tools or of the system's permission.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use cowslip::{Builder, Database, Durability, Error, storage::FileStorage};
use cowslip_harness::{Seed, check, seed::times};
use nix::sched::{CloneFlags, unshare};
use tempfile::TempDir;

/// A mounted file system; unmounted when dropped.
struct Mounted {
    dir: TempDir,
}

impl Mounted {
    /// Why there is none, otherwise.
    fn new(megabytes: u64) -> Result<Mounted, String> {
        let dir = tempfile::Builder::new().prefix("cowslip-mount").tempdir().unwrap();
        let image = dir.path().join("image");
        fs::File::create(&image).unwrap().set_len(megabytes << 20).unwrap();
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image))?;
        // Mounts are this thread's own from here on, and end with it if nothing else ends them.
        unshare(CloneFlags::CLONE_NEWNS).map_err(|error| format!("unshare: {error}"))?;
        run(Command::new("mount").args(["--make-rprivate", "/"]))?;
        let mounted = Mounted { dir };
        fs::create_dir(mounted.path()).unwrap();
        run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(mounted.path()))?;
        Ok(mounted)
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("mounted")
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Before the folder: what is mounted in it is not removed with it.
        let _ = run(Command::new("umount").arg(self.path()))
            .or_else(|_| run(Command::new("umount").arg("-l").arg(self.path())));
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let what = format!("{command:?}");
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{what}: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("{what}: {error}")),
    }
}

/// Runs `test` in a mounted file system, in a thread of its own, or says why not.
fn in_small_file_system(test: impl FnOnce(&Path) + Send + 'static) {
    let thread = std::thread::spawn(move || match Mounted::new(16) {
        Ok(mounted) => test(&mounted.path()),
        Err(why) => println!("skipped: no file system can be mounted here ({why})"),
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn builder() -> Builder {
    Database::builder().cache_size(1 << 20)
}

/// Small values, and one in an extent.
fn put(db: &Database, batch: u64) -> cowslip::Result<()> {
    let mut tx = db.begin_write()?;
    if !batch.is_multiple_of(4) {
        tx.set_durability(Durability::Eventual);
    }
    {
        let mut table = tx.open_table("t")?;
        for number in 0..20 {
            table.insert(&(batch * 20 + number).to_be_bytes(), &batch.to_be_bytes().repeat(80))?;
        }
        table.insert(format!("large {batch}").as_bytes(), &batch.to_be_bytes().repeat(5000))?;
    }
    tx.commit()
}

fn remove(db: &Database, batch: u64) -> cowslip::Result<()> {
    let mut tx = db.begin_write()?;
    if !batch.is_multiple_of(4) {
        tx.set_durability(Durability::Eventual);
    }
    {
        let mut table = tx.open_table("t")?;
        for number in 0..20 {
            assert!(table.remove(&(batch * 20 + number).to_be_bytes())?);
        }
        assert!(table.remove(format!("large {batch}").as_bytes())?);
    }
    tx.commit()
}

/// Puts batches from `next` on until the disk is full; the first that did not fit.
fn fill(db: &Database, mut next: u64) -> u64 {
    loop {
        match put(db, next) {
            Ok(()) => next += 1,
            Err(Error::DiskFull { .. }) => return next,
            Err(error) => panic!("batch {next}: {error:?}"),
        }
        assert!(next < 10_000, "the disk is never full");
    }
}

/// The batches `from..to` are there, whole, and nothing else.
#[track_caller]
fn holds(db: &Database, from: u64, to: u64) {
    let table = db.begin_read().unwrap().open_table("t").unwrap();
    assert_eq!(table.len().unwrap(), (to - from) * 21);
    for batch in from..to {
        for number in 0..20 {
            let value = table.get(&(batch * 20 + number).to_be_bytes()).unwrap().expect("a value");
            assert!(value == batch.to_be_bytes().repeat(80));
        }
        let value = table.get(format!("large {batch}").as_bytes()).unwrap().expect("a large value");
        assert!(value == batch.to_be_bytes().repeat(5000));
    }
}

/// Closes, checks, and opens again.
#[track_caller]
fn reopen(db: Database, path: &Path) -> Database {
    db.close().unwrap();
    check::storage(&FileStorage::open_read_only(path).unwrap()).unwrap();
    builder().open(path).unwrap()
}

/// Takes all space but `spare` bytes away from everybody else.
fn eat(path: &Path, spare: u64) {
    let mut file = fs::File::create(path).unwrap();
    // Less and less, for a write that does not fit takes an unknown part.
    for size in [1 << 20, 1 << 16, 4096] {
        let piece = vec![7; size];
        let error =
            std::iter::repeat_with(|| file.write_all(&piece)).find_map(Result::err).unwrap();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    }
    file.sync_all().unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length.saturating_sub(spare)).unwrap();
    file.sync_all().unwrap();
}

#[test]
fn a_full_file_system_loses_nothing_and_can_be_emptied_and_filled_again() {
    in_small_file_system(|mounted| {
        let path = mounted.join("full.cow");
        let mut db = builder().create(&path).unwrap();
        let end = fill(&db, 0);
        println!("{end} batches fill the disk, {} bytes", path.metadata().unwrap().len());
        assert!(end > 100, "only {end} batches fitted");
        holds(&db, 0, end);
        db = reopen(db, &path);
        holds(&db, 0, end);
        // Deleting needs space of its own first, and has it; what it frees is used again.
        let mut begin = 0;
        let mut next = end;
        for round in 0..3 {
            for _ in 0..end / 2 {
                remove(&db, begin).unwrap_or_else(|error| panic!("deleting {begin}: {error}"));
                begin += 1;
            }
            holds(&db, begin, next);
            db.checkpoint().unwrap();
            db.checkpoint().unwrap();
            let refilled = fill(&db, next);
            assert!(refilled - next > end / 4, "round {round}: {} fitted", refilled - next);
            next = refilled;
            holds(&db, begin, next);
            if round == 1 {
                db = reopen(db, &path);
            }
        }
        for batch in begin..next {
            remove(&db, batch).unwrap();
        }
        db = reopen(db, &path);
        holds(&db, 0, 0);
    });
}

#[test]
fn space_that_others_take_and_give_back_loses_nothing() {
    let seed = Seed::get();
    let mut rng = seed.rng(0);
    in_small_file_system(move |mounted| {
        let (path, foreign) = (mounted.join("full.cow"), mounted.join("foreign"));
        let mut db = builder().create(&path).unwrap();
        let (mut begin, mut next, mut full) = (0, 0, 0);
        for round in 0..times(5) {
            for _ in 0..rng.u64(1..10) {
                put(&db, next).unwrap();
                next += 1;
            }
            // Reservations fail from here on, at whatever the database just does.
            eat(&foreign, if rng.bool() { 0 } else { rng.u64(0..2 << 20) });
            let before = next;
            next = fill(&db, next);
            full += 1;
            holds(&db, begin, next);
            while begin < next && (next - begin > 20 || rng.u8(0..4) > 0) {
                remove(&db, begin).unwrap_or_else(|error| {
                    panic!("round {round}: {begin} of {before}..{next}: {error}")
                });
                begin += 1;
            }
            db.checkpoint().unwrap();
            if rng.bool() {
                db = reopen(db, &path);
            }
            holds(&db, begin, next);
            fs::remove_file(&foreign).unwrap();
            if rng.bool() {
                db = reopen(db, &path);
            }
        }
        put(&db, next).unwrap();
        db = reopen(db, &path);
        holds(&db, begin, next + 1);
        println!("the disk was full {full} times, {next} batches went through");
    });
}
