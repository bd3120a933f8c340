//! Every field of every structure of `docs/format.md` that stands in a store: where it is, and which checksums are made
//! right when it is changed. Read from the layout, as the checker does it; streams, undo files and the table of
//! repairs are no part of a store.

use std::collections::BTreeSet;

use cowslip_pager::{Extent, PageId, Raw};

use super::forge::{Seal, Whole, u16_at, u32_at, u64_at};

/// A field.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    pub structure: &'static str,
    pub name: &'static str,
    /// Its place in the file.
    pub at: usize,
    pub size: usize,
    pub seal: Seal,
}

/// Collects fields that stand one behind the other.
struct Row<'a> {
    out: &'a mut Vec<Field>,
    structure: &'static str,
    at: usize,
    seal: Seal,
}

impl Row<'_> {
    fn next(&mut self, name: &'static str, size: usize) -> &mut Self {
        if size > 0 {
            let (structure, at, seal) = (self.structure, self.at, self.seal);
            self.out.push(Field { structure, name, at, size, seal });
        }
        self.at += size;
        self
    }

    fn pointer(&mut self, names: [&'static str; 4]) -> &mut Self {
        for (name, size) in names.into_iter().zip([6, 1, 1, 8]) {
            self.next(name, size);
        }
        self
    }

    fn text(&mut self, bytes: &[u8], length: &'static str, text: &'static str) -> &mut Self {
        let size = u16_at(bytes, self.at);
        self.next(length, 2).next(text, size)
    }

    fn lineage(&mut self, bytes: &[u8]) -> &mut Self {
        let count = bytes[self.at];
        self.next("lineage: count", 1);
        for i in 1..=count {
            self.next("lineage: line", 8);
            let last = i == count;
            self.next(if last { "lineage: last stamp" } else { "lineage: stamp" }, 8);
        }
        self
    }

    fn extent(&mut self, bytes: &[u8]) -> &mut Self {
        let runs = u16_at(bytes, self.at + 20);
        self.next("length", 8).next("stamp", 8).next("crc", 4).next("runs", 2).next("zero", 2);
        for _ in 0..runs {
            self.next("start of a run", 6).next("pages of a run", 4);
        }
        self
    }
}

const CATALOG_POINTER: [&str; 4] =
    ["catalog: page", "catalog: kind", "catalog: level", "catalog: stamp"];
const ROOT_POINTER: [&str; 4] = ["root: page", "root: kind", "root: level", "root: stamp"];

/// All fields of a store.
pub fn all(whole: &Whole) -> Vec<Field> {
    let mut out = Vec::new();
    superblock(whole, &mut out);
    directory(whole, &mut out);
    let mut pages = Pages::default();
    for page in 0..whole.wreck.block.pages {
        node(whole, page, &mut out, &mut pages);
    }
    raw_pages(whole, &mut out, &mut pages);
    groups(whole, &mut out, &pages);
    log(whole, &mut out);
    out
}

fn superblock(whole: &Whole, out: &mut Vec<Field>) {
    let block = &whole.wreck.block;
    let at = whole.superblock;
    let mut row = Row { out, structure: "superblock", at, seal: Seal::Superblock };
    row.next("magic", 8).next("format version", 4).next("page size", 4);
    row.next("incompatible features", 8).next("read-only features", 8);
    row.next("compatible features", 8).next("store id", 8).next("checkpoint", 8);
    row.next("created", 8).next("stamp", 8).next("stamp ceiling", 8).pointer(ROOT_POINTER);
    row.next("pages", 8).next("free", 8).next("map depth", 4).next("map slot", 1);
    row.next("zero (117)", 3).next("map root crc", 4).next("zero (124)", 4);
    row.next("log page", 8).next("log blocks", 8).next("log start", 8).next("log sequence", 8);
    row.next("log chain", 4).next("zero (164)", 4).next("log generation", 8);
    row.next("delta counts", 4).next("delta checksums", 4).next("zero (184)", 328);
    row.structure = "delta list";
    let (counts, checksums) = (block.delta.entries().len(), block.delta.checksums().len());
    for _ in 0..counts {
        row.next("page", 4).next("count", 4);
    }
    for _ in 0..checksums {
        row.next("page of a checksum", 4).next("checksum", 4);
    }
    row.next("zero behind the last", 3580 - 8 * (counts + checksums));
    row.structure = "superblock";
    row.seal = Seal::None;
    row.next("crc", 4);
}

fn directory(whole: &Whole, out: &mut Vec<Field>) {
    let groups = whole.wreck.geometry.groups(whole.wreck.block.pages);
    let mut row =
        Row { out, structure: "directory entry", at: whole.directory, seal: Seal::Directory };
    for _ in 0..groups {
        row.next("crc", 4).next("free", 4).next("slot", 1).next("present", 1).next("zero", 6);
    }
    row.next("behind the last group", 16);
}

/// What pages are used for.
#[derive(Default)]
struct Pages {
    nodes: BTreeSet<u64>,
    heads: BTreeSet<u64>,
    bodies: BTreeSet<u64>,
    raw: BTreeSet<u64>,
    machines: Vec<Raw>,
}

/// A node, if the page is one.
fn node(whole: &Whole, page: u64, out: &mut Vec<Field>, pages: &mut Pages) {
    let at = whole.at(page);
    let all = &whole.wreck.bytes;
    let bytes = &all[at..at + whole.wreck.geometry.page_size];
    let (kind, level) = (bytes[4], bytes[5]);
    let ours = u64_at(bytes, 8) == page && u64_at(bytes, 32) == whole.wreck.block.store;
    let count = u32_at(all, whole.map_entry(page));
    let count = whole.wreck.block.delta.count(PageId(page)).unwrap_or(count);
    if !ours || count == 0 || !(1..=3).contains(&kind) {
        return;
    }
    pages.nodes.insert(page);
    let uniform = bytes[42] == 1;
    let structure = match (uniform, level) {
        (true, _) => "header of a uniform leaf",
        (_, 0) => "header of a slotted leaf",
        _ => "header of an inner node",
    };
    let seal = Seal::Node(page);
    let mut row = Row { out, structure, at, seal: Seal::None };
    row.next("crc", 4);
    row.seal = seal;
    row.next("kind", 1).next("level", 1).next("count", 2).next("page id", 8).next("stamp", 8);
    row.next("tree id", 8).next("store id", 8).next("prefix length", 2).next("form", 2);
    row.next("key area length", 4).next("values start", 4).next("garbage", 4);
    row.next("suffix length", 2).next("value length", 2).next("zero", 4);
    row.structure = match (uniform, level) {
        (true, _) => "uniform leaf",
        (_, 0) => "slotted leaf",
        _ => "inner node",
    };
    let (entries, prefix) = (u16_at(bytes, 6), u16_at(bytes, 40));
    row.next("prefix", prefix);
    for entry in 0..entries {
        row.next(if entry == 0 && level > 0 { "first head" } else { "head" }, 4);
    }
    let slots = row.at;
    if !uniform {
        for entry in 0..entries {
            let slot = slots - at + 8 * entry;
            let rest = u16_at(bytes, slot + 2) > 4;
            row.next(if rest { "key offset" } else { "key offset of no rest" }, 2);
            row.next("key length", 2);
            let empty = u16_at(bytes, slot + 6) == 0;
            row.next(if empty { "value offset of no value" } else { "value offset" }, 2);
            row.next("value length", 2);
        }
    }
    let keys = row.at;
    let keys_length = u32_at(bytes, 44) as usize;
    let values = u32_at(bytes, 48) as usize;
    row.at = keys + keys_length;
    let gap = at + values - row.at;
    row.next("free space", gap);
    // What entries use of the two areas; the rest is garbage.
    let mut used = vec![false; bytes.len()];
    for (index, (key, value)) in cowslip::kinds::entries(bytes).into_iter().enumerate() {
        let (rest, place, length) = if uniform {
            let (suffix, value) = (u16_at(bytes, 56), u16_at(bytes, 58));
            let rest = suffix.saturating_sub(4);
            ((index * rest, rest), bytes.len() - (index + 1) * value, value)
        } else {
            let slot = slots - at + 8 * index;
            let rest = u16_at(bytes, slot + 2).saturating_sub(4);
            let length = u16_at(bytes, slot + 6) & 0x7FFF;
            ((u16_at(bytes, slot), rest), u16_at(bytes, slot + 4), length)
        };
        let rest_at = keys - at + rest.0;
        used[rest_at..rest_at + rest.1].fill(true);
        used[place..place + length].fill(true);
        let extent = !uniform && u16_at(bytes, slots - at + 8 * index + 6) & 0x8000 != 0;
        row.at = at + rest_at;
        row.next("rest of a key", rest.1);
        let mut row = Row { out: row.out, structure: row.structure, at: at + place, seal };
        match (kind, level) {
            (_, 1..) => {
                row.structure = "child in an inner node";
                row.pointer(["page", "kind", "level", "stamp"]).next("entries", 6).next("pages", 4);
            }
            (3, _) if extent => {
                row.structure = "extent";
                row.extent(all);
                let size = whole.wreck.geometry.page_size;
                let extent = Extent::decode(&value, PageId(page), size).unwrap();
                pages.heads.insert(extent.head().0);
                pages.bodies.extend(extent.pages().skip(1).map(|page| page.0));
            }
            (3, _) => {
                row.next("value", length);
            }
            (2, _) => {
                let machine = value[6] == 4;
                row.structure = if machine { "record of a machine" } else { "record of a table" };
                row.pointer(ROOT_POINTER).next(if machine { "id" } else { "tree id" }, 8);
                row.next("pages", 8);
                if machine {
                    let root =
                        Raw { page: PageId(u64_at(&value, 0) << 16 >> 16), height: value[7] };
                    pages.machines.push(root);
                }
            }
            _ => name(&mut row, all, &key, length),
        }
    }
    let area = (keys - at..keys - at + keys_length).chain(values..bytes.len());
    let garbage: Vec<usize> = area.filter(|&place| !used[place]).collect();
    if let Some(&place) = garbage.first() {
        row.at = at + place;
        row.next("garbage", 1);
    }
}

/// A row of the tree of names.
fn name(row: &mut Row<'_>, all: &[u8], key: &[u8], length: usize) {
    let end = row.at + length;
    match key[0] {
        b'b' => {
            row.structure = "branch";
            row.pointer(CATALOG_POINTER).next("shared at", 8).next("created", 8);
            row.text(all, "length of the origin", "origin");
            row.text(all, "length of the last snapshot", "last snapshot");
            row.lineage(all).next("incoming", 8);
        }
        b's' => {
            row.structure = "snapshot";
            row.pointer(CATALOG_POINTER).next("stamp", 8).next("created", 8).next("held", 8);
            row.text(all, "length of the branch", "branch");
            row.text(all, "length of the label", "label");
            row.text(all, "length of the parent", "parent");
            row.next("id", 8).lineage(all);
        }
        b'k' => {
            row.structure = "bookmark";
            row.next("id", 8).next("stamp", 8).next("created", 8).lineage(all);
            row.text(all, "length of the snapshot", "snapshot");
        }
        b'i' => {
            row.structure = "stream that is being received";
            row.next("snapshot id", 8).next("base id", 8).next("position", length - 16);
        }
        _ => match all[row.at] {
            0 => {
                row.structure = "release of a node";
                row.next("tag", 1).pointer(["page", "kind", "level", "stamp"]);
            }
            1 => {
                row.structure = "release of an extent";
                row.next("tag", 1).extent(all);
            }
            _ => {
                row.structure = "release of a raw page";
                row.next("tag", 1).pointer(["page", "kind", "level", "stamp"]);
            }
        },
    }
    assert_eq!(row.at, end, "{}", row.structure);
}

fn raw_pages(whole: &Whole, out: &mut Vec<Field>, pages: &mut Pages) {
    let mut stack = pages.machines.clone();
    while let Some(raw) = stack.pop() {
        if !pages.raw.insert(raw.page.0) {
            continue;
        }
        let at = whole.at(raw.page.0);
        let bytes = &whole.wreck.bytes[at..at + whole.wreck.geometry.page_size];
        let seal = Seal::Raw(raw.page.0);
        if raw.height == 0 {
            let mut row = Row { out, structure: "raw page", at, seal };
            row.next("data", bytes.len());
            continue;
        }
        raw.children(bytes, &mut |_, child| {
            stack.push(child);
            Ok(())
        })
        .unwrap();
        for word in 0..512 {
            let structure = "table of a machine";
            let mut row = Row { out, structure, at: at + 8 * word, seal };
            if u64_at(bytes, 8 * word) == 0 {
                row.next("empty word", 8);
                continue;
            }
            // Bits 0 to 11; 12 to 51 from the byte that they share; 52 to 63.
            row.next("bits", 1);
            row.next("page, lowest bits", 1).next("page", 4);
            row.next("page, highest bits, and zero", 1).next("zero", 1);
        }
    }
}

fn groups(whole: &Whole, out: &mut Vec<Field>, pages: &Pages) {
    let wreck = &whole.wreck;
    let log = wreck.block.log;
    let ring = log.page.0..log.page.0 + log.blocks * 4096 / wreck.geometry.page_size as u64;
    let end = wreck.geometry.groups(wreck.block.pages) * wreck.geometry.group_pages;
    for page in 0..end {
        let group = wreck.geometry.group_of(PageId(page));
        let at = whole.map_entry(page);
        let structure = match page {
            _ if page >= wreck.block.pages => "map entry behind the end",
            _ if wreck.geometry.is_reserved(PageId(page)) => "map entry of a reserved page",
            _ if ring.contains(&page) => "map entry of the log",
            _ if pages.nodes.contains(&page) => "map entry of a node",
            _ if pages.heads.contains(&page) => "map entry of an extent's first page",
            _ if pages.bodies.contains(&page) => "map entry of an extent's other page",
            _ if pages.raw.contains(&page) => "map entry of a raw page",
            _ => "map entry of a free page",
        };
        let mut row = Row { out, structure, at, seal: Seal::Group(group) };
        // The superblock knows the count better.
        let listed = wreck.block.delta.count(PageId(page)).is_some();
        row.next(if listed { "count, in the delta list as well" } else { "count" }, 4);
        let listed = wreck.block.delta.checksum(PageId(page)).is_some();
        row.next(if listed { "crc, in the delta list as well" } else { "crc" }, 4);
    }
}

fn log(whole: &Whole, out: &mut Vec<Field>) {
    let all = &whole.wreck.bytes;
    for (number, &(at, length)) in whole.records.iter().enumerate() {
        let mut row = Row { out, structure: "log record", at, seal: Seal::None };
        row.next("crc", 4);
        row.seal = Seal::Log(number);
        row.next("length", 4);
        // A chain that is wrong is what the next record's checksum is for.
        row.next("chain", 4).next("kind", 1).next("zero", 3).next("sequence", 8);
        row.next("generation", 8).next("durable block", 8).next("durable checkpoint", 8);
        row.next("store id", 8).next("stamp", 8);
        if all[at + 12] == 2 {
            row.next("body of a mark", length);
        } else {
            redo(&mut row, all, at + 64 + length);
        }
        let padding = (8 - length % 8) % 8;
        row.structure = "log record";
        row.seal = Seal::None;
        row.next("padding", padding);
    }
}

/// The body of a transaction's record. Lengths here are below 128, so each takes a byte.
fn redo(row: &mut Row<'_>, all: &[u8], end: usize) {
    let string = |row: &mut Row<'_>, length: &'static str, bytes: &'static str| {
        let size = usize::from(all[row.at]);
        assert!(size < 128);
        row.next(length, 1).next(bytes, size);
    };
    let kind = all[row.at];
    row.structure = if kind == 0 { "redo of writes" } else { "redo of names" };
    row.next("kind", 1);
    string(row, "length of a name", "name");
    match kind {
        0 => {
            while row.at < end {
                let operation = all[row.at];
                row.next("operation", 1);
                if matches!(operation, 1 | 5) {
                    string(row, "length of a table's name", "table's name");
                    continue;
                }
                string(row, "length of a key", "key");
                match operation {
                    2 => string(row, "length of a value", "value"),
                    4 => {
                        let bounded = all[row.at];
                        row.next("end of the range: present", 1);
                        if bounded == 1 {
                            string(row, "length of a key", "key");
                        }
                    }
                    _ => {}
                }
            }
        }
        1 => {
            string(row, "length of a name", "name");
            row.next("created", 8);
            string(row, "length of the label", "label");
            row.next("snapshot id", 8);
        }
        4 => {
            string(row, "length of a name", "name");
            row.next("created", 8);
        }
        7 => {
            row.next("held", 1);
        }
        3 | 9 => string(row, "length of a name", "name"),
        _ => {}
    }
    assert_eq!(row.at, end, "redo of kind {kind}");
}
