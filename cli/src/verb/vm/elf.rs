//! Real programs for the page-table module: ELF files, with their interpreter and libraries.
//!
//! Only what `exec` needs is read: loadable parts, the interpreter's name, and the names of needed
//! libraries with the folders to look in. It promises an error for anything else, and bounds: files
//! of at most 256 MiB, at most 256 of them, each once.

use std::{
    collections::{HashSet, VecDeque},
    path::{Path, PathBuf},
    sync::Arc,
};

use cowslip::vm::{Object, Part, Program, Protection};
use goblin::elf::{Elf, header, program_header};

const FILE: u64 = 256 << 20;
const OBJECTS: usize = 256;

/// Where the dynamic linker looks when nobody says otherwise.
const FOLDERS: [&str; 8] = [
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
];

/// What one file says.
struct Loaded {
    object: Object,
    interpreter: Option<PathBuf>,
    needed: Vec<String>,
    folders: Vec<PathBuf>,
}

/// A program and all that it needs.
pub(super) fn program(path: &Path) -> Result<Program, String> {
    let main = load(path)?;
    let mut known = HashSet::new();
    let mut objects = vec![main.object];
    let mut wanted: VecDeque<(String, Vec<PathBuf>)> = VecDeque::new();
    if let Some(interpreter) = main.interpreter {
        known.extend(file_name(&interpreter));
        objects.push(load(&interpreter)?.object);
    }
    wanted.extend(main.needed.into_iter().map(|name| (name, main.folders.clone())));
    while let Some((name, folders)) = wanted.pop_front() {
        if !known.insert(name.clone()) {
            continue;
        }
        if objects.len() >= OBJECTS {
            return Err(format!("{}: needs more than {OBJECTS} libraries", path.display()));
        }
        let found = folders.iter().cloned().chain(FOLDERS.map(PathBuf::from));
        let library = found
            .map(|folder| folder.join(&name))
            .find(|file| file.is_file())
            .ok_or_else(|| format!("{}: library {name} is nowhere", path.display()))?;
        let library = load(&library)?;
        wanted.extend(library.needed.into_iter().map(|name| (name, library.folders.clone())));
        objects.push(library.object);
    }
    Ok(Program { objects })
}

fn file_name(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_string_lossy().into_owned())
}

fn load(path: &Path) -> Result<Loaded, String> {
    let bad = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
    let path = path.canonicalize().map_err(|error| bad(&error))?;
    let size = std::fs::metadata(&path).map_err(|error| bad(&error))?.len();
    if size > FILE {
        return Err(bad(&format!("larger than {FILE} bytes")));
    }
    let bytes = std::fs::read(&path).map_err(|error| bad(&error))?;
    let elf = Elf::parse(&bytes).map_err(|error| bad(&error))?;
    if !elf.is_64 || !elf.little_endian {
        return Err(bad(&"not a 64-bit little-endian ELF file"));
    }
    let movable = match elf.header.e_type {
        header::ET_DYN => true,
        header::ET_EXEC => false,
        _ => return Err(bad(&"neither a program nor a library")),
    };
    let folder = path.parent().unwrap_or(Path::new("/"));
    let folders = elf.runpaths.iter().chain(&elf.rpaths).flat_map(|paths| paths.split(':'));
    let folders = folders
        .map(|path| PathBuf::from(path.replace("$ORIGIN", &folder.to_string_lossy())))
        .filter(|path| path.is_absolute())
        .collect();
    Ok(Loaded {
        interpreter: elf.interpreter.map(PathBuf::from),
        needed: elf.libraries.iter().map(|name| (*name).to_owned()).collect(),
        folders,
        object: Object {
            path: path.to_string_lossy().into_owned(),
            name: short_name(&path),
            movable,
            parts: parts(&elf, size).map_err(|what| bad(&what))?,
            bytes: Arc::from(bytes),
        },
    })
}

fn parts(elf: &Elf<'_>, size: u64) -> Result<Vec<Part>, &'static str> {
    let loads = elf.program_headers.iter().filter(|part| part.p_type == program_header::PT_LOAD);
    let mut parts = Vec::new();
    for load in loads.filter(|load| load.p_memsz > 0) {
        if load.p_offset.checked_add(load.p_filesz).is_none_or(|end| end > size) {
            return Err("a part lies behind the end of the file");
        }
        if load.p_filesz > load.p_memsz {
            return Err("a part has more bytes in the file than in memory");
        }
        parts.push(Part {
            offset: load.p_offset,
            address: load.p_vaddr,
            file_size: load.p_filesz,
            memory_size: load.p_memsz,
            protection: Protection {
                read: load.is_read(),
                write: load.is_write(),
                execute: load.is_executable(),
            },
        });
    }
    if parts.is_empty() { Err("nothing to load") } else { Ok(parts) }
}

/// `libc.so.6` is `libc`, and what is no letter or digit an underscore.
fn short_name(path: &Path) -> String {
    let name = file_name(path).unwrap_or_default();
    let stem = name.split('.').next().unwrap_or_default();
    let letter = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = stem.chars().map(letter).take(40).collect();
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name } else { format!("x{name}") }
}
