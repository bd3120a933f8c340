//! The memory of the page cache: one piece, cut into frames of a page each.
//!
//! **The only unsafe code of the pager.** The arena hands out slices by frame number and cannot
//! know who else holds one; the cache (see `cache.rs`) guarantees the rule that makes this sound:
//!
//! > The bytes of a frame are written only by the one owner of a frame that no reader can reach:
//! > a loader before it publishes the frame, or the writer editing a page of its own transaction,
//! > which is hidden from all readers while the edit lasts. Everybody else only reads, and a frame
//! > gets a new owner only after every reader that may hold a slice of it has left (pins and
//! > epochs).
//!
//! A small arena, which no huge page could serve, is a heap allocation: cheaper to make and to give
//! back. Under Miri every arena is, since Miri has no `mmap` advice.

#![expect(unsafe_code, reason = "frames are shared by readers without a lock; see the module doc")]

use std::{alloc::Layout, io, ptr::NonNull};

/// A fixed number of page-sized frames in one piece of memory.
#[derive(Debug)]
pub(crate) struct Arena {
    base: NonNull<u8>,
    frame_size: usize,
    frames: usize,
    memory: Memory,
}

/// Owns the memory that `base` points to.
#[derive(Debug)]
enum Memory {
    Mapped { _mapping: memmap2::MmapMut },
    Heap { layout: Layout },
}

/// Asks the processor for the line in which something begins, since it will be read soon. Only a hint, and
/// nothing at all on processors whose hint Rust cannot give.
#[inline]
pub fn prefetch<T>(what: &T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the address is a reference's, and a prefetch reads nothing that a program could see.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(what).cast()) }
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = what;
}

/// Bytes of a cache line.
#[cfg(all(target_arch = "x86_64", not(miri)))]
const LINE: usize = 64;

/// An arena of at least so many bytes is mapped.
const MAPPED_MIN: usize = if cfg!(miri) { usize::MAX } else { 2 << 20 };

// SAFETY: the arena is plain memory; who may touch which byte when is the cache's rule, stated in
// the module doc, and holds across threads.
unsafe impl Send for Arena {}
// SAFETY: as above; `&Arena` gives no access to bytes except through the unsafe functions below.
unsafe impl Sync for Arena {}

impl Arena {
    pub(crate) fn new(frames: usize, frame_size: usize) -> io::Result<Arena> {
        let out_of_memory = || io::Error::from(io::ErrorKind::OutOfMemory);
        let length = frames.checked_mul(frame_size).ok_or_else(out_of_memory)?;
        let (base, memory) = if length >= MAPPED_MIN {
            let mut mapping = memmap2::MmapMut::map_anon(length)?;
            // Huge pages save most TLB misses of a random read; a refusal costs only speed. The frames
            // that are given out first do without: clearing a huge page is a third of an opening.
            #[cfg(target_os = "linux")]
            let _ =
                mapping.advise_range(memmap2::Advice::HugePage, MAPPED_MIN, length - MAPPED_MIN);
            (mapping.as_mut_ptr(), Memory::Mapped { _mapping: mapping })
        } else {
            let layout = Layout::from_size_align(length.max(frame_size), 4096)
                .map_err(|_| out_of_memory())?;
            // SAFETY: the layout has a size above zero: that of a frame at least.
            (unsafe { std::alloc::alloc_zeroed(layout) }, Memory::Heap { layout })
        };
        let base = NonNull::new(base).ok_or_else(out_of_memory)?;
        Ok(Arena { base, frame_size, frames, memory })
    }

    /// Bytes of a frame.
    pub(crate) fn frame_size(&self) -> usize {
        self.frame_size
    }

    /// Frames in the arena.
    pub(crate) fn frames(&self) -> usize {
        self.frames
    }

    /// The bytes of a frame, for reading.
    ///
    /// # Safety
    /// As long as the slice lives, nobody writes the frame (the rule in the module doc).
    pub(crate) unsafe fn bytes(&self, frame: u32) -> &[u8] {
        assert!((frame as usize) < self.frames);
        // SAFETY: the frame lies inside the memory (just asserted), which lives as long as `self`;
        // it was zero at first, and so is initialised; the caller vouches that nobody writes meanwhile.
        unsafe {
            let start = self.base.add(frame as usize * self.frame_size);
            std::slice::from_raw_parts(start.as_ptr(), self.frame_size)
        }
    }

    /// Asks the processor for bytes of a frame that will be read soon: those from `from` on, as many
    /// lines as `bytes` span. A hint, as [`prefetch`] is.
    #[inline]
    pub(crate) fn prefetch(&self, frame: u32, from: usize, bytes: usize) {
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        if (frame as usize) < self.frames && from + bytes <= self.frame_size {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            let start = frame as usize * self.frame_size;
            for line in (from / LINE * LINE..from + bytes).step_by(LINE) {
                // SAFETY: inside the memory, as just compared; a prefetch reads nothing that a program
                // could see, so it needs no rule about who writes.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(self.base.as_ptr().add(start + line).cast()) }
            }
        }
        #[cfg(not(all(target_arch = "x86_64", not(miri))))]
        let _ = (frame, from, bytes);
    }

    /// The bytes of a frame, for writing.
    ///
    /// # Safety
    /// As long as the slice lives, the caller alone touches the frame (the rule in the module doc).
    #[expect(clippy::mut_from_ref, reason = "exclusive by the caller's promise, not by a borrow")]
    pub(crate) unsafe fn bytes_mut(&self, frame: u32) -> &mut [u8] {
        assert!((frame as usize) < self.frames);
        // SAFETY: inside the memory as above; the caller vouches for exclusive access.
        unsafe {
            let start = self.base.add(frame as usize * self.frame_size);
            std::slice::from_raw_parts_mut(start.as_ptr(), self.frame_size)
        }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        if let Memory::Heap { layout } = self.memory {
            // SAFETY: `base` came from `alloc_zeroed` with this layout and is freed once, here.
            unsafe { std::alloc::dealloc(self.base.as_ptr(), layout) }
        }
    }
}
