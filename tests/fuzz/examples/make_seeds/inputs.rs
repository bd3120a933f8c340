//! The inputs that are no streams.

use std::{fs, path::Path};

use cowslip_fuzz::image::{Role, Seed};

type Input = (String, Vec<u8>);

/// For each image: nothing changed, damage in each kind of page, and each kind of edit, sealed.
pub(crate) fn scripts(seeds: &[Seed]) -> Vec<Input> {
    let mut out = Vec::new();
    for (number, seed) in (0u8..).zip(seeds) {
        let mut add = |name: &str, flags: u8, edits: &[&[u8]]| {
            let input = [&[number, flags][..], &edits.concat()].concat();
            out.push((format!("{}-{name}", seed.name), input));
        };
        let of = |role: Role, nth: usize| {
            let mut found =
                (0u16..).zip(&seed.pages).filter(|(_, page)| seed.roles[**page as usize] == role);
            found.nth(nth).map_or([0, 0], |(index, _)| index.to_le_bytes())
        };
        let (node, other, raw) = (of(Role::Node, 0), of(Role::Node, 3), of(Role::Raw, 1));
        add("sound", 0, &[]);
        for role in [Role::Superblock, Role::Map, Role::Log, Role::Node, Role::Raw] {
            let page = of(role, 2);
            add(&format!("damage-{role:?}"), 7, &[&[0], &page, &[200, 0, 3, 1, 2, 3, 4]]);
        }
        add("damage-two", 7 | 8, &[&[1], &node, &[40, 0, 0, 1], &[1], &other, &[90, 0, 0, 1]]);
        add("set", 0, &[&[0], &node, &[70, 0, 0, 7]]);
        add("add", 0, &[&[1], &other, &[44, 0, 2, 255]]);
        add("copy", 0, &[&[2], &node, &[160, 15], &other, &[160, 15], &[15]]);
        add("move", 0, &[&[3], &node, &other, &[1]]);
        add("field", 0, &[&[4], &node, &[2], &3u64.to_le_bytes()]);
        add("slot", 0, &[&[5], &other, &[1, 2], &100u16.to_le_bytes()]);
        add("value", 0, &[&[6], &node, &[0, 0, 1, 9, 0]]);
        add("raw", 0, &[&[0], &raw, &[8, 0, 7, 1, 0, 0, 0, 0, 0, 0, 0]]);
        add("count", 0, &[&[7], &(seed.pages[seed.pages.len() - 1] as u16).to_le_bytes(), &[2]]);
        add("root", 0, &[&[8], &[10], &(seed.superblock.pages + 1).to_le_bytes()]);
        add("length", 7, &[&[9], &(-16i16).to_le_bytes()]);
    }
    out
}

/// Records of each kind; and what may end a log.
pub(crate) fn logs() -> Vec<Input> {
    let body: [(&str, &[u8]); 13] = [
        ("writes", &[0, 0, 0, 5, 1, 4, 2, 3, 70, 3, 5, 4, 9, 1, 30, 2, 40, 110]),
        ("new-table", &[0, 0, 1, 3, 1, 9, 2, 1, 1, 2, 2, 127]),
        ("table-gone", &[0, 0, 0, 1, 5, 5]),
        ("snapshot", &[0, 1, 0, 9, 1, 0, 0, 0, 0, 0, 0, 0, 11, 7, 0, 0, 0, 0, 0, 0, 0]),
        ("snapshot-gone", &[0, 2, 3]),
        ("rollback", &[0, 3, 0, 2]),
        ("branch", &[0, 4, 9, 2, 1, 0, 0, 0, 0, 0, 0, 0]),
        ("branch-gone", &[0, 5, 1]),
        ("promote", &[0, 6, 1]),
        ("release", &[0, 7, 2, 0]),
        ("several", &[0, 8, 2, 7, 2, 0, 2, 2]),
        ("bookmark", &[0, 9, 9, 2]),
        ("bookmark-gone", &[0, 10, 8]),
    ];
    let mut out: Vec<Input> = body
        .iter()
        .map(|(name, item)| ((*name).to_owned(), [&[0, 0][..], item, &[4]].concat()))
        .collect();
    let all: Vec<u8> = body.iter().flat_map(|(_, item)| item.to_vec()).collect();
    let mut add = |name: &str, input: Vec<u8>| out.push((name.to_owned(), input));
    add("all", [&[0, 0][..], &all].concat());
    add("all-wide", [&[2, 0][..], &all].concat());
    add("all-deep", [&[3, 0][..], &all].concat());
    add("behind-padding", [&[0, 0][..], body[0].1, &[7], body[3].1].concat());
    add("torn", [&[0, 0][..], &all, &[9, 80, 0, 1]].concat());
    add("gap", [&[0, 0][..], body[0].1, &[8, 4], body[3].1].concat());
    add("newer", [&[0, 0, 6, 6, 255, 0, 0, 0, 0, 0, 0, 0][..], body[0].1].concat());
    add("bytes", vec![0, 0, 5, 4, 0, 4, 109, 97]);
    add("unsealed", [&[0, 1][..], &all].concat());
    out
}

/// The traces of the documentation that are short, on each kind of machine.
pub(crate) fn traces(folder: &Path) -> Vec<Input> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .expect("the traces of the documentation")
        .map(|entry| entry.expect("a trace").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "trace"))
        .collect();
    names.sort();
    let mut out = Vec::new();
    for (number, path) in names.iter().enumerate() {
        let text = fs::read(path).expect("a trace");
        if text.len() <= 4096 {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            out.push((name, [&[(number as u8 % 8) | 16][..], &text].concat()));
        }
    }
    let rest = "machine ram=500 swap=100 overcommit=2 ratio=80 replacement=sharing\n\
                file F pages=20 fill=7\n\
                A mmap H pages=600 thp\nA mmap G pages=20 file=F off=2 shared populate\n\
                A mmap N pages=30 prot=r noreserve\nA write H 0..600 step=3 =5\n\
                A read H 0..9 expect=5\nA brk 40\nA write heap 0..40 =1\nA mlock H 0..4\n\
                A rlimit_as 100\nA mremap G 2..6 M\nA fork B\nA vfork C\nC exec\n\
                B madvise H 0..9 guard_install\nB mprotect H 4..9 none\nB write H 4..5 =1\n\
                ksm run zero=1 max=3\nB munmap H 3..7\nB exit\nA wait B\nksm unmerge\nsnap end\n";
    out.push(("everything".to_owned(), [&[31][..], rest.as_bytes()].concat()));
    out
}

/// A text of each format.
pub(crate) fn dumps() -> Vec<(&'static str, Vec<u8>)> {
    let long = "6b".repeat(400);
    let head = "VERSION=3\nformat=bytevalue\ndatabase=a\ntype=btree\nmapsize=1048576\nHEADER=END\n";
    vec![
        ("bytevalue", format!("\0{head} 6b\n {long}\n 6c\n \nDATA=END\n").into_bytes()),
        (
            "print",
            b"\x08VERSION=3\nformat=print\ntype=btree\nHEADER=END\n a\\0ab\n b\\\\\nDATA=END\n\
              VERSION=3\nformat=print\ndatabase=two\nHEADER=END\nDATA=END\n"
                .to_vec(),
        ),
        ("tsv", b"\x01a\tb\\t\\n\\x00\nc\t\\\\\n".to_vec()),
        ("tsv-hex", b"\x056b\t00ff\n6c\t\n".to_vec()),
        ("csv", b"\x12key,value\r\na,\"x,\"\"y\"\"\nz\"\n\nb,\n".to_vec()),
        ("csv-hex", b"\x066b,00ff\n".to_vec()),
        (
            "jsonl",
            b"\x1b{\"key\": \"a\", \"value\": \"\\u00e9\\n\"}\n{\"value\": {\"hex\": \"00ff\"}, \"key\": \"b\"}\n"
                .to_vec(),
        ),
        ("jsonl-hex", b"\x07{\"key\": \"6b\", \"value\": \"00ff\"}\n".to_vec()),
    ]
}

/// Undo files: whole, and with each kind of edit.
pub(crate) fn undos() -> Vec<(&'static str, Vec<u8>)> {
    let word = |value: u64| value.to_le_bytes();
    vec![
        ("whole", vec![0, 0]),
        ("whole-wide", vec![2, 0]),
        ("as-it-stands", [&[0, 1][..], b"COWUNDO\n\x01\0\0\0"].concat()),
        ("byte", vec![0, 0, 0, 1, 0, 90, 1, 7]),
        ("byte-unsealed", vec![1, 2, 0, 1, 0, 90, 1, 7]),
        ("length", [&[0, 0, 1, 20][..], &word(4096)].concat()),
        ("length-beyond", [&[3, 0, 1, 20][..], &word(1 << 40)].concat()),
        ("blocks", [&[0, 0, 1, 28][..], &word(u64::MAX)].concat()),
        ("store", [&[0, 0, 1, 12][..], &word(1)].concat()),
        ("fewer", [&[0, 0, 2, 0, 0, 1, 28][..], &word(2)].concat()),
        ("gone", vec![0, 0, 2, 1, 0]),
        ("twice", vec![0, 0, 3, 0, 0]),
        ("cut", vec![0, 0, 4, 100, 0]),
        ("block", [&[0, 0, 5, 1, 0][..], &word(5)].concat()),
    ]
}
