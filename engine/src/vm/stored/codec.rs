//! How the description of a machine becomes bytes, and comes back.
//!
//! Each part is described once, by a function that is given an [`Io`] and the part: it writes the
//! part, or fills it in. So the two directions cannot disagree. Numbers are little-endian groups of
//! seven bits, the last one below 128; lists and texts begin with their length.

/// What is wrong with bytes that should be a description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::vm) struct Fault {
    pub(in crate::vm) what: &'static str,
    pub(in crate::vm) expected: u64,
    pub(in crate::vm) found: u64,
}

pub(in crate::vm) type Coded = Result<(), Fault>;

/// Is it so? Else this is what is wrong.
pub(in crate::vm) fn check(right: bool, what: &'static str, expected: u64, found: u64) -> Coded {
    if right { Ok(()) } else { Err(Fault { what, expected, found }) }
}

/// Bytes that are written or read.
pub(in crate::vm) enum Io<'a> {
    Write(Vec<u8>),
    Read(&'a [u8]),
}

impl Io<'_> {
    pub(in crate::vm) fn number(&mut self, number: &mut u64) -> Coded {
        match self {
            Io::Write(out) => {
                let mut rest = *number;
                while rest >= 0x80 {
                    out.push(rest as u8 | 0x80);
                    rest >>= 7;
                }
                out.push(rest as u8);
            }
            Io::Read(rest) => {
                *number = 0;
                let mut shift = 0;
                loop {
                    let Some((&byte, behind)) = rest.split_first() else {
                        return check(false, "bytes of a stored machine's description", 1, 0);
                    };
                    *rest = behind;
                    let group = u64::from(byte & 0x7F);
                    let fits = shift < 64 && group << shift >> shift == group;
                    check(fits, "number of a stored machine", u64::MAX, group)?;
                    *number |= group << shift;
                    shift += 7;
                    if byte < 0x80 {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// A number below `end`.
    pub(in crate::vm) fn below(&mut self, number: &mut u64, end: u64, what: &'static str) -> Coded {
        self.number(number)?;
        check(*number < end, what, end, *number)
    }

    pub(in crate::vm) fn small(&mut self, number: &mut u32) -> Coded {
        let mut wide = u64::from(*number);
        self.below(&mut wide, 1 << 32, "number of 32 bits")?;
        *number = wide as u32;
        Ok(())
    }

    pub(in crate::vm) fn flag(&mut self, flag: &mut bool) -> Coded {
        let mut number = u64::from(*flag);
        self.below(&mut number, 2, "flag of a stored machine")?;
        *flag = number == 1;
        Ok(())
    }

    /// One of `all`.
    pub(in crate::vm) fn one_of<T: Copy + PartialEq>(&mut self, value: &mut T, all: &[T]) -> Coded {
        let mut index = all.iter().position(|one| one == value).unwrap_or(0) as u64;
        self.below(&mut index, all.len() as u64, "choice of a stored machine")?;
        *value = all[index as usize];
        Ok(())
    }

    /// What may be missing.
    pub(in crate::vm) fn option<T>(
        &mut self,
        option: &mut Option<T>,
        blank: impl FnOnce() -> T,
        part: impl FnOnce(&mut Self, &mut T) -> Coded,
    ) -> Coded {
        let mut there = option.is_some();
        self.flag(&mut there)?;
        if !there {
            *option = None;
            return Ok(());
        }
        part(self, option.get_or_insert_with(blank))
    }

    pub(in crate::vm) fn list<T>(
        &mut self,
        list: &mut Vec<T>,
        blank: impl Fn() -> T,
        mut part: impl FnMut(&mut Self, &mut T) -> Coded,
    ) -> Coded {
        let mut length = list.len() as u64;
        self.number(&mut length)?;
        if let Io::Read(rest) = self {
            // Each part takes at least a byte.
            check(length <= rest.len() as u64, "length of a list", rest.len() as u64, length)?;
            *list = (0..length).map(|_| blank()).collect();
        }
        list.iter_mut().try_for_each(|one| part(self, one))
    }

    pub(in crate::vm) fn bytes(&mut self, bytes: &mut Vec<u8>) -> Coded {
        let mut length = bytes.len() as u64;
        self.number(&mut length)?;
        match self {
            Io::Write(out) => out.extend_from_slice(bytes),
            Io::Read(rest) => {
                check(length <= rest.len() as u64, "length of bytes", rest.len() as u64, length)?;
                let (taken, behind) = rest.split_at(length as usize);
                *bytes = taken.to_vec();
                *rest = behind;
            }
        }
        Ok(())
    }

    pub(in crate::vm) fn text(&mut self, text: &mut String) -> Coded {
        let mut bytes = std::mem::take(text).into_bytes();
        self.bytes(&mut bytes)?;
        *text = String::from_utf8(bytes).map_err(|error| Fault {
            what: "text of a stored machine (UTF-8)",
            expected: error.as_bytes().len() as u64,
            found: error.utf8_error().valid_up_to() as u64,
        })?;
        Ok(())
    }
}
