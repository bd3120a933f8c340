use super::{
    sample::{SIZE, elf, put},
    *,
};
use cowslip::vm::{Object, Program};

#[test]
fn what_a_linker_needs_is_read() {
    let headers = read(&elf(Some("/lib/ld.so"), &["a.so", "b.so"], Some((29, "$ORIGIN")))).unwrap();
    assert_eq!(headers.interpreter.as_deref(), Some("/lib/ld.so".as_ref()));
    assert_eq!(headers.needed, ["a.so", "b.so"]);
    assert_eq!((headers.runpath.as_deref(), headers.rpath), (Some("$ORIGIN"), None));
    assert_eq!(headers.parts.len(), 1);
    assert_eq!(headers.parts[0].memory_size, SIZE as u64);
    assert!(headers.movable);
}

#[test]
fn foreign_and_broken_files_are_refused_with_a_reason() {
    type Change = (usize, &'static [u8]);
    let changes: [(Change, &str); 13] = [
        ((0, b"\x7fEL_"), "not an ELF"),
        ((4, &[1]), "64-bit"),
        ((5, &[2]), "64-bit"),
        ((18, &[243]), "another processor"),
        ((18, &[3]), "another processor"),
        ((16, &[1]), "neither a program"),
        ((54, &[32]), "program headers"),
        ((56, &[0xff, 0xff]), "too many"),
        ((56, &[0x80, 4]), "program headers"),
        ((32, &[0xff; 8]), "program headers"),
        // The dynamic section, its strings, the interpreter.
        ((64 + 56 + 8, &[0xff; 8]), "dynamic section"),
        ((0x208, &[0xff; 8]), "name is nowhere"),
        ((64 + 2 * 56 + 32, &[3]), "interpreter"),
    ];
    for ((at, what), reason) in changes {
        let mut bytes = elf(Some("/lib/ld.so"), &["a.so"], None);
        put(&mut bytes, at, what);
        let refused = read(&bytes).unwrap_err();
        assert!(refused.contains(reason), "{at}: {refused}");
    }
    let long = "x".repeat(4097);
    assert!(read(&elf(None, &[], Some((15, &long[..3900])))).is_ok());
    let many = vec!["a"; 40];
    assert_eq!(read(&elf(None, &many, None)).unwrap().needed.len(), 40);
}

/// Whatever the headers say, they are refused by the reader or the check, or make a program that can
/// be checked; and neither panics.
#[test]
fn no_bytes_make_it_panic() {
    let whole = elf(Some("/lib/ld.so"), &["a.so"], Some((15, "/a:/b")));
    let check = |bytes: &[u8]| {
        let Ok(headers) = read(bytes) else { return false };
        let object = Object {
            path: "/x".to_owned(),
            name: "x".to_owned(),
            bytes: bytes.into(),
            movable: headers.movable,
            alignment: headers.alignment,
            parts: headers.parts,
            read_only_after_linking: headers.read_only_after_linking,
        };
        Program { objects: vec![object] }.check().is_ok()
    };
    assert!(check(&whole));
    for length in 0..SIZE {
        assert!(!check(&whole[..length]), "cut to {length} bytes");
    }
    // Every byte of the headers and of the dynamic section, and every word of them.
    let good = (0..0x260).filter(|at| {
        [0, 1, 0x7f, 0x80, 0xff].into_iter().any(|value| {
            let mut bytes = whole.clone();
            bytes[*at] = value;
            let mut words = whole.clone();
            put(&mut words, at / 8 * 8, &[value; 8]);
            check(&bytes) | check(&words)
        })
    });
    assert!(good.count() > 0);
}
