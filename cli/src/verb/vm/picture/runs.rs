//! The pages of a region, from single entries to bands: runs of pages that look the same, and,
//! where those are too many, one band for all that look the same.

use std::{collections::HashMap, ops::Range};

use cowslip::vm::{Area, Areas, Machine, Pid};

use super::{
    owners::Groups,
    panel::{Band, Kind, Stretch},
};

/// Most runs that are shown as they lie.
const RUNS: usize = 12;
/// Cells of a strip.
const CELLS: usize = 64;

/// How a page looks.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Look {
    kind: Kind,
    group: Option<usize>,
    by_table: bool,
    /// The rights of its area, as a number in a list of all that the region has.
    rights: usize,
}

struct Run {
    pages: Range<u64>,
    look: Look,
}

/// A part of a region: of an area, or of none.
struct Part {
    end: u64,
    rights: Option<usize>,
}

/// What a region consists of.
pub(super) struct Pages {
    pub(super) rights: String,
    pub(super) bands: Vec<Band>,
    pub(super) strip: Vec<Stretch>,
}

/// Looks at all pages of a region.
pub(super) fn look(
    machine: &Machine,
    groups: &Groups,
    pid: Pid,
    areas: &Areas,
    pages: Range<u64>,
) -> Pages {
    let (parts, rights) = parts(areas, &pages);
    let leaves = machine.leaves(pid, pages.clone());
    let mut lister = Lister { parts, part: 0, runs: Vec::new(), at: pages.start };
    let mut leaf = 0;
    machine.entries(pid, pages.clone(), |page, entry| {
        while leaves.get(leaf).is_some_and(|(span, _)| span.end <= page) {
            leaf += 1;
        }
        let by_table = leaves.get(leaf).is_some_and(|(_, shared)| *shared);
        let (kind, group) = groups.find(entry);
        lister.fill(page);
        let rights = lister.rights(page).unwrap_or(0);
        lister.push(page + 1, Look { kind, group, by_table, rights });
    });
    lister.fill(pages.end);
    let runs = lister.runs;
    Pages {
        strip: strip(&runs, &pages),
        bands: bands(&runs, pages.start, &rights),
        rights: rights.join(" "),
    }
}

/// The parts of a region, in order, and the rights there are in it.
fn parts(areas: &Areas, pages: &Range<u64>) -> (Vec<Part>, Vec<String>) {
    let (mut parts, mut all) = (Vec::new(), Vec::new());
    let mut at = pages.start;
    let inside = |area: &&Area| area.pages.start < pages.end && area.pages.end > pages.start;
    for area in areas.iter().filter(inside) {
        if area.pages.start > at {
            parts.push(Part { end: area.pages.start, rights: None });
        }
        let rights = rights(area);
        let number = all.iter().position(|known| *known == rights).unwrap_or_else(|| {
            all.push(rights);
            all.len() - 1
        });
        at = area.pages.end.min(pages.end);
        parts.push(Part { end: at, rights: Some(number) });
    }
    if at < pages.end {
        parts.push(Part { end: pages.end, rights: None });
    }
    (parts, all)
}

/// As `/proc/PID/maps` has it.
fn rights(area: &Area) -> String {
    let of = |is: bool, letter: char| if is { letter } else { '-' };
    let protection = area.protection;
    [
        of(protection.read, 'r'),
        of(protection.write, 'w'),
        of(protection.execute, 'x'),
        if area.shared { 's' } else { 'p' },
    ]
    .iter()
    .collect()
}

/// Makes runs of pages that are told in order.
struct Lister {
    parts: Vec<Part>,
    part: usize,
    runs: Vec<Run>,
    at: u64,
}

impl Lister {
    /// The rights of the part that a page lies in; pages come in order.
    fn rights(&mut self, page: u64) -> Option<usize> {
        while self.parts.get(self.part).is_some_and(|part| part.end <= page) {
            self.part += 1;
        }
        self.parts.get(self.part)?.rights
    }

    /// The next pages, up to `end`, have no entry.
    fn fill(&mut self, end: u64) {
        while self.at < end {
            let rights = self.rights(self.at);
            let kind = if rights.is_some() { Kind::Untouched } else { Kind::Unmapped };
            let end = self.parts.get(self.part).map_or(end, |part| part.end.min(end));
            let rights = rights.unwrap_or(0);
            self.push(end, Look { kind, group: None, by_table: false, rights });
        }
    }

    /// The next pages, up to `end`, look like this.
    fn push(&mut self, end: u64, look: Look) {
        match self.runs.last_mut() {
            Some(run) if run.look == look => run.pages.end = end,
            _ => self.runs.push(Run { pages: self.at..end, look }),
        }
        self.at = end;
    }
}

fn bands(runs: &[Run], start: u64, rights: &[String]) -> Vec<Band> {
    let band = |run: &Run| Band {
        kind: run.look.kind,
        group: run.look.group,
        by_table: run.look.by_table,
        rights: rights
            .get(run.look.rights)
            .filter(|_| rights.len() > 1 && run.look.kind != Kind::Unmapped)
            .cloned(),
        first: run.pages.start - start,
        last: run.pages.end - 1 - start,
        pages: run.pages.end - run.pages.start,
        runs: 1,
    };
    if runs.len() <= RUNS {
        return runs.iter().map(band).collect();
    }
    let mut bands: Vec<Band> = Vec::new();
    let mut places = HashMap::new();
    for run in runs {
        let place = *places.entry(run.look).or_insert(bands.len());
        match bands.get_mut(place) {
            Some(band) => {
                band.last = run.pages.end - 1 - start;
                band.pages += run.pages.end - run.pages.start;
                band.runs += 1;
            }
            None => bands.push(band(run)),
        }
    }
    // As they lie says nothing any more: regions are easier to compare in a fixed order.
    bands.sort_by_key(|band| (band.kind, band.first));
    bands
}

/// The region cut into cells of the same size, and in each the kind that is most of what is there.
fn strip(runs: &[Run], pages: &Range<u64>) -> Vec<Stretch> {
    let all = pages.end - pages.start;
    let cells = all.min(CELLS as u64);
    // A region of a trace has 2^40 pages at most, so there is room for the product.
    let cell_start = |cell: u64| pages.start + all * cell / cells.max(1);
    let mut strip: Vec<Stretch> = Vec::new();
    let mut run = 0;
    for cell in 0..cells {
        let span = cell_start(cell)..cell_start(cell + 1);
        let mut counts = [0; Kind::ALL.len()];
        while let Some(found) = runs.get(run) {
            let from = found.pages.start.max(span.start);
            let to = found.pages.end.min(span.end);
            counts[found.look.kind as usize] += to.saturating_sub(from);
            if found.pages.end > span.end {
                break;
            }
            run += 1;
        }
        let most = |present: bool| {
            let kinds = Kind::ALL.into_iter().filter(move |kind| kind.is_present() == present);
            kinds.map(|kind| (counts[kind as usize], kind)).max_by_key(|(count, _)| *count)
        };
        let present = most(true).filter(|(count, _)| *count > 0);
        let Some((_, kind)) = present.or_else(|| most(false)) else { continue };
        let there: u64 = Kind::ALL
            .iter()
            .filter(|kind| kind.is_present())
            .map(|kind| counts[*kind as usize])
            .sum();
        let density = match there * 100 / (span.end - span.start).max(1) {
            _ if there == 0 => 0,
            0..5 => 1,
            5..45 => 2,
            _ => 3,
        };
        match strip.last_mut() {
            Some(last) if last.kind == kind && last.density == density => last.cells += 1,
            _ => strip.push(Stretch { kind, density, cells: 1 }),
        }
    }
    strip
}
