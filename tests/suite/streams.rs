//! A received snapshot is the one that was sent; a stream that is not what was sent changes nothing.

use cowslip::{Database, Error, ReceiveOptions};
use cowslip_harness::{Model, Scratch, Seed, history, seed::times};

fn memory(page_size: usize) -> Scratch {
    let builder = Database::builder().page_size(page_size).cache_size(512 * page_size);
    Scratch::memory(builder.background(false))
}

fn sent(db: &Database, snapshot: &str, since: Option<&str>) -> Vec<u8> {
    let mut stream = Vec::new();
    db.send(&mut stream, snapshot, since).unwrap();
    stream
}

#[test]
fn a_received_snapshot_has_the_digest_of_the_sent_one_whatever_its_base() {
    let seed = Seed::get();
    for round in 0..times(20) {
        let mut rng = seed.rng(round);
        let page_size = [4096, 16384, 65536][rng.usize(..3)];
        let db = memory(page_size);
        let others = [memory(4096), memory(65536)];
        // Keys of the sender must be possible at the smallest pages.
        let keys_for = 4096;
        for number in 0..20 {
            history::live(&db, &mut rng, keys_for).unwrap();
            let branches = db.branches().unwrap();
            let branch = &branches[rng.usize(..branches.len())].name;
            let name = format!("s{number}");
            db.create_snapshot_of(branch, &name).unwrap();
            let snapshots = db.snapshots().unwrap();
            let gone = &snapshots[rng.usize(..snapshots.len())].name;
            if *gone != name && rng.u8(..4) == 0 {
                db.delete_snapshot(gone).unwrap();
            }
            for other in &others {
                let here: Vec<u64> = db.snapshots().unwrap().iter().map(|s| s.id).collect();
                let there = other.snapshots().unwrap();
                let bases: Vec<_> = there.iter().filter(|s| here.contains(&s.id)).collect();
                let base = (!bases.is_empty() && rng.u8(..5) > 0)
                    .then(|| bases[rng.usize(..bases.len())].name.as_str());
                let report = other.receive(&*sent(&db, &name, base)).unwrap();
                assert_eq!(report.base.as_deref(), base);
                assert_eq!(other.digest(&name).unwrap(), db.digest(&name).unwrap(), "{name}");
                let theirs = other.snapshots().unwrap();
                if rng.u8(..5) == 0 {
                    other.delete_snapshot(&theirs[rng.usize(..theirs.len())].name).unwrap();
                }
            }
        }
    }
}

#[test]
fn the_digest_tells_any_two_contents_apart_and_nothing_else() {
    let seed = Seed::get();
    let mut rng = seed.rng(0);
    let (small, large) = (memory(4096), memory(65536));
    for _ in 0..5 {
        history::write(&small, &mut rng, 4096, "main").unwrap();
    }
    // The same content by another way: backwards, with detours.
    let model = Model::read(&small).unwrap();
    let tx = large.begin_write().unwrap();
    for (name, table) in model.branches["main"].iter().rev() {
        let mut copy = tx.open_table(name).unwrap();
        copy.insert(b"a detour", b"").unwrap();
        for (key, value) in table.iter().rev() {
            copy.insert(key, value).unwrap();
        }
        if !table.contains_key(&b"a detour"[..]) {
            copy.remove(b"a detour").unwrap();
        }
    }
    tx.commit().unwrap();
    let same = small.digest("main").unwrap();
    assert_eq!(same, large.digest("main").unwrap());
    let change = |what: &dyn Fn(&cowslip::WriteTransaction)| {
        large.create_snapshot("before").unwrap();
        let tx = large.begin_write().unwrap();
        what(&tx);
        tx.commit().unwrap();
        assert_ne!(large.digest("main").unwrap(), same);
        large.rollback("before").unwrap();
        large.delete_snapshot("before").unwrap();
        assert_eq!(large.digest("main").unwrap(), same);
    };
    change(&|tx| drop(tx.open_table("an empty table").unwrap()));
    change(&|tx| assert!(!tx.open_table("table 0").unwrap().insert(b"new", b"").unwrap()));
    change(&|tx| assert!(!tx.open_table("x").unwrap().insert(b"ab", b"c").unwrap()));
}

/// Each time it breaks off somewhere else, and goes on from there.
#[test]
fn an_interrupted_stream_is_continued_where_it_broke_off() {
    let seed = Seed::get();
    let mut continued = 0;
    for round in 0..times(30) {
        let mut rng = seed.rng(round);
        let (db, other) = (memory(4096), memory([4096, 8192][round as usize % 2]));
        let mut since = None;
        for number in 0..4 {
            for _ in 0..8 {
                history::write(&db, &mut rng, 4096, "main").unwrap();
            }
            let name = format!("s{number}");
            db.create_snapshot(&name).unwrap();
            let mut stream = sent(&db, &name, since.as_deref());
            let keep = ReceiveOptions::default().keep_partial(true);
            for _ in 0..rng.u32(..6) {
                let cut = rng.usize(..stream.len());
                let broken = other.receive_with(&stream[..cut], &keep);
                assert!(!matches!(broken, Ok(Some(_))), "a cut stream was taken for whole");
                assert!(!other.snapshots().unwrap().iter().any(|s| s.name == name));
                if let Some(token) = other.receive_token(&name).unwrap() {
                    continued += 1;
                    stream.clear();
                    db.resume_send(&mut stream, &token).unwrap();
                }
            }
            assert!(other.receive_with(&*stream, &keep).unwrap().is_some());
            assert_eq!(other.digest(&name).unwrap(), db.digest(&name).unwrap(), "{name}");
            assert_eq!(other.receive_token(&name).unwrap(), None);
            // The bookmark alone will do for the next one.
            db.create_bookmark(&name, &name).unwrap();
            if rng.bool() {
                db.delete_snapshot(&name).unwrap();
            }
            since = Some(name);
        }
    }
    // A round alone may break off nowhere, or before anything could be kept.
    assert!(continued > 0 || times(30) < 30, "no stream was ever continued");
}

#[test]
fn a_stream_that_was_cut_or_changed_anywhere_changes_nothing() {
    let mut rng = fastrand::Rng::with_seed(3);
    let db = memory(4096);
    for _ in 0..3 {
        history::write(&db, &mut rng, 4096, "main").unwrap();
    }
    db.create_snapshot("s").unwrap();
    let stream = sent(&db, "s", None);
    let other = memory(4096);
    history::write(&other, &mut rng, 4096, "main").unwrap();
    other.create_snapshot("mine").unwrap();
    let model = Model::read(&other).unwrap();
    other.checkpoint().unwrap();
    let used = other.stats().pages_used;
    let step = (stream.len() / 500).max(1);
    for at in (0..stream.len()).step_by(step).chain(stream.len() - 60..stream.len()) {
        let cut = other.receive(&stream[..at]);
        assert!(matches!(cut, Err(Error::StreamEnded { .. })), "cut at {at}: {cut:?}");
        let mut changed = stream.clone();
        changed[at] ^= 1 << rng.u8(..8);
        let refused = other.receive(&*changed);
        let known = matches!(
            refused,
            Err(Error::StreamEnded { .. }
                | Error::DamagedStream { .. }
                | Error::NewerFormat { .. })
        );
        assert!(known, "changed at {at}: {refused:?}");
    }
    model.assert_is(&other);
    assert_eq!(other.partly_received().unwrap(), [""; 0]);
    other.checkpoint().unwrap();
    assert_eq!(other.stats().pages_used, used);
    other.receive(&*stream).unwrap();
    assert_eq!(other.digest("s").unwrap(), db.digest("s").unwrap());
}

/// The checksums of a stream, made right after its bodies were changed: nobody vouches for a stream.
fn seal(stream: &mut [u8]) {
    let word = |b: &[u8]| u32::from_le_bytes(b[..4].try_into().unwrap());
    let (mut at, mut chain) = (8, 0u32);
    while at + 16 <= stream.len() {
        let end = at + 16 + word(&stream[at..]) as usize;
        if end > stream.len() {
            return;
        }
        if stream[at + 4] == 4 && end - at >= 16 + 40 {
            let digest = *blake3::hash(&stream[..at]).as_bytes();
            stream[end - 32..end].copy_from_slice(&digest);
        }
        let mut crc = crc32fast::Hasher::new();
        crc.update(&chain.to_le_bytes());
        crc.update(&stream[at..at + 12]);
        crc.update(&stream[at + 16..end]);
        chain = crc.finalize();
        stream[at + 12..at + 16].copy_from_slice(&chain.to_le_bytes());
        at = end;
    }
}

#[test]
fn a_forged_stream_harms_nobody() {
    let seed = Seed::get();
    let mut rng = seed.rng(0);
    let db = memory(4096);
    history::write(&db, &mut rng, 4096, "main").unwrap();
    db.create_snapshot("a").unwrap();
    history::write(&db, &mut rng, 4096, "main").unwrap();
    db.create_bookmark("a", "a").unwrap();
    db.create_snapshot("b").unwrap();
    db.create_snapshot("kept").unwrap();
    let other = memory(4096);
    other.receive(&*sent(&db, "a", None)).unwrap();
    let mut streams = vec![sent(&db, "b", None), sent(&db, "b", Some("a"))];
    db.delete_snapshot("a").unwrap();
    streams.push(sent(&db, "b", Some("a")));
    for stream in &streams {
        let mut right = stream.clone();
        seal(&mut right);
        assert_eq!(&right, stream, "the test's own idea of the checksums");
    }
    let model = Model::read(&other).unwrap();
    for _ in 0..times(3000) {
        let mut forged = streams[rng.usize(..3)].clone();
        for _ in 0..rng.usize(1..4) {
            let at = rng.usize(8..forged.len());
            forged[at] = if rng.bool() { rng.u8(..) } else { forged[at] ^ 1 << rng.u8(..8) };
        }
        if rng.u8(..4) == 0 {
            let (from, length) = (rng.usize(8..forged.len()), rng.usize(..60));
            forged.drain(from..(from + length).min(forged.len()));
        }
        seal(&mut forged);
        if let Ok(report) = other.receive(&*forged) {
            // It may well say something that makes sense; then it is a snapshot like any other.
            other.delete_snapshot(&report.snapshot).unwrap();
        }
        for name in other.partly_received().unwrap() {
            other.delete_branch(&name).unwrap();
        }
    }
    model.assert_is(&other);
}

#[test]
fn a_wrong_base_is_refused_by_name() {
    let db = memory(4096);
    let mut rng = fastrand::Rng::with_seed(5);
    for name in ["a", "b", "c"] {
        history::write(&db, &mut rng, 4096, "main").unwrap();
        db.create_snapshot(name).unwrap();
    }
    let other = memory(4096);
    match other.receive(&*sent(&db, "c", Some("b"))) {
        Err(Error::BaseNotFound { name, id }) => {
            let base = db.snapshots().unwrap().into_iter().find(|info| info.name == "b").unwrap();
            assert_eq!((&*name, id), ("b", base.id));
        }
        result => panic!("{result:?}"),
    }
    // A snapshot that only has the base's name is another one.
    other.create_snapshot("b").unwrap();
    let refused = other.receive(&*sent(&db, "c", Some("b")));
    assert!(matches!(refused, Err(Error::BaseNotFound { .. })), "{refused:?}");
    // A base goes by its identity, whatever it is called.
    let renamed = ReceiveOptions::default().name("theirs");
    other.receive_with(&*sent(&db, "b", None), &renamed).unwrap();
    let report = other.receive(&*sent(&db, "c", Some("b"))).unwrap();
    assert_eq!(report.base.as_deref(), Some("theirs"));
    let again = other.receive(&*sent(&db, "c", Some("b")));
    assert!(matches!(again, Err(Error::AlreadyExists(_))), "{again:?}");
    assert!(matches!(db.send(std::io::sink(), "c", Some("c")), Err(Error::WrongBase(_))));
    assert!(matches!(db.send(std::io::sink(), "c", Some("x")), Err(Error::SnapshotNotFound(_))));
}

#[test]
fn a_branch_follows_what_is_received_as_long_as_nobody_wrote_on_it() {
    let (db, other) = (memory(4096), memory(4096));
    let mut rng = fastrand::Rng::with_seed(6);
    for name in ["a", "b", "c"] {
        history::write(&db, &mut rng, 4096, "main").unwrap();
        db.create_snapshot(name).unwrap();
    }
    let follow = |branch: &str| ReceiveOptions::default().follow(branch);
    other.receive_with(&*sent(&db, "a", None), &follow("main")).unwrap();
    other.receive_with(&*sent(&db, "b", Some("a")), &follow("main")).unwrap();
    assert_eq!(other.digest("main").unwrap(), db.digest("b").unwrap());
    history::write(&other, &mut rng, 4096, "main").unwrap();
    let refused = other.receive_with(&*sent(&db, "c", Some("b")), &follow("main"));
    match refused {
        Err(Error::BranchNotAtBase { branch, snapshot, base }) => {
            assert_eq!((&*branch, &*snapshot, base.as_deref()), ("main", "c", Some("b")));
        }
        other => panic!("{other:?}"),
    }
    match other.receive_with(&*sent(&db, "c", None), &follow("main")) {
        Err(Error::BranchNotAtBase { base: None, .. }) => {}
        other => panic!("{other:?}"),
    }
    other.receive_with(&*sent(&db, "c", Some("b")), &follow("mirror")).unwrap();
    assert_eq!(other.digest("mirror").unwrap(), db.digest("c").unwrap());
}

#[test]
fn several_streams_come_through_one_pipe() {
    let db = memory(4096);
    let mut rng = fastrand::Rng::with_seed(7);
    let mut pipe = Vec::new();
    for (number, name) in ["a", "b", "c"].into_iter().enumerate() {
        history::write(&db, &mut rng, 4096, "main").unwrap();
        db.create_snapshot(name).unwrap();
        let since = number.checked_sub(1).map(|before| ["a", "b", "c"][before]);
        db.send(&mut pipe, name, since).unwrap();
    }
    let other = memory(4096);
    let mut input = &*pipe;
    let mut names = Vec::new();
    while let Some(report) = other.receive_with(&mut input, &ReceiveOptions::default()).unwrap() {
        names.push(report.snapshot);
    }
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(other.digest("c").unwrap(), db.digest("c").unwrap());
}

/// Values that are longer than a batch, and a stream of many batches.
#[test]
fn a_stream_larger_than_memory_for_it_comes_through_whole_or_in_parts() {
    let (db, other) = (memory(4096), memory(16384));
    let tx = db.begin_write().unwrap();
    {
        let mut table = tx.open_table("t").unwrap();
        for number in 0..40_000u32 {
            table.insert(&number.to_be_bytes(), &[number as u8; 500]).unwrap();
        }
        let long = cowslip_harness::op::value(40 << 20, 1);
        table.insert_from(&20_000u32.to_be_bytes(), &*long).unwrap();
        table.insert_from(b"\xFFlast", &long[..33 << 20]).unwrap();
    }
    tx.commit().unwrap();
    db.create_snapshot("s").unwrap();
    let stream = sent(&db, "s", None);
    let keep = ReceiveOptions::default().keep_partial(true);
    // In the midst of the first long value; after it; in the last one.
    let mut rest = stream.clone();
    for cut in [30 << 20, 40 << 20, 70 << 20] {
        let cut = cut.min(rest.len() - 1);
        assert!(other.receive_with(&rest[..cut], &keep).is_err());
        let token = other.receive_token("s").unwrap().expect("the first part");
        rest.clear();
        db.resume_send(&mut rest, &token).unwrap();
    }
    assert!(rest.len() < stream.len() * 2 / 3, "{} of {} again", rest.len(), stream.len());
    other.receive_with(&*rest, &keep).unwrap().unwrap();
    assert_eq!(other.digest("s").unwrap(), db.digest("s").unwrap());
    // Without the wish to keep it, nothing of a broken stream stays.
    let third = memory(4096);
    assert!(third.receive(&stream[..50 << 20]).is_err());
    assert_eq!(third.partly_received().unwrap(), [""; 0]);
}

/// Reads on, and at some point does something else first.
struct Interrupted<'s, F>(&'s [u8], Option<(usize, F)>);

impl<F: FnOnce()> std::io::Read for Interrupted<'_, F> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if let Some((_, what)) = self.1.take_if(|(left, _)| self.0.len() <= *left) {
            what();
        }
        self.0.read(out)
    }
}

#[test]
fn two_streams_of_one_snapshot_do_not_mix() {
    let (db, other) = (memory(4096), memory(4096));
    let fill = |byte: u8| {
        let tx = db.begin_write().unwrap();
        for number in 0..40_000u32 {
            tx.open_table("t").unwrap().insert(&number.to_be_bytes(), &[byte; 1000]).unwrap();
        }
        tx.commit().unwrap();
    };
    fill(1);
    db.create_snapshot("s").unwrap();
    let first = sent(&db, "s", None);
    db.delete_snapshot("s").unwrap();
    fill(2);
    db.create_snapshot("s").unwrap();
    let second = sent(&db, "s", None);
    // The second begins, and breaks off, when the first is in its second batch.
    let keep = ReceiveOptions::default().keep_partial(true);
    let begin = || assert!(other.receive_with(&second[..30 << 20], &keep).is_err());
    let mixed = other.receive(Interrupted(&first, Some((15 << 20, begin))));
    assert!(matches!(mixed, Err(Error::WrongBase(_))), "{mixed:?}");
    let token = other.receive_token("s").unwrap().expect("the second's part is still there");
    let mut rest = Vec::new();
    db.resume_send(&mut rest, &token).unwrap();
    other.receive(&*rest).unwrap();
    assert_eq!(other.digest("s").unwrap(), db.digest("s").unwrap());
}

#[test]
fn the_rest_of_a_stream_is_refused_where_what_it_needs_is_gone() {
    let (db, other) = (memory(4096), memory(4096));
    let mut rng = fastrand::Rng::with_seed(9);
    for name in ["a", "b"] {
        history::write(&db, &mut rng, 4096, "main").unwrap();
        db.create_snapshot(name).unwrap();
    }
    other.receive(&*sent(&db, "a", None)).unwrap();
    let keep = ReceiveOptions::default().keep_partial(true);
    let whole = sent(&db, "b", Some("a"));
    assert!(other.receive_with(&whole[..whole.len() - 10], &keep).is_err());
    let token = other.receive_token("b").unwrap().expect("the first part");
    let mut rest = Vec::new();
    db.resume_send(&mut rest, &token).unwrap();

    // The receiver has dropped the first part.
    other.delete_branch("b").unwrap();
    match other.receive(&*rest) {
        Err(Error::WrongBase(what)) => assert!(what.contains("continues snapshot \"b\""), "{what}"),
        result => panic!("{result:?}"),
    }
    // The sender has dropped the base, and then the snapshot.
    let ids = ["a", "b"].map(|name| {
        let id = db.snapshots().unwrap().into_iter().find(|info| info.name == name).unwrap().id;
        db.delete_snapshot(name).unwrap();
        match db.resume_send(std::io::sink(), &token) {
            Err(Error::WrongBase(what)) => assert!(what.contains(&format!("{id:#x}")), "{what}"),
            result => panic!("{result:?}"),
        }
        id
    });
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn an_incremental_stream_is_hardly_longer_than_what_changed() {
    let db = memory(4096);
    let mut rng = fastrand::Rng::with_seed(8);
    let mut put = |count: u32, value: usize, among: u32| {
        let tx = db.begin_write().unwrap();
        let mut payload = 0;
        for number in 0..count {
            let number = if count == among { number } else { rng.u32(..among) };
            let key = blake3::hash(&number.to_le_bytes()).as_bytes()[..24].to_vec();
            let bytes: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(value).collect();
            tx.open_table("t").unwrap().insert(&key, &bytes).unwrap();
            payload += key.len() + value;
        }
        tx.commit().unwrap();
        payload
    };
    for (value, among) in [(4096, 2000), (150, 20_000)] {
        put(among, value, among);
        let before = format!("{value} before");
        db.create_snapshot(&before).unwrap();
        let payload = put(among / 100, value, among);
        let after = format!("{value} after");
        db.create_snapshot(&after).unwrap();
        let length = sent(&db, &after, Some(&before)).len();
        // Some keys may have been written twice.
        assert!(length <= payload + payload / 100 + 300, "{length} bytes for {payload}");
    }
}
