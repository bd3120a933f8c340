//! The log, cut: what of it still replays goes to a ring of its own, behind the end of the wreck. The old
//! ring stays as it is, and belongs to nobody once the new superblock is there.

use cowslip_pager::{
    log::{KIND_TRANSACTION, Ring, Scan},
    superblock::{LogStart, Superblock},
};
use serde::Serialize;

use super::work::{Halt, Work};

const BLOCK: u64 = 4096;
/// Blocks of a new ring, if what is kept fits.
const BLOCKS_MIN: u64 = 64;

/// A log that was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LogCut {
    /// Transactions that are still replayed.
    pub kept: u64,
    /// Transactions behind them that were readable. What else stood there nobody knows.
    pub dropped: u64,
}

impl Work<'_> {
    /// Cuts the log behind its valid prefix, and behind `limit` records. `None`: nothing to cut.
    pub(super) fn cut_log(
        &mut self,
        superblock: &mut Superblock,
        limit: Option<u64>,
        always: bool,
    ) -> Result<Option<LogCut>, Halt> {
        let start = self.old.log;
        let mut cut = LogCut { kept: 0, dropped: 0 };
        let mut body = Vec::new();
        let (tail, damaged) = {
            let laid = self.laid();
            let mut scan =
                Scan::new(&laid, &self.geometry, &start, self.old.store, self.old.checkpoint);
            let mut tail = scan.tail();
            let mut records = 0;
            let damaged = loop {
                match scan.next(&mut body) {
                    Ok(Some(record)) => {
                        let kept = limit.is_none_or(|limit| records < limit);
                        let counted = u64::from(record.kind == KIND_TRANSACTION);
                        records += 1;
                        if kept {
                            cut.kept += counted;
                            tail = scan.tail();
                        } else {
                            cut.dropped += counted;
                        }
                    }
                    // Behind the end of the wreck stands nothing but zeros, which prove no end.
                    Ok(None) => {
                        break self.geometry.offset(start.page) + start.blocks * BLOCK
                            > self.length;
                    }
                    Err(_) => break true,
                }
            };
            (tail, damaged)
        };
        if !damaged && limit.is_none() && !always {
            return Ok(None);
        }
        let first = start.at / BLOCK;
        let length = tail.at - first * BLOCK;
        let used = length.div_ceil(BLOCK);
        let blocks = if used + 8 <= BLOCKS_MIN { BLOCKS_MIN } else { start.blocks };
        let mut bytes = vec![0; (used * BLOCK) as usize];
        let ring = Ring::new(&start, &self.geometry);
        if ring.read(&self.laid(), first * BLOCK, &mut bytes[..length as usize]).is_err() {
            return Err(Halt::Unsound);
        }
        let pages = (blocks * BLOCK).div_ceil(self.geometry.page_size as u64);
        let page = self.allocate_run(pages)?;
        let offset = self.geometry.offset(page);
        let whole = vec![0; pages as usize * self.geometry.page_size];
        self.write(&whole, offset);
        for (i, block) in bytes.chunks_exact(BLOCK as usize).enumerate() {
            let place = (first + i as u64) % blocks;
            self.write(block, offset + place * BLOCK);
        }
        superblock.log = LogStart { page, blocks, ..start };
        Ok(Some(cut))
    }
}
