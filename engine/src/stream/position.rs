//! How far a stream has come, and the token by which it is continued.

use super::{In, Malformed, malformed, put_bytes};
use crate::{
    draft::TABLE_NAME_MAX,
    error::{Error, Result},
};

/// All up to here is done: the tables before this one, and of this one the keys up to this one; no
/// key: nothing of the table's content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) table: String,
    pub(super) key: Option<Vec<u8>>,
}

impl Position {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(out, self.table.as_bytes());
        out.push(u8::from(self.key.is_some()));
        if let Some(key) = &self.key {
            put_bytes(out, key);
        }
    }

    pub(super) fn decode(from: &mut In<'_>) -> std::result::Result<Position, Malformed> {
        let table = from.text()?.to_owned();
        let key = match from.byte()? {
            0 => None,
            1 => Some(from.bytes()?.to_vec()),
            other => return malformed("flag of a position", 1, other.into()),
        };
        let position = Position { table, key };
        position.sound().map(|()| position)
    }

    /// The position that these bytes are the whole encoding of.
    pub(super) fn whole(bytes: &[u8]) -> std::result::Result<Position, Malformed> {
        let mut from = In(bytes);
        let position = Position::decode(&mut from)?;
        from.end()?;
        let mut again = Vec::new();
        position.encode(&mut again);
        if again != bytes {
            return malformed(
                "bytes of a position (no more than it takes)",
                again.len() as u64,
                bytes.len() as u64,
            );
        }
        Ok(position)
    }

    /// Can a stream be there, as far as the position alone says?
    pub(super) fn sound(&self) -> std::result::Result<(), Malformed> {
        if self.table.is_empty() && self.key.is_some() {
            return malformed("table of a position's key", 1, 0);
        }
        let length = self.table.len() as u64;
        if length > TABLE_NAME_MAX as u64 {
            return malformed("length of a table's name (at most)", TABLE_NAME_MAX as u64, length);
        }
        Ok(())
    }
}

/// What a receiver tells a sender, as text: which stream, and how far it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) snapshot: u64,
    pub(super) base: u64,
    pub(super) position: Position,
}

const PREFIX: &str = "cowslip1-";

impl Token {
    /// Hexadecimal digits, the last eight of them a crc32.
    pub(super) fn text(&self) -> String {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&self.snapshot.to_le_bytes());
        bytes.extend_from_slice(&self.base.to_le_bytes());
        self.position.encode(&mut bytes);
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
        PREFIX.chars().map(String::from).chain(digits).collect()
    }

    pub(super) fn parse(text: &str) -> Result<Token> {
        let refused =
            || Error::InvalidArgument("this is no token of an interrupted receive".into());
        let digits = text.trim().strip_prefix(PREFIX).ok_or_else(refused)?;
        let nibble = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
        let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
        let bytes: Option<Vec<u8>> =
            pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?)).collect();
        let bytes = bytes.filter(|bytes| rest.is_empty() && bytes.len() > 4).ok_or_else(refused)?;
        let (body, crc) = bytes.split_at(bytes.len() - 4);
        if crc32fast::hash(body).to_le_bytes() != crc {
            return Err(refused());
        }
        let mut from = In(body);
        let mut read = || {
            let (snapshot, base) = (from.u64()?, from.u64()?);
            Ok(Token { snapshot, base, position: Position::decode(&mut from)? })
        };
        read().map_err(|_: Malformed| refused())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_its_text_and_a_changed_one_is_refused() {
        let position = Position { table: "täble".into(), key: Some(vec![0, 255, 7]) };
        let token = Token { snapshot: 1, base: u64::MAX, position };
        let text = token.text();
        assert_eq!(Token::parse(&text).unwrap(), token);
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'7' { b'8' } else { b'7' };
            assert!(Token::parse(&String::from_utf8(changed).unwrap()).is_err(), "digit {at}");
        }
        assert!(Token::parse(&text[..text.len() - 2]).is_err());
        assert!(Token::parse("").is_err());
    }
}
