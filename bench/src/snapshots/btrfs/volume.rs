//! A file, a loop device on it, a Btrfs in that, mounted: gone when it is dropped.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::files;

pub(super) struct Volume {
    image: PathBuf,
    mount: PathBuf,
    /// Its name in `/sys/block`.
    device: String,
    cleaner: Option<Child>,
}

/// Waits until this process has ended, by whatever means, and then cleans up.
const CLEANER: &str = r#"trap "" INT TERM HUP
cat > /dev/null
umount "$1" 2> /dev/null || umount --lazy "$1" 2> /dev/null
losetup --detach "$2""#;

/// A program of the system's, which need not be on an ordinary user's path.
pub(super) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command
}

/// Runs a command to its end, in silence if it succeeds.
pub(super) fn done(command: &mut Command) -> Result<()> {
    output(command).map(drop)
}

fn output(command: &mut Command) -> Result<String> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("running {command:?}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}", errors.trim());
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

impl Volume {
    /// Makes a volume of so many bytes in `directory`, or says why there can be none.
    pub(super) fn new(directory: &Path, bytes: u64) -> Result<Result<Volume, String>> {
        for (program, argument) in [
            ("mkfs.btrfs", "--version"),
            ("btrfs", "--version"),
            ("losetup", "--version"),
            ("mount", "--version"),
        ] {
            if done(command(program).arg(argument)).is_err() {
                return Ok(Err(format!("there is no {program}")));
            }
        }
        if output(command("id").arg("-u")).ok().as_deref() != Some("0") {
            return Ok(Err("only root may mount one".into()));
        }
        let mut volume = Volume {
            image: directory.join("btrfs.image"),
            mount: directory.join("btrfs"),
            device: String::new(),
            cleaner: None,
        };
        File::create(&volume.image)?.set_len(bytes)?;
        fs::create_dir_all(&volume.mount)?;
        // From here on dropping it cleans up, whatever was made.
        match volume.mount() {
            Ok(()) => Ok(Ok(volume)),
            Err(error) => Ok(Err(format!("{error:#}"))),
        }
    }

    fn mount(&mut self) -> Result<()> {
        done(command("mkfs.btrfs").arg("-q").arg(&self.image))?;
        let mut attach = command("losetup");
        let device = output(attach.args(["--find", "--show"]).arg(&self.image))?;
        self.device = device.trim_start_matches("/dev/").to_owned();
        let mut cleaner = command("sh");
        cleaner.args(["-c", CLEANER, "cleaner"]).arg(&self.mount).arg(&device);
        self.cleaner = Some(cleaner.stdin(Stdio::piped()).spawn()?);
        // No commits but those that are asked for.
        let options = ["-t", "btrfs", "-o", "commit=300"];
        done(command("mount").args(options).arg(&device).arg(&self.mount))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.mount.join(name)
    }

    /// A command of `btrfs` on names in the volume.
    pub(super) fn btrfs(&self, words: &str, names: &[&str]) -> Result<()> {
        let mut command = command("btrfs");
        command.arg("-q").args(words.split(' ')).args(names.iter().map(|name| self.path(name)));
        done(&mut command)
    }

    /// A read-only snapshot of `data`.
    pub(super) fn snapshot(&self, name: &str) -> Result<()> {
        self.btrfs("subvolume snapshot -r", &["data", name])
    }

    /// Waits until the space of everything that was deleted is back.
    pub(super) fn reclaim(&self) -> Result<()> {
        // Unlike that of a file system in general, Btrfs's own call wakes the thread that cleans up.
        self.btrfs("filesystem sync", &[""])?;
        self.btrfs("subvolume sync", &[""])
    }

    /// Commits what is pending.
    pub(super) fn sync(&self) -> Result<()> {
        files::settle(&self.mount)
    }

    /// Bytes that were written to the device.
    pub(super) fn written(&self) -> Result<u64> {
        let stat = fs::read_to_string(format!("/sys/block/{}/stat", self.device))?;
        let sectors = stat.split_whitespace().nth(6).context("sectors written")?;
        Ok(sectors.parse::<u64>()? * 512)
    }

    /// Deletes all subvolumes, and waits until their space is back.
    pub(super) fn empty(&self) -> Result<()> {
        for directory in [self.path("received"), self.mount.clone()] {
            for entry in fs::read_dir(&directory).into_iter().flatten() {
                let path = entry?.path();
                if !path.ends_with("received") {
                    done(command("btrfs").args(["-q", "subvolume", "delete"]).arg(path))?;
                }
            }
        }
        files::remove(&self.path("received"))?;
        self.reclaim()?;
        self.sync()
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        if let Some(mut cleaner) = self.cleaner.take() {
            // The end of its input is its sign.
            drop(cleaner.stdin.take());
            if !cleaner.wait().is_ok_and(|status| status.success()) {
                eprintln!("the loop device /dev/{} could not be removed", self.device);
            }
        }
    }
}
