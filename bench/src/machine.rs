//! What the figures were measured on, as far as the operating system tells.

use std::fmt;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The machine, for the head of the report.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// Model of the processor.
    pub processor: String,
    /// Processors that this process may use.
    pub processors: usize,
    /// Main memory.
    pub memory_bytes: Option<u64>,
    /// Operating system and its release.
    pub system: String,
    /// Type of the file system that holds the stores.
    pub filesystem: String,
    /// Cache mode of the disk under it: with "write through" the system sends no flushes, and a
    /// durable write is only what the disk (or the host of a virtual machine) makes of it.
    pub disk_cache: String,
}

impl Machine {
    /// Looks around; `directory` is where the stores will be.
    pub fn of(directory: &Path) -> Self {
        let unknown = || "unknown".to_owned();
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            processor: field("/proc/cpuinfo", "model name").unwrap_or_else(unknown),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: kilobytes("/proc/meminfo", "MemTotal"),
            system: format!(
                "{} {} {}",
                std::env::consts::OS,
                release.trim(),
                std::env::consts::ARCH
            ),
            filesystem: filesystem(directory).unwrap_or_else(unknown),
            disk_cache: disk_cache(directory).unwrap_or_else(unknown),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { processor, processors, memory_bytes, system, filesystem, disk_cache } = self;
        write!(f, "{processor}, {processors} processors")?;
        if let Some(bytes) = memory_bytes {
            write!(f, ", {} GiB", bytes >> 30)?;
        }
        write!(f, ", {system}, {filesystem}, disk cache {disk_cache}.")
    }
}

/// Most memory that this process ever had resident, mapped file pages included.
pub fn peak_memory_bytes() -> Option<u64> {
    kilobytes("/proc/self/status", "VmHWM")
}

/// The value of `name` in a file of `name : value` lines.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let (_, value) =
        text.lines().filter_map(|line| line.split_once(':')).find(|(n, _)| n.trim() == name)?;
    Some(value.trim().to_owned())
}

fn kilobytes(file: &str, name: &str) -> Option<u64> {
    field(file, name)?.strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

/// Type of the mounted file system that holds `directory`: the longest mount point above it.
fn filesystem(directory: &Path) -> Option<String> {
    let directory = fs::canonicalize(directory).ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            Some((words.next()?, words.next()?))
        })
        .filter(|(point, _)| directory.starts_with(point))
        // Of two mounts on one point the later one counts, as for `max_by_key`.
        .max_by_key(|(point, _)| point.len())
        .map(|(_, kind)| kind.to_owned())
}

#[cfg(target_os = "linux")]
fn disk_cache(directory: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;

    use rustix::fs::{major, minor};

    let device = fs::metadata(directory).ok()?.dev();
    let device = format!("/sys/dev/block/{}:{}", major(device), minor(device));
    // A partition has no queue of its own; its disk is the folder above it.
    let mode = ["queue", "../queue"]
        .iter()
        .find_map(|queue| fs::read_to_string(format!("{device}/{queue}/write_cache")).ok())?;
    Some(mode.trim().to_owned())
}

#[cfg(not(target_os = "linux"))]
fn disk_cache(_directory: &Path) -> Option<String> {
    None
}
