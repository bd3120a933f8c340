//! The readers of `cowslip load`: any text is read, or it is an error that names a line. How the text comes out of the
//! pipe makes no difference; and what was read can be written and read again.

use std::io::{BufReader, Read};

use crate::format::{
    Format, InputError, LongValue, Next, Record, Sink, Source,
    dump::{Encoding, Reader, Writer},
    source,
};

/// Bytes of a value that a reader of dumps is to hold whole.
const WHOLE: u64 = 300;

type Sections = Vec<(Option<String>, Vec<(Vec<u8>, Vec<u8>)>)>;

/// Reads a text; the first byte of the input says of which format.
pub fn run(input: &[u8]) {
    let Some((&how, text)) = input.split_first() else { return };
    let format = [Format::Dump, Format::Tsv, Format::Csv, Format::Jsonl][usize::from(how) % 4];
    let hex = how & 4 != 0;
    let whole = drain(&mut *source(format, text, hex));
    let pieces = BufReader::with_capacity(1 + usize::from(how >> 3), text);
    assert!(drain(&mut *source(format, pieces, hex)) == whole, "it depends on the pipe");
    if format == Format::Dump {
        let long = drain(&mut Reader::new(text, WHOLE));
        match (&long, &whole) {
            (Ok(long), Ok(whole)) => assert!(long == whole, "long values are read otherwise"),
            (long, whole) => assert_eq!(long.is_ok(), whole.is_ok(), "{long:?} {whole:?}"),
        }
    }
    if let Ok(sections) = whole {
        written_and_read(&sections);
    }
}

fn drain(source: &mut dyn Source) -> Result<Sections, InputError> {
    let (mut sections, mut record) = (Sections::new(), Record::default());
    while let Some(section) = source.next_section()? {
        let mut entries = Vec::new();
        loop {
            match source.next_entry(&mut record)? {
                Next::Entry => entries.push((record.key.clone(), record.value.clone())),
                Next::LongValue => {
                    let mut value = Vec::new();
                    LongValue(source).read_to_end(&mut value).map_err(|error| {
                        InputError::from_io(&error).expect("an error of the input")
                    })?;
                    entries.push((record.key.clone(), value));
                }
                Next::End => break,
            }
            assert!(source.line() > 0);
        }
        sections.push((section.name, entries));
    }
    Ok(sections)
}

fn written_and_read(sections: &Sections) {
    for encoding in [Encoding::Print, Encoding::Bytevalue] {
        let mut text = Vec::new();
        for (name, entries) in sections {
            let mut writer = Writer::new(&mut text, encoding, 4096, 0);
            // Not every name can be written.
            if writer.begin(name.as_deref().unwrap_or("table")).is_err() {
                return;
            }
            for (key, value) in entries {
                writer.entry(key, value).expect("into memory");
            }
            writer.end().expect("into memory");
        }
        let again = drain(&mut Reader::new(&text[..], u64::MAX));
        match again {
            Ok(again) => {
                let entries = |sections: &Sections| -> Vec<_> {
                    sections.iter().map(|(_, entries)| entries.clone()).collect()
                };
                assert!(entries(&again) == entries(sections), "it is read otherwise");
            }
            // No table at all: an empty text is no dump.
            Err(error) => assert!(sections.is_empty(), "what was written cannot be read: {error}"),
        }
    }
}
