//! The range of keys that `--from`, `--to` and `--prefix` leave together.

use std::ffi::OsString;

use crate::bytes;
use crate::entries::Range;
use crate::failure::Failure;

/// A range of keys, as arguments.
#[derive(clap::Args)]
pub(crate) struct Keys {
    /// From this key on
    #[arg(long, value_name = "KEY")]
    from: Option<OsString>,
    /// Up to this key, which is not printed any more
    #[arg(long, value_name = "KEY")]
    to: Option<OsString>,
    /// Only keys that begin so
    #[arg(long, value_name = "KEY")]
    prefix: Option<OsString>,
}

impl Keys {
    /// The range, from its first key on.
    pub(crate) fn range(&self, hex: bool) -> Result<Range, Failure> {
        let key = |argument: &Option<OsString>| {
            argument.as_deref().map(|key| bytes::from_argument(key, hex)).transpose()
        };
        Ok(range(key(&self.from)?, key(&self.to)?, key(&self.prefix)?))
    }
}

fn range(from: Option<Vec<u8>>, to: Option<Vec<u8>>, prefix: Option<Vec<u8>>) -> Range {
    let prefix = prefix.unwrap_or_default();
    let end = after_prefix(&prefix);
    Range {
        from: from.unwrap_or_default().max(prefix),
        to: match (to, end) {
            (Some(to), Some(end)) => Some(to.min(end)),
            (to, end) => to.or(end),
        },
        reverse: false,
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
        let range = range(some(from), some(to), Some(prefix.to_vec()));
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
        assert!(range(Some(b"x".to_vec()), Some(b"b".to_vec()), None).is_empty());
        assert!(!range(None, None, None).is_empty());
    }
}
