//! A stream, put together from an input: the bodies of frames, their headers made right.
//!
//! ```text
//! u8 receiver | u8 flags | frames to the end of the input: u8 kind, u16 length, body
//!
//! receiver: an empty store, or one of the images
//! flags:    bit 0: the rest of the input is the stream, as it stands;  bit 1: leave the checksums as they are
//!           bit 2: keep what came of a stream that breaks off;  bit 3: under another name;  bit 4: a branch follows
//!           bit 5: the digest at the end is left as it is
//! ```

use arbitrary::{Arbitrary, Result, Unstructured};
use cowslip::ReceiveOptions;

use crate::image::{SEEDS, Seed};

/// A stream and who gets it.
pub struct Stream {
    /// None: an empty store.
    pub receiver: Option<&'static Seed>,
    /// It, as it comes out of the pipe.
    pub bytes: Vec<u8>,
    /// How it is received.
    pub options: ReceiveOptions,
    /// What came in part is kept.
    pub keep_partial: bool,
    /// A branch follows.
    pub follow: bool,
}

/// The name that a snapshot gets.
pub const NAME: &str = "under another name";
/// The branch that follows.
pub const FOLLOW: &str = "follower";

impl<'a> Arbitrary<'a> for Stream {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Stream> {
        let receiver = usize::from(u.arbitrary::<u8>()?) % (SEEDS.len() + 1);
        let flags = u.arbitrary::<u8>()?;
        let set = |bit: u8| flags & 1 << bit != 0;
        let mut options = ReceiveOptions::default().keep_partial(set(2));
        if set(3) {
            options = options.name(NAME);
        }
        if set(4) {
            options = options.follow(FOLLOW);
        }
        let bytes = if set(0) { u.bytes(u.len())?.to_vec() } else { frames(u, !set(1), !set(5))? };
        Ok(Stream {
            receiver: SEEDS.get(receiver),
            bytes,
            options,
            keep_partial: set(2),
            follow: set(4),
        })
    }
}

fn frames(u: &mut Unstructured<'_>, checksums: bool, digest: bool) -> Result<Vec<u8>> {
    let mut out = b"COWSEND\n".to_vec();
    let mut chain = 0u32;
    let mut number = 0u32;
    while !u.is_empty() {
        let kind = u.arbitrary::<u8>()?;
        let length = usize::from(u.arbitrary::<u16>()?).min(u.len());
        let mut body = u.bytes(length)?.to_vec();
        if kind == 4 && body.len() == 40 && digest {
            body[8..].copy_from_slice(blake3::hash(&out).as_bytes());
        }
        let mut header = [0; 16];
        header[..4].copy_from_slice(&(body.len() as u32).to_le_bytes());
        header[4] = kind;
        header[8..12].copy_from_slice(&number.to_le_bytes());
        if checksums {
            let mut crc = crc32fast::Hasher::new();
            crc.update(&chain.to_le_bytes());
            crc.update(&header[..12]);
            crc.update(&body);
            chain = crc.finalize();
        }
        header[12..].copy_from_slice(&chain.to_le_bytes());
        out.extend_from_slice(&header);
        out.extend_from_slice(&body);
        number = number.wrapping_add(1);
    }
    Ok(out)
}

/// The input that stands for a stream.
pub fn unseal(receiver: u8, flags: u8, stream: &[u8]) -> Vec<u8> {
    let mut out = vec![receiver, flags];
    let mut at = 8;
    while at < stream.len() {
        let length = cowslip_pager::page::u32_at(stream, at) as usize;
        let body = &stream[at + 16..at + 16 + length];
        // A longer one becomes several, which is a stream that nobody sent, but a good start.
        for piece in body.chunks(usize::from(u16::MAX)) {
            out.push(stream[at + 4]);
            out.extend_from_slice(&(piece.len() as u16).to_le_bytes());
            out.extend_from_slice(piece);
        }
        at += 16 + length;
    }
    out
}
