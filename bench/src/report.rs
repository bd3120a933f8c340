//! The table: Markdown for people, JSON for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::engine::Engine;
use crate::machine::Machine;
use crate::plots;
use crate::race::{Outcome, Race, Samples};
use crate::rows::{self, ROWS, Row, Unit};
use crate::settings::Settings;
use crate::stages::Stage;
use crate::statistics::Summary;

/// The name under which the disk's own figures stand.
const DISK: &str = "disk";

/// A race that was run, ready to print.
#[derive(Debug, Serialize)]
pub struct Report {
    machine: Machine,
    settings: Settings,
    repeat: usize,
    contestants: Vec<Contestant>,
    rows: Vec<Results>,
    failures: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Contestant {
    name: &'static str,
    description: String,
}

/// One row of the table.
#[derive(Debug, Serialize)]
struct Results {
    name: &'static str,
    title: &'static str,
    unit: &'static str,
    results: BTreeMap<&'static str, Summary>,
    #[serde(skip)]
    row: Row,
}

impl Report {
    /// Sums up what `race` came to.
    pub fn of(race: &Race, machine: Machine, outcome: &Outcome) -> Result<Self> {
        let describe = |&engine: &Engine| -> Result<Contestant> {
            Ok(Contestant { name: engine.name(), description: engine.description()? })
        };
        let contestants = race.engines.iter().map(describe).collect::<Result<Vec<_>>>()?;
        let summary = |samples: &Samples, row: &Row| Summary::of(samples.get(row.name)?);
        let results = |row: &Row| {
            let engines = outcome.engines.iter().map(|(&name, samples)| (name, samples));
            engines
                .chain([(DISK, &outcome.disk)])
                .filter_map(|(name, samples)| Some((name, summary(samples, row)?)))
                .collect()
        };
        let rows = ROWS.iter().map(|row| Results {
            name: row.name,
            title: row.title,
            unit: row.unit.name(),
            results: results(row),
            row: *row,
        });
        Ok(Self {
            machine,
            settings: race.settings.clone(),
            repeat: race.repeat,
            contestants,
            rows: rows.filter(|row| !row.results.is_empty()).collect(),
            failures: outcome.failures.clone(),
        })
    }

    /// For programs: every sample of every row.
    pub fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)?)
    }

    /// Writes one plot for each group of rows into `directory`.
    pub fn write_plots(&self, directory: &Path) -> Result<()> {
        fs::create_dir_all(directory).context(directory.display().to_string())?;
        for (name, title, group) in plots::GROUPS {
            let panels: Vec<_> = group
                .iter()
                .filter_map(|wanted| self.rows.iter().find(|row| row.name == *wanted))
                .map(|row| {
                    let bar = |who: &Contestant| (who.name, row.results.get(who.name));
                    let bars = self.contestants.iter().map(bar).collect();
                    plots::Panel { title: rows::full_title(row.name), unit: row.row.unit, bars }
                })
                .collect();
            if !panels.is_empty() {
                let path = directory.join(format!("{name}.svg"));
                fs::write(&path, plots::bars(title, &panels))
                    .with_context(|| format!("writing {}", path.display()))?;
            }
        }
        Ok(())
    }

    /// For people: medians, with the smallest and the largest where there are several.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_markdown(&mut text);
        text
    }

    fn write_markdown(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "{}", self.machine)?;
        let Settings {
            keys,
            key_bytes,
            value_bytes,
            seed,
            puts,
            batches,
            batch,
            weak_puts,
            large_values,
            held_batches,
            ..
        } = &self.settings;
        writeln!(
            text,
            "{keys} keys of {key_bytes} random bytes with {value_bytes} incompressible bytes (seed \
             {seed}); {} gets a thread, {} ranges, {puts} single puts, {batches} batches of {batch} \
             puts, {} removals, {weak_puts} puts with each weaker promise, {large_values} large values, \
             {held_batches} batches under a reader that stays. Repetitions: {}; median (min–max); the best in bold.\n",
            self.settings.gets(),
            self.settings.ranges(),
            self.settings.removals(),
            self.repeat,
        )?;
        for contestant in &self.contestants {
            writeln!(text, "- {}: {}", contestant.name, contestant.description)?;
        }
        let (disk, stores): (Vec<_>, Vec<_>) =
            self.rows.iter().partition(|row| row.row.stage == Stage::Disk);
        let names: Vec<_> = self.contestants.iter().map(|contestant| contestant.name).collect();
        write_table(text, &names, &stores)?;
        write_table(text, &[DISK], &disk)?;
        for failure in &self.failures {
            writeln!(text, "\n**{failure}**")?;
        }
        Ok(())
    }
}

fn write_table(text: &mut String, names: &[&str], rows: &[&Results]) -> std::fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(text, "\n| | {} |", names.join(" | "))?;
    writeln!(text, "|---|{}", "---|".repeat(names.len()))?;
    for Results { row, results, .. } in rows {
        write!(text, "| {} |", row.title)?;
        for &name in names {
            match results.get(name) {
                None => write!(text, " – |")?,
                Some(summary) => {
                    let beaten =
                        results.values().any(|other| row.unit.better(other.median, summary.median));
                    let cell = cell(row.unit, summary);
                    let mark = if results.len() > 1 && !beaten { "**" } else { "" };
                    write!(text, " {mark}{}{mark}{} |", cell.0, cell.1)?;
                }
            }
        }
        writeln!(text)?;
    }
    Ok(())
}

/// A median with its unit, and the span of the samples in the same unit.
pub(crate) fn cell(unit: Unit, summary: &Summary) -> (String, String) {
    let (divisor, name) = scale(unit, summary.median);
    let show = |figure: f64| {
        let figure = figure / divisor;
        // Three digits that matter: no figure here is better than one per cent.
        let decimals = match figure {
            100.0.. => 0,
            10.0.. => 1,
            _ => 2,
        };
        format!("{figure:.decimals$}")
    };
    let span = match summary.samples.len() {
        1 => String::new(),
        _ => format!(" ({}–{})", show(summary.min), show(summary.max)),
    };
    (format!("{} {name}", show(summary.median)).trim_end().to_owned(), span)
}

const MIB: f64 = (1 << 20) as f64;

fn scale(unit: Unit, figure: f64) -> (f64, &'static str) {
    match unit {
        Unit::PerSecond if figure >= 1e6 => (1e6, "M/s"),
        Unit::PerSecond if figure >= 1e3 => (1e3, "k/s"),
        Unit::PerSecond => (1.0, "/s"),
        Unit::Microseconds if figure >= 1e6 => (1e6, "s"),
        Unit::Microseconds if figure >= 1e3 => (1e3, "ms"),
        Unit::Microseconds => (1.0, "µs"),
        Unit::Bytes if figure < MIB => (1024.0, "KiB"),
        Unit::Bytes => (MIB, "MiB"),
        Unit::BytesPerSecond if figure >= 1e9 => (1e9, "GB/s"),
        Unit::BytesPerSecond => (1e6, "MB/s"),
        Unit::Count => (1.0, ""),
        Unit::Times => (1.0, "×"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells() {
        let cell = |unit, samples: &[f64]| Summary::of(samples).map(|summary| cell(unit, &summary));
        let text = |median: &str, span: &str| Some((median.to_owned(), span.to_owned()));
        assert_eq!(cell(Unit::PerSecond, &[537_123.0]), text("537 k/s", ""));
        assert_eq!(cell(Unit::PerSecond, &[1.3e6, 1.5e6, 0.9e6]), text("1.30 M/s", " (0.90–1.50)"));
        assert_eq!(cell(Unit::Microseconds, &[118.4]), text("118 µs", ""));
        assert_eq!(cell(Unit::Microseconds, &[12_345.0]), text("12.3 ms", ""));
        assert_eq!(cell(Unit::Bytes, &[185.5 * 1048576.0]), text("186 MiB", ""));
    }

    #[test]
    fn the_best_is_bold_and_the_disk_stands_apart() -> Result<()> {
        let samples = |row: &str, figure| Samples::from([(row.to_owned(), vec![figure])]);
        let outcome = Outcome {
            engines: BTreeMap::from([
                ("cowslip", samples(crate::rows::PUT_P50, 100.0)),
                ("other", samples(crate::rows::PUT_P50, 200.0)),
            ]),
            disk: samples(crate::rows::SYNC_P50, 90.0),
            failures: vec!["other failed at Kill: it refused to die".to_owned()],
        };
        let race = Race {
            engines: vec![Engine::Cowslip],
            settings: Settings::default(),
            repeat: 1,
            directory: ".".into(),
        };
        let mut report = Report::of(&race, Machine::of(".".as_ref()), &outcome)?;
        report.contestants.push(Contestant { name: "other", description: String::new() });
        let text = report.markdown();
        assert!(text.contains("| single durable put, p50 | **100 µs** | 200 µs |"), "{text}");
        assert!(text.contains("| 4 KiB overwrite + fdatasync, p50 | 90.0 µs |"), "{text}");
        assert!(text.contains("refused to die"), "{text}");
        let json: serde_json::Value = serde_json::from_str(&report.json()?)?;
        assert_eq!(json["rows"][0]["results"]["cowslip"]["median"], 100.0);
        Ok(())
    }
}
