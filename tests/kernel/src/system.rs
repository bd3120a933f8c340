//! The settings of the machine that a trace needs changed, each put back when its value is dropped.

use std::{
    ffi::CString,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

/// A file of the kernel's settings and what was in it.
pub(crate) struct Setting {
    path: PathBuf,
    before: String,
}

impl Setting {
    /// Remembers a setting. One of a list is marked with brackets.
    pub(crate) fn of(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let text = fs::read_to_string(&path)?;
        let before = match text.split_once('[') {
            Some((_, rest)) => rest.split(']').next().unwrap_or_default(),
            None => text.trim(),
        };
        Ok(Self { before: before.to_owned(), path })
    }

    /// Changes it.
    pub(crate) fn set(&self, value: &str) -> io::Result<()> {
        fs::write(&self.path, value)
            .map_err(|e| io::Error::new(e.kind(), format!("{}: {value}: {e}", self.path.display())))
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        if let Err(e) = self.set(&self.before) {
            eprintln!("not put back: {e}");
        }
    }
}

/// The same-page merger.
pub(crate) struct Ksm {
    max: Setting,
    zero: Setting,
    run: Setting,
    _others: Vec<Setting>,
}

const KSM: &str = "/sys/kernel/mm/ksm";

impl Ksm {
    /// Stops it and makes it quick.
    pub(crate) fn new() -> io::Result<Self> {
        let setting = |name: &str| Setting::of(Path::new(KSM).join(name));
        let run = setting("run")?;
        run.set("2")?;
        let mut others = Vec::new();
        let quick = [
            ("advisor_mode", "none"),
            ("smart_scan", "0"),
            ("sleep_millisecs", "0"),
            ("pages_to_scan", "100000"),
            ("stable_node_chains_prune_millisecs", "0"),
        ];
        for (name, value) in quick {
            if let Ok(setting) = setting(name) {
                setting.set(value)?;
                others.push(setting);
            }
        }
        Ok(Self {
            max: setting("max_page_sharing")?,
            zero: setting("use_zero_pages")?,
            run,
            _others: others,
        })
    }

    /// Merges until nothing changes any more: at least four scans of everything, the last two of which
    /// found the same.
    pub(crate) fn run(&self, zero: bool, max: Option<u64>) -> io::Result<()> {
        if let Some(max) = max {
            self.max.set(&max.to_string())?;
        }
        self.zero.set(if zero { "1" } else { "0" })?;
        let from = number("full_scans");
        self.run.set("1")?;
        let end = Instant::now() + Duration::from_secs(30);
        let (mut scans, mut found) = (from, None);
        let (mut seen, mut quiet) = ((from, number("pages_scanned")), Instant::now());
        loop {
            sleep(Duration::from_millis(2));
            let now = number("full_scans");
            if now != scans {
                let next = Some(["pages_shared", "pages_sharing", "ksm_zero_pages"].map(number));
                if now - from >= 4 && next == found {
                    break;
                }
                (scans, found) = (now, next);
            }
            // With nothing left that may be merged, the merger sleeps and counts no scans.
            let next = (now, number("pages_scanned"));
            if next != seen {
                (seen, quiet) = (next, Instant::now());
            } else if quiet.elapsed() > Duration::from_millis(500) {
                break;
            }
            if Instant::now() > end {
                self.run.set("0")?;
                return Err(io::Error::other("the merger does not come to an end"));
            }
        }
        self.run.set("0")
    }

    /// Gives every page its own frame again.
    pub(crate) fn unmerge(&self) -> io::Result<()> {
        self.run.set("2")
    }

    /// Its counters, as they are printed.
    pub(crate) fn text() -> String {
        let [shared, sharing, zero] =
            ["pages_shared", "pages_sharing", "ksm_zero_pages"].map(number);
        format!("pages_shared={shared} pages_sharing={sharing} ksm_zero_pages={zero}")
    }
}

impl Drop for Ksm {
    fn drop(&mut self) {
        // Some settings can be put back only while nothing is merged.
        let _ = self.run.set("2");
    }
}

fn number(name: &str) -> u64 {
    let text = fs::read_to_string(Path::new(KSM).join(name)).unwrap_or_default();
    text.trim().parse().unwrap_or_default()
}

/// Keeps the collapser of small pages into huge ones asleep.
pub(crate) fn no_collapse() -> io::Result<Setting> {
    let path = "/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs";
    let setting = Setting::of(path)?;
    setting.set("3600000")?;
    Ok(setting)
}

/// A swap file, if the machine had no swap.
pub(crate) struct Swap {
    path: Option<PathBuf>,
}

const SWAP: u64 = 256 << 20;

impl Swap {
    /// Makes sure that there is swap.
    pub(crate) fn new(folder: &Path) -> io::Result<Self> {
        if fs::read_to_string("/proc/swaps")?.lines().count() > 1 {
            return Ok(Self { path: None });
        }
        let path = folder.join(format!("cowslip-kernel-{}.swap", std::process::id()));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        // From here on the file is deleted whatever happens.
        let swap = Self { path: Some(path.clone()) };
        format(&file)?;
        let name = CString::new(path.as_os_str().as_encoded_bytes())?;
        // SAFETY: the name ends with a zero byte.
        if unsafe { libc::swapon(name.as_ptr(), 0) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(swap)
    }
}

/// What mkswap writes: version 1, the last page, and a magic word at the end of the first page.
fn format(file: &File) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    // SAFETY: an open file.
    let error = unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, SWAP as i64) };
    if error != 0 {
        return Err(io::Error::from_raw_os_error(error));
    }
    let mut head = [0; 4096];
    head[1024..1028].copy_from_slice(&1_u32.to_ne_bytes());
    head[1028..1032].copy_from_slice(&((SWAP / 4096 - 1) as u32).to_ne_bytes());
    head[4086..].copy_from_slice(b"SWAPSPACE2");
    file.write_all_at(&head, 0)?;
    file.sync_all()
}

impl Drop for Swap {
    fn drop(&mut self) {
        let Some(path) = &self.path else { return };
        if let Ok(name) = CString::new(path.as_os_str().as_encoded_bytes()) {
            // SAFETY: the name ends with a zero byte.
            unsafe { libc::swapoff(name.as_ptr()) };
        }
        if let Err(e) = fs::remove_file(path) {
            eprintln!("not removed: {}: {e}", path.display());
        }
    }
}
