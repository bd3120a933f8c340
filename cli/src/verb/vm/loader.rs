//! Programs with all that they need: which files the kernel and the dynamic linker would open.
//!
//! ```text
//! program --PT_INTERP--> interpreter
//!    |
//!    +--DT_NEEDED--> library --DT_NEEDED--> ...     breadth first, each file once
//! ```
//!
//! It promises bounds: a file has at most 256 MiB, a program at most 256 of them, and what a run
//! loads altogether stays below 1 GiB. Devices, pipes and the like are not opened. A file that
//! changes while a run goes on is what it was when it was first loaded.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use cowslip::vm::{Object, Program};

use super::elf::{self, Headers, Processor};

const FILE: u64 = 256 << 20;
const OBJECTS: usize = 256;
const ALTOGETHER: u64 = 1 << 30;
/// Most folders that an object and those that need it name.
const FOLDERS: usize = 256;

/// Files that were loaded, by their real paths.
#[derive(Default)]
pub(super) struct Loader {
    loaded: HashMap<PathBuf, Loaded>,
    bytes: u64,
}

#[derive(Clone)]
struct Loaded {
    bytes: Arc<[u8]>,
    headers: Arc<Headers>,
}

/// A library that is wanted: where to look for it, and the `DT_RPATH`s of all on the way to it.
struct Wanted {
    name: String,
    folders: Arc<[PathBuf]>,
    rpaths: Arc<[PathBuf]>,
}

/// The program so far.
#[derive(Default)]
struct Closure {
    objects: Vec<Object>,
    /// Real paths, and names of areas.
    paths: HashSet<PathBuf>,
    names: HashSet<String>,
}

impl Loader {
    /// A program and all that it needs.
    pub(super) fn program(&mut self, path: &Path) -> Result<Program, String> {
        let mut closure = Closure::default();
        let mut wanted = VecDeque::new();
        let mut known = HashSet::new();
        let (real, main) = self.load(path)?;
        let processor = main.headers.processor;
        closure.add(path, &real, &main);
        // Without an interpreter nobody loads what a program needs.
        if let Some(interpreter) = &main.headers.interpreter {
            want(&real, &main.headers, &[].into(), &mut wanted);
            let (real, loaded) = self.load(interpreter)?;
            if loaded.headers.processor != processor {
                return Err(format!("{}: of another processor", interpreter.display()));
            }
            known.extend(interpreter.file_name().map(|name| name.to_string_lossy().into_owned()));
            closure.add(interpreter, &real, &loaded);
        }
        while let Some(library) = wanted.pop_front() {
            if !known.insert(library.name.clone()) {
                continue;
            }
            let (path, real, loaded) = self.find(&library, processor)?.ok_or_else(|| {
                format!("{}: library {} is nowhere", path.display(), library.name)
            })?;
            if closure.add(&path, &real, &loaded) {
                want(&real, &loaded.headers, &library.rpaths, &mut wanted);
            }
            if closure.objects.len() > OBJECTS {
                return Err(format!("{}: needs more than {OBJECTS} files", path.display()));
            }
        }
        Ok(Program { objects: closure.objects })
    }

    /// A library: the first file of its name that is for this processor.
    fn find(
        &mut self,
        library: &Wanted,
        processor: Processor,
    ) -> Result<Option<(PathBuf, PathBuf, Loaded)>, String> {
        let system = match processor {
            Processor::X86 => ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu"],
            Processor::Arm => ["/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu"],
        };
        let system = system.into_iter().chain(["/lib64", "/usr/lib64", "/lib", "/usr/lib"]);
        // A name with a slash is a path.
        let paths: Vec<PathBuf> = match library.name.contains('/') {
            true => vec![PathBuf::from(&library.name)],
            false => {
                let folders = library.folders.iter().cloned().chain(system.map(PathBuf::from));
                folders.map(|folder| folder.join(&library.name)).collect()
            }
        };
        for path in paths.into_iter().filter(|path| path.is_file()) {
            let (real, loaded) = self.load(&path)?;
            if loaded.headers.processor == processor {
                return Ok(Some((path, real, loaded)));
            }
        }
        Ok(None)
    }

    /// A file and its real path.
    fn load(&mut self, path: &Path) -> Result<(PathBuf, Loaded), String> {
        let bad = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
        let real = path.canonicalize().map_err(|error| bad(&error))?;
        if let Some(loaded) = self.loaded.get(&real) {
            return Ok((real, loaded.clone()));
        }
        // Before it is opened: opening a pipe waits, and a device has no end.
        let about = std::fs::metadata(&real).map_err(|error| bad(&error))?;
        if !about.is_file() {
            return Err(bad(&"not a regular file"));
        }
        let mut bytes = Vec::new();
        let mut size = about.len();
        if size <= FILE {
            let file = File::open(&real).map_err(|error| bad(&error))?;
            // It may have grown since, or be one of those that do not know their size.
            file.take(FILE + 1).read_to_end(&mut bytes).map_err(|error| bad(&error))?;
            size = bytes.len() as u64;
        }
        if size > FILE {
            return Err(bad(&"larger than 256 MiB"));
        }
        if self.bytes + size > ALTOGETHER {
            return Err(bad(&"with it, more than 1 GiB of programs and libraries is loaded"));
        }
        let headers = elf::read(&bytes).map_err(|reason| bad(&reason))?;
        let loaded = Loaded { bytes: bytes.into(), headers: Arc::new(headers) };
        self.bytes += size;
        self.loaded.insert(real.clone(), loaded.clone());
        Ok((real, loaded))
    }
}

/// Puts what an object needs at the end of the list.
fn want(real: &Path, headers: &Headers, inherited: &Arc<[PathBuf]>, wanted: &mut VecDeque<Wanted>) {
    let origin = real.parent().unwrap_or(Path::new("/"));
    let split = |paths: &Option<String>| -> Vec<PathBuf> {
        paths.iter().flat_map(|paths| paths.split(':')).filter_map(|p| folder(p, origin)).collect()
    };
    // DT_RUNPATH is for the object's own needs, and then DT_RPATH does not count; DT_RPATH is for
    // the needs of those that it needs as well.
    let own = if headers.runpath.is_some() { Vec::new() } else { split(&headers.rpath) };
    let rpaths: Arc<[PathBuf]> =
        own.into_iter().chain(inherited.iter().cloned()).take(FOLDERS).collect();
    let folders: Arc<[PathBuf]> = match &headers.runpath {
        Some(_) => split(&headers.runpath).into_iter().take(FOLDERS).collect(),
        None => rpaths.clone(),
    };
    wanted.extend(headers.needed.iter().map(|name| Wanted {
        name: name.clone(),
        folders: folders.clone(),
        rpaths: rpaths.clone(),
    }));
}

/// A folder of a search path; none: it depends on where the program is started, or on more than its
/// file.
fn folder(text: &str, origin: &Path) -> Option<PathBuf> {
    let origin = origin.to_string_lossy();
    let text = text.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin);
    (text.starts_with('/') && !text.contains('$')).then(|| PathBuf::from(text))
}

impl Closure {
    /// Adds an object under the name by which it was wanted. False: it is there already.
    fn add(&mut self, path: &Path, real: &Path, loaded: &Loaded) -> bool {
        if !self.paths.insert(real.to_owned()) {
            return false;
        }
        let short = short_name(path);
        let mut name = short.clone();
        let mut number = 1;
        while !self.names.insert(name.clone()) {
            number += 1;
            name = format!("{short}_{number}");
        }
        let headers = &loaded.headers;
        self.objects.push(Object {
            path: real.to_string_lossy().into_owned(),
            name,
            bytes: loaded.bytes.clone(),
            movable: headers.movable,
            alignment: headers.alignment,
            parts: headers.parts.clone(),
            read_only_after_linking: headers.read_only_after_linking.clone(),
        });
        true
    }
}

/// `libc.so.6` is `libc`, and what is no letter or digit an underscore.
fn short_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.split('.').next().unwrap_or_default();
    let letter = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = stem.chars().map(letter).take(40).collect();
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name } else { format!("x{name}") }
}

#[cfg(all(test, unix))]
mod tests;
