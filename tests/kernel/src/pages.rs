//! What the kernel says about pages: `/proc/PID/pagemap`, `/proc/kpageflags`, `/proc/kpagecount`.

use std::{fs::File, io, os::unix::fs::FileExt};

/// What a page of a region is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Page {
    /// Nothing, mapped or not.
    None,
    /// The zero frame, small or huge.
    Zero,
    /// Anonymous memory in the frame of this number.
    Anon(u64),
    /// An anonymous frame of the same-page merger.
    Ksm(u64),
    /// A frame of a file or of shared anonymous memory.
    File(u64),
    /// The place in swap.
    Swap(u64),
    /// A guard marker.
    Guard,
}

const PAGE: u64 = 4096;

// Bits of pagemap.
const PRESENT: u64 = 1 << 63;
const SWAP: u64 = 1 << 62;
const GUARD: u64 = 1 << 58;
const NUMBER: u64 = (1 << 55) - 1;

// Bits of kpageflags.
const ANON: u64 = 1 << 12;
const KSM: u64 = 1 << 21;
const ZERO: u64 = 1 << 24;

/// The kernel's tables of frames.
pub(crate) struct Frames {
    flags: File,
    counts: File,
}

impl Frames {
    /// Opens them, which takes root.
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self { flags: File::open("/proc/kpageflags")?, counts: File::open("/proc/kpagecount")? })
    }

    /// The pages of a process from an address on.
    pub(crate) fn pages(&self, pid: i32, address: u64, count: u64) -> io::Result<Vec<Page>> {
        let map = File::open(format!("/proc/{pid}/pagemap"))?;
        let entries = words(&map, address / PAGE, count)?;
        let present = |entry: &u64| entry & PRESENT != 0;
        let frames: Vec<u64> =
            entries.iter().filter(|e| present(e)).map(|entry| entry & NUMBER).collect();
        let mut flags = look_up(&self.flags, &frames)?.into_iter();
        Ok(entries
            .iter()
            .map(|entry| match entry {
                _ if present(entry) => {
                    let (flags, frame) = (flags.next().unwrap_or_default(), entry & NUMBER);
                    match flags {
                        f if f & ZERO != 0 => Page::Zero,
                        f if f & KSM != 0 => Page::Ksm(frame),
                        f if f & ANON != 0 => Page::Anon(frame),
                        _ => Page::File(frame),
                    }
                }
                _ if entry & GUARD != 0 => Page::Guard,
                _ if entry & SWAP != 0 => Page::Swap(entry & NUMBER),
                _ => Page::None,
            })
            .collect())
    }

    /// How many times each of these frames is mapped.
    pub(crate) fn counts(&self, frames: &[u64]) -> io::Result<Vec<u64>> {
        look_up(&self.counts, frames)
    }
}

/// The words of a table for some frames, in their order; one read for each run of neighbours.
fn look_up(table: &File, frames: &[u64]) -> io::Result<Vec<u64>> {
    let mut all = Vec::with_capacity(frames.len());
    let mut rest = frames;
    while let Some(&first) = rest.first() {
        let run = rest.iter().zip(first..).take_while(|&(frame, next)| *frame == next).count();
        all.extend(words(table, first, run as u64)?);
        rest = &rest[run..];
    }
    Ok(all)
}

fn words(table: &File, first: u64, count: u64) -> io::Result<Vec<u64>> {
    let mut bytes = vec![0; count as usize * 8];
    table.read_exact_at(&mut bytes, first * 8)?;
    Ok(bytes
        .chunks_exact(8)
        .map(|word| u64::from_ne_bytes(word.try_into().expect("eight bytes")))
        .collect())
}
