//! A run as JSON: one object an operation, and one at the end.

use cowslip::vm::{
    StoredMachine, Tally,
    trace::{Answer, Player, Snapshot},
};
use serde_json::{Map, Value, json};

pub(super) fn answer(answer: &Answer) -> Value {
    let mut object = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        value.map(|value| object.insert(name.to_owned(), value));
    };
    put("line", Some(answer.line.into()));
    put("operation", Some(answer.text.as_str().into()));
    put("counts", answer.tally.as_ref().map(tally));
    put("signal", answer.signal.flatten().map(|signal| signal.to_string().into()));
    put("mismatches", answer.mismatches.map(Value::from));
    put("error", answer.errno.map(|errno| errno.to_string().into()));
    put("tables", answer.tables.map(Value::from));
    put("child_tables", answer.child_tables.map(Value::from));
    put("total", answer.total.as_ref().map(tally));
    put(
        "merged",
        answer.merged.map(|merged| {
            json!({
                "pages_shared": merged.shared,
                "pages_sharing": merged.sharing,
                "ksm_zero_pages": merged.zeros,
            })
        }),
    );
    put("snapshot", answer.snapshot.as_ref().map(snapshot));
    object.into()
}

pub(super) fn end(player: &Player) -> Value {
    let machine = player.machine();
    let processes: Vec<Value> = machine
        .processes()
        .map(|pid| {
            json!({
                "process": player.name(pid),
                "alive": machine.is_alive(pid),
                "tables": machine.tables(pid),
                "counts": tally(&machine.tally(pid)),
            })
        })
        .collect();
    json!({
        "end": snapshot(&player.snapshot("end")),
        "processes": processes,
        "frames_used": machine.frames().used(),
        "pages_copied": machine.frames().copies(),
    })
}

/// Faults always, the rest only where something was counted.
fn tally(tally: &Tally) -> Value {
    let mut object = Map::new();
    object.insert("min".to_owned(), tally.minor.into());
    object.insert("maj".to_owned(), tally.major.into());
    let tables = ("table_copies", tally.table_copies);
    for (name, count) in tally.named().into_iter().chain([tables]).filter(|(_, count)| *count > 0) {
        object.insert(name.to_owned(), count.into());
    }
    object.into()
}

fn snapshot(snapshot: &Snapshot) -> Value {
    let regions: Vec<Value> = snapshot
        .regions
        .iter()
        .map(|(process, region, pages)| {
            json!({
                "process": process,
                "region": region,
                "none": pages.none,
                "zero": pages.zero,
                "anon": pages.anonymous,
                "ksm": pages.merged,
                "file": pages.file,
                "swap": pages.swapped,
                "guard": pages.guard,
                "excl": pages.exclusive,
                "shared": pages.shared,
            })
        })
        .collect();
    json!({
        "label": snapshot.label,
        "regions": regions,
        "mapped_anon": snapshot.mapped_anonymous,
        "anon_frames": snapshot.anonymous_frames,
        "file_frames": snapshot.file_frames,
    })
}

/// What storing the machine wrote.
pub(super) fn stored(name: &str, stored: &StoredMachine) -> Value {
    json!({ "stored": {
        "name": name,
        "memory": stored.memory,
        "tables": stored.tables,
        "shared": stored.shared,
    }})
}
