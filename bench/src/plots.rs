//! Plots of what was measured: bars for the race, lines for growth.

use crate::report::cell;
use crate::rows::{self, Unit};
use crate::statistics::Summary;
use crate::svg::{Anchor, COLOURS, Picture};

/// Rows that stand in one picture, with its file name and title.
pub const GROUPS: &[(&str, &str, &[&str])] = &[
    ("load", "Loading", &[rows::LOAD, rows::APPEND, rows::LARGE_PUT, rows::REMOVALS]),
    (
        "read",
        "Reading",
        &[
            rows::GETS_1,
            rows::GETS_2,
            rows::RANGES,
            rows::SCAN,
            rows::SCAN_KEYS,
            rows::SCAN_COLD,
            rows::READ_P99_IDLE,
            rows::READ_P99_WRITING,
            rows::LARGE_GET,
        ],
    ),
    (
        "write",
        "Writing",
        &[
            rows::PUT_P50,
            rows::PUT_P99,
            rows::BUSY_PUT_P50,
            rows::BUSY_PUT_P99,
            rows::BATCHES,
            rows::BATCHES_CLOSED,
            rows::GROUP_8,
            rows::PUT_EVENTUAL,
            rows::PUT_NONE,
        ],
    ),
    (
        "space",
        "Space",
        &[
            rows::LOAD_FILE,
            rows::APPEND_FILE,
            rows::HELD_GROWTH,
            rows::REMOVALS_FILE,
            rows::COMPACTED_FILE,
            rows::WRITE_MEMORY,
        ],
    ),
    ("open", "Opening", &[rows::REOPEN, rows::OPEN_KILLED]),
];

/// One panel: a row of the table, and the store's figures in the order of the table.
#[derive(Debug)]
pub struct Panel<'a> {
    /// What was measured.
    pub title: String,
    /// In what.
    pub unit: Unit,
    /// Each store with its figure, if it has one.
    pub bars: Vec<(&'a str, Option<&'a Summary>)>,
}

const PANEL_WIDTH: f64 = 520.0;
const BAR: f64 = 18.0;
const HEAD: f64 = 56.0;

/// Panels in two columns. The longest bar of each is the largest figure; all begin at zero.
pub fn bars(title: &str, panels: &[Panel<'_>]) -> String {
    let stores = panels.iter().map(|panel| panel.bars.len()).max().unwrap_or(0);
    let panel_height = 44.0 + stores as f64 * BAR + 14.0;
    let lines = panels.len().div_ceil(2) as f64;
    let mut picture = Picture::new(2.0 * PANEL_WIDTH, HEAD + lines * panel_height);
    picture.text([20.0, 34.0], 20, Anchor::Start, true, title);
    for (place, panel) in panels.iter().enumerate() {
        let x = (place % 2) as f64 * PANEL_WIDTH + 20.0;
        let y = HEAD + (place / 2) as f64 * panel_height;
        let better = if panel.unit.better(1.0, 0.0) { "more" } else { "less" };
        picture.text([x, y + 14.0], 13, Anchor::Start, true, &panel.title);
        picture.text([x, y + 30.0], 11, Anchor::Start, false, &format!("{better} is better"));
        let medians = panel.bars.iter().filter_map(|(_, summary)| Some(summary.as_ref()?.median));
        let largest = medians.fold(f64::MIN_POSITIVE, f64::max);
        for (number, (store, summary)) in panel.bars.iter().enumerate() {
            let top = y + 38.0 + number as f64 * BAR;
            let foot = top + BAR - 5.0;
            picture.text([x + 68.0, foot], 12, Anchor::End, false, store);
            let (length, label) = match summary {
                Some(summary) => (240.0 * summary.median / largest, cell(panel.unit, summary).0),
                None => (0.0, "–".to_owned()),
            };
            let colour = COLOURS[number % COLOURS.len()];
            picture.rectangle([x + 76.0, top + 1.0], [length, BAR - 4.0], colour);
            picture.text([x + 82.0 + length, foot], 12, Anchor::Start, false, &label);
        }
    }
    picture.finish()
}

/// A line of a plot: a store, and its points.
#[derive(Debug)]
pub struct Line {
    /// Name of the store.
    pub name: String,
    /// Number of rows and figure, rows ascending.
    pub points: Vec<(f64, f64)>,
}

/// Lines over the number of rows, which grows by factors; the figures begin at zero.
pub fn lines(title: &str, unit: Unit, lines: &[Line]) -> String {
    let [left, right, top, bottom] = [90.0, 560.0, 60.0, 360.0];
    let mut picture = Picture::new(700.0, 420.0);
    let better = if unit.better(1.0, 0.0) { "more" } else { "less" };
    picture.text([20.0, 28.0], 16, Anchor::Start, true, title);
    picture.text([20.0, 46.0], 11, Anchor::Start, false, &format!("{better} is better"));
    let all = || lines.iter().flat_map(|line| &line.points);
    let largest = all().map(|point| point.1).fold(f64::MIN_POSITIVE, f64::max);
    let (first, last) = all()
        .fold((f64::MAX, 0.0f64), |(first, last), point| (first.min(point.0), last.max(point.0)));
    let span = (last.ln() - first.ln()).max(f64::MIN_POSITIVE);
    let place = |(rows, figure): (f64, f64)| {
        let across = if last > first { (rows.ln() - first.ln()) / span } else { 0.5 };
        [left + (right - left) * across, bottom - (bottom - top) * figure / largest]
    };
    for step in 0..=4 {
        let figure = largest * f64::from(step) / 4.0;
        let y = bottom - (bottom - top) * f64::from(step) / 4.0;
        picture.line(&[[left, y], [right, y]], 1.0, "#dddddd");
        let label = match (step, Summary::of(&[figure])) {
            (1.., Some(summary)) => cell(unit, &summary).0,
            _ => "0".to_owned(),
        };
        picture.text([left - 8.0, y + 4.0], 11, Anchor::End, false, &label);
    }
    let mut sizes: Vec<f64> = all().map(|point| point.0).collect();
    sizes.sort_unstable_by(f64::total_cmp);
    sizes.dedup();
    for rows in sizes {
        let [x, _] = place((rows, 0.0));
        picture.line(&[[x, bottom], [x, bottom + 5.0]], 1.0, "#222222");
        picture.text([x, bottom + 20.0], 11, Anchor::Middle, false, &format!("{rows}"));
    }
    picture.text([(left + right) / 2.0, bottom + 42.0], 12, Anchor::Middle, false, "rows");
    // A store without a figure keeps its colour, but has no line and no name here.
    let drawn = lines.iter().enumerate().filter(|(_, line)| !line.points.is_empty());
    for (place_in_list, (number, line)) in drawn.enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        let points: Vec<_> = line.points.iter().copied().map(place).collect();
        picture.line(&points, 2.0, colour);
        points.iter().for_each(|&point| picture.dot(point, colour));
        let y = top + 10.0 + place_in_list as f64 * 20.0;
        picture.rectangle([right + 20.0, y - 9.0], [12.0, 10.0], colour);
        picture.text([right + 38.0, y], 12, Anchor::Start, false, &line.name);
    }
    picture.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_a_group_exists() {
        for row in GROUPS.iter().flat_map(|group| group.2) {
            assert!(rows::ROWS.iter().any(|known| known.name == *row), "{row}");
        }
    }

    #[test]
    fn one_size_is_a_dot_in_the_middle() {
        let line = Line { name: "cowslip".into(), points: vec![(1000.0, 5.0)] };
        let picture = lines("gets", Unit::PerSecond, &[line]);
        assert!(picture.contains("<circle") && !picture.contains("NaN"), "{picture}");
    }
}
