//! What comes out of a table: keys, values, and readers of large values.

use std::{
    cell::Cell,
    fmt,
    io::{self, Read, Seek, SeekFrom},
    ops::Deref,
    rc::Rc,
    sync::Arc,
};

use cowslip_pager::{Extent, PageRef, Pager};

use crate::{
    error::{Error, Result},
    node::{Node, Place, Rows, SHORT_KEY},
};

/// A value of a table.
///
/// A small value is a window on its page in the cache, which stays there as long as this lives; a
/// large one is a copy, shared by those who ask for it while it is remembered. Use `to_vec` (a slice has it) to be free of the borrow.
pub struct Value<'a>(Repr<'a>);

enum Repr<'a> {
    Page {
        page: PageRef<'a>,
        start: u32,
        end: u32,
    },
    /// One of several values that a scan took from one leaf.
    Shared {
        leaf: Rc<Leaf<'a>>,
        start: u32,
        end: u32,
    },
    Owned(Vec<u8>),
    Large(Arc<Vec<u8>>),
}

/// A leaf that a scan stands in. One pin serves all values that are taken from it, and is shared
/// without an atomic operation for each (which would make a scan wait for every row's cache miss in
/// turn).
pub(crate) struct Leaf<'a> {
    page: PageRef<'a>,
    /// Were bytes of a value looked at? Then those of the next leaf are worth being asked for early.
    looked_at: Cell<bool>,
}

impl<'a> Leaf<'a> {
    pub(crate) fn new(page: PageRef<'a>) -> Rc<Leaf<'a>> {
        Rc::new(Leaf { page, looked_at: Cell::new(false) })
    }

    pub(crate) fn page(&self) -> &PageRef<'a> {
        &self.page
    }

    /// Was a value of this leaf read?
    pub(crate) fn was_looked_at(&self) -> bool {
        self.looked_at.get()
    }
}

impl Deref for Leaf<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.page
    }
}

impl Deref for Value<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Repr::Page { page, start, end } => &page[*start as usize..*end as usize],
            Repr::Shared { leaf, start, end } => {
                leaf.looked_at.set(true);
                &leaf.page[*start as usize..*end as usize]
            }
            Repr::Owned(bytes) => bytes,
            Repr::Large(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for Value<'_> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: AsRef<[u8]> + ?Sized> PartialEq<T> for Value<'_> {
    fn eq(&self, other: &T) -> bool {
        **self == *other.as_ref()
    }
}

/// Most bytes of a value that is read whole.
pub(crate) const VALUE_MAX: u64 = 16 << 20;

impl<'a> Value<'a> {
    /// The value of entry `index` of a leaf.
    #[inline]
    pub(crate) fn of(pager: &'a Pager, page: PageRef<'a>, index: usize) -> Result<Value<'a>> {
        let Place { start, end, extent } = Node::new(&page).place(index);
        if extent || pager.under_pressure() {
            return Value::copied(pager, &page, index);
        }
        Ok(Value(Repr::Page { page, start, end }))
    }

    /// The value at this place of a leaf that a scan stands in; not an extent.
    #[inline]
    pub(crate) fn shared(leaf: &Rc<Leaf<'a>>, place: Place) -> Value<'a> {
        Value(Repr::Shared { leaf: leaf.clone(), start: place.start, end: place.end })
    }

    /// A value that stands on no page yet.
    pub(crate) fn owned(bytes: Vec<u8>) -> Value<'a> {
        Value(Repr::Owned(bytes))
    }

    /// The value of entry `index`, on no page: a copy, or a large value.
    #[cold]
    pub(crate) fn copied(pager: &'a Pager, leaf: &[u8], index: usize) -> Result<Value<'a>> {
        Ok(Value(match stored(leaf, index)? {
            Stored::Inline(bytes) => Repr::Owned(bytes.to_vec()),
            Stored::Extent(extent) => {
                check_size(&extent)?;
                Repr::Large(pager.value(&extent)?)
            }
        }))
    }
}

/// A value as it stands in a leaf.
pub(crate) enum Stored<'a> {
    Inline(&'a [u8]),
    Extent(Extent),
}

/// The value of entry `index` of a leaf, as it stands there.
pub(crate) fn stored(leaf: &[u8], index: usize) -> Result<Stored<'_>> {
    match Node::new(leaf).value(index) {
        (bytes, false) => Ok(Stored::Inline(bytes)),
        (_, true) => extent_at(leaf, index).map(Stored::Extent),
    }
}

/// Calls `each` with the bytes of a large value, 256 KiB at a time, all of them verified.
pub(crate) fn for_each_part(
    pager: &Pager,
    extent: &Extent,
    mut each: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    pager.verify_extent(extent)?;
    let mut part = vec![0; extent.length.min(256 << 10) as usize];
    let mut at = 0;
    while at < extent.length {
        let length = (extent.length - at).min(part.len() as u64) as usize;
        pager.read_extent(extent, at, &mut part[..length])?;
        each(&part[..length])?;
        at += length as u64;
    }
    Ok(())
}

/// Reads a large value whole, and verifies it as a whole.
pub(crate) fn read_extent(pager: &Pager, extent: &Extent) -> Result<Vec<u8>> {
    check_size(extent)?;
    Ok(pager.value_in_passing(extent)?)
}

fn check_size(extent: &Extent) -> Result<()> {
    if extent.length > VALUE_MAX {
        return Err(Error::ValueTooLarge { length: extent.length, limit: VALUE_MAX });
    }
    Ok(())
}

/// The extent that stands as the value of entry `index`.
pub(crate) fn extent_at(leaf: &[u8], index: usize) -> Result<Extent> {
    let page = cowslip_pager::page::Header::read(leaf).pointer.page;
    let (value, _) = Node::new(leaf).value(index);
    Ok(Extent::decode(value, page, leaf.len())?)
}

/// A key of a table: a copy, held inline if it is short.
#[derive(Clone)]
pub struct Key(KeyRepr);

#[derive(Clone)]
enum KeyRepr {
    Inline(u8, [u8; SHORT_KEY]),
    Heap(Vec<u8>),
}

impl Key {
    /// The key of entry `index` of a leaf.
    #[inline]
    pub(crate) fn of(rows: &Rows, leaf: &[u8], index: usize) -> Key {
        match rows.short_key(leaf, index) {
            Some((length, bytes)) => Key(KeyRepr::Inline(length as u8, bytes)),
            None => Key::long(leaf, index),
        }
    }

    #[cold]
    fn long(leaf: &[u8], index: usize) -> Key {
        let mut key = Vec::new();
        Node::new(leaf).write_key(index, &mut key);
        Key(KeyRepr::Heap(key))
    }
}

impl Deref for Key {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            KeyRepr::Inline(length, bytes) => &bytes[..usize::from(*length)],
            KeyRepr::Heap(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: AsRef<[u8]> + ?Sized> PartialEq<T> for Key {
    fn eq(&self, other: &T) -> bool {
        **self == *other.as_ref()
    }
}

/// Reads a value of any size in parts: [`Read`] and [`Seek`].
///
/// Damage met on the way is an [`io::Error`] of kind `InvalidData` that wraps the
/// [`Error`](crate::Error).
pub struct ValueReader<'a> {
    source: Source<'a>,
    at: u64,
}

enum Source<'a> {
    Whole(Value<'a>),
    Extent { pager: &'a Arc<Pager>, extent: Extent },
}

impl<'a> ValueReader<'a> {
    pub(crate) fn of(
        pager: &'a Arc<Pager>,
        leaf: PageRef<'a>,
        index: usize,
    ) -> Result<ValueReader<'a>> {
        let source = if Node::new(&leaf).place(index).extent {
            Source::Extent { pager, extent: extent_at(&leaf, index)? }
        } else {
            Source::Whole(Value::of(pager, leaf, index)?)
        };
        Ok(ValueReader { source, at: 0 })
    }

    /// Bytes of the value.
    pub fn len(&self) -> u64 {
        match &self.source {
            Source::Whole(value) => value.len() as u64,
            Source::Extent { extent, .. } => extent.length,
        }
    }

    /// Is the value empty?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Read for ValueReader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = self.len().saturating_sub(self.at);
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(out.len());
        let out = &mut out[..count];
        if count == 0 {
            return Ok(0);
        }
        match &self.source {
            Source::Whole(value) => {
                let at = self.at as usize;
                out.copy_from_slice(&value[at..at + count]);
            }
            Source::Extent { pager, extent } => {
                pager.read_extent(extent, self.at, out).map_err(|error| {
                    io::Error::new(io::ErrorKind::InvalidData, Error::from(error))
                })?;
            }
        }
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for ValueReader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.len().checked_add_signed(by),
        };
        self.at = target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

impl fmt::Debug for ValueReader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ValueReader({} of {} bytes)", self.at, self.len())
    }
}
