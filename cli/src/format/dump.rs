//! The text format of Berkeley DB's `db_dump` and `db_load`, and of LMDB's `mdb_dump` and
//! `mdb_load`.
//!
//! ```text
//! VERSION=3
//! format=print            or bytevalue
//! database=users          only where the database has a name
//! type=btree
//! mapsize=1048576         LMDB: the largest size that the environment may reach
//! maxreaders=126          LMDB
//! db_pagesize=4096
//! HEADER=END
//!  alice                  a space, then the key; print: `\hh` is any byte, `\\` a backslash,
//!  wonderland             bytevalue: two digits a byte; then its value likewise
//! DATA=END
//! ```
//!
//! Several databases may follow one another. The reader takes any header word that does not change
//! what the entries mean, and refuses those that do: several values under one key, records
//! without keys. A dump that ends before `DATA=END` is an error, so a cut file never passes for
//! a whole one.

mod reader;
mod text;
mod writer;

pub(crate) use reader::Reader;
pub(crate) use text::Encoding;
pub(crate) use writer::Writer;

#[cfg(test)]
mod tests {
    use super::super::testing::{Entries, drain, nasty};
    use super::*;
    use crate::format::{InputError, Section, Sink, Source};

    fn read(text: &str) -> Result<Entries, InputError> {
        drain(&mut Reader::new(text.as_bytes(), 1 << 20))
    }

    #[test]
    fn every_entry_comes_back() {
        for encoding in [Encoding::Bytevalue, Encoding::Print] {
            let mut writer = Writer::new(Vec::new(), encoding, 4096, 1 << 20);
            writer.begin("t").unwrap();
            for (key, value) in nasty() {
                writer.entry(&key, &value).unwrap();
            }
            writer.end().unwrap();
            assert!(writer.out.is_ascii());
            let reader = &mut Reader::new(&writer.out[..], 1 << 20);
            assert_eq!(drain(reader).unwrap(), nasty());
        }
    }

    #[test]
    fn the_header_is_that_of_mdb_dump() {
        let mut writer = Writer::new(Vec::new(), Encoding::Print, 4096, 300_000);
        writer.begin("users").unwrap();
        writer.end().unwrap();
        let header = "VERSION=3\nformat=print\ndatabase=users\ntype=btree\nmapsize=1048576\n\
                      maxreaders=126\ndb_pagesize=4096\nHEADER=END\nDATA=END\n";
        assert_eq!(String::from_utf8(writer.out).unwrap(), header);
        let mut writer = Writer::new(Vec::new(), Encoding::Print, 4096, 0);
        assert!(writer.begin("two\nlines").is_err());
    }

    #[test]
    fn errors_name_their_line() {
        let head = "VERSION=3\nformat=print\ntype=btree\nHEADER=END\n";
        let rows = [
            (String::new(), 1, "empty"),
            ("a\tb\n".into(), 1, "--format tsv"),
            ("VERSION=9\n".into(), 1, "version 9"),
            ("VERSION=3\nHEADER=END\n".into(), 2, "no format="),
            ("VERSION=3\nformat=print\n".into(), 3, "before HEADER=END"),
            ("VERSION=3\nformat=xml\n".into(), 2, "format=xml"),
            ("VERSION=3\ntype=recno\n".into(), 2, "type=recno"),
            ("VERSION=3\nformat=print\nduplicates=1\n".into(), 3, "several values"),
            ("VERSION=3\nformat=print\ndupsort=1\n".into(), 3, "several values"),
            ("VERSION=3\nformat=print\nnonsense\n".into(), 3, "NAME=VALUE"),
            (format!("{head} a\n b\n"), 7, "before DATA=END"),
            (format!("{head} a\nDATA=END\n"), 6, "without a value"),
            (format!("{head}a\n b\n"), 5, "begins with a space"),
            (format!("{head} a\\s\n b\n"), 5, "mdb_dump -p"),
            (format!("{head} a\n b\\\n"), 6, "mdb_dump -p"),
            (format!("{head}DATA=END\nrubbish\n"), 6, "after DATA=END"),
        ];
        for (text, line, why) in rows {
            let error = read(&text).unwrap_err();
            assert_eq!(error.line, line, "{error}");
            assert!(error.what.contains(why), "{error}");
        }
    }

    #[test]
    fn an_unread_section_is_skipped() {
        let one = "VERSION=3\nformat=print\ndatabase=a\nHEADER=END\n k\n v\nDATA=END\n";
        let two = one.replace("database=a", "database=b");
        let mut reader = Reader::new(std::io::Cursor::new(one.to_owned() + &two), 1 << 20);
        assert_eq!(reader.next_section().unwrap(), Some(Section { name: Some("a".into()) }));
        assert_eq!(reader.next_section().unwrap(), Some(Section { name: Some("b".into()) }));
        assert_eq!(reader.next_section().unwrap(), None);
    }

    #[test]
    fn a_long_value_is_read_in_pieces() {
        let long: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        for encoding in [Encoding::Bytevalue, Encoding::Print] {
            let mut writer = Writer::new(Vec::new(), encoding, 4096, 0);
            writer.begin("t").unwrap();
            writer.entry(b"a", b"short").unwrap();
            writer.long_entry(b"b", &mut &long[..]).unwrap();
            writer.long_entry(b"c", &mut &long[..]).unwrap();
            writer.entry(b"d", b"").unwrap();
            writer.end().unwrap();
            for whole_line in [1, 2, 3, 100, 1000] {
                let input = std::io::BufReader::with_capacity(7, &writer.out[..]);
                let entries = drain(&mut Reader::new(input, whole_line)).unwrap();
                let expected: [(&[u8], &[u8]); 4] =
                    [(b"a", b"short"), (b"b", &long), (b"c", &long), (b"d", b"")];
                let entries = entries.iter().map(|(key, value)| (&key[..], &value[..]));
                assert!(entries.eq(expected), "{encoding:?} {whole_line}");
                // A long value that nobody reads is passed over.
                let mut reader = Reader::new(&writer.out[..], whole_line);
                reader.next_section().unwrap();
                assert_eq!(reader.next_section().unwrap(), None);
            }
        }
    }

    #[test]
    fn errors_in_a_long_value_are_errors_too() {
        let head = "VERSION=3\nformat=bytevalue\nHEADER=END\n 6b\n 00112233";
        for (tail, why) in [("", "cut short"), ("4", "cut short"), ("4\n", "odd"), ("4g\n", "pair")]
        {
            let text = format!("{head}{tail}");
            let error = drain(&mut Reader::new(text.as_bytes(), 4)).unwrap_err();
            assert_eq!(error.line, 5, "{error}");
            assert!(error.what.contains(why), "{error}");
        }
    }

    #[test]
    fn an_endless_key_is_an_error_and_not_endless_memory() {
        let head = &b"VERSION=3\nformat=print\nHEADER=END\n "[..];
        let endless = std::io::Read::chain(head, std::io::repeat(b'x'));
        let error = drain(&mut Reader::new(std::io::BufReader::new(endless), 1 << 20)).unwrap_err();
        assert_eq!((error.line, error.what.contains("longer than")), (4, true), "{error}");
    }
}
