//! The frames of a stream: written one after the other, and read with every one verified before
//! anybody relies on it.

use std::io::{self, Read, Write};

use cowslip_pager::{mutant, page::u32_at};

use super::{MAGIC, Malformed};
use crate::error::{Error, Result};

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Begin = 1,
    Operations = 2,
    Part = 3,
    End = 4,
}

const HEADER: usize = 16;
/// No frame's body is longer, so a forged length costs no memory.
pub(super) const BODY_MAX: usize = 1 << 20;

/// Writes frames.
pub(super) struct FrameWriter<W> {
    out: W,
    number: u32,
    chain: u32,
    hasher: blake3::Hasher,
    written: u64,
}

fn writing(source: io::Error) -> Error {
    Error::Io { operation: "writing the stream", offset: None, source }
}

impl<W: Write> FrameWriter<W> {
    pub(super) fn new(out: W) -> Result<FrameWriter<W>> {
        let hasher = blake3::Hasher::new();
        let mut writer = FrameWriter { out, number: 0, chain: 0, hasher, written: 0 };
        writer.put(&MAGIC)?;
        Ok(writer)
    }

    pub(super) fn write(&mut self, kind: Kind, body: &[u8]) -> Result<()> {
        let mut header = [0; HEADER];
        header[..4].copy_from_slice(&(body.len() as u32).to_le_bytes());
        header[4] = kind as u8;
        header[8..12].copy_from_slice(&self.number.to_le_bytes());
        let crc = checksum(self.chain, &header, body);
        header[12..].copy_from_slice(&crc.to_le_bytes());
        self.chain = crc;
        self.number = self.number.wrapping_add(1);
        self.put(&header)?;
        self.put(body)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.hasher.update(bytes);
        self.written += bytes.len() as u64;
        self.out.write_all(bytes).map_err(writing)
    }

    /// The digest of everything so far.
    pub(super) fn digest(&self) -> [u8; 32] {
        *self.hasher.finalize().as_bytes()
    }

    /// Passes everything on; returns the bytes that were written.
    pub(super) fn finish(mut self) -> Result<u64> {
        self.out.flush().map_err(writing)?;
        Ok(self.written)
    }
}

fn checksum(chain: u32, header: &[u8; HEADER], body: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&chain.to_le_bytes());
    crc.update(&header[..12]);
    crc.update(body);
    crc.finalize()
}

/// A verified frame.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) body: Vec<u8>,
    /// Where it begins in the stream.
    pub(super) at: u64,
    /// The digest of the stream before it; made for the last frame only.
    pub(super) digest: [u8; 32],
}

/// Reads frames; takes no byte behind the last one.
pub(super) struct FrameReader<R> {
    input: R,
    number: u32,
    chain: u32,
    hasher: blake3::Hasher,
    /// Bytes read.
    at: u64,
}

impl<R: Read> FrameReader<R> {
    /// Reads the stream's first bytes. `None`: there is not a single one.
    pub(super) fn new(input: R) -> Result<Option<FrameReader<R>>> {
        let hasher = blake3::Hasher::new();
        let mut reader = FrameReader { input, number: 0, chain: 0, hasher, at: 0 };
        let mut magic = [0; MAGIC.len()];
        match reader.fill(&mut magic) {
            Ok(()) => {}
            Err(Error::StreamEnded { at: 0 }) => return Ok(None),
            Err(error) => return Err(error),
        }
        if magic != MAGIC {
            let word = u64::from_le_bytes;
            return damaged(0, "first bytes of a stream", word(MAGIC), word(magic));
        }
        reader.hasher.update(&magic);
        Ok(Some(reader))
    }

    fn fill(&mut self, out: &mut [u8]) -> Result<()> {
        let mut done = 0;
        while done < out.len() {
            match self.input.read(&mut out[done..]) {
                Ok(0) => return Err(Error::StreamEnded { at: self.at }),
                Ok(count) => {
                    done += count;
                    self.at += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    let operation = "reading the stream";
                    return Err(Error::Io { operation, offset: Some(self.at), source });
                }
            }
        }
        Ok(())
    }

    pub(super) fn next(&mut self) -> Result<Frame> {
        let at = self.at;
        let mut header = [0; HEADER];
        self.fill(&mut header)?;
        let length = u32_at(&header, 0) as usize;
        if length > BODY_MAX {
            return damaged(at, "length of a frame (at most)", BODY_MAX as u64, length as u64);
        }
        let mut body = vec![0; length];
        self.fill(&mut body)?;
        let (crc, stored) = (checksum(self.chain, &header, &body), u32_at(&header, 12));
        if crc != stored && !mutant!(FrameChecksumUnchecked) {
            return damaged(at, "checksum of a frame", crc.into(), stored.into());
        }
        let number = u32_at(&header, 8);
        if number != self.number {
            return damaged(at, "number of a frame", self.number.into(), number.into());
        }
        let kind = match header[4] {
            1 => Kind::Begin,
            2 => Kind::Operations,
            3 => Kind::Part,
            4 => Kind::End,
            other => return damaged(at, "kind of a frame (at most)", 4, other.into()),
        };
        if header[5..8] != [0; 3] {
            return damaged(at, "reserved bytes of a frame", 0, 1);
        }
        let digest = match kind {
            Kind::End => *self.hasher.finalize().as_bytes(),
            _ => [0; 32],
        };
        self.hasher.update(&header);
        self.hasher.update(&body);
        self.chain = crc;
        self.number = self.number.wrapping_add(1);
        Ok(Frame { kind, body, at, digest })
    }
}

/// The error of a stream that is not what was sent.
pub(super) fn damaged<T>(at: u64, what: &'static str, expected: u64, found: u64) -> Result<T> {
    Err(Error::DamagedStream { at, what, expected, found })
}

impl Frame {
    /// Names the frame of a fault in its body.
    pub(super) fn sound<T>(&self, result: std::result::Result<T, Malformed>) -> Result<T> {
        result.or_else(|fault| damaged(self.at, fault.what, fault.expected, fault.found))
    }
}
