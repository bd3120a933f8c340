//! Streams: a whole snapshot, one per cent of scattered 4 KiB values, the same since a bookmark.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use super::Bench;
use super::cowslip::Cowslip;
use super::figures::{Figure, figure};
use super::subject::{Subject, timed};
use crate::fixture::{TABLE, load_with};
use crate::rows::Unit;
use crate::workload::Prepared;

const NAME: &str = Cowslip::NAME;

/// The rows of this experiment: also Btrfs fills some of them.
pub(super) fn full() -> Figure {
    figure("send a whole snapshot", Unit::BytesPerSecond)
}

pub(super) fn receive_full() -> Figure {
    figure("– receive it", Unit::BytesPerSecond)
}

pub(super) fn part(since: &str, what: &str, unit: Unit) -> Figure {
    figure(format!("send 1 % scattered 4 KiB values since a {since}: {what}"), unit)
}

pub(super) const OVER_PAYLOAD: &str = "stream bytes : payload";

pub(super) fn run(bench: &mut Bench<'_>) -> Result<()> {
    whole(bench)?;
    changes(bench)
}

/// Sends and receives, and compares what came with what was sent. Microseconds of both, and the
/// bytes of the stream.
fn transfer(
    from: &Cowslip,
    to: &Cowslip,
    snapshot: &str,
    since: Option<&str>,
) -> Result<(f64, f64, f64)> {
    let mut stream = Vec::new();
    let sent = timed(|| Ok(from.database.send(&mut stream, snapshot, since).map(drop)?))?;
    let received = timed(|| Ok(to.database.receive(&stream[..]).map(drop)?))?;
    let (ours, theirs) = (from.database.digest(snapshot)?, to.database.digest(snapshot)?);
    ensure!(ours == theirs, "what was received of {snapshot} is not what was sent");
    Ok((sent, received, stream.len() as f64))
}

fn receiver(bench: &Bench<'_>, number: u64) -> Result<Cowslip> {
    Cowslip::open(&bench.new_directory(&format!("receiver-{number}"))?, true)
}

fn whole(bench: &mut Bench<'_>) -> Result<()> {
    let store: Cowslip = bench.copy(bench.settings.keys)?;
    let snapshot = store.create(0)?;
    let (sent, received, bytes) = transfer(&store, &receiver(bench, 1)?, &snapshot, None)?;
    bench.add(NAME, full(), bytes * 1e6 / sent);
    bench.add(NAME, receive_full(), bytes * 1e6 / received);
    Ok(())
}

fn changes(bench: &mut Bench<'_>) -> Result<()> {
    let blocks = bench.settings.blocks();
    let directory = bench.new_directory("sender")?;
    let sender = Cowslip::open(&directory, true)?;
    sender.write(TABLE, true, |writer| load_with(writer, &blocks))?;
    let base = sender.create(0)?;
    let receivers = [receiver(bench, 1)?, receiver(bench, 2)?];
    for receiver in &receivers {
        transfer(&sender, receiver, &base, None)?;
    }
    let ids: BTreeSet<u64> = blocks.overwritten(1, (blocks.keys / 100).max(1)).collect();
    let payload = (ids.len() * (blocks.key_bytes + blocks.value_bytes)) as f64;
    let mut prepared = Prepared::default();
    prepared.fill(&blocks, 1, ids);
    sender.put(TABLE, true, &prepared)?;
    let target = sender.create(1)?;
    sender.settle()?;

    sender.database.create_bookmark("mark", &base)?;
    for (since, name, receiver) in
        [("snapshot", base.as_str(), &receivers[0]), ("bookmark", "mark", &receivers[1])]
    {
        if name == "mark" {
            // As long as its snapshot is there, a bookmark is as good as that.
            sender.delete(&base)?;
            sender.settle()?;
        }
        receiver.settle()?;
        let (sent, received, bytes) = transfer(&sender, receiver, &target, Some(name))?;
        bench.add(NAME, part(since, OVER_PAYLOAD, Unit::Times), bytes / payload);
        bench.add(NAME, part(since, "time", Unit::Microseconds), sent);
        bench.add(NAME, part(since, "time to receive", Unit::Microseconds), received);
    }
    Ok(())
}
