//! What a record of the log says, read from the layout in `docs/format.md` §9.

/// A record of the log.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Redo<'a> {
    Writes {
        branch: &'a str,
        operations: Vec<Operation<'a>>,
    },
    CreateSnapshot {
        branch: &'a str,
        name: &'a str,
        label: Option<&'a str>,
    },
    DeleteSnapshot(&'a str),
    Rollback {
        branch: &'a str,
        snapshot: &'a str,
    },
    CreateBranch {
        name: &'a str,
        from: &'a str,
    },
    DeleteBranch(&'a str),
    Promote(&'a str),
    Hold {
        name: &'a str,
        held: bool,
    },
    Several(Vec<Redo<'a>>),
    /// A bookmark is made, or deleted.
    Bookmark(&'a str),
}

/// An operation on the tables of a branch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Operation<'a> {
    Table(&'a str),
    Insert(&'a [u8], &'a [u8]),
    Remove(&'a [u8]),
    RemoveRange(&'a [u8], Option<&'a [u8]>),
    DeleteTable(&'a str),
}

/// `None`: these bytes are no record.
pub(super) fn read(body: &[u8]) -> Option<Redo<'_>> {
    let mut from = From(body);
    let redo = from.redo(true)?;
    from.0.is_empty().then_some(redo)
}

struct From<'a>(&'a [u8]);

impl<'a> From<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let mut length = 0u64;
        for shift in 0..5 {
            let byte = self.byte()?;
            length |= u64::from(byte & 0x7F) << (7 * shift);
            if byte & 0x80 == 0 {
                return self.take(usize::try_from(length).ok()?);
            }
        }
        None
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    fn redo(&mut self, outermost: bool) -> Option<Redo<'a>> {
        Some(match self.byte()? {
            0 if outermost => {
                let branch = self.text()?;
                let mut operations = Vec::new();
                while !self.0.is_empty() {
                    operations.push(self.operation()?);
                }
                Redo::Writes { branch, operations }
            }
            1 => {
                let (branch, name) = (self.text()?, self.text()?);
                self.take(8)?;
                let label = Some(self.text()?).filter(|label| !label.is_empty());
                self.take(8)?;
                Redo::CreateSnapshot { branch, name, label }
            }
            2 => Redo::DeleteSnapshot(self.text()?),
            3 => Redo::Rollback { branch: self.text()?, snapshot: self.text()? },
            4 => {
                let (name, from) = (self.text()?, self.text()?);
                self.take(8)?;
                Redo::CreateBranch { name, from }
            }
            5 => Redo::DeleteBranch(self.text()?),
            6 => Redo::Promote(self.text()?),
            7 => Redo::Hold { name: self.text()?, held: self.flag()? },
            8 if outermost => {
                let mut records = Vec::new();
                while !self.0.is_empty() {
                    let mut inner = From(self.bytes()?);
                    records.push(inner.redo(false)?);
                    if !inner.0.is_empty() {
                        return None;
                    }
                }
                Redo::Several(records)
            }
            9 => {
                let name = self.text()?;
                self.text()?;
                Redo::Bookmark(name)
            }
            10 => Redo::Bookmark(self.text()?),
            _ => return None,
        })
    }

    fn flag(&mut self) -> Option<bool> {
        self.byte().filter(|&byte| byte <= 1).map(|byte| byte == 1)
    }

    fn operation(&mut self) -> Option<Operation<'a>> {
        Some(match self.byte()? {
            1 => Operation::Table(self.text()?),
            2 => Operation::Insert(self.bytes()?, self.bytes()?),
            3 => Operation::Remove(self.bytes()?),
            4 => {
                let from = self.bytes()?;
                let to = if self.flag()? { Some(self.bytes()?) } else { None };
                Operation::RemoveRange(from, to)
            }
            5 => Operation::DeleteTable(self.text()?),
            _ => return None,
        })
    }
}
