//! Replays traces of fork and copy-on-write on the real kernel, and counts what happens.

mod access;
mod agent;
mod driver;
mod files;
mod generate;
mod kinds;
mod pages;
mod process;
mod random;
mod report;
mod snap;
mod system;
mod trace;
mod warm;
mod wire;

use std::{mem::zeroed, path::PathBuf, process::ExitCode, ptr::null_mut, sync::atomic::Ordering};

const USAGE: &str = "\
usage: cowslip-kernel replay [--folder FOLDER] FILE...
       cowslip-kernel generate --seed N [--ops N] [--without FAMILY[,FAMILY...]]...

  replay    runs traces with real processes and prints what the kernel did
  --folder  where the files that a trace maps are made (the temporary files' folder): a real file
            system, not tmpfs
  generate  prints a random trace, of 60 operations unless told otherwise
  --without leaves out: file, shared, ksm, swap, thp, vfork, exec, mlock, mremap, guard, populate,
            rlimit, free, wipe, mprotect, munmap, sparse";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("agent") => match args.next().and_then(|socket| socket.parse().ok()) {
            Some(socket) => agent::run(socket),
            None => ExitCode::from(2),
        },
        Some("replay") => finish(replay(args)),
        Some("generate") => finish(generate(args)),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn finish(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}

fn generate(mut args: impl Iterator<Item = String>) -> Result<(), String> {
    let (mut seed, mut operations, mut without) = (None, 60, Vec::new());
    while let Some(arg) = args.next() {
        let value = args.next().ok_or(USAGE)?;
        match &*arg {
            "--seed" => seed = Some(value.parse().map_err(|_| USAGE)?),
            "--ops" => operations = value.parse().map_err(|_| USAGE)?,
            "--without" => without.extend(value.split(',').map(str::to_owned)),
            _ => return Err(USAGE.to_owned()),
        }
    }
    if let Some(family) = without.iter().find(|family| !generate::FAMILIES.contains(&&***family)) {
        return Err(format!("no such family: {family}"));
    }
    print!("{}", generate::generate(seed.ok_or(USAGE)?, operations, &without));
    Ok(())
}

fn replay(mut args: impl Iterator<Item = String>) -> Result<(), String> {
    let (mut folder, mut files) = (std::env::temp_dir(), Vec::new());
    while let Some(arg) = args.next() {
        if arg == "--folder" {
            folder = args.next().map(PathBuf::from).ok_or(USAGE)?;
        } else {
            files.push(arg);
        }
    }
    prepare();
    for file in files {
        let text = std::fs::read_to_string(&file).map_err(|e| format!("{file}: {e}"))?;
        let lines = trace::parse(&text).map_err(|e| format!("{file}: {e}"))?;
        let text = driver::replay(&lines, &folder).map_err(|e| format!("{file}: {e}"))?;
        print!("{text}");
    }
    Ok(())
}

extern "C" fn interrupt(_: i32) {
    driver::INTERRUPTED.store(true, Ordering::Relaxed);
}

/// One processor for all processes, or a frame's reference in another processor's batch would turn a reuse
/// into a copy; orphans are this process's; interruption ends a replay in order.
fn prepare() {
    // SAFETY: zero is a valid set and a valid sigaction; the handler touches an atomic only.
    unsafe {
        let mut set: libc::cpu_set_t = zeroed();
        libc::sched_getaffinity(0, size_of_val(&set), &raw mut set);
        let last = (0..libc::CPU_SETSIZE as usize).rev().find(|&cpu| libc::CPU_ISSET(cpu, &set));
        let mut one: libc::cpu_set_t = zeroed();
        libc::CPU_SET(last.unwrap_or(0), &mut one);
        libc::sched_setaffinity(0, size_of_val(&one), &raw const one);
        libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1);
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = interrupt as *const () as usize;
        libc::sigaction(libc::SIGINT, &raw const action, null_mut());
        libc::sigaction(libc::SIGTERM, &raw const action, null_mut());
    }
}
