//! The intent log. Verifies that its valid prefix ends where nothing was known to be durable, and
//! counts its records; leaves to the replay whether they can be applied.

use cowslip_pager::{
    Error as PagerError,
    log::{KIND_TRANSACTION, Scan},
};

use super::Check;
use crate::{problem::Kind, report::Problem};

pub(super) fn run(check: &mut Check<'_>) {
    let superblock = check.superblock.clone();
    let mut scan = Scan::new(
        check.storage,
        &check.geometry,
        &superblock.log,
        superblock.store,
        superblock.checkpoint,
    );
    let mut body = Vec::new();
    loop {
        match scan.next(&mut body) {
            Ok(Some(record)) => {
                check.report.log_records += 1;
                check.report.log_transactions += u64::from(record.kind == KIND_TRANSACTION);
            }
            Ok(None) => return,
            Err(error) => {
                check.report.add(match error {
                    PagerError::Corrupted(fault) => {
                        let newer = fault.page == 0;
                        let kind = if newer { Kind::LogNewer } else { Kind::LogDamaged };
                        let page = fault.page * 4096 / check.geometry.page_size as u64;
                        Problem::new(kind, fault.what)
                            .page(if newer { 0 } else { page })
                            .values(fault.expected, fault.found)
                    }
                    other => Problem::new(Kind::LogUnreadable, other.to_string())
                        .page(superblock.log.page.0),
                });
                return;
            }
        }
    }
}
