//! A digest of what a snapshot or a branch contains: the same for the same tables, keys and values,
//! whatever the page size, the layout, or the way they came about.
//!
//! BLAKE3 (256 bits) of this, tables and keys ascending, all lengths as u64, little-endian:
//!
//! ```text
//! "cowslip digest 1\n"
//! for each table   1  length  name
//! for each entry   2  length  key  length  value
//! ```

use std::fmt;

use cowslip_pager::{Pager, Pointer, View};

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
        let reader = self.shared.pager.begin_read();
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
        let Some(table) = draft::find_table(view, &catalog, &name)? else { continue };
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
    Ok(Digest(*hasher.finalize().as_bytes()))
}

fn length(hasher: &mut blake3::Hasher, length: u64) {
    hasher.update(&length.to_le_bytes());
}
