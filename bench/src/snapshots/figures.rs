//! The table of snapshots: rows are added as they are measured.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::machine::Machine;
use crate::report::cell;
use crate::rows::Unit;
use crate::statistics::Summary;

/// One row: what is measured, and the most that it may be.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    title: String,
    unit: Unit,
    goal: Option<f64>,
}

/// A row without a goal.
pub(super) fn figure(title: impl Into<String>, unit: Unit) -> Figure {
    Figure { title: title.into(), unit, goal: None }
}

impl Figure {
    /// The goal: at most this.
    pub(super) fn at_most(self, goal: f64) -> Figure {
        Figure { goal: Some(goal), ..self }
    }
}

/// All samples of all rows, in the order in which the rows came up first.
#[derive(Debug, Default)]
pub(super) struct Figures {
    rows: Vec<(Figure, BTreeMap<&'static str, Vec<f64>>)>,
}

impl Figures {
    /// A sample of a row.
    pub(super) fn add(&mut self, who: &'static str, figure: Figure, sample: f64) {
        let place = self.rows.iter().position(|(known, _)| known.title == figure.title);
        let place = place.unwrap_or_else(|| {
            self.rows.push((figure, BTreeMap::new()));
            self.rows.len() - 1
        });
        self.rows[place].1.entry(who).or_default().push(sample);
    }
}

/// What was measured, ready to print.
#[derive(Debug, Serialize)]
pub struct Report {
    machine: Machine,
    method: String,
    rows: Vec<Row>,
    failures: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Row {
    title: String,
    unit: &'static str,
    goal: Option<f64>,
    results: BTreeMap<&'static str, Summary>,
    #[serde(skip)]
    figure: Figure,
}

impl Report {
    pub(super) fn new(
        machine: Machine,
        method: String,
        figures: Figures,
        failures: Vec<String>,
    ) -> Self {
        let row = |(figure, samples): (Figure, BTreeMap<&'static str, Vec<f64>>)| {
            let summary = |(who, samples): (_, Vec<f64>)| Some((who, Summary::of(&samples)?));
            let results = samples.into_iter().filter_map(summary).collect();
            let Figure { title, unit, goal } = figure.clone();
            Row { title, unit: unit.name(), goal, results, figure }
        };
        let rows = figures.rows.into_iter().map(row).collect();
        Report { machine, method, rows, failures }
    }

    /// Did everything that was begun come to an end?
    pub fn is_whole(&self) -> bool {
        self.failures.is_empty()
    }

    /// For programs: every sample of every row.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    /// For people: medians, with the smallest and the largest where there are several.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_markdown(&mut text);
        text
    }

    fn write_markdown(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "{}\n{}\n", self.machine, self.method)?;
        let mut names: Vec<_> = self.rows.iter().flat_map(|row| row.results.keys()).collect();
        names.sort_by_key(|&&name| (name != "cowslip", name));
        names.dedup();
        let heads: Vec<_> = names.iter().map(|&&name| name).collect();
        writeln!(text, "| | goal | {} |", heads.join(" | "))?;
        writeln!(text, "|---|---|{}", "---|".repeat(names.len()))?;
        for Row { figure: Figure { title, unit, goal }, results, .. } in &self.rows {
            let aim = goal.and_then(|goal| Summary::of(&[goal]));
            let aim = aim.map(|goal| format!("≤ {}", cell(*unit, &goal).0)).unwrap_or_default();
            write!(text, "| {title} | {aim} |")?;
            for &&name in &names {
                match results.get(name) {
                    None => write!(text, " – |")?,
                    Some(summary) => {
                        let (median, span) = cell(*unit, summary);
                        // The goals are Cowslip's.
                        let missed = name == "cowslip"
                            && goal.is_some_and(|goal| unit.better(goal, summary.median));
                        let missed = if missed { ", **missed**" } else { "" };
                        write!(text, " {median}{span}{missed} |")?;
                    }
                }
            }
            writeln!(text)?;
        }
        for failure in &self.failures {
            writeln!(text, "\n**{failure}**")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_goal_shows() -> anyhow::Result<()> {
        let mut figures = Figures::default();
        let bytes = || figure("bytes", Unit::Bytes).at_most(32768.0);
        figures.add("cowslip", bytes(), 65536.0);
        figures.add("a peer", bytes(), 65536.0);
        figures.add("cowslip", figure("time", Unit::Microseconds), 3.0);
        let report =
            Report::new(Machine::of(".".as_ref()), String::new(), figures, vec!["oh".into()]);
        let text = report.markdown();
        assert!(text.contains("| | goal | cowslip | a peer |"), "{text}");
        assert!(
            text.contains("| bytes | ≤ 32.0 KiB | 64.0 KiB, **missed** | 64.0 KiB |"),
            "{text}"
        );
        assert!(text.contains("| time |  | 3.00 µs | – |"), "{text}");
        assert!(text.contains("**oh**") && !report.is_whole());
        let json: serde_json::Value = serde_json::from_str(&report.json()?)?;
        assert_eq!(json["rows"][0]["results"]["cowslip"]["median"], 65536.0);
        Ok(())
    }
}
