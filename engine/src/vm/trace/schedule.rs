//! Who runs first after a fork: the operations of a trace in the order in which a scheduler would
//! have them.
//!
//! ```text
//! written        A fork B | A write | B write | A write | B exit
//! child first    A fork B | B write | B exit  | A write | A write
//! parent first   A fork B | A write | A write | B write | B exit
//! ```
//!
//! One processor: a process runs until it forks, waits for a child, sleeps because of a `vfork`, or
//! has nothing left to do. What a process does keeps its own order. Operations of the machine (`snap`,
//! `ksm`, `file`) stay where they are, and nobody passes them.

use std::collections::{HashMap, HashSet, VecDeque};

use super::parse::{Call, Operation};

/// Who runs first after a fork.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Schedule {
    /// Whoever comes first in the trace.
    #[default]
    Written,
    /// The child, until it ends, waits, or has nothing left to do.
    ChildFirst,
    /// The parent, until it waits, or has nothing left to do.
    ParentFirst,
}

impl Schedule {
    /// The trace in this order.
    pub fn order(self, trace: Vec<Operation>) -> Vec<Operation> {
        if self == Schedule::Written {
            return trace;
        }
        let mut out = Vec::with_capacity(trace.len());
        let mut part = Part::default();
        for operation in trace {
            match operation.call.process() {
                Some(process) => part.add(process.to_owned(), operation),
                None => {
                    std::mem::take(&mut part).run(self, &mut out);
                    out.push(operation);
                }
            }
        }
        part.run(self, &mut out);
        out
    }
}

/// Operations between two of the machine.
#[derive(Default)]
struct Part {
    /// What each process has still to do.
    queues: HashMap<String, VecDeque<Operation>>,
    /// Who has something to do, in the order of the trace.
    all: Vec<String>,
    /// Who may run, the next one first.
    ready: VecDeque<String>,
    /// Those that are born here: they are ready when they are.
    born: HashSet<String>,
    /// Waits for a child that has something to do.
    waiting: HashSet<String>,
}

impl Part {
    fn add(&mut self, process: String, operation: Operation) {
        if let Call::Fork { child, .. } | Call::Vfork { child, .. } | Call::Spawn { child, .. } =
            &operation.call
        {
            self.born.insert(child.clone());
        }
        if !self.queues.contains_key(&process) && !self.born.contains(&process) {
            self.ready.push_back(process.clone());
        }
        let queue = self.queues.entry(process.clone()).or_default();
        if queue.is_empty() {
            self.all.push(process);
        }
        queue.push_back(operation);
    }

    fn run(mut self, order: Schedule, out: &mut Vec<Operation>) {
        let child_first = order == Schedule::ChildFirst;
        // The parents that sleep until these execute something or end.
        let mut sleeping: HashMap<String, String> = HashMap::new();
        let mut left = std::mem::take(&mut self.all).into_iter();
        // At the end those whom nobody bore: the trace makes no sense, which is for others to say.
        while let Some(process) = self.ready.pop_front().or_else(|| left.next()) {
            let mut running = process;
            while let Some(operation) = self.queues.get_mut(&running).and_then(VecDeque::pop_front)
            {
                match &operation.call {
                    Call::Fork { child, .. } | Call::Spawn { child, .. } => {
                        let child = child.clone();
                        out.push(operation);
                        if child_first {
                            self.ready.push_front(std::mem::replace(&mut running, child));
                        } else {
                            self.ready.push_back(child);
                        }
                    }
                    Call::Vfork { child, .. } => {
                        let child = child.clone();
                        out.push(operation);
                        let parent = std::mem::replace(&mut running, child.clone());
                        sleeping.insert(child, parent);
                    }
                    Call::Wait { child, .. }
                        if self.has_work(child) && !self.waiting.contains(child) =>
                    {
                        let child = child.clone();
                        self.ready.retain(|ready| *ready != child);
                        self.queues.entry(running.clone()).or_default().push_front(operation);
                        self.waiting.insert(running.clone());
                        self.ready.push_front(std::mem::replace(&mut running, child));
                    }
                    Call::Exec { .. } | Call::Exit { .. } if sleeping.contains_key(&running) => {
                        out.push(operation);
                        let Some(parent) = sleeping.remove(&running) else { continue };
                        if child_first {
                            self.ready.push_front(parent);
                        } else {
                            self.ready.push_back(std::mem::replace(&mut running, parent));
                        }
                    }
                    call => {
                        if matches!(call, Call::Wait { .. }) {
                            self.waiting.remove(&running);
                        }
                        out.push(operation);
                    }
                }
            }
            // It did not execute anything here: its parent sleeps on, whatever the trace wants of it.
            if let Some(parent) = sleeping.remove(&running) {
                self.ready.push_front(parent);
            }
        }
    }

    fn has_work(&self, process: &str) -> bool {
        self.queues.get(process).is_some_and(|queue| !queue.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::parse, *};

    fn order(schedule: Schedule, trace: &str) -> Vec<String> {
        let trace = parse(trace).unwrap();
        schedule.order(trace).into_iter().map(|operation| operation.text).collect()
    }

    const TRACE: &str = "A mmap H pages=8\nA fork B\nA write H 0..1 =1\nB write H 0..1 =2\n\
                         B fork C\nC exit\nA write H 1..2 =1\nB wait C\nB exit\nA wait B\nsnap s\n\
                         A write H 2..3 =1\n";

    #[test]
    fn the_child_runs_until_it_ends() {
        let found = order(Schedule::ChildFirst, TRACE);
        let expected = "A mmap H pages=8\nA fork B\nB write H 0..1 =2\nB fork C\nC exit\nB wait C\n\
                        B exit\nA write H 0..1 =1\nA write H 1..2 =1\nA wait B\nsnap s\n\
                        A write H 2..3 =1";
        assert_eq!(found.join("\n"), expected);
    }

    #[test]
    fn the_parent_runs_until_it_waits() {
        let found = order(Schedule::ParentFirst, TRACE);
        let expected = "A mmap H pages=8\nA fork B\nA write H 0..1 =1\nA write H 1..2 =1\n\
                        B write H 0..1 =2\nB fork C\nC exit\nB wait C\nB exit\nA wait B\nsnap s\n\
                        A write H 2..3 =1";
        assert_eq!(found.join("\n"), expected);
    }

    #[test]
    fn a_parent_sleeps_until_its_vforked_child_executes() {
        let trace = "A mmap H pages=8\nA vfork B\nB write H 0..1 =2\nB exec\nB mmap I pages=1\n\
                     A write H 1..2 =1\n";
        let behind = |schedule| order(schedule, trace)[4].clone();
        assert_eq!(behind(Schedule::ChildFirst), "B mmap I pages=1");
        assert_eq!(behind(Schedule::ParentFirst), "A write H 1..2 =1");
    }

    /// Whatever the trace, also one that makes no sense.
    #[test]
    fn nothing_is_lost_and_nobody_is_overtaken_by_himself() {
        let words = ["fork", "vfork", "wait", "exit", "exec", "write H 0..1 =1"];
        for seed in 0..2000 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut text = String::new();
            for _ in 0..rng.usize(1..40) {
                let mut name = || ["A", "B", "C", "D", "E"][rng.usize(..5)];
                let (process, other) = (name(), name());
                text += &match words[rng.usize(..6)] {
                    word @ ("fork" | "vfork" | "wait") => format!("{process} {word} {other}\n"),
                    word => format!("{process} {word}\n"),
                };
                if rng.u8(..8) == 0 {
                    text += "snap s\n";
                }
            }
            let trace = parse(&text).unwrap();
            for schedule in [Schedule::ChildFirst, Schedule::ParentFirst] {
                let found = schedule.order(trace.clone());
                let of = |trace: &[Operation], process: Option<&str>| -> Vec<usize> {
                    let mine = trace.iter().filter(|op| op.call.process() == process);
                    mine.map(|operation| operation.line).collect()
                };
                for process in [Some("A"), Some("B"), Some("C"), Some("D"), Some("E"), None] {
                    assert_eq!(of(&found, process), of(&trace, process), "{schedule:?}\n{text}");
                }
            }
        }
    }
}
