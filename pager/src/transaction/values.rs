//! The transaction's large values: bytes that go straight to the file as they come.

use super::Transaction;
use crate::{
    aligned::Aligned,
    counters::count,
    error::{Error, Result},
    extent::Extent,
    page::{HEADER, PageId},
    space::Run,
};

impl Transaction {
    /// Reads part of an extent.
    pub fn read_extent(&self, extent: &Extent, offset: u64, out: &mut [u8]) -> Result<()> {
        self.inner.read_extent(extent, offset, out)
    }

    /// Begins to write a large value; its bytes go straight to the file. `expected` bytes are
    /// provided for at once; more are taken as they come, what is too much is given back.
    pub fn write_extent(&mut self, expected: u64) -> Result<ExtentWriter> {
        self.changed = true;
        let pages = Extent::pages_for(expected, self.page_size());
        let buffer = std::mem::take(&mut *self.inner.value_buffer.lock());
        // What is larger grows on the way.
        let pages = pages.min(self.inner.geometry.region_pages / 4);
        let runs = self.inner.space.lock().take_runs(pages, Extent::RUNS_MAX)?;
        Ok(ExtentWriter {
            extent: Extent { length: 0, stamp: self.page_stamp, crc: 0, runs },
            buffer,
            next_page: 0,
            crc: crc32fast::Hasher::new(),
        })
    }

    /// Takes in more bytes of a value.
    pub fn extend_extent(&mut self, writer: &mut ExtentWriter, mut bytes: &[u8]) -> Result<()> {
        writer.extent.length += bytes.len() as u64;
        while !bytes.is_empty() {
            let room = (WRITE_BATCH - writer.buffer.len()).min(bytes.len());
            writer.reserve((writer.buffer.len() + room).next_multiple_of(self.page_size()))?;
            writer.buffer.extend(&bytes[..room]);
            bytes = &bytes[room..];
            if writer.buffer.len() == WRITE_BATCH {
                self.flush_extent(writer)?;
            }
        }
        Ok(())
    }

    /// Gets the value some of the room that `pages` more pages need; false when it has it.
    fn provide(&mut self, writer: &mut ExtentWriter, pages: u64) -> Result<bool> {
        let held: u64 = writer.extent.runs.iter().map(|run| run.length).sum();
        let missing = (writer.next_page + pages).saturating_sub(held);
        if missing == 0 {
            return Ok(false);
        }
        if writer.extent.runs.len() >= Extent::RUNS_MAX {
            return Err(Error::InvalidArgument(format!(
                "a value in more than {} runs, at {} bytes (larger pages have larger regions)",
                Extent::RUNS_MAX,
                writer.extent.length
            )));
        }
        // Twice as much each time, and from some size on in pieces as large as a region, so that the
        // runs stay few.
        let region = self.inner.geometry.region_pages;
        let generous = held.min(region).max(missing);
        let room = Extent::RUNS_MAX - writer.extent.runs.len();
        let more = {
            let mut space = self.inner.space.lock();
            // Free space first, if it is in large pieces; else the end of the file.
            let large = if held >= region / 4 {
                let found = space.take_runs(generous, room.min(2)).ok();
                found.or_else(|| space.take_tail(generous).ok().map(|run| vec![run]))
            } else {
                None
            };
            match large {
                Some(runs) => runs,
                None => match space.take_runs(generous, room) {
                    Err(Error::DiskFull { .. }) if generous > missing => {
                        space.take_runs(missing, room)?
                    }
                    other => other?,
                },
            }
        };
        for run in more {
            match writer.extent.runs.last_mut() {
                Some(last) if last.end() == run.start.0 => last.length += run.length,
                _ => writer.extent.runs.push(run),
            }
        }
        Ok(true)
    }

    fn flush_extent(&mut self, writer: &mut ExtentWriter) -> Result<()> {
        let size = self.page_size();
        let padded = writer.buffer.len().next_multiple_of(size);
        writer.buffer.resize(padded);
        let crcs: Vec<u32> = writer.buffer.chunks_exact(size).map(crc32fast::hash).collect();
        while self.provide(writer, crcs.len() as u64)? {}
        let mut done = 0;
        while done < crcs.len() {
            let (start, left) = writer.place();
            let pages = (crcs.len() - done).min(left as usize);
            let offset = self.inner.geometry.offset(start);
            let piece = &writer.buffer[done * size..(done + pages) * size];
            let result = self
                .inner
                .storage
                .write_at(piece, offset)
                .map_err(|e| Error::io("writing a large value", offset, e));
            self.inner.poison.on_failure(result)?;
            count(&self.inner.counters.pages, pages * size);
            let mut space = self.inner.space.lock();
            for (i, &crc) in crcs[done..done + pages].iter().enumerate() {
                let page = PageId(start.0 + i as u64);
                // The entry of a free page: it means nothing until a commit counts the page.
                space.prepare(page)?;
                space.map.set_crc(page, crc);
                writer.crc.update(&crc.to_le_bytes());
            }
            writer.next_page += pages as u64;
            done += pages;
        }
        writer.buffer.clear();
        Ok(())
    }

    /// Ends a large value: all its bytes have been taken in.
    pub fn finish_extent(&mut self, mut writer: ExtentWriter) -> Result<Extent> {
        if let Err(error) = self.write_rest(&mut writer) {
            self.abandon_extent(writer);
            return Err(error);
        }
        // Memory that is new has to be cleared, which costs more than a small value does.
        *self.inner.value_buffer.lock() = writer.buffer;
        let mut extent = writer.extent;
        extent.crc = writer.crc.finalize();
        let mut surplus = extent.runs.iter().map(|run| run.length).sum::<u64>() - writer.next_page;
        let mut space = self.inner.space.lock();
        while surplus > 0
            && let Some(last) = extent.runs.last_mut()
        {
            let cut = surplus.min(last.length);
            last.length -= cut;
            space.give_back(Run { start: PageId(last.end()), length: cut });
            surplus -= cut;
            if last.length == 0 {
                extent.runs.pop();
            }
        }
        drop(space);
        self.inner.cache.values().forget(extent.head());
        self.extents.insert(extent.head(), extent.runs.clone());
        Ok(extent)
    }

    /// Writes what is still in the buffer: an empty value has one page, too.
    fn write_rest(&mut self, writer: &mut ExtentWriter) -> Result<()> {
        if writer.extent.length == 0 {
            writer.reserve(self.page_size())?;
            writer.buffer.resize(self.page_size());
        }
        if writer.buffer.is_empty() {
            return Ok(());
        }
        self.flush_extent(writer)
    }

    /// Gives the pages of an unfinished value back.
    pub fn abandon_extent(&mut self, mut writer: ExtentWriter) {
        writer.buffer.clear();
        *self.inner.value_buffer.lock() = writer.buffer;
        let mut space = self.inner.space.lock();
        writer.extent.runs.iter().for_each(|run| space.give_back(*run));
    }
}

/// A large value that is being written.
#[derive(Debug)]
pub struct ExtentWriter {
    extent: Extent,
    buffer: Aligned,
    next_page: u64,
    crc: crc32fast::Hasher,
}

const WRITE_BATCH: usize = 1 << 20;
const _: () = assert!(WRITE_BATCH.is_multiple_of(crate::page::PAGE_SIZE_MAX) && HEADER == 64);

impl ExtentWriter {
    /// Makes room for `length` bytes in the buffer.
    fn reserve(&mut self, length: usize) -> Result<()> {
        self.buffer.reserve(length).map_err(|e| Error::io("reserving a buffer", None, e))
    }

    /// Where the next page goes, and how many more fit that run.
    fn place(&self) -> (PageId, u64) {
        let mut left = self.next_page;
        for run in &self.extent.runs {
            if left < run.length {
                return (PageId(run.start.0 + left), run.length - left);
            }
            left -= run.length;
        }
        unreachable!("pages are provided before they are placed")
    }
}
