//! The agent's own memory, kept out of the counts.
//!
//! An agent measures its own page faults, and after a fork its stack and data are copy-on-write, its
//! code not mapped at all. [`Own::warm`] faults everything in, outside of what is measured. It also
//! makes the page tables of the agent's own memory the same in every agent, so that what is beyond them
//! belongs to the regions.

use std::{fs::File, io::Read};

const MOST: usize = 96;

/// The places of the agent's own memory.
#[derive(Clone, Copy)]
pub(crate) struct Own {
    ranges: [(u64, u64, i32); MOST],
    count: usize,
}

impl Own {
    /// Reads them from the process's list of mappings. No allocation: that would make new ones.
    pub(crate) fn find(text: &mut [u8]) -> Self {
        let mut length = 0;
        if let Ok(mut file) = File::open("/proc/self/maps") {
            while let Ok(n @ 1..) = file.read(&mut text[length..]) {
                length += n;
            }
        }
        let mut own = Self { ranges: [(0, 0, 0); MOST], count: 0 };
        for line in text[..length].split(|&b| b == b'\n') {
            own.add(line);
        }
        own
    }

    /// A line is `from-to rwxp offset device inode name`.
    fn add(&mut self, line: &[u8]) {
        let mut words = line.split(|&b| b == b' ').filter(|word| !word.is_empty());
        let (Some(range), Some(rights)) = (words.next(), words.next()) else { return };
        // The kernel's own pages ([vdso], [vvar], [vsyscall]) take no advice, and no agent uses them.
        let kernel = words.nth(3).is_some_and(|name| name.starts_with(b"[v"));
        let mut ends = range.split(|&b| b == b'-').map(hexadecimal);
        let (Some(from), Some(to)) = (ends.next(), ends.next()) else { return };
        let advice = match rights {
            _ if kernel => return,
            [_, b'w', ..] => libc::MADV_POPULATE_WRITE,
            [b'r', ..] => libc::MADV_POPULATE_READ,
            _ => return,
        };
        assert!(self.count < MOST, "too many mappings");
        self.ranges[self.count] = (from, to, advice);
        self.count += 1;
    }

    /// Faults in all of it, for writing where it may be written.
    pub(crate) fn warm(&self) {
        for &(from, to, advice) in &self.ranges[..self.count] {
            // SAFETY: these advices change no content.
            unsafe { libc::madvise(from as *mut libc::c_void, (to - from) as usize, advice) };
        }
    }
}

fn hexadecimal(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |n, d| n << 4 | u64::from((*d as char).to_digit(16).unwrap_or(0)))
}
