//! Snapshots that were received in part: which there are, how they go on, and how to drop them.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use cowslip::Database;

use crate::failure::{Failure, Outcome};
use crate::format::tsv;
use crate::output::{self, json_line};
use crate::store;

#[derive(serde::Serialize)]
struct Row {
    name: String,
    token: String,
}

/// Prints the token of one.
pub(super) fn token(file: &Path, name: &str) -> Outcome {
    let db = store::for_reading(file)?;
    let token = db.receive_token(name)?.ok_or_else(|| missing(file, name))?;
    let mut out = output::stdout();
    writeln!(out, "{token}")?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the names of all.
pub(super) fn list(file: &Path, json: bool) -> Outcome {
    let rows = all(&store::for_reading(file)?)?;
    let mut out = output::stdout();
    for (name, token) in rows {
        if json {
            json_line(&mut out, &Row { name, token })?;
        } else {
            tsv::write_escaped(&mut out, name.as_bytes())?;
            out.write_all(b"\n")?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Drops one.
pub(super) fn discard(file: &Path, name: &str) -> Outcome {
    let db = store::for_writing(file)?;
    // The library drops it as a branch; a real one of that name is not meant.
    if db.receive_token(name)?.is_none() {
        return Err(missing(file, name));
    }
    db.delete_branch(name)?;
    store::close(file, db)?;
    Ok(ExitCode::SUCCESS)
}

fn missing(file: &Path, name: &str) -> Failure {
    Failure::NotFound(format!("{}: nothing of `{name}` was received in part", file.display()))
}

/// Name and token of each.
pub(super) fn all(db: &Database) -> Result<BTreeMap<String, String>, Failure> {
    let mut parts = BTreeMap::new();
    for name in db.partly_received()? {
        if let Some(token) = db.receive_token(&name)? {
            parts.insert(name, token);
        }
    }
    Ok(parts)
}

/// Which snapshot's part was kept by a receive that failed: a stream does not tell its name outside
/// of the library, so it is the one that is new or has grown, or the one that there is.
pub(super) fn kept(
    before: &BTreeMap<String, String>,
    mut after: BTreeMap<String, String>,
    name: Option<&str>,
) -> Option<String> {
    if let Some(name) = name {
        return after.remove_entry(name).map(|(name, _)| name);
    }
    if after.len() > 1 {
        after.retain(|name, token| before.get(name) != Some(token));
    }
    after.pop_first().map(|(name, _)| name)
}
