//! How large the race is. The parent hands its settings to the children as JSON.

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::workload::{VALUE_BYTES_MIN, Workload};

/// Sizes and counts; the defaults are those of the published table.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// Rows in the store.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(2..=u64::from(u32::MAX)))]
    pub keys: u64,
    /// Length of each key.
    #[arg(long, default_value_t = 24, value_parser = length(8))]
    pub key_bytes: u64,
    /// Length of each value.
    #[arg(long, default_value_t = 150, value_parser = length(VALUE_BYTES_MIN as u64))]
    pub value_bytes: u64,
    /// Whence all keys, values and choices follow.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Random gets by each thread [default: as many as rows].
    #[arg(long)]
    pub gets: Option<u64>,
    /// Ranges of 10 rows [default: a fifth of the rows].
    #[arg(long)]
    pub ranges: Option<u64>,
    /// Durable single puts.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..))]
    pub puts: u64,
    /// Durable batches.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    pub batches: u64,
    /// Puts in each batch.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    pub batch: u64,
    /// Rows that are removed in one transaction [default: half of them].
    #[arg(long)]
    pub removals: Option<u64>,
    /// Single puts with each of the weaker promises.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub weak_puts: u64,
    /// Values of 256 KiB.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..1 << 20))]
    pub large_values: u64,
    /// Batches that are committed while a reader stays.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..))]
    pub held_batches: u64,
    /// Only these rows of the table, by name (`compare rows` lists them).
    #[arg(long, value_delimiter = ',', value_parser = crate::rows::name)]
    pub rows: Vec<String>,
}

/// A length in bytes: the upper limit keeps a slip of the pen from taking all memory.
fn length(least: u64) -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(least..=1 << 20)
}

impl Settings {
    /// The data set.
    pub fn workload(&self) -> Workload {
        Workload {
            seed: self.seed,
            keys: self.keys,
            key_bytes: self.key_bytes as usize,
            value_bytes: self.value_bytes as usize,
        }
    }

    /// Random gets by each thread.
    pub fn gets(&self) -> u64 {
        self.gets.unwrap_or(self.keys).max(1)
    }

    /// Ranges of 10 rows.
    pub fn ranges(&self) -> u64 {
        self.ranges.unwrap_or(self.keys / 5).max(1)
    }

    /// Rows that are removed.
    pub fn removals(&self) -> u64 {
        self.removals.unwrap_or(self.keys / 2).min(self.keys)
    }

    /// Whether the row of this name is to be measured.
    pub fn wants(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|wanted| wanted == row)
    }
}

impl Default for Settings {
    /// What the command line has by default.
    fn default() -> Self {
        Self {
            keys: 1_000_000,
            key_bytes: 24,
            value_bytes: 150,
            seed: 1,
            gets: None,
            ranges: None,
            puts: 2000,
            batches: 200,
            batch: 1000,
            removals: None,
            weak_puts: 200_000,
            large_values: 1000,
            held_batches: 300,
            rows: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        settings: Settings,
    }

    #[test]
    fn the_defaults_are_those_of_the_command_line() -> anyhow::Result<()> {
        let line = Line::try_parse_from(["compare"])?;
        let text = |settings: &Settings| serde_json::to_string(settings);
        assert_eq!(text(&line.settings)?, text(&Settings::default())?);
        Ok(())
    }
}
