//! Replays a trace: one real process for each of the trace's, and an answer for each line.
//!
//! [`replay`] gives the text whole or an error; whatever it changed in the system is put back, also if it
//! is interrupted.

use std::{
    fmt::Write as _,
    fs, io,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread::sleep,
    time::Duration,
};

use crate::{
    files::Files,
    kinds::{Area, Kinds},
    pages::{Frames, Page},
    process::{Sockets, status},
    report::{error, report},
    system::{Ksm, Setting, Swap, no_collapse},
    trace::{Act, Line, Map, Op, PAGEOUT, Prot, Range},
    wire::{PATH, Reply, Request, What},
};

/// Set by the handler of SIGINT and SIGTERM.
pub(crate) static INTERRUPTED: AtomicBool = AtomicBool::new(false);

const PAGE: u64 = 4096;
const FIRST: u64 = 0x2000_0000_0000;
const ALIGN: u64 = 8 << 30;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A region as one process has it.
#[derive(Clone)]
pub(crate) struct Region {
    pub(crate) name: String,
    pub(crate) address: u64,
    pub(crate) pages: u64,
    pub(crate) area: Area,
}

/// A process of the trace.
pub(crate) struct Process {
    pub(crate) name: String,
    pid: i32,
    /// Which of the sockets is its own.
    socket: usize,
    /// Page tables, in pages, of the agent itself.
    base: i64,
    pub(crate) regions: Vec<Region>,
    minor: i64,
    major: i64,
    pub(crate) alive: bool,
    /// Bytes of address space that it may have.
    limit: Option<u64>,
    /// The parent that sleeps until this process leaves its memory.
    wakes: Option<usize>,
    asleep: bool,
}

pub(crate) struct Driver {
    pub(crate) text: String,
    // From here on in the order in which they are dropped: first the processes go, then the rest is put back.
    sockets: Sockets,
    pub(crate) frames: Frames,
    pub(crate) processes: Vec<Process>,
    /// Sockets that are taken.
    born: usize,
    next: u64,
    _family: Family,
    files: Files,
    ksm: Option<Ksm>,
    _collapse: Option<Setting>,
    _swap: Option<Swap>,
}

/// Waits for all processes when dropped: with the driver's sockets closed, they leave by themselves.
struct Family;

impl Drop for Family {
    fn drop(&mut self) {
        // SAFETY: no status is asked for. Orphans are this process's children, too.
        while unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) } > 0
            || io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
        {}
    }
}

/// Runs a trace and tells what happened. Files are made in `folder`.
pub(crate) fn replay(lines: &[Line], folder: &Path) -> Result<String> {
    let acts = || {
        lines.iter().filter_map(|line| {
            if let Op::Process { act, .. } = &line.op { Some(act) } else { None }
        })
    };
    let births = acts().filter(|act| matches!(act, Act::Fork(_) | Act::Vfork(_))).count();
    let swap = acts().any(|act| matches!(act, Act::Advise(_, PAGEOUT)));
    let thp = acts().any(|act| {
        matches!(act, Act::Map(map) if map.thp) || matches!(act, Act::Advise(_, 14 | 25))
    });
    let ksm = lines.iter().any(|line| matches!(line.op, Op::KsmRun { .. } | Op::KsmUnmerge));

    let swap =
        if swap { Some(Swap::new(folder).map_err(|e| format!("no swap: {e}"))?) } else { None };
    let collapse = if thp { Some(no_collapse()?) } else { None };
    let ksm = if ksm { Some(Ksm::new()?) } else { None };
    let frames = Frames::open()?;
    let sockets = Sockets::new(births + 1)?;
    sockets.start()?;
    let mut driver = Driver {
        text: String::new(),
        sockets,
        frames,
        processes: Vec::new(),
        born: 1,
        next: FIRST,
        _family: Family,
        files: Files::new(folder),
        ksm,
        _collapse: collapse,
        _swap: swap,
    };
    let pid = driver.sockets.answer(0)?.pid;
    driver.processes.push(Process {
        name: "A".to_owned(),
        pid,
        socket: 0,
        base: status(pid, "VmPTE")?,
        regions: Vec::new(),
        minor: 0,
        major: 0,
        alive: true,
        limit: None,
        wakes: None,
        asleep: false,
    });
    for line in lines {
        if INTERRUPTED.load(Ordering::Relaxed) {
            return Err("interrupted".into());
        }
        driver.line(line).map_err(|e| format!("{}: {e}", line.text))?;
    }
    driver.snap("end")?;
    for Process { name, minor, major, alive, .. } in &driver.processes {
        let state = if *alive { "alive" } else { "exited" };
        let _ = writeln!(driver.text, "proc {name} min={minor} maj={major} {state}");
    }
    Ok(std::mem::take(&mut driver.text))
}

impl Driver {
    fn line(&mut self, line: &Line) -> Result<()> {
        let answer = match &line.op {
            Op::File { name, pages, fill } => {
                self.files.create(name, *pages, *fill)?;
                String::new()
            }
            Op::Snap(_) => String::new(),
            Op::KsmRun { zero, max } => {
                self.ksm.as_ref().ok_or("no merger")?.run(*zero, *max)?;
                format!(" => {}", Ksm::text())
            }
            Op::KsmUnmerge => {
                self.ksm.as_ref().ok_or("no merger")?.unmerge()?;
                format!(" => {}", Ksm::text())
            }
            Op::Process { name, act } => {
                let at = self.find(name)?;
                format!(" => {}", self.act(at, act)?)
            }
        };
        let _ = writeln!(self.text, "{}{answer}", line.text);
        if let Op::Snap(label) = &line.op {
            self.snap(label)?;
        }
        Ok(())
    }

    fn find(&self, name: &str) -> Result<usize> {
        let at = self.processes.iter().position(|p| p.name == name);
        let at = at.ok_or_else(|| format!("no process {name}"))?;
        match &self.processes[at] {
            p if !p.alive => Err(format!("{name} has exited").into()),
            p if p.asleep => Err(format!("{name} sleeps until its child leaves its memory").into()),
            _ => Ok(at),
        }
    }

    fn act(&mut self, at: usize, act: &Act) -> Result<String> {
        match act {
            Act::Map(map) => self.map(at, map),
            Act::Write { range, step, value } => {
                let request = Request {
                    value: i32::from(*value),
                    other: step * PAGE,
                    ..Request::new(What::Write)
                };
                self.measure(at, range, request)
            }
            Act::Read { range, step, expect } => {
                let request = Request {
                    value: expect.map_or(-1, i32::from),
                    other: step * PAGE,
                    ..Request::new(What::Read)
                };
                self.measure(at, range, request)
            }
            Act::Unmap(range) => self.measure(at, range, Request::new(What::Unmap)),
            Act::Lock(range) => self.measure(at, range, Request::new(What::Lock)),
            Act::Unlock(range) => self.measure(at, range, Request::new(What::Unlock)),
            Act::Protect(range, prot) => self.measure(
                at,
                range,
                Request { value: bits(*prot), ..Request::new(What::Protect) },
            ),
            Act::Advise(range, advice) => {
                self.measure(at, range, Request { value: *advice, ..Request::new(What::Advise) })
            }
            Act::Remap(range, new) => self.remap(at, range, new),
            Act::Fork(child) => self.fork(at, child),
            Act::Vfork(child) => self.vfork(at, child),
            Act::Exec => self.exec(at),
            Act::Exit => self.exit(at),
            Act::Wait(child) => self.wait(at, child),
            Act::LimitAs(pages) => {
                let now = status(self.processes[at].pid, "VmSize")? as u64;
                let limit = (now + pages) * PAGE;
                let reply = self.limit(at, limit)?;
                self.processes[at].limit = Some(limit);
                Ok(if reply.error == 0 { "ok".to_owned() } else { error(reply.error) })
            }
        }
    }

    /// Asks and waits for the answer, and adds up the faults.
    fn call(&mut self, at: usize, request: &Request) -> Result<Reply> {
        let process = &mut self.processes[at];
        self.sockets.ask(process.socket, request)?;
        let reply = self.sockets.answer(process.socket)?;
        process.minor += reply.minor;
        process.major += reply.major;
        Ok(reply)
    }

    pub(crate) fn pages(&self, at: usize, region: &Region) -> Result<Vec<Page>> {
        Ok(self.frames.pages(self.processes[at].pid, region.address, region.pages)?)
    }

    /// A request of a part of a region, with what it did to the region.
    fn measure(&mut self, at: usize, range: &Range, mut request: Request) -> Result<String> {
        let process = &self.processes[at];
        let region = process.regions.iter().find(|region| region.name == range.region);
        let region = region.ok_or_else(|| format!("no region {}", range.region))?.clone();
        request.addr = region.address + range.from * PAGE;
        request.len = (range.to - range.from) * PAGE;
        let before = self.pages(at, &region)?;
        let tables = status(self.processes[at].pid, "VmPTE")?;
        let reply = self.call(at, &request)?;
        if request.what == What::Advise && request.value == PAGEOUT {
            // What is still being written is treated differently from what has been.
            sleep(Duration::from_millis(30));
        }
        let tables = status(self.processes[at].pid, "VmPTE")? - tables;
        let after = self.pages(at, &region)?;
        let kinds = Kinds::between(region.area, &before, &after);
        Ok(report(&region, &request, &reply, &kinds, tables))
    }

    /// The address of a new region: never used before, with a gap before it.
    fn place(&mut self, pages: u64) -> u64 {
        let address = self.next;
        self.next = ((address + pages * PAGE) / ALIGN + 1) * ALIGN;
        address
    }

    fn map(&mut self, at: usize, map: &Map) -> Result<String> {
        let area = match map {
            Map { shared: true, .. } => Area::Shared,
            Map { file: Some(_), .. } => Area::PrivateFile,
            _ => Area::Anon,
        };
        let address = self.place(map.pages);
        let region = Region { name: map.region.clone(), address, pages: map.pages, area };
        if self.processes[at].regions.iter().any(|other| other.name == region.name) {
            return Err("there is a region of this name".into());
        }
        let flag = |set: bool, flag: i32| if set { flag } else { 0 };
        let mut request = Request {
            addr: address,
            len: map.pages * PAGE,
            value: bits(map.prot),
            other: map.offset * PAGE,
            huge: u32::from(map.thp),
            flags: libc::MAP_FIXED_NOREPLACE
                | if map.shared { libc::MAP_SHARED } else { libc::MAP_PRIVATE }
                | flag(map.file.is_none(), libc::MAP_ANONYMOUS)
                | flag(map.populate, libc::MAP_POPULATE)
                | flag(map.noreserve, libc::MAP_NORESERVE),
            ..Request::new(What::Map)
        };
        if let Some(file) = &map.file {
            let path = self.files.path(file).ok_or_else(|| format!("no file {file}"))?;
            let bytes = path.as_os_str().as_encoded_bytes();
            if bytes.len() >= PATH {
                return Err("the folder's name is too long".into());
            }
            request.path[..bytes.len()].copy_from_slice(bytes);
        }
        let tables = status(self.processes[at].pid, "VmPTE")?;
        let reply = self.call(at, &request)?;
        let tables = status(self.processes[at].pid, "VmPTE")? - tables;
        let after = self.pages(at, &region)?;
        let kinds = Kinds::between(area, &vec![Page::None; after.len()], &after);
        let text = report(&region, &request, &reply, &kinds, tables);
        // Also if it failed: a region without any mapping.
        self.processes[at].regions.push(region);
        Ok(text)
    }

    fn remap(&mut self, at: usize, range: &Range, new: &str) -> Result<String> {
        let regions = &self.processes[at].regions;
        if regions.iter().any(|other| other.name == new) {
            return Err("there is a region of this name".into());
        }
        let region = regions.iter().find(|region| region.name == range.region);
        let region = region.ok_or_else(|| format!("no region {}", range.region))?.clone();
        let pages = range.to - range.from;
        let moved = Region { name: new.to_owned(), address: self.place(pages), pages, ..region };
        let request = Request {
            addr: region.address + range.from * PAGE,
            len: pages * PAGE,
            other: moved.address,
            ..Request::new(What::Remap)
        };
        let before = self.frames.pages(self.processes[at].pid, request.addr, pages)?;
        let tables = status(self.processes[at].pid, "VmPTE")?;
        let reply = self.call(at, &request)?;
        let tables = status(self.processes[at].pid, "VmPTE")? - tables;
        // Pages that went where they should are no change.
        let after = if reply.error == 0 {
            self.pages(at, &moved)?
        } else {
            self.frames.pages(self.processes[at].pid, request.addr, pages)?
        };
        let kinds = Kinds::between(moved.area, &before, &after);
        let text = report(&moved, &request, &reply, &kinds, tables);
        self.processes[at].regions.push(moved);
        Ok(text)
    }

    fn birth(&mut self, at: usize, child: &str, what: What) -> Result<(usize, Request)> {
        if self.processes.iter().any(|p| p.name == child) {
            return Err(format!("there was a process {child}").into());
        }
        let socket = self.born;
        self.born += 1;
        let flags = self.sockets.agents(socket);
        let request = Request { flags, ..Request::new(what) };
        self.sockets.ask(self.processes[at].socket, &request)?;
        Ok((socket, request))
    }

    fn child(
        &mut self,
        at: usize,
        name: &str,
        socket: usize,
        pid: i32,
        wakes: Option<usize>,
    ) -> Result<String> {
        let Process { base, limit, ref regions, .. } = self.processes[at];
        let regions = regions.clone();
        self.processes.push(Process {
            name: name.to_owned(),
            pid,
            socket,
            base,
            regions,
            minor: 0,
            major: 0,
            alive: true,
            limit,
            wakes,
            asleep: false,
        });
        Ok(format!("child_pt={}", status(pid, "VmPTE")? - base))
    }

    fn fork(&mut self, at: usize, child: &str) -> Result<String> {
        let (socket, _) = self.birth(at, child, What::Fork)?;
        let reply = self.sockets.answer(self.processes[at].socket)?;
        if reply.error != 0 {
            return Ok(error(reply.error));
        }
        self.sockets.answer(socket)?;
        self.child(at, child, socket, reply.pid, None)
    }

    fn vfork(&mut self, at: usize, child: &str) -> Result<String> {
        let (socket, _) = self.birth(at, child, What::Vfork)?;
        let reply = self.sockets.answer(socket)?;
        self.processes[at].asleep = true;
        self.child(at, child, socket, reply.pid, Some(at))
    }

    /// The parent of a child that left its memory goes on.
    fn wake(&mut self, at: usize) -> Result<()> {
        if let Some(parent) = self.processes[at].wakes.take() {
            self.sockets.answer(self.processes[parent].socket)?;
            self.processes[parent].asleep = false;
        }
        Ok(())
    }

    fn limit(&mut self, at: usize, bytes: u64) -> Result<Reply> {
        self.call(at, &Request { other: bytes, ..Request::new(What::LimitAs) })
    }

    fn exec(&mut self, at: usize) -> Result<String> {
        let limit = self.processes[at].limit;
        if limit.is_some() {
            // The loader of programs maps more for a while than the agent will.
            self.limit(at, libc::RLIM_INFINITY)?;
        }
        let socket = self.processes[at].socket;
        self.sockets.ask(socket, &Request::new(What::Exec))?;
        let reply = self.sockets.answer(socket)?;
        if reply.error != 0 {
            return Ok(error(reply.error));
        }
        self.wake(at)?;
        if let Some(limit) = limit {
            self.limit(at, limit)?;
        }
        let process = &mut self.processes[at];
        process.regions.clear();
        process.base = status(process.pid, "VmPTE")?;
        Ok("regions=0".to_owned())
    }

    fn exit(&mut self, at: usize) -> Result<String> {
        let socket = self.processes[at].socket;
        self.sockets.ask(socket, &Request::new(What::Exit))?;
        self.sockets.answer(socket)?;
        self.wake(at)?;
        let process = &mut self.processes[at];
        process.alive = false;
        // Until its memory is gone.
        while fs::read_to_string(format!("/proc/{}/stat", process.pid))
            .is_ok_and(|stat| !stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')))
        {
            sleep(Duration::from_micros(200));
        }
        Ok(format!("total min={} maj={}", process.minor, process.major))
    }

    fn wait(&mut self, at: usize, child: &str) -> Result<String> {
        let found = self.processes.iter().find(|p| p.name == child);
        let child = found.ok_or_else(|| format!("no process {child}"))?;
        if child.alive {
            return Err("the child is alive: this would wait for ever".into());
        }
        let request = Request { flags: child.pid, ..Request::new(What::Wait) };
        let reply = self.call(at, &request)?;
        Ok(if reply.error == 0 { "ok".to_owned() } else { error(reply.error) })
    }
}

fn bits(prot: Prot) -> i32 {
    match prot {
        Prot::None => libc::PROT_NONE,
        Prot::Read => libc::PROT_READ,
        Prot::ReadWrite => libc::PROT_READ | libc::PROT_WRITE,
    }
}
