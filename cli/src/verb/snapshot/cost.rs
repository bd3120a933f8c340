//! `snapshot usage` and `snapshot digest`: what a snapshot costs, and a digest of what it contains.

use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use cowslip::Usage;

use crate::failure::{Failure, Outcome};
use crate::format::tsv;
use crate::output::{self, json_line};
use crate::{progress, store};

/// Print what snapshots (or branches) cost: name, bytes referenced, unique, written
#[derive(clap::Args)]
#[command(after_help = "\
Referenced: all that can be reached from it. Unique: what deleting it would free. Written: what is \
newer than the snapshot before it. Of several names, a last line that begins with a TAB says what \
deleting all of them would free, which is more if only they share something.")]
pub(crate) struct UsageArgs {
    /// The database
    file: PathBuf,
    /// The snapshots or branches
    #[arg(required = true)]
    name: Vec<String>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Print a digest of what snapshots (or branches) contain
///
/// It is the same for the same tables, keys and values, whatever the database, its page size and the
/// order of writing. With several names each line is `digest TAB name`.
#[derive(clap::Args)]
pub(crate) struct DigestArgs {
    /// The database
    file: PathBuf,
    /// The snapshots or branches
    #[arg(required = true)]
    name: Vec<String>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// A `Usage` as it is printed.
#[derive(Clone, Copy, serde::Serialize)]
pub(super) struct Bytes {
    #[serde(rename = "referenced_bytes")]
    referenced: u64,
    #[serde(rename = "unique_bytes")]
    unique: u64,
    #[serde(rename = "written_bytes")]
    written: u64,
}

impl From<Usage> for Bytes {
    fn from(usage: Usage) -> Bytes {
        Bytes {
            referenced: usage.referenced_bytes,
            unique: usage.unique_bytes,
            written: usage.written_bytes,
        }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\t{}\t{}", self.referenced, self.unique, self.written)
    }
}

#[derive(serde::Serialize)]
struct JsonUsage<'a> {
    name: &'a str,
    #[serde(flatten)]
    usage: Bytes,
}

/// What several names would free together.
#[derive(serde::Serialize)]
struct JsonTogether<'a> {
    together: &'a [String],
    unique_bytes: u64,
}

#[derive(serde::Serialize)]
struct JsonDigest<'a> {
    name: &'a str,
    digest: String,
}

pub(crate) fn usage(args: &UsageArgs) -> Outcome {
    let db = store::for_reading(&args.file)?;
    let of_file = |error| Failure::of_file(&args.file, error);
    let mut out = output::stdout();
    let names: Vec<&str> = args.name.iter().map(String::as_str).collect();
    for (name, usage) in args.name.iter().zip(db.usages(&names).map_err(of_file)?) {
        let usage = Bytes::from(usage);
        if args.json {
            json_line(&mut out, &JsonUsage { name, usage })?;
        } else {
            tsv::write_escaped(&mut out, name.as_bytes())?;
            writeln!(out, "\t{usage}")?;
        }
    }
    if args.name.len() > 1 {
        let unique_bytes = db.unique_bytes_of(&names).map_err(of_file)?;
        if args.json {
            json_line(&mut out, &JsonTogether { together: &args.name, unique_bytes })?;
        } else {
            // No name is empty, so this line is told from the others.
            writeln!(out, "\t\t{unique_bytes}\t")?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn digest(args: &DigestArgs) -> Outcome {
    let db = store::for_reading(&args.file)?;
    let mut out = output::stdout();
    for name in &args.name {
        let spinner = progress::spinner("reading");
        let digest = db.digest(name);
        spinner.finish_and_clear();
        let digest = digest.map_err(|error| Failure::of_file(&args.file, error))?.to_string();
        if args.json {
            json_line(&mut out, &JsonDigest { name, digest })?;
        } else if args.name.len() > 1 {
            write!(out, "{digest}\t")?;
            tsv::write_escaped(&mut out, name.as_bytes())?;
            out.write_all(b"\n")?;
        } else {
            writeln!(out, "{digest}")?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
