//! `put`, `get`, `del`: one entry.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use cowslip::Error;

use crate::failure::{Failure, Outcome};
use crate::place::{At, On};
use crate::{bytes, format, output, store};

/// Put a value under a key
#[derive(clap::Args)]
pub(crate) struct PutArgs {
    /// The database
    file: PathBuf,
    /// The table, made if it is missing
    table: String,
    /// The key, as bytes
    key: OsString,
    /// The value, as bytes
    #[arg(required_unless_present = "value_from")]
    value: Option<OsString>,
    /// Take the value from this file (`-`: standard input), whatever its size
    #[arg(long, value_name = "PATH", conflicts_with = "value")]
    value_from: Option<PathBuf>,
    #[command(flatten)]
    on: On,
    /// KEY and VALUE are in hexadecimal
    #[arg(long)]
    hex: bool,
}

/// Print the value under a key
#[derive(clap::Args)]
pub(crate) struct GetArgs {
    /// The database
    file: PathBuf,
    /// The table
    table: String,
    /// The key, as bytes
    key: OsString,
    #[command(flatten)]
    at: At,
    /// KEY is in hexadecimal, and the value is printed so
    #[arg(long)]
    hex: bool,
    /// Print no newline after the value
    #[arg(long)]
    raw: bool,
}

/// Delete a key and its value
#[derive(clap::Args)]
pub(crate) struct DelArgs {
    /// The database
    file: PathBuf,
    /// The table
    table: String,
    /// The key, as bytes
    key: OsString,
    #[command(flatten)]
    on: On,
    /// KEY is in hexadecimal
    #[arg(long)]
    hex: bool,
}

pub(crate) fn put(args: &PutArgs) -> Outcome {
    let key = bytes::from_argument(&args.key, args.hex)?;
    let db = store::for_writing(&args.file)?;
    let tx = args.on.write(&db)?;
    {
        let mut table = tx.open_table(&args.table)?;
        match (&args.value_from, &args.value) {
            (Some(path), _) if path.as_os_str() == "-" => {
                table.insert_from(&key, &mut io::stdin().lock())?;
            }
            (Some(path), _) => {
                let mut source = File::open(path)
                    .map_err(|error| Failure::Other(format!("{}: {error}", path.display())))?;
                table.insert_from(&key, &mut source)?;
            }
            (None, Some(value)) => {
                table.insert(&key, &bytes::from_argument(value, args.hex)?)?;
            }
            (None, None) => return Err(Failure::Usage("put: VALUE is missing".to_owned())),
        }
    }
    tx.commit()?;
    store::close(&args.file, db)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn get(args: &GetArgs) -> Outcome {
    let key = bytes::from_argument(&args.key, args.hex)?;
    let db = store::for_reading(&args.file)?;
    let table = args.at.read(&db)?.open_table(&args.table)?;
    let missing = || Failure::NotFound(format!("no such key in table `{}`", args.table));
    let mut out = output::stdout();
    match table.get(&key) {
        Ok(value) => {
            let value = value.ok_or_else(missing)?;
            write_value(&mut out, &value, args.hex)?;
        }
        // Too large to hold whole: in pieces, then.
        Err(Error::ValueTooLarge { .. }) => {
            let mut reader = table.reader(&key)?.ok_or_else(missing)?;
            format::in_pieces(&mut reader, |piece| write_value(&mut out, piece, args.hex))?;
        }
        Err(error) => return Err(Failure::of_file(&args.file, error)),
    }
    if !args.raw {
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn del(args: &DelArgs) -> Outcome {
    let key = bytes::from_argument(&args.key, args.hex)?;
    let db = store::for_writing(&args.file)?;
    let tx = args.on.write(&db)?;
    // A deletion must not make the table that it finds missing.
    if !tx.tables()?.contains(&args.table) {
        return Err(Failure::NotFound(format!("no table `{}`", args.table)));
    }
    if !tx.open_table(&args.table)?.remove(&key)? {
        return Err(Failure::NotFound(format!("no such key in table `{}`", args.table)));
    }
    tx.commit()?;
    store::close(&args.file, db)?;
    Ok(ExitCode::SUCCESS)
}

fn write_value(out: &mut impl Write, value: &[u8], hex: bool) -> io::Result<()> {
    if hex { bytes::write_hex(out, value) } else { out.write_all(value) }
}
