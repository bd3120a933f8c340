//! A digest of what a snapshot or a branch contains: the same for the same tables, keys and values,
//! whatever the page size, the layout, or the way they came about.
//!
//! BLAKE3 (256 bits) of this, tables and keys ascending, all lengths as u64, little-endian:
//!
//! ```text
//! "cowslip digest 1\n"
//! for each table   1  length  name
//! for each entry   2  length  key  length  value
//! then for each machine  3  length  name  digest of its highest raw page
//! ```
//!
//! The digest of a raw page of data is BLAKE3 of its bytes; that of one above, BLAKE3 of its words,
//! each with a page number of 0, followed, if it named a page, by the digest of that.

use std::{collections::HashMap, fmt};

use cowslip_pager::{Child, Pager, Pointer, Raw, View, page::u64_at};

use crate::{
    Database,
    database::find_either,
    draft,
    error::Result,
    kinds::CATALOG,
    node::Node,
    tree::{Cursor, End, Tree},
    value::{self, Stored},
};

/// The digest of a snapshot's or a branch's contents. `Display` gives 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl Database {
    /// The digest of the contents of a snapshot or branch: reads all of it.
    pub fn digest(&self, name: &str) -> Result<Digest> {
        let reader = self.shared.pager()?.begin_read();
        let catalog = find_either(reader.view(), reader.version().root, name)?;
        digest(reader.pager(), reader.view(), catalog)
    }
}

fn digest(pager: &Pager, view: View<'_>, catalog: Pointer) -> Result<Digest> {
    let catalog = Tree::new(CATALOG, 0, catalog).checked(0)?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"cowslip digest 1\n");
    let mut key = Vec::new();
    for name in draft::table_names(view, &catalog)? {
        hasher.update(&[1]);
        length(&mut hasher, name.len() as u64);
        hasher.update(name.as_bytes());
        let Some((table, _)) = draft::find_table(view, &catalog, &name)? else { continue };
        let Some(mut cursor) = Cursor::new(view, &table, End::First)? else { continue };
        while let Some(index) = cursor.peek_next()? {
            let node = Node::new(cursor.leaf());
            node.write_key(index, &mut key);
            hasher.update(&[2]);
            length(&mut hasher, key.len() as u64);
            hasher.update(&key);
            match value::stored(cursor.leaf(), index)? {
                Stored::Inline(value) => {
                    length(&mut hasher, value.len() as u64);
                    hasher.update(value);
                }
                Stored::Extent(extent) => {
                    length(&mut hasher, extent.length);
                    value::for_each_part(pager, &extent, |part| {
                        hasher.update(part);
                        Ok(())
                    })?;
                }
            }
            cursor.advance();
        }
    }
    for name in draft::machine_names(view, &catalog)? {
        if let Some((record, page)) = draft::find_record(view, &catalog, &name)?
            && let Some(Child::Raw(root)) = record.child(page)?
        {
            hasher.update(&[3]);
            length(&mut hasher, name.len() as u64);
            hasher.update(name.as_bytes());
            hasher.update(raw_digest(view, root, &mut HashMap::new())?.as_bytes());
        }
    }
    Ok(Digest(*hasher.finalize().as_bytes()))
}

/// The digest of a raw page and what is below it; `known` are those of pages met before.
fn raw_digest(
    view: View<'_>,
    raw: Raw,
    known: &mut HashMap<Raw, blake3::Hash>,
) -> Result<blake3::Hash> {
    if let Some(digest) = known.get(&raw) {
        return Ok(*digest);
    }
    let mut bytes = vec![0; view.page_size()];
    view.read_raw(raw.page, &mut bytes)?;
    let digest = if raw.height == 0 {
        blake3::hash(&bytes)
    } else {
        let mut below = vec![None; bytes.len() / 8];
        raw.children(&bytes, &mut |index, child| {
            below[index] = Some(child);
            Ok(())
        })?;
        let mut hasher = blake3::Hasher::new();
        for (index, child) in below.into_iter().enumerate() {
            hasher.update(&(u64_at(&bytes, 8 * index) & !Raw::PAGE_BITS).to_le_bytes());
            if let Some(child) = child {
                hasher.update(raw_digest(view, child, known)?.as_bytes());
            }
        }
        hasher.finalize()
    };
    known.insert(raw, digest);
    Ok(digest)
}

fn length(hasher: &mut blake3::Hasher, length: u64) {
    hasher.update(&length.to_le_bytes());
}
