//! The trace language: one operation per line, `#` begins a comment.
//!
//! [`parse`] gives the operations in order, each with its text as it is echoed. It knows syntax only:
//! whether a process or a region exists is for the driver to say.

/// What a trace asks for, line by line.
pub(crate) struct Line {
    /// The line without its comment, for the answer.
    pub(crate) text: String,
    pub(crate) op: Op,
}

/// Permissions of a region.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prot {
    None,
    Read,
    ReadWrite,
}

/// A new region.
pub(crate) struct Map {
    pub(crate) region: String,
    pub(crate) pages: u64,
    pub(crate) prot: Prot,
    pub(crate) file: Option<String>,
    pub(crate) offset: u64,
    pub(crate) shared: bool,
    pub(crate) populate: bool,
    pub(crate) noreserve: bool,
    pub(crate) thp: bool,
}

/// Pages of a region, `from` inclusive, `to` exclusive.
pub(crate) struct Range {
    pub(crate) region: String,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// An operation of one process.
pub(crate) enum Act {
    Map(Map),
    Write {
        range: Range,
        step: u64,
        value: u8,
    },
    Read {
        range: Range,
        step: u64,
        expect: Option<u8>,
    },
    Fork(String),
    Vfork(String),
    Exec,
    Exit,
    Wait(String),
    Unmap(Range),
    Lock(Range),
    Unlock(Range),
    Protect(Range, Prot),
    Remap(Range, String),
    /// The advice by its number.
    Advise(Range, i32),
    LimitAs(u64),
}

/// One operation.
pub(crate) enum Op {
    File { name: String, pages: u64, fill: u8 },
    Process { name: String, act: Act },
    KsmRun { zero: bool, max: Option<u64> },
    KsmUnmerge,
    Snap(String),
}

/// The advices, by the name that a trace uses.
pub(crate) const ADVICE: &[(&str, i32)] = &[
    ("normal", 0),
    ("random", 1),
    ("sequential", 2),
    ("willneed", 3),
    ("dontneed", 4),
    ("free", 8),
    ("remove", 9),
    ("dontfork", 10),
    ("dofork", 11),
    ("mergeable", 12),
    ("unmergeable", 13),
    ("hugepage", 14),
    ("nohugepage", 15),
    ("wipeonfork", 18),
    ("keeponfork", 19),
    ("cold", 20),
    ("pageout", PAGEOUT),
    ("populate_read", 22),
    ("populate_write", 23),
    ("dontneed_locked", 24),
    ("collapse", 25),
    ("guard_install", 102),
    ("guard_remove", 103),
];

/// The advice that needs swap.
pub(crate) const PAGEOUT: i32 = 21;

/// Reads a whole trace.
pub(crate) fn parse(text: &str) -> Result<Vec<Line>, String> {
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let op = operation(&words).map_err(|e| format!("line {}: {e}: {line}", number + 1))?;
        lines.push(Line { text: line.to_owned(), op });
    }
    Ok(lines)
}

fn operation(words: &[&str]) -> Result<Op, String> {
    match words {
        ["file", name, options @ ..] => {
            let (mut pages, mut fill) = (None, 0);
            for option in options {
                match option.split_once('=') {
                    Some(("pages", n)) => pages = Some(number(n)?),
                    Some(("fill", v)) => fill = byte(v)?,
                    _ => return Err(format!("unknown option {option}")),
                }
            }
            let pages = pages.ok_or("pages= is missing")?;
            Ok(Op::File { name: (*name).to_owned(), pages, fill })
        }
        ["ksm", "run", options @ ..] => {
            let (mut zero, mut max) = (false, None);
            for option in options {
                match option.split_once('=') {
                    Some(("zero", v)) => zero = v != "0",
                    Some(("max", n)) => max = Some(number(n)?),
                    _ => return Err(format!("unknown option {option}")),
                }
            }
            Ok(Op::KsmRun { zero, max })
        }
        ["ksm", "unmerge"] => Ok(Op::KsmUnmerge),
        ["snap", label] => Ok(Op::Snap((*label).to_owned())),
        [name, rest @ ..] => Ok(Op::Process { name: (*name).to_owned(), act: act(rest)? }),
        [] => Err("nothing".to_owned()),
    }
}

fn act(words: &[&str]) -> Result<Act, String> {
    let owned = |s: &&str| (*s).to_owned();
    Ok(match words {
        ["mmap", region, options @ ..] => Act::Map(map(region, options)?),
        ["write", region, pages, options @ ..] => {
            let (mut step, mut value) = (1, None);
            for option in options {
                match option.split_once('=') {
                    Some(("step", n)) => step = number(n)?.max(1),
                    Some(("", v)) => value = Some(byte(v)?),
                    _ => return Err(format!("unknown option {option}")),
                }
            }
            let value = value.ok_or("=value is missing")?;
            Act::Write { range: range(region, pages)?, step, value }
        }
        ["read", region, pages, options @ ..] => {
            let (mut step, mut expect) = (1, None);
            for option in options {
                match option.split_once('=') {
                    Some(("step", n)) => step = number(n)?.max(1),
                    Some(("expect", v)) => expect = Some(byte(v)?),
                    _ => return Err(format!("unknown option {option}")),
                }
            }
            Act::Read { range: range(region, pages)?, step, expect }
        }
        ["fork", child] => Act::Fork(owned(child)),
        ["vfork", child] => Act::Vfork(owned(child)),
        ["exec"] => Act::Exec,
        ["exit"] => Act::Exit,
        ["wait", child] => Act::Wait(owned(child)),
        ["munmap", region, pages] => Act::Unmap(range(region, pages)?),
        ["mlock", region, pages] => Act::Lock(range(region, pages)?),
        ["munlock", region, pages] => Act::Unlock(range(region, pages)?),
        ["mprotect", region, pages, prot] => Act::Protect(range(region, pages)?, protection(prot)?),
        ["mremap", region, pages, new] => Act::Remap(range(region, pages)?, owned(new)),
        ["madvise", region, pages, advice] => {
            let known = ADVICE.iter().find(|(name, _)| name == advice);
            let (_, advice) = known.ok_or_else(|| format!("unknown advice {advice}"))?;
            Act::Advise(range(region, pages)?, *advice)
        }
        ["rlimit_as", n] => Act::LimitAs(number(n)?),
        _ => return Err("unknown operation".to_owned()),
    })
}

fn map(region: &str, options: &[&str]) -> Result<Map, String> {
    let mut map = Map {
        region: region.to_owned(),
        pages: 0,
        prot: Prot::ReadWrite,
        file: None,
        offset: 0,
        shared: false,
        populate: false,
        noreserve: false,
        thp: false,
    };
    for option in options {
        match option.split_once('=') {
            Some(("pages", n)) => map.pages = number(n)?,
            Some(("prot", p)) => map.prot = protection(p)?,
            Some(("file", f)) => map.file = Some(f.to_owned()),
            Some(("off", k)) => map.offset = number(k)?,
            None if *option == "shared" => map.shared = true,
            None if *option == "populate" => map.populate = true,
            None if *option == "noreserve" => map.noreserve = true,
            None if *option == "thp" => map.thp = true,
            _ => return Err(format!("unknown option {option}")),
        }
    }
    if map.pages == 0 { Err("pages= is missing".to_owned()) } else { Ok(map) }
}

fn range(region: &str, pages: &str) -> Result<Range, String> {
    let (from, to) = pages.split_once("..").ok_or("pages are a..b")?;
    let (from, to) = (number(from)?, number(to)?);
    if from >= to {
        return Err("an empty range".to_owned());
    }
    Ok(Range { region: region.to_owned(), from, to })
}

fn protection(word: &str) -> Result<Prot, String> {
    match word {
        "none" => Ok(Prot::None),
        "r" => Ok(Prot::Read),
        "rw" => Ok(Prot::ReadWrite),
        _ => Err(format!("unknown protection {word}")),
    }
}

fn number(word: &str) -> Result<u64, String> {
    word.parse().map_err(|_| format!("no number: {word}"))
}

fn byte(word: &str) -> Result<u8, String> {
    word.parse().map_err(|_| format!("no byte: {word}"))
}
