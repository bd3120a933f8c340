//! Names for what happened to pages, from how they were before and after.

use std::fmt::Write as _;

use crate::pages::Page;

/// What sort of memory a region is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Area {
    Anon,
    PrivateFile,
    /// A file's or anonymous.
    Shared,
}

/// In the order in which they are printed.
const NAMES: [&str; 12] = [
    "zfill", "zmap", "zbreak", "copy", "kcopy", "fmap", "fcow", "fbreak", "drop", "merged",
    "swapin", "swapout",
];

const FMAP: usize = 5;

/// How many pages changed in which way.
#[derive(Default)]
pub(crate) struct Kinds([u64; NAMES.len()]);

impl Kinds {
    /// Compares page by page.
    pub(crate) fn between(area: Area, before: &[Page], after: &[Page]) -> Self {
        let mut kinds = Self::default();
        for (before, after) in before.iter().zip(after) {
            if let Some(kind) = kind(area, *before, *after) {
                let at = NAMES.iter().position(|name| *name == kind).expect("a known name");
                kinds.0[at] += 1;
            }
        }
        kinds
    }

    /// Those that there are, each with a space before it.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (name, n) in NAMES.iter().zip(self.0).filter(|(_, n)| *n != 0) {
            let _ = write!(text, " {name}={n}");
        }
        text
    }

    /// Whether file pages were mapped.
    pub(crate) fn file_pages(&self) -> bool {
        self.0[FMAP] != 0
    }

    /// Faults that no changed page accounts for. File pages do not count: one fault maps many, or, of
    /// shared memory that is `written`, one.
    pub(crate) fn rest(&self, faults: u64, written: bool) -> u64 {
        let pages = self.0[..8].iter().sum::<u64>() + self.0[10];
        faults.saturating_sub(if written { pages } else { pages - self.0[FMAP] })
    }
}

fn kind(area: Area, before: Page, after: Page) -> Option<&'static str> {
    use Page::{Anon, File, Guard, Ksm, None as Absent, Swap, Zero};
    Some(match (before, after) {
        (Absent | Guard, Anon(_)) if area == Area::PrivateFile => "fcow",
        (Absent | Guard, Anon(_)) => "zfill",
        (Absent | Guard, Zero) => "zmap",
        (Absent | Guard, File(_)) => "fmap",
        (Zero, Anon(_)) => "zbreak",
        (Anon(old), Anon(new)) if old != new => "copy",
        (Ksm(_), Anon(_)) => "kcopy",
        (File(_), Anon(_)) => "fbreak",
        (Swap(_), Anon(_) | Ksm(_) | File(_)) => "swapin",
        (Anon(_), Ksm(_) | Zero) => "merged",
        (Anon(_) | Ksm(_), Swap(_)) => "swapout",
        (Anon(_) | Ksm(_) | Zero | File(_) | Swap(_), Absent | Guard) => "drop",
        _ => return None,
    })
}
