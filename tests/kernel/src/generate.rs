//! Random traces: the whole language, with weights under which most operations find something to do.
//!
//! The same seed, length and families give the same trace. Every trace can be replayed: no operation of a
//! process that is gone or asleep, no region that a process does not know.

use std::fmt::Write as _;

use crate::random::Random;

/// Parts of the language that may be left out.
pub(crate) const FAMILIES: &[&str] = &[
    "file", "shared", "ksm", "swap", "thp", "vfork", "exec", "mlock", "mremap", "guard",
    "populate", "rlimit", "free", "wipe", "mprotect", "munmap", "sparse",
];

const PROCESSES: usize = 5;

struct Region {
    name: String,
    pages: u64,
    /// The value last written, to expect it.
    value: u64,
}

struct Process {
    name: String,
    parent: Option<usize>,
    alive: bool,
    waited: bool,
    regions: Vec<Region>,
}

struct Generator<'a> {
    random: Random,
    without: &'a [String],
    text: String,
    processes: Vec<Process>,
    files: Vec<(String, u64)>,
    names: u64,
    ksm: bool,
    swap: bool,
    thp: bool,
    rlimit: bool,
}

/// A trace of so many operations (a few more, if one does not come alone).
pub(crate) fn generate(seed: u64, operations: u64, without: &[String]) -> String {
    let mut random = Random::new(seed);
    // Slow, noisy, or in the way of most that follows: not in every trace.
    let (ksm, swap, thp) = (random.one_in(4), random.one_in(12), random.one_in(5));
    let rlimit = random.one_in(8);
    let a = Process {
        name: "A".to_owned(),
        parent: None,
        alive: true,
        waited: false,
        regions: Vec::new(),
    };
    let mut generator = Generator {
        random,
        without,
        text: String::new(),
        processes: vec![a],
        files: Vec::new(),
        names: 0,
        ksm: false,
        swap: false,
        thp: false,
        rlimit: false,
    };
    generator.ksm = ksm && generator.with("ksm");
    generator.swap = swap && generator.with("swap");
    generator.thp = thp && generator.with("thp");
    generator.rlimit = rlimit && generator.with("rlimit");
    let options: String = without.iter().map(|family| format!(" --without {family}")).collect();
    let _ = writeln!(generator.text, "# generate --seed {seed} --ops {operations}{options}");
    if generator.with("file") {
        for name in ["f", "g"] {
            let pages = generator.random.range(10, 200);
            let fill = generator.random.range(0, 100);
            let _ = writeln!(generator.text, "file {name} pages={pages} fill={fill}");
            generator.files.push((name.to_owned(), pages));
        }
    }
    for number in 0..operations {
        generator.operation(number);
    }
    generator.text
}

impl Generator<'_> {
    fn with(&self, family: &str) -> bool {
        !self.without.iter().any(|other| other == family)
    }

    fn line(&mut self, at: usize, text: &str) {
        let _ = writeln!(self.text, "{} {text}", self.processes[at].name);
    }

    fn operation(&mut self, number: u64) {
        let living: Vec<usize> =
            (0..self.processes.len()).filter(|&at| self.processes[at].alive).collect();
        let at = *self.random.pick(&living);
        if self.processes[at].regions.is_empty() {
            return self.map(at);
        }
        let weight = |with: bool, n: u64| if with { n } else { 0 };
        let young = living.len() < PROCESSES;
        let weights = [
            10,
            30,
            20,
            weight(young, 9),
            weight(young && self.with("vfork"), 2),
            weight(at != 0, 3),
            weight(at != 0 && self.with("exec"), 1),
            weight(self.with("munmap"), 4),
            weight(self.with("mprotect"), 9),
            weight(self.with("mremap"), 3),
            weight(self.with("mlock"), 2),
            16,
            weight(self.rlimit, 2),
            weight(self.ksm, 5),
            4,
        ];
        match self.random.weighted(&weights) {
            0 => self.map(at),
            1 => self.write(at),
            2 => self.read(at),
            3 => {
                let child = self.child(at);
                let name = self.processes[child].name.clone();
                self.line(at, &format!("fork {name}"));
            }
            4 => self.vfork(at),
            5 => self.exit(at),
            6 => {
                self.line(at, "exec");
                self.processes[at].regions.clear();
                self.map(at);
            }
            7 => {
                let (region, from, mut to) = self.range(at);
                // Mostly little, or soon there are only holes.
                if !self.random.one_in(6) {
                    to = to.min(from + self.random.range(1, 40));
                }
                let name = self.region(at, region);
                self.line(at, &format!("munmap {name} {from}..{to}"));
            }
            8 => {
                let (region, from, to) = self.range(at);
                let name = self.region(at, region);
                let prot = *self.random.pick(&["r", "r", "rw", "rw", "rw", "rw", "none"]);
                self.line(at, &format!("mprotect {name} {from}..{to} {prot}"));
            }
            9 => self.remap(at),
            10 => {
                let (region, from, to) = self.range(at);
                let name = self.region(at, region);
                let call = *self.random.pick(&["mlock", "mlock", "munlock"]);
                self.line(at, &format!("{call} {name} {from}..{to}"));
            }
            11 => self.advise(at),
            12 => {
                let pages = self.random.range(0, 3000);
                self.line(at, &format!("rlimit_as {pages}"));
            }
            13 => self.merge(),
            _ => {
                let _ = writeln!(self.text, "snap s{number}");
            }
        }
    }

    fn name(&mut self) -> u64 {
        self.names += 1;
        self.names
    }

    fn region(&self, at: usize, region: usize) -> String {
        self.processes[at].regions[region].name.clone()
    }

    fn map(&mut self, at: usize) {
        let mut pages = match self.random.range(0, 20) {
            0..=9 => self.random.range(1, 65),
            10..=15 => self.random.range(1, 300),
            16..=18 => self.random.range(500, 1100),
            // More than a gigabyte, of which little is touched.
            _ if self.with("sparse") => self.random.range(262_000, 530_000),
            _ => self.random.range(500, 1100),
        };
        let name = format!("R{}", self.name());
        let mut text = String::new();
        let huge = self.thp && self.random.one_in(2);
        let mut file = false;
        if !huge && self.with("file") && self.random.one_in(3) {
            let (name, length) = self.random.pick(&self.files).clone();
            let _ = write!(text, " file={name}");
            if self.random.one_in(3) {
                let _ = write!(text, " off={}", self.random.range(0, length + 2));
            }
            // Mostly little beyond the end.
            if self.random.range(0, 3) != 0 {
                pages = pages.min(length + self.random.range(0, 4));
            }
            file = true;
        }
        if !huge && self.with("shared") && self.random.one_in(if file { 3 } else { 7 }) {
            text += " shared";
        }
        match self.random.range(0, 24) {
            0..=3 => text += " prot=r",
            4 => text += " prot=none",
            _ => {}
        }
        if self.with("populate") && pages < 2000 && self.random.one_in(10) {
            text += " populate";
        }
        if self.random.one_in(12) {
            text += " noreserve";
        }
        if huge {
            text += " thp";
        }
        self.line(at, &format!("mmap {name} pages={pages}{text}"));
        self.processes[at].regions.push(Region { name, pages, value: 0 });
    }

    /// A region and a part of it. Often all, sometimes a window's or a table's worth.
    fn range(&mut self, at: usize) -> (usize, u64, u64) {
        let region = self.random.range(0, self.processes[at].regions.len() as u64) as usize;
        let pages = self.processes[at].regions[region].pages;
        let (from, to) = match self.random.range(0, 8) {
            0 | 1 => (0, pages),
            2 => (0, self.random.range(1, pages + 1)),
            3 => (self.random.range(0, pages), pages),
            4 => {
                let unit = *self.random.pick(&[16, 512]);
                let from = self.random.range(0, pages) / unit * unit;
                (from, (from + unit).min(pages))
            }
            _ => {
                let from = self.random.range(0, pages);
                let length = self.random.range(1, (pages - from).min(100) + 1);
                (from, from + length)
            }
        };
        (region, from, to)
    }

    /// A step that keeps the number of accesses small.
    fn step(&mut self, from: u64, to: u64) -> u64 {
        match to - from {
            n if n > 2000 => self.random.range(n / 1000 + 1, n / 2),
            n if n > 1 && self.random.one_in(5) => self.random.range(1, n.min(40) + 1),
            _ => 1,
        }
    }

    fn write(&mut self, at: usize) {
        let (region, from, to) = self.range(at);
        let step = self.step(from, to);
        let value = self.random.range(0, 200);
        let name = self.region(at, region);
        let step = if step == 1 { String::new() } else { format!(" step={step}") };
        self.line(at, &format!("write {name} {from}..{to}{step} ={value}"));
        self.processes[at].regions[region].value = value;
    }

    fn read(&mut self, at: usize) {
        let (region, from, to) = self.range(at);
        let step = self.step(from, to);
        let Region { name, value, .. } = &self.processes[at].regions[region];
        let mut text = format!("read {name} {from}..{to}");
        if step != 1 {
            let _ = write!(text, " step={step}");
        }
        if self.random.range(0, 3) != 0 {
            let _ = write!(text, " expect={value}");
        }
        self.line(at, &text);
    }

    /// A new process that knows what its parent knows.
    fn child(&mut self, at: usize) -> usize {
        let name = format!("P{}", self.name());
        let copy = |r: &Region| Region { name: r.name.clone(), ..*r };
        let regions = self.processes[at].regions.iter().map(copy).collect();
        let child = Process { name, parent: Some(at), alive: true, waited: false, regions };
        self.processes.push(child);
        self.processes.len() - 1
    }

    /// The parent sleeps until the child is gone or another program: it does little before.
    fn vfork(&mut self, at: usize) {
        let child = self.child(at);
        let name = self.processes[child].name.clone();
        self.line(at, &format!("vfork {name}"));
        for _ in 0..self.random.range(0, 3) {
            if self.random.one_in(2) { self.write(child) } else { self.read(child) }
        }
        if self.random.one_in(2) {
            self.line(child, "exec");
            self.processes[child].regions.clear();
        } else {
            self.exit(child);
        }
    }

    fn exit(&mut self, at: usize) {
        self.line(at, "exit");
        self.processes[at].alive = false;
        if let Some(parent) = self.processes[at].parent
            && self.processes[parent].alive
            && !self.processes[at].waited
            && !self.random.one_in(4)
        {
            self.processes[at].waited = true;
            let name = self.processes[at].name.clone();
            self.line(parent, &format!("wait {name}"));
        }
    }

    fn remap(&mut self, at: usize) {
        let (region, from, to) = self.range(at);
        let name = self.region(at, region);
        let new = format!("R{}", self.name());
        self.line(at, &format!("mremap {name} {from}..{to} {new}"));
        let value = self.processes[at].regions[region].value;
        self.processes[at].regions.push(Region { name: new, pages: to - from, value });
    }

    fn advise(&mut self, at: usize) {
        let (region, from, to) = self.range(at);
        let small = to - from < 2000;
        let weight = |with: bool, n: u64| if with { n } else { 0 };
        let advice = [
            ("dontneed", 8),
            ("free", weight(self.with("free"), 3)),
            ("dontfork", 2),
            ("dofork", 2),
            ("wipeonfork", weight(self.with("wipe"), 2)),
            ("keeponfork", weight(self.with("wipe"), 1)),
            ("mergeable", weight(self.ksm, 12)),
            ("unmergeable", weight(self.ksm, 2)),
            ("populate_read", weight(small && self.with("populate"), 3)),
            ("populate_write", weight(small && self.with("populate"), 3)),
            ("guard_install", weight(small && self.with("guard"), 2)),
            ("guard_remove", weight(small && self.with("guard"), 2)),
            ("pageout", weight(self.swap, 25)),
            ("willneed", 1),
            ("hugepage", weight(self.thp, 2)),
            ("nohugepage", weight(self.thp, 1)),
        ];
        let (advice, _) = advice[self.random.weighted(&advice.map(|(_, weight)| weight))];
        let name = self.region(at, region);
        self.line(at, &format!("madvise {name} {from}..{to} {advice}"));
    }

    fn merge(&mut self) {
        let text = match self.random.range(0, 6) {
            0 => "ksm unmerge",
            1 => "ksm run zero=1",
            _ => "ksm run",
        };
        let _ = writeln!(self.text, "{text}");
    }
}
