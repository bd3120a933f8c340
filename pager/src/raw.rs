//! Raw trees: pages without a header that lead to one another, as the page tables of a processor do.
//!
//! ```text
//! height h > 0   512 words of 64 bits (on pages of 4 KiB), little-endian:
//!
//!    63        52 51                12 11                         0
//!   +------------+--------------------+----------------------------+
//!   |  owner's   |  page, or 0: none  |          owner's           |
//!   +------------+--------------------+----------------------------+
//!
//! height 0       a page of data, all of it the owner's
//! ```
//!
//! A page of height h leads to pages of height h - 1, so no walk is longer than the root is high.
//! Each word that names a page is one owner of it. A raw page carries no stamp: its checksum stands
//! in the page map, and its count alone says who shares it.

use crate::{
    error::{Error, Result},
    page::{PageId, u64_at},
};

/// A raw page, and how far above the data it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Raw {
    /// Where.
    pub page: PageId,
    /// 0: data.
    pub height: u8,
}

impl Raw {
    /// The highest that a raw page may stand.
    pub const HEIGHT_MAX: u8 = 6;
    /// Where the page number begins in a word.
    pub const SHIFT: u32 = 12;
    /// The bits of a word that are the page number.
    pub const PAGE_BITS: u64 = 0xFF_FFFF_FFFF << Raw::SHIFT;

    /// The page that a word names; none: [`PageId::NONE`].
    pub fn named(word: u64) -> PageId {
        PageId((word & Raw::PAGE_BITS) >> Raw::SHIFT)
    }

    /// Calls `visit` for each word of this page, whose content is `bytes`, that names another.
    pub fn children(
        self,
        bytes: &[u8],
        visit: &mut dyn FnMut(usize, Raw) -> Result<()>,
    ) -> Result<()> {
        let Some(height) = self.height.checked_sub(1) else { return Ok(()) };
        for index in 0..bytes.len() / 8 {
            let page = Raw::named(u64_at(bytes, 8 * index));
            if page == PageId::NONE {
                continue;
            }
            if page.0 >= PageId::LIMIT {
                let what = "page that a raw page names (below)";
                return Err(Error::corrupted(self.page.0, what, PageId::LIMIT, page.0));
            }
            visit(index, Raw { page, height })?;
        }
        Ok(())
    }
}
