//! What the tour loads: two releases of the Public Suffix List, which it carries along
//! (MPL-2.0, see `cli/data/README.md`), or two text files of the user's.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::failure::Failure;
use crate::output::grouped;

/// One state of the data: sorted keys with their values.
pub(super) type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

const OLD_LIST: &str = include_str!("../../data/public_suffix_list-2025-10-08.dat");
const NEW_LIST: &str = include_str!("../../data/public_suffix_list-2026-10-01.dat");

/// The longest key that fits every page size; more of a line goes to its value.
const KEY_BYTES: usize = 1000;
/// The tour compares everything with its input, so it keeps both in memory.
const FILE_BYTES: u64 = 512 << 20;
/// The tour looks at values whole, so they must not be of the size that is streamed.
const LINE_BYTES: usize = 1 << 20;

/// One release.
pub(super) struct Release {
    /// Its name as a snapshot.
    pub(super) name: String,
    /// Its name in a sentence.
    pub(super) title: String,
    pub(super) entries: Entries,
}

/// The two releases of the tour.
pub(super) struct Releases {
    pub(super) what: String,
    /// What is worth knowing about the input before it is loaded.
    pub(super) notes: Vec<String>,
    pub(super) table: &'static str,
    /// Arguments that make a `scan` of the table worth seeing.
    pub(super) example: &'static str,
    pub(super) old: Release,
    pub(super) new: Release,
}

impl Releases {
    /// The releases that the program carries along.
    pub(super) fn of_the_public_suffix_list() -> Releases {
        let release = |name: &str, list| Release {
            name: name.to_owned(),
            title: format!("the release of {name}"),
            entries: parse_list(list),
        };
        Releases {
            what: "two releases of the Public Suffix List, the names under which people can \
                register domains (publicsuffix.org, MPL-2.0)"
                .to_owned(),
            notes: vec![
                "Each rule is one entry. Its key is the rule with its labels reversed (`uk.co` \
                 for `co.uk`), so that neighbours in the tree are neighbours in the domain name \
                 system; its value is the section of the list and the organisation."
                    .to_owned(),
            ],
            table: "rules",
            example: "--prefix uk.",
            old: release("2025-10-08", OLD_LIST),
            new: release("2026-10-01", NEW_LIST),
        }
    }

    /// Two files of the user's.
    pub(super) fn of_files(old: &Path, new: &Path) -> Result<Releases, Failure> {
        let mut notes = Vec::new();
        let mut release = |name: &str, path: &Path| -> Result<Release, Failure> {
            let (entries, repeated) = parse_lines(&read(path)?)
                .map_err(|why| Failure::Other(format!("{}: {why}", path.display())))?;
            if repeated > 0 {
                notes.push(format!(
                    "Lines of {} that do not count, as a later one has the same key: {}.",
                    path.display(),
                    grouped(repeated)
                ));
            }
            Ok(Release { name: name.to_owned(), title: path.display().to_string(), entries })
        };
        let (old, new) = (release("first", old)?, release("second", new)?);
        Ok(Releases {
            what: format!("{} and {}", old.title, new.title),
            notes,
            table: "lines",
            example: "--limit 10",
            old,
            new,
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failure = |why: String| Failure::Other(format!("{}: {why}", path.display()));
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| failure(error.to_string()))?;
    if bytes.len() as u64 > FILE_BYTES {
        let limit = grouped(FILE_BYTES);
        return Err(failure(format!(
            "the tour keeps its input in memory and takes {limit} bytes at most"
        )));
    }
    Ok(bytes)
}

/// Each line up to the first space, TAB, `=` or `;` is a key, the rest its value. Gives the entries
/// and how many lines a later one with the same key replaced.
fn parse_lines(text: &[u8]) -> Result<(Entries, u64), String> {
    let (mut entries, mut repeated) = (Entries::new(), 0);
    for (number, line) in text.split(|&byte| byte == b'\n').enumerate() {
        if line.len() > LINE_BYTES {
            let number = number + 1;
            return Err(format!("line {number}: the tour takes {LINE_BYTES} bytes a line at most"));
        }
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let separator = |byte: &u8| matches!(byte, b' ' | b'\t' | b'=' | b';');
        let end = line.iter().position(separator).unwrap_or(line.len());
        let (key, value) = if end <= KEY_BYTES {
            (&line[..end], line.get(end + 1..).unwrap_or_default().trim_ascii())
        } else {
            line.split_at(KEY_BYTES)
        };
        repeated += u64::from(entries.insert(key.to_vec(), value.to_vec()).is_some());
    }
    Ok((entries, repeated))
}

/// The rules of a Public Suffix List.
fn parse_list(list: &str) -> Entries {
    let mut entries = Entries::new();
    let (mut section, mut organisation) = ("", "");
    let mut after_blank_line = true;
    for line in list.lines() {
        let rule = line.split_whitespace().next().unwrap_or_default();
        if let Some(comment) = line.strip_prefix("//") {
            let comment = comment.trim();
            if let Some(begun) = comment.strip_prefix("===BEGIN ") {
                section = begun.split_whitespace().next().unwrap_or_default();
            } else if after_blank_line || comment.contains(" : ") {
                // The first line of a block names the organisation, or the one that says
                // `name : address`; the others are contacts and remarks.
                organisation = comment;
            }
        } else if !rule.is_empty() {
            let labels: Vec<&str> = rule.split('.').rev().collect();
            entries.insert(labels.join(".").into(), format!("{section}; {organisation}").into());
        }
        after_blank_line = line.trim().is_empty();
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_becomes_reversed_rules_with_their_organisation() {
        let list = "\
// licence

// ===BEGIN ICANN DOMAINS===

// uk : https://nominet.uk
// Submitted by someone
uk
co.uk

// ===BEGIN PRIVATE DOMAINS===

// Note for everybody
// Example Ltd : https://e.example
*.e.example
!www.e.example
";
        let entries = parse_list(list);
        let value =
            |key: &str| entries.get(key.as_bytes()).map(|value| str::from_utf8(value).unwrap());
        assert_eq!(value("uk"), Some("ICANN; uk : https://nominet.uk"));
        assert_eq!(value("uk.co"), Some("ICANN; uk : https://nominet.uk"));
        assert_eq!(value("example.e.*"), Some("PRIVATE; Example Ltd : https://e.example"));
        assert_eq!(value("example.e.!www"), Some("PRIVATE; Example Ltd : https://e.example"));
        assert_eq!(entries.len(), 4);
    }

    #[test]
    fn the_releases_that_are_carried_along_differ_as_releases_do() {
        let releases = Releases::of_the_public_suffix_list();
        let (old, new) = (&releases.old.entries, &releases.new.entries);
        assert!(old.len() > 9_000 && new.len() > 9_000);
        let changed = new.iter().filter(|&(key, value)| old.get(key) != Some(value)).count();
        assert!((100..2_000).contains(&changed), "{changed}");
        assert!(old.contains_key(b"uk.co".as_slice()) && new.contains_key(b"uk.co".as_slice()));
    }

    #[test]
    fn lines_become_entries_and_the_last_counts() {
        let (entries, repeated) = parse_lines(b"a 1\n\nb=2 x\r\nc;3;4\na\t9\nd\n\xff z").unwrap();
        let expected: [(&[u8], &[u8]); 5] =
            [(b"a", b"9"), (b"b", b"2 x"), (b"c", b"3;4"), (b"d", b""), (b"\xff", b"z")];
        assert!(entries.iter().map(|(key, value)| (&key[..], &value[..])).eq(expected));
        assert_eq!(repeated, 1);
        let (entries, _) = parse_lines(&[b'x'; 3000]).unwrap();
        assert_eq!(entries.first_key_value().map(|(k, v)| (k.len(), v.len())), Some((1000, 2000)));
        let long = [&b"a\n"[..], &vec![b'x'; LINE_BYTES + 1]].concat();
        assert!(parse_lines(&long).unwrap_err().contains("line 2"));
    }
}
