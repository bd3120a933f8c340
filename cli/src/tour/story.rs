//! How the tour speaks: numbered steps, plain sentences of bounded width, measured figures.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use crate::failure::Failure;
use crate::output::{self, Output};

const WIDTH: usize = 80;
const INDENT: &str = "   ";

/// What the tour tells, on standard output.
pub(super) struct Story {
    out: Output,
    steps: u32,
}

impl Story {
    pub(super) fn new() -> Story {
        Story { out: output::stdout(), steps: 0 }
    }

    /// Begins the next step.
    pub(super) fn step(&mut self, title: &str) -> Result<(), Failure> {
        self.steps += 1;
        writeln!(self.out, "\n{}. {title}", self.steps)?;
        self.flush()
    }

    /// A paragraph.
    pub(super) fn say(&mut self, text: &str) -> Result<(), Failure> {
        for line in wrap(text) {
            writeln!(self.out, "{INDENT}{line}")?;
        }
        self.flush()
    }

    /// A line on its own, as it is.
    pub(super) fn example(&mut self, text: &str) -> Result<(), Failure> {
        writeln!(self.out, "{INDENT}    {text}")?;
        Ok(())
    }

    /// Shows all that was said: before anything slow, and before written bytes are counted.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.out.flush()?)
    }
}

/// The lines of a paragraph that leaves room for the indent.
fn wrap(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line)
                if INDENT.len() + line.chars().count() + 1 + word.chars().count() <= WIDTH =>
            {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A time as a person would say it.
pub(super) fn duration(time: Duration) -> String {
    let nanos = time.as_nanos();
    match nanos {
        0..1_000_000 => format!("{} µs", nanos.div_ceil(1_000)),
        1_000_000..1_000_000_000 => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        _ => format!("{:.2} s", time.as_secs_f64()),
    }
}

/// A share in whole percent.
pub(super) fn percent(part: u64, whole: u64) -> String {
    let whole = u128::from(whole).max(1);
    format!("{} %", u128::from(part) * 100 / whole)
}

/// Bytes on one line, as text where they are text, cut where they are long.
pub(super) fn shown(bytes: &[u8]) -> String {
    const LONGEST: usize = 64;
    let text = String::from_utf8_lossy(bytes);
    let mut short: String = text.chars().take(LONGEST).map(printable).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}

fn printable(c: char) -> char {
    if c.is_control() { '·' } else { c }
}

/// All bytes that this process has handed to the system's write calls, where it keeps count.
pub(super) fn written_so_far() -> Option<u64> {
    let counters = std::fs::read_to_string("/proc/self/io").ok()?;
    let line = counters.lines().find_map(|line| line.strip_prefix("wchar:"))?;
    line.trim().parse().ok()
}

/// How the user can call this program again from here.
pub(super) fn program() -> String {
    let name = || "cowslip".to_owned();
    let (Ok(exe), Ok(folder)) = (std::env::current_exe(), std::env::current_dir()) else {
        return name();
    };
    // Run from a build folder below: `cargo run` leaves nothing on the path.
    match exe.strip_prefix(&folder) {
        Ok(relative) => Path::new(".").join(relative).display().to_string(),
        Err(_) => name(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_naturally() {
        let times = [0, 999, 1_500_000, 2_340_000_000].map(|n| duration(Duration::from_nanos(n)));
        assert_eq!(times, ["0 µs", "1 µs", "1.5 ms", "2.34 s"]);
        assert_eq!(percent(1, 0), "100 %");
        assert_eq!(percent(2, 3), "66 %");
    }

    #[test]
    fn paragraphs_are_as_wide_as_they_may_be() {
        let lines = wrap(&"seven c ".repeat(30));
        assert!(lines.iter().all(|line| line.len() <= WIDTH - INDENT.len()));
        assert!(lines[0].len() > WIDTH - INDENT.len() - 6);
        assert_eq!(lines.join(" "), "seven c ".repeat(30).trim());
        assert_eq!(wrap(&"x".repeat(200)), ["x".repeat(200)]);
    }

    #[test]
    fn bytes_are_shown_on_one_short_line() {
        assert_eq!(shown(b"a\tb\n"), "a·b·");
        assert_eq!(shown("ü".repeat(70).as_bytes()), "ü".repeat(64) + "…");
    }
}
