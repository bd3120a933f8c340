//! What a snapshot costs is what a walk through all pages finds.

use cowslip::Database;
use cowslip_harness::{Scratch, Seed, history, pages::pages_of_names, seed::times};

#[test]
fn usage_is_exact_whatever_was_shared_deleted_rolled_back_or_moved() {
    let seed = Seed::get();
    for round in 0..times(12) {
        let mut rng = seed.rng(round);
        let page_size = [4096, 4096, 16384][round as usize % 3];
        let builder = Database::builder().page_size(page_size).cache_size(512 * page_size);
        let mut db = Scratch::memory(builder.background(false));
        for number in 0..rng.u32(4..16) {
            history::live(&db, &mut rng, page_size).unwrap();
            let branches = db.branches().unwrap();
            let branch = &branches[rng.usize(..branches.len())].name;
            db.create_snapshot_of(branch, &format!("s{number}")).unwrap();
            let snapshots = db.snapshots().unwrap();
            if rng.u8(..3) == 0 {
                db.delete_snapshot(&snapshots[rng.usize(..snapshots.len())].name).unwrap();
            }
        }
        db.reopen();
        let pages = pages_of_names(&db.image());
        for (name, own) in &pages {
            let usage = db.usage(name).unwrap();
            let others = pages.iter().filter(|(other, _)| *other != name);
            let mut unique = own.clone();
            others.for_each(|(_, pages)| unique.retain(|page| !pages.contains(page)));
            let bytes = |count: usize| (count * page_size) as u64;
            assert_eq!(usage.referenced_bytes, bytes(own.len()), "referenced by {name}");
            assert_eq!(usage.unique_bytes, bytes(unique.len()), "unique to {name}");
        }
        // Of a set, what nothing outside of it leads to.
        let names: Vec<&String> = pages.keys().filter(|_| rng.bool()).collect();
        let mut together = std::collections::BTreeSet::new();
        names.iter().for_each(|name| together.extend(&pages[*name]));
        let outside = pages.iter().filter(|(name, _)| !names.contains(name));
        outside.for_each(|(_, pages)| together.retain(|page| !pages.contains(page)));
        let set: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        let bytes = (together.len() * page_size) as u64;
        assert_eq!(db.unique_bytes_of(&set).unwrap(), bytes, "unique to {set:?}");
    }
}

#[test]
fn written_is_what_the_snapshot_before_does_not_have() {
    compare_written(Seed::get(), times(6));
}

/// In this history a value that two snapshots share cannot be moved for the first of them, and could for the
/// second.
#[test]
fn a_value_that_compaction_leaves_it_leaves_for_all_who_share_it() {
    compare_written(Seed::fixed(13336828446774703573), 3);
}

/// A line of snapshots, so that it is known which one each stands on.
fn compare_written(seed: Seed, rounds: u64) {
    for round in 0..rounds {
        let mut rng = seed.rng(round);
        let mut db = Scratch::memory(Database::builder().background(false));
        for number in 0..8 {
            history::write(&db, &mut rng, 4096, "main").unwrap();
            db.create_snapshot(&format!("s{number}")).unwrap();
            if rng.u8(..4) == 0 {
                db.compact().unwrap();
            }
        }
        let gone = rng.u8(1..6);
        db.delete_snapshot(&format!("s{gone}")).unwrap();
        history::write(&db, &mut rng, 4096, "main").unwrap();
        db.reopen();
        let pages = pages_of_names(&db.image());
        let line: Vec<String> = (0..8).filter(|n| *n != gone).map(|n| format!("s{n}")).collect();
        let names = line.iter().map(String::as_str).chain(["main"]);
        let mut before = std::collections::BTreeSet::new();
        for name in names {
            let written = pages[name].difference(&before).count() as u64 * 4096;
            assert_eq!(db.usage(name).unwrap().written_bytes, written, "written for {name}");
            before = pages[name].clone();
        }
    }
}

#[test]
fn what_is_unique_comes_back_exactly_and_at_the_end_all_of_it() {
    let seed = Seed::get();
    for round in 0..times(6) {
        let mut rng = seed.rng(round);
        let db = Scratch::memory(Database::builder().background(false));
        history::write(&db, &mut rng, 4096, "main").unwrap();
        db.create_snapshot("keep").unwrap();
        db.checkpoint().unwrap();
        let used = |db: &Database| {
            db.wait_for_releases().unwrap();
            db.checkpoint().unwrap();
            let stats = db.stats();
            stats.pages_used - stats.log_capacity / 4096
        };
        let at_first = used(&db);
        for number in 0..10 {
            history::write(&db, &mut rng, 4096, "main").unwrap();
            db.create_snapshot(&format!("s{number}")).unwrap();
        }
        let mut order: Vec<u8> = (0..10).collect();
        rng.shuffle(&mut order);
        db.rollback("keep").unwrap();
        for number in order {
            let name = format!("s{number}");
            let (before, unique) = (used(&db), db.usage(&name).unwrap().unique_bytes / 4096);
            db.delete_snapshot(&name).unwrap();
            let freed = before - used(&db);
            // The one leaf of names is always copied, so it counts on neither side.
            assert_eq!(freed, unique, "freed by deleting {name}");
        }
        assert_eq!(used(&db), at_first, "pages in use at the end");
    }
}
