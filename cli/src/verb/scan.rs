//! `scan`: the entries of a range, one `key TAB value` line each.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::entries::{Found, Range};
use crate::failure::Outcome;
use crate::format::{Sink, tsv};
use crate::{bytes, entries, output, store};

/// Print the entries of a range, one `key TAB value` line each
#[derive(clap::Args)]
#[command(after_help = "\
Backslash, TAB, newline, carriage return and bytes that are not UTF-8 are printed as \
\\\\, \\t, \\n, \\r and \\xNN; with --hex, keys and values are printed in hexadecimal.")]
pub(crate) struct Args {
    /// The database
    file: PathBuf,
    /// The table
    table: String,
    /// From this key on
    #[arg(long, value_name = "KEY")]
    from: Option<OsString>,
    /// Up to this key, which is not printed any more
    #[arg(long, value_name = "KEY")]
    to: Option<OsString>,
    /// Only keys that begin so
    #[arg(long, value_name = "KEY")]
    prefix: Option<OsString>,
    /// From the last entry to the first
    #[arg(long)]
    reverse: bool,
    /// At most so many entries
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Read from this snapshot, not from main
    #[arg(long, value_name = "SNAPSHOT")]
    at: Option<String>,
    /// Keys of the arguments and entries printed are in hexadecimal
    #[arg(long)]
    hex: bool,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let key = |argument: &Option<OsString>| {
        argument.as_deref().map(|key| bytes::from_argument(key, args.hex)).transpose()
    };
    let range = range(key(&args.from)?, key(&args.to)?, key(&args.prefix)?, args.reverse);
    let db = store::for_reading(&args.file)?;
    let table = store::read(&db, args.at.as_deref())?.open_table(&args.table)?;
    let mut out = tsv::Writer::new(output::stdout(), args.hex);
    let mut left = args.limit.unwrap_or(u64::MAX);
    if left > 0 {
        entries::each(&table, range, |key, found| {
            match found {
                Found::Whole(value) => out.entry(key, value)?,
                Found::Long(mut value) => out.long_entry(key, &mut value)?,
            }
            left -= 1;
            Ok(left > 0)
        })
        .map_err(|failure| failure.during(args.file.display()))?;
    }
    out.into_inner().flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The keys that `--from`, `--to` and `--prefix` leave together.
fn range(
    from: Option<Vec<u8>>,
    to: Option<Vec<u8>>,
    prefix: Option<Vec<u8>>,
    reverse: bool,
) -> Range {
    let prefix = prefix.unwrap_or_default();
    let end = after_prefix(&prefix);
    Range {
        from: from.unwrap_or_default().max(prefix),
        to: match (to, end) {
            (Some(to), Some(end)) => Some(to.min(end)),
            (to, end) => to.or(end),
        },
        reverse,
    }
}

/// The first key after all those that begin with `prefix`, if there is one.
fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&byte| byte != 0xff)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn narrowed(from: &str, to: &str, prefix: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
        let some = |text: &str| (!text.is_empty()).then(|| text.as_bytes().to_vec());
        let range = range(some(from), some(to), Some(prefix.to_vec()), false);
        (range.from, range.to)
    }

    #[test]
    fn from_to_and_prefix_narrow_each_other() {
        assert_eq!(narrowed("", "", b""), (b"".to_vec(), None));
        assert_eq!(narrowed("a", "c", b""), (b"a".to_vec(), Some(b"c".to_vec())));
        assert_eq!(narrowed("a", "c", b"b"), (b"b".to_vec(), Some(b"c".to_vec())));
        assert_eq!(narrowed("bb", "bd", b"b"), (b"bb".to_vec(), Some(b"bd".to_vec())));
        assert_eq!(narrowed("", "", b"a\xff"), (b"a\xff".to_vec(), Some(b"b".to_vec())));
        assert_eq!(narrowed("", "", b"\xff\xff"), (b"\xff\xff".to_vec(), None));
    }

    #[test]
    fn a_range_that_ends_before_it_begins_is_empty() {
        assert!(range(Some(b"x".to_vec()), Some(b"b".to_vec()), None, false).is_empty());
        assert!(!range(None, None, None, false).is_empty());
    }
}
