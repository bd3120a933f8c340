//! A run as a picture: what each process sees beside the frames that there are, at every `snap` of
//! the trace and at its end.
//!
//! A [`Recorder`] watches the run and keeps, of the moments that will be shown, what is needed to
//! draw them (`panel`, filled by `collect`); `draw` makes a drawing of it when the run has ended.
//! The picture's size follows the number of *kinds* of pages, never that of pages: whatever can be
//! many is cut to a number that can be read, and the picture says so.

mod collect;
mod draw;
mod owners;
mod panel;
mod runs;
mod step;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use cowslip::vm::trace::{Answer, Call, Operation, Player};

use self::panel::{Panel, Step};
use crate::failure::Failure;

/// Most panels in a picture: four rows.
const PANELS: usize = 12;

/// Of what is there, how much is shown.
#[derive(Clone, Copy)]
struct Shown {
    all: usize,
    shown: usize,
}

/// What watches a run for its picture.
pub(super) struct Recorder {
    /// The operations after which there is a panel.
    moments: Vec<usize>,
    shown: Shown,
    panels: Vec<Panel>,
    /// What was done since the last panel.
    since: Vec<Step>,
    /// Operations seen.
    seen: usize,
}

impl Recorder {
    pub(super) fn new(trace: &[Operation]) -> Recorder {
        let snap = |(at, operation): (usize, &Operation)| {
            matches!(operation.call, Call::Snap { .. }).then_some(at)
        };
        let mut moments: Vec<usize> = trace.iter().enumerate().filter_map(snap).collect();
        // Nothing is new at the end if a snap is the last operation.
        let end = trace.len().checked_sub(1);
        moments.extend(end.filter(|end| moments.last() != Some(end)));
        let all = moments.len();
        let moments: Vec<usize> =
            evenly(all, PANELS).filter_map(|place| moments.get(place).copied()).collect();
        let shown = Shown { all, shown: moments.len() };
        Recorder { moments, shown, panels: Vec::new(), since: Vec::new(), seen: 0 }
    }

    /// After each operation.
    pub(super) fn see(&mut self, operation: &Operation, answer: &Answer, player: &Player) {
        let at = self.seen;
        self.seen += 1;
        let label = match &operation.call {
            Call::Snap { label } => Some(label.as_str()),
            _ => None,
        };
        if label.is_none() {
            let fork = player.machine().settings().fork;
            self.since.push(step::step(operation, answer, fork));
        }
        if self.moments.get(self.panels.len()) == Some(&at) {
            let mut panel = collect::panel(player);
            // A label is never the same as the end's: it is one word.
            panel.label = label.unwrap_or("at the end").to_owned();
            panel.line = operation.line;
            panel.since = std::mem::take(&mut self.since);
            self.panels.push(panel);
        }
    }

    /// Writes the picture, when the run has ended.
    pub(super) fn write(self, trace: &Path, player: &Player, file: &Path) -> Result<(), Failure> {
        let name = trace.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.filter(|name| name != "-").unwrap_or_else(|| "standard input".to_owned());
        let fork = player.machine().settings().fork;
        let drawing = draw::draw(&name, fork, &self.panels, self.shown);
        replace(file, drawing.as_bytes())
            .map_err(|error| Failure::Other(format!("{}: {error}", file.display())))
    }
}

/// Refuses to put the picture where the trace is.
pub(super) fn check(trace: &Path, file: &Path) -> Result<(), Failure> {
    let same = |a: &Path, b: &Path| Some(fs::canonicalize(a).ok()? == fs::canonicalize(b).ok()?);
    match same(trace, file) {
        Some(true) => Err(Failure::Usage(format!("{}: that is the trace", file.display()))),
        _ => Ok(()),
    }
}

/// Writes a whole file or leaves what was there.
fn replace(file: &Path, content: &[u8]) -> io::Result<()> {
    // A pipe or a device is no file that could be replaced.
    if fs::metadata(file).is_ok_and(|metadata| !metadata.is_file()) {
        return fs::write(file, content);
    }
    let mut beside = file.as_os_str().to_owned();
    beside.push(format!(".{}.part", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = fs::write(&beside, content).and_then(|()| fs::rename(&beside, file));
    if written.is_err() {
        // Nothing can be done if that fails too, and the first error says more.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Places of at most `most` out of `all`: the first, the last, and evenly between.
fn evenly(all: usize, most: usize) -> impl Iterator<Item = usize> {
    let shown = all.min(most);
    (0..shown).map(move |place| match shown {
        0 | 1 => all.saturating_sub(1),
        _ => place * (all - 1) / (shown - 1),
    })
}

#[cfg(test)]
mod tests {
    use super::evenly;

    #[test]
    fn the_first_and_the_last_are_always_shown() {
        let places = |all, most| evenly(all, most).collect::<Vec<_>>();
        assert!(places(0, 3).is_empty());
        assert_eq!(places(2, 3), [0, 1]);
        assert_eq!(places(9, 3), [0, 4, 8]);
        assert_eq!(places(9, 1), [8]);
    }
}
