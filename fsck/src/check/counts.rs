//! The last pass: the map's count of every page against the owners that the walk has met. Verifies
//! (I3) and every number of free pages; judges leaks only where the walk could see everything.

use cowslip_pager::{map::Entry, page::PageId};

use super::{Check, map::PageMap};
use crate::{problem::Kind, report::Problem, walk::Role};

/// `owners` says what a page is used as and by how many; it may look at the map's count. Only the first
/// `there` pages are there.
pub(super) fn run(
    check: &mut Check<'_>,
    map: &mut PageMap,
    owners: impl Fn(u64, u32) -> (Role, u32),
    there: u64,
    complete: bool,
) {
    let geometry = check.geometry;
    let pages = check.superblock.pages;
    let mut unjudged = 0u64;
    let mut run: Option<(u64, u64)> = None;
    for group in 0..geometry.groups(pages) {
        let Some(bytes) = map.group(check, group).map(<[u8]>::to_vec) else { continue };
        let start = geometry.group_start(group);
        let mut free = 0u64;
        for index in 0..geometry.group_pages {
            let entry = Entry::decode(&bytes, index as usize);
            let page = start + index;
            free += u64::from(entry.count == 0);
            if page >= pages {
                // The head of a region may be counted before the file reaches its end.
                if entry.count > 1 || entry.count == 1 && !geometry.is_reserved(PageId(page)) {
                    check.report.add(
                        Problem::new(Kind::BeyondEnd, "count of a page behind the end")
                            .page(page)
                            .values(0, entry.count),
                    );
                }
                continue;
            }
            let (role, owners) = owners(page, entry.count);
            if page >= there || entry.count == owners {
                continue;
            }
            let problem = match (entry.count, owners) {
                (0, _) => {
                    Problem::new(Kind::OwnedButFree, format!("count of a page used as {role}"))
                }
                (count, owners) if count < owners => {
                    Problem::new(Kind::CountTooLow, format!("count of a page used as {role}"))
                }
                _ if !complete && role != Role::Fixed => {
                    unjudged += 1;
                    continue;
                }
                (count, 0) if count > 0 => {
                    // Neighbours are one problem: they mostly come from one event.
                    check.report.leaked_pages += 1;
                    match &mut run {
                        Some((first, length)) if *first + *length == page => *length += 1,
                        _ => {
                            report_orphans(check, run.take());
                            run = Some((page, 1));
                        }
                    }
                    continue;
                }
                _ => Problem::new(Kind::CountTooHigh, format!("count of a page used as {role}")),
            };
            check.report.add(problem.page(page).values(owners, entry.count));
        }
        let expected = if map.is_present(group) { free } else { 0 };
        if let Some(found) = map.free_of(check, group)
            && found != expected
        {
            check.report.add(
                Problem::new(Kind::FreeCount, format!("free pages of group {group}"))
                    .values(expected, found),
            );
        }
    }
    report_orphans(check, run);
    if unjudged > 0 {
        check.report.note(format!(
            "{unjudged} pages in use may be leaked or belong to what could not be read"
        ));
    }
    if !map.is_whole() {
        check.report.note("counts under the damaged part of the map could not be compared");
    }
}

fn report_orphans(check: &mut Check<'_>, run: Option<(u64, u64)>) {
    let Some((first, length)) = run else { return };
    let what = match length {
        1 => "a page in use without an owner".to_owned(),
        _ => format!("{length} pages in use without an owner, from this one on"),
    };
    check.report.add(Problem::new(Kind::Orphan, what).page(first));
}
