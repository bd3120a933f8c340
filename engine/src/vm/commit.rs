//! Overcommit: how much memory may be promised, before any of it is touched.
//!
//! Charged are private writable mappings, when they are made, made writable, or forked, and shared
//! anonymous memory when it is made. The formulas are Linux's (`__vm_enough_memory`, since 5.2).

/// When a promise of memory is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overcommit {
    /// Mode 0: when a single request exceeds all memory and swap.
    #[default]
    Guess,
    /// Mode 1: never.
    Always,
    /// Mode 2: when all promises together would exceed the commit limit.
    Never,
}

/// The account of what was promised.
#[derive(Debug, Clone)]
pub struct Commit {
    /// When a request is refused.
    pub mode: Overcommit,
    /// Percent of memory that the commit limit counts (`overcommit_ratio`).
    pub ratio: u64,
    /// Or so many pages, instead of a part of memory (`overcommit_kbytes`).
    pub fixed: Option<u64>,
    /// Pages kept back from processes without privileges: 8 MiB.
    pub reserved_for_admin: u64,
    /// And most that are kept back so that a user can still act: 128 MiB.
    pub reserved_for_user: u64,
    /// Processes are privileged: nothing is kept back for the administrator.
    pub privileged: bool,
    pub(crate) memory: u64,
    pub(crate) swap: u64,
    pub(crate) promised: u64,
}

impl Commit {
    pub(crate) fn new(memory: u64, swap: u64) -> Commit {
        Commit {
            mode: Overcommit::Guess,
            ratio: 50,
            fixed: None,
            reserved_for_admin: 2048,
            reserved_for_user: 32768,
            privileged: false,
            memory,
            swap,
            promised: 0,
        }
    }

    /// Pages promised so far.
    pub fn promised(&self) -> u64 {
        self.promised
    }

    /// The commit limit, in pages.
    pub fn limit(&self) -> u64 {
        let memory = self.fixed.unwrap_or(self.memory * self.ratio / 100);
        memory + self.swap
    }

    /// Promises `pages` to a process that has `total` already, or refuses.
    pub(crate) fn charge(&mut self, pages: u64, total: u64) -> bool {
        let granted = match self.mode {
            Overcommit::Always => true,
            Overcommit::Guess => pages <= self.memory + self.swap,
            Overcommit::Never => {
                let mut allowed = self.limit();
                if !self.privileged {
                    allowed = allowed.saturating_sub(self.reserved_for_admin);
                }
                allowed = allowed.saturating_sub((total / 32).min(self.reserved_for_user));
                self.promised + pages < allowed
            }
        };
        if granted {
            self.promised += pages;
        }
        granted
    }

    /// Takes a promise back.
    pub(crate) fn uncharge(&mut self, pages: u64) {
        self.promised = self.promised.saturating_sub(pages);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAM: u64 = 6_171_021;

    #[test]
    fn mode_0_refuses_only_what_is_more_than_everything() {
        let mut commit = Commit::new(RAM, 0);
        assert!(commit.charge(RAM, 0));
        assert!(commit.charge(RAM, 0), "together they may exceed it");
        assert!(!commit.charge(RAM + 1, 0));
    }

    #[test]
    fn mode_2_refuses_what_would_exceed_the_commit_limit() {
        let mut commit = Commit::new(RAM, 1000);
        commit.mode = Overcommit::Never;
        commit.privileged = true;
        assert_eq!(commit.limit(), RAM / 2 + 1000);
        assert!(!commit.charge(commit.limit(), 0), "strictly less");
        assert!(commit.charge(commit.limit() - 1, 0));
        assert!(!commit.charge(1, 0));
        commit.privileged = false;
        commit.uncharge(RAM);
        assert!(!commit.charge(commit.limit() - 2048, 0));
        assert!(!commit.charge(commit.limit() - 2048 - 100, 3200));
        assert!(commit.charge(commit.limit() - 2048 - 101, 3200 + 31));
    }
}
