//! Progress bars on standard error, for people only: nothing is drawn when it is no terminal.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar towards `total` things.
pub(crate) fn bar(total: u64, of: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(total);
    if let Ok(style) = ProgressStyle::with_template(
        "{msg} {bar:40} {human_pos}/{human_len} ({per_sec}, {eta} left)",
    ) {
        bar.set_style(style);
    }
    bar.set_message(of);
    bar
}

/// A bar over the bytes of an input whose length is known, a running count otherwise.
pub(crate) fn bytes(total: Option<u64>) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (
            ProgressBar::new(total),
            "{bar:40} {bytes}/{total_bytes} ({bytes_per_sec}, {eta} left)",
        ),
        None => (ProgressBar::new_spinner(), "{spinner} {bytes} ({bytes_per_sec})"),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// How long standard input is, where it is a file.
pub(crate) fn input_bytes() -> Option<u64> {
    file_bytes("/dev/stdin")
}

/// Does standard output go to a file? Then nobody else shows how far it is.
pub(crate) fn writes_a_file() -> bool {
    file_bytes("/dev/stdout").is_some()
}

fn file_bytes(path: &str) -> Option<u64> {
    let metadata = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    Some(metadata.len())
}

/// Something that turns while work of unknown length goes on.
pub(crate) fn spinner(doing: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.set_message(doing);
    // Its ticker is a thread: not worth starting where nobody looks.
    if io::stderr().is_terminal() {
        bar.enable_steady_tick(Duration::from_millis(100));
    }
    bar
}

/// No bar at all: where entries go to the very terminal that it would be drawn on.
pub(crate) fn none() -> ProgressBar {
    ProgressBar::hidden()
}
