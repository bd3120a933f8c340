//! The language of traces: one operation a line.

use std::ops::Range;

use crate::vm::{
    advise::Advise, area::Protection, commit::Overcommit, machine::Access, reclaim::Replacement,
    tables::PAGES,
};

/// A line that is no operation, or one that cannot be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadTrace {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong.
    pub reason: String,
}

impl std::fmt::Display for BadTrace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

impl std::error::Error for BadTrace {}

/// An operation and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// Number of the line, from 1.
    pub line: usize,
    /// The line without its comment, words separated by one space.
    pub text: String,
    /// What to do.
    pub call: Call,
}

/// What a line says to do.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the fields are the words of the language")]
pub enum Call {
    /// Sizes and policies of the machine; the first line, if it is there.
    Machine {
        ram: Option<u32>,
        swap: Option<u32>,
        overcommit: Option<Overcommit>,
        ratio: Option<u64>,
        replacement: Option<Replacement>,
    },
    /// A file of a disk.
    File {
        name: String,
        pages: u64,
        fill: u8,
    },
    /// A new region.
    Map {
        process: String,
        region: String,
        pages: u64,
        protection: Protection,
        file: Option<String>,
        offset: u64,
        shared: bool,
        populate: bool,
        unreserved: bool,
        huge: bool,
    },
    /// Accesses to byte 0 of every `step`-th page.
    Touch {
        process: String,
        place: Place,
        step: u64,
        access: Access,
    },
    Fork {
        process: String,
        child: String,
    },
    Vfork {
        process: String,
        child: String,
    },
    /// `vfork` and `exec` in one.
    Spawn {
        process: String,
        child: String,
    },
    /// With a path: of a real program.
    Exec {
        process: String,
        program: Option<String>,
    },
    /// The accesses that a real program made, as `valgrind --tool=lackey --trace-mem=yes` lists them.
    Replay {
        process: String,
        file: String,
    },
    Exit {
        process: String,
    },
    Wait {
        process: String,
        child: String,
    },
    Unmap {
        process: String,
        place: Place,
    },
    Lock {
        process: String,
        place: Place,
        locked: bool,
    },
    Protect {
        process: String,
        place: Place,
        protection: Protection,
    },
    Remap {
        process: String,
        place: Place,
        to: String,
    },
    Advise {
        process: String,
        place: Place,
        advise: Advise,
    },
    /// Moves the end of the heap by so many pages.
    Brk {
        process: String,
        pages: i64,
    },
    /// Limits the address space to what is mapped now and so many pages more.
    LimitSpace {
        process: String,
        pages: u64,
    },
    Merge {
        zero: bool,
        most: Option<u32>,
    },
    Unmerge,
    Snap {
        label: String,
    },
}

impl Call {
    /// The process that does it; none: it concerns the machine.
    pub fn process(&self) -> Option<&str> {
        match self {
            Call::Machine { .. }
            | Call::File { .. }
            | Call::Merge { .. }
            | Call::Unmerge
            | Call::Snap { .. } => None,
            Call::Map { process, .. }
            | Call::Touch { process, .. }
            | Call::Fork { process, .. }
            | Call::Vfork { process, .. }
            | Call::Spawn { process, .. }
            | Call::Exec { process, .. }
            | Call::Replay { process, .. }
            | Call::Exit { process }
            | Call::Wait { process, .. }
            | Call::Unmap { process, .. }
            | Call::Lock { process, .. }
            | Call::Protect { process, .. }
            | Call::Remap { process, .. }
            | Call::Advise { process, .. }
            | Call::Brk { process, .. }
            | Call::LimitSpace { process, .. } => Some(process),
        }
    }
}

/// Pages of a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The region's name.
    pub region: String,
    /// Pages, from its first on.
    pub pages: Range<u64>,
}

/// Longest line that is read; names stay short.
const LINE: usize = 4096;

/// Most pages of a region: more than any address space has, so that it can be seen to fail.
const REGION: u64 = 1 << 40;

/// Most pages of memory: 256 GiB.
const RAM: u32 = 1 << 26;

/// Reads a trace.
pub fn parse(text: &str) -> Result<Vec<Operation>, BadTrace> {
    let mut operations: Vec<Operation> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line_number = number + 1;
        let bad = |reason| BadTrace { line: line_number, reason };
        if line.len() > LINE {
            return Err(bad(format!("longer than {LINE} bytes")));
        }
        let words: Vec<&str> =
            line.split('#').next().unwrap_or_default().split_whitespace().collect();
        if words.is_empty() {
            continue;
        }
        let call = operation(&words).map_err(bad)?;
        if matches!(call, Call::Machine { .. }) && !operations.is_empty() {
            return Err(bad("the machine is built by the first line or not at all".to_owned()));
        }
        operations.push(Operation { line: line_number, text: words.join(" "), call });
    }
    Ok(operations)
}

/// The options behind the fixed words of a line: `key=value` and flags.
struct Options<'a> {
    words: Vec<Option<&'a str>>,
}

impl<'a> Options<'a> {
    fn new(words: &[&'a str]) -> Options<'a> {
        Options { words: words.iter().copied().map(Some).collect() }
    }

    fn value(&mut self, key: &str) -> Option<&'a str> {
        self.words.iter_mut().find_map(|word| {
            let value = word.and_then(|word| word.strip_prefix(key)?.strip_prefix('='))?;
            *word = None;
            Some(value)
        })
    }

    fn flag(&mut self, name: &str) -> bool {
        let place = self.words.iter_mut().find(|word| **word == Some(name));
        place.map(Option::take).is_some()
    }

    fn number<T: std::str::FromStr>(&mut self, key: &str) -> Result<Option<T>, String> {
        self.value(key).map(|value| number(value)).transpose()
    }

    fn end(self) -> Result<(), String> {
        match self.words.into_iter().flatten().next() {
            Some(word) => Err(format!("`{word}` is not understood here")),
            None => Ok(()),
        }
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is no number that fits here"))
}

fn name(text: &str) -> Result<String, String> {
    let good = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if good { Ok(text.to_owned()) } else { Err(format!("`{text}` is no name")) }
}

fn protection(text: &str) -> Result<Protection, String> {
    match text {
        "rw" => Ok(Protection::READ_WRITE),
        "r" => Ok(Protection::READ),
        "rx" => Ok(Protection::READ_EXECUTE),
        "none" => Ok(Protection::NONE),
        _ => Err(format!("`{text}` is no protection (rw, r, rx, none)")),
    }
}

fn place(region: &str, pages: &str) -> Result<Place, String> {
    let (from, to) =
        pages.split_once("..").ok_or_else(|| format!("`{pages}` is no range of pages (a..b)"))?;
    let (from, to): (u64, u64) = (number(from)?, number(to)?);
    if from > to || to > PAGES {
        return Err(format!("`{pages}` is no range of pages (a..b)"));
    }
    Ok(Place { region: name(region)?, pages: from..to })
}

fn advise(text: &str) -> Result<Advise, String> {
    Ok(match text {
        "dontneed" => Advise::DontNeed,
        "dontneed_locked" => Advise::DontNeedLocked,
        "remove" => Advise::Remove,
        "free" => Advise::Free,
        "dontfork" => Advise::DontFork,
        "dofork" => Advise::DoFork,
        "wipeonfork" => Advise::WipeOnFork,
        "keeponfork" => Advise::KeepOnFork,
        "mergeable" => Advise::Mergeable,
        "unmergeable" => Advise::Unmergeable,
        "populate_read" => Advise::PopulateRead,
        "populate_write" => Advise::PopulateWrite,
        "guard_install" => Advise::GuardInstall,
        "guard_remove" => Advise::GuardRemove,
        "pageout" => Advise::PageOut,
        "cold" => Advise::Cold,
        "willneed" => Advise::WillNeed,
        "hugepage" => Advise::HugePage,
        "nohugepage" => Advise::NoHugePage,
        "normal" => Advise::Normal,
        "random" => Advise::Random,
        "sequential" => Advise::Sequential,
        _ => return Err(format!("`{text}` is no advice")),
    })
}

fn operation(words: &[&str]) -> Result<Call, String> {
    match *words {
        ["machine", ref rest @ ..] => machine(rest),
        ["file", file, ref rest @ ..] => {
            let mut options = Options::new(rest);
            let pages = options.number("pages")?.ok_or("a file needs pages=N")?;
            let fill = options.number("fill")?.unwrap_or(0);
            options.end()?;
            if pages > PAGES {
                return Err("no file is that large".to_owned());
            }
            Ok(Call::File { name: name(file)?, pages, fill })
        }
        ["ksm", "run", ref rest @ ..] => {
            let mut options = Options::new(rest);
            let zero = options.number::<u8>("zero")?.unwrap_or(0) != 0;
            let most = options.number("max")?;
            options.end()?;
            Ok(Call::Merge { zero, most })
        }
        ["ksm", "unmerge"] => Ok(Call::Unmerge),
        ["snap", label] => Ok(Call::Snap { label: label.to_owned() }),
        [process, verb, ref rest @ ..] => call(&name(process)?, verb, rest),
        [word] => Err(format!("`{word}` alone is no operation")),
        [] => Err("nothing".to_owned()),
    }
}

fn machine(words: &[&str]) -> Result<Call, String> {
    let mut options = Options::new(words);
    let (ram, swap) = (options.number("ram")?, options.number("swap")?);
    let overcommit = match options.value("overcommit") {
        None => None,
        Some("0") => Some(Overcommit::Guess),
        Some("1") => Some(Overcommit::Always),
        Some("2") => Some(Overcommit::Never),
        Some(mode) => return Err(format!("`{mode}` is no mode of overcommit (0, 1, 2)")),
    };
    let ratio = options.number("ratio")?;
    let replacement = match options.value("replacement") {
        None => None,
        Some("clock") => Some(Replacement::Clock),
        Some("sharing") => Some(Replacement::Sharing),
        Some(policy) => return Err(format!("`{policy}` is no replacement (clock, sharing)")),
    };
    options.end()?;
    if ram.is_some_and(|ram| !(1..=RAM).contains(&ram)) {
        return Err(format!("ram is between 1 and {RAM} pages"));
    }
    Ok(Call::Machine { ram, swap, overcommit, ratio, replacement })
}

fn call(process: &str, verb: &str, rest: &[&str]) -> Result<Call, String> {
    let process = process.to_owned();
    let call = match (verb, rest) {
        ("mmap", [region, rest @ ..]) => return map(process, region, rest),
        ("write", [region, pages, rest @ ..]) => {
            let mut options = Options::new(rest);
            let step = options.number("step")?.unwrap_or(1);
            let value = options.number("")?.ok_or("a write needs =V")?;
            options.end()?;
            Call::Touch {
                process,
                place: place(region, pages)?,
                step,
                access: Access::Write { value },
            }
        }
        ("read", [region, pages, rest @ ..]) => {
            let mut options = Options::new(rest);
            let step = options.number("step")?.unwrap_or(1);
            let expect = options.number("expect")?;
            options.end()?;
            Call::Touch {
                process,
                place: place(region, pages)?,
                step,
                access: Access::Read { expect },
            }
        }
        ("fork", [child]) => Call::Fork { process, child: name(child)? },
        ("vfork", [child]) => Call::Vfork { process, child: name(child)? },
        ("posix_spawn", [child]) => Call::Spawn { process, child: name(child)? },
        ("exec", []) => Call::Exec { process, program: None },
        ("exec", [program]) => Call::Exec { process, program: Some((*program).to_owned()) },
        ("replay", [file]) => Call::Replay { process, file: (*file).to_owned() },
        ("exit", []) => Call::Exit { process },
        ("wait", [child]) => Call::Wait { process, child: name(child)? },
        ("munmap", [region, pages]) => Call::Unmap { process, place: place(region, pages)? },
        ("mlock", [region, pages]) => {
            Call::Lock { process, place: place(region, pages)?, locked: true }
        }
        ("munlock", [region, pages]) => {
            Call::Lock { process, place: place(region, pages)?, locked: false }
        }
        ("mprotect", [region, pages, kind]) => {
            Call::Protect { process, place: place(region, pages)?, protection: protection(kind)? }
        }
        ("mremap", [region, pages, to]) => {
            Call::Remap { process, place: place(region, pages)?, to: name(to)? }
        }
        ("madvise", [region, pages, advice]) => {
            Call::Advise { process, place: place(region, pages)?, advise: advise(advice)? }
        }
        ("brk", [pages]) => Call::Brk { process, pages: number(pages)? },
        ("rlimit_as", [pages]) => Call::LimitSpace { process, pages: number(pages)? },
        _ => return Err(format!("`{verb}` with {} words behind it is no operation", rest.len())),
    };
    if let Call::Touch { step: 0, .. } = call {
        return Err("step=0 never ends".to_owned());
    }
    Ok(call)
}

fn map(process: String, region: &str, rest: &[&str]) -> Result<Call, String> {
    let mut options = Options::new(rest);
    let pages = options.number("pages")?.ok_or("a mapping needs pages=N")?;
    let protection = options.value("prot").map_or(Ok(Protection::READ_WRITE), protection)?;
    let file = options.value("file").map(name).transpose()?;
    let offset = options.number("off")?.unwrap_or(0);
    let (shared, populate) = (options.flag("shared"), options.flag("populate"));
    let (unreserved, huge) = (options.flag("noreserve"), options.flag("thp"));
    options.end()?;
    if pages == 0 || pages > REGION {
        return Err(format!("a mapping has between 1 and {REGION} pages"));
    }
    if offset > PAGES {
        return Err("no file is that large".to_owned());
    }
    let region = name(region)?;
    Ok(Call::Map {
        process,
        region,
        pages,
        protection,
        file,
        offset,
        shared,
        populate,
        unreserved,
        huge,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_line_is_named_with_its_reason() {
        for (text, line, reason) in [
            ("A mmap H\n", 1, "pages=N"),
            ("A mmap H pages=4\nA write H 0..9", 2, "=V"),
            ("\n# nothing\nA read H 3..1", 3, "range"),
            ("A write H 0..1 =256", 1, "fits"),
            ("A write H 0..1 =1 step=0", 1, "never ends"),
            ("A mmap H pages=4 color=red", 1, "color=red"),
            ("A dance", 1, "dance"),
            ("A", 1, "alone"),
            ("A madvise H 0..1 sometimes", 1, "advice"),
            ("A fork 1B", 1, "no name"),
            ("A exit\nmachine ram=4", 2, "first line"),
        ] {
            let bad = parse(text).unwrap_err();
            assert_eq!(bad.line, line, "{text}");
            assert!(bad.reason.contains(reason), "{text}: {bad}");
        }
    }

    #[test]
    fn comments_and_spaces_do_not_count() {
        let operations = parse("  A   exit # the end\n\n#\n").unwrap();
        assert_eq!(operations.len(), 1);
        assert_eq!(operations[0].text, "A exit");
    }
}
