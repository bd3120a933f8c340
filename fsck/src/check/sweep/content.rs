//! What the leaves hold: values, tables, names. Leaves to the walk what a sweep does not judge: stored
//! machines, whose pages have no stamps and bounds to tell them by.

use cowslip::{
    kinds::{CATALOG, META, TABLE},
    meta::TableRecord,
};
use cowslip_pager::{
    Extent,
    page::{Header, u64_at},
};

use super::{
    Room, Sweep,
    ledger::{Claim, Print, Use},
    queue::{Family, Found, Sums},
};
use crate::{
    check::{
        records::{Name, Named, Released, table_name},
        trees::{LEVELS_MAX, Sums as Below},
    },
    walk::{EntryReader, NodeReader},
};

impl Sweep<'_> {
    /// The entries of a leaf.
    pub(super) fn leaf(
        &self,
        node: &NodeReader<'_>,
        header: &Header,
        family: &Family,
        room: &mut Room,
        out: &mut Found,
    ) -> Option<Below> {
        let mut sums = Below { entries: node.count() as u64, pages: 1 };
        if family.kind == TABLE {
            if !family.second {
                out.entries += node.count() as u64;
            }
            if node.has_no_extent() {
                return Some(sums);
            }
        }
        for i in 0..node.count() {
            let entry = node.entry(i).ok()?;
            let pages = match family.kind {
                TABLE if entry.extent => self.value(&entry, header, family, out)?,
                TABLE => 0,
                _ if entry.extent => return None,
                CATALOG => {
                    entry.key(&mut room.key);
                    self.table(&room.key, entry.value, header, family, out)?
                }
                META => {
                    entry.key(&mut room.key);
                    self.name(&room.key, entry.value, header, family, out)?;
                    0
                }
                _ => return None,
            };
            sums = sums.plus(Below { entries: 0, pages })?;
        }
        Some(sums)
    }

    /// A large value: its pages.
    fn value(
        &self,
        entry: &EntryReader<'_>,
        header: &Header,
        family: &Family,
        out: &mut Found,
    ) -> Option<u64> {
        if !family.second {
            self.extent(entry.value, header, family.shared_at, out)?;
        }
        let length = entry.value.get(..8).map(|bytes| u64_at(bytes, 0))?;
        Some(length.div_ceil(self.geometry.page_size as u64).max(1))
    }

    /// An owner of a large value.
    fn extent(
        &self,
        encoded: &[u8],
        header: &Header,
        shared_at: u64,
        out: &mut Found,
    ) -> Option<()> {
        let extent = Extent::decode(encoded, header.pointer.page, self.geometry.page_size).ok()?;
        if extent.runs.is_empty() || extent.stamp > header.pointer.stamp {
            return None;
        }
        let print = Print::new(2).bytes(encoded).value();
        let head = extent.head().0;
        match self.ledger.claim(head, Use::Extent, print, extent.stamp > shared_at) {
            Claim::Again => return Some(()),
            Claim::First => {}
            Claim::Other | Claim::Wrong => return None,
        }
        out.extents += 1;
        let mut crc = crc32fast::Hasher::new();
        for page in extent.pages() {
            let page = page.0;
            if page != head && self.ledger.claim(page, Use::Body, 0, false) != Claim::First {
                return None;
            }
            crc.update(&self.ledger.crc(page).to_le_bytes());
        }
        for run in &extent.runs {
            out.run(run.start.0, run.length);
        }
        (crc.finalize() == extent.crc).then_some(())
    }

    /// A record of a catalog: the pages of its table.
    fn table(
        &self,
        key: &[u8],
        value: &[u8],
        header: &Header,
        family: &Family,
        out: &mut Found,
    ) -> Option<u64> {
        if table_name(key).1.is_some() {
            return None;
        }
        let record = TableRecord::decode(value, header.pointer.page).ok()?;
        if record.is_machine() {
            return None;
        }
        if !record.root.is_none() && !family.second {
            let table = Family {
                tree: Some(record.id),
                shared_at: family.shared_at,
                expected: Sums::Pages(record.pages),
                ..Family::of_root(TABLE, record.root.level)
            };
            self.meet_root(out, table, &record.root, header.pointer.stamp)?;
        }
        Some(record.pages)
    }

    /// An entry of the tree of names.
    fn name(
        &self,
        key: &[u8],
        value: &[u8],
        header: &Header,
        family: &Family,
        out: &mut Found,
    ) -> Option<()> {
        let name = Name::read(key, value, header.pointer.page);
        if name.fault.is_some() || family.second {
            return None;
        }
        let says = name.says.ok()?;
        if !says.wrong_stamps(&name.text, self.newest).is_empty() {
            return None;
        }
        let (catalog, shared_at) = match says {
            Named::Branch(record) => {
                if record.incoming {
                    out.incoming += 1;
                    out.arriving.mark(name.text.clone(), record.catalog, header.pointer.page.0);
                }
                out.branches.push(name.text);
                (record.catalog, record.shared_at)
            }
            Named::Snapshot(record) => {
                out.snapshots.push(name.text);
                (record.catalog, u64::MAX)
            }
            Named::Bookmark(_) => return Some(()),
            Named::Incoming(record) => {
                out.arriving.record(name.text, record, header.pointer.page.0);
                return Some(());
            }
            Named::Release(released) => {
                out.releases += 1;
                return match released {
                    Released::Node(pointer) if pointer.level <= LEVELS_MAX => {
                        let family = Family::of_root(pointer.kind, pointer.level);
                        self.meet_root(out, family, &pointer, header.pointer.stamp)
                    }
                    Released::Extent(extent) => self.extent(extent, header, u64::MAX, out),
                    Released::Node(_) | Released::Raw(_) => None,
                };
            }
        };
        if catalog.is_none() {
            return Some(());
        }
        let family = Family { tree: Some(0), shared_at, ..Family::of_root(CATALOG, catalog.level) };
        self.meet_root(out, family, &catalog, header.pointer.stamp)
    }
}
