//! ELF files made by hand, for tests: one part, an interpreter, and a dynamic section.

/// Where things are in the file.
const DYNAMIC: usize = 0x200;
const STRINGS: usize = 0x800;
const INTERPRETER: usize = 0x1800;
pub(crate) const SIZE: usize = 0x2000;

/// A library, or with an interpreter a program.
pub(crate) fn elf(
    interpreter: Option<&str>,
    needed: &[&str],
    path: Option<(u64, &str)>,
) -> Vec<u8> {
    let mut bytes = vec![0; SIZE];
    let header = [
        *b"\x7fELF\x02\x01\x01\0",
        [0; 8],
        // ET_DYN, EM_X86_64, version 1.
        [3, 0, 62, 0, 1, 0, 0, 0],
        [0; 8],
        64u64.to_le_bytes(),
        [0; 8],
        // No flags; 64 bytes of header; program headers of 56 bytes.
        [0, 0, 0, 0, 64, 0, 56, 0],
        [2 + u8::from(interpreter.is_some()), 0, 0, 0, 0, 0, 0, 0],
    ];
    put(&mut bytes, 0, &header.concat());
    let mut strings = vec![0];
    let mut string = |text: &str| {
        let at = strings.len() as u64;
        strings.extend(text.bytes().chain([0]));
        at
    };
    let mut dynamic: Vec<[u64; 2]> = needed.iter().map(|name| [1, string(name)]).collect();
    dynamic.extend(path.map(|(tag, path)| [tag, string(path)]));
    dynamic.extend([[5, STRINGS as u64], [10, strings.len() as u64], [0, 0]]);
    let dynamic: Vec<u8> = dynamic.concat().into_iter().flat_map(u64::to_le_bytes).collect();
    put(&mut bytes, DYNAMIC, &dynamic);
    put(&mut bytes, STRINGS, &strings);
    put(&mut bytes, 64, &segment(1, 0, SIZE));
    put(&mut bytes, 64 + 56, &segment(2, DYNAMIC, dynamic.len()));
    if let Some(interpreter) = interpreter {
        put(&mut bytes, INTERPRETER, interpreter.as_bytes());
        put(&mut bytes, 64 + 2 * 56, &segment(3, INTERPRETER, interpreter.len() + 1));
    }
    bytes
}

/// A readable segment at the address that is its place in the file.
fn segment(kind: u32, at: usize, size: usize) -> Vec<u8> {
    let (at, size) = (at as u64, size as u64);
    let words = [u64::from(kind) | 4 << 32, at, at, at, size, size, 0x1000];
    words.into_iter().flat_map(u64::to_le_bytes).collect()
}

pub(crate) fn put(bytes: &mut [u8], at: usize, what: &[u8]) {
    bytes[at..at + what.len()].copy_from_slice(what);
}
