//! Standard output, buffered; and the small things that several verbs print.

use std::io::{self, BufWriter, StdoutLock, Write};
use std::time::SystemTime;

/// Standard output in blocks, not lines.
pub(crate) type Output = BufWriter<StdoutLock<'static>>;

/// Opens standard output. Call `flush` at the end: an error must not get lost in a drop.
pub(crate) fn stdout() -> Output {
    BufWriter::with_capacity(64 << 10, io::stdout().lock())
}

/// A value in JSON, on a line of its own.
pub(crate) fn json_line(out: &mut impl Write, value: &impl serde::Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// A moment as RFC 3339 writes it, to the second, in UTC.
pub(crate) fn moment(time: SystemTime) -> String {
    // The formatter panics outside years 1970 to 9999, and a damaged clock may well be there.
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).map(|since| since.as_secs());
    match seconds {
        Ok(seconds) if seconds < 253_402_300_800 => {
            humantime::format_rfc3339_seconds(time).to_string()
        }
        _ => "unknown".to_owned(),
    }
}

/// A number with a comma between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let numbers = [0, 999, 1_000, 123_456, 1_234_567].map(grouped);
        assert_eq!(numbers, ["0", "999", "1,000", "123,456", "1,234,567"]);
    }

    #[test]
    fn moments_outside_the_calendar_do_not_panic() {
        assert_eq!(moment(SystemTime::UNIX_EPOCH), "1970-01-01T00:00:00Z");
        assert_eq!(moment(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 60)), "unknown");
        assert_eq!(moment(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), "unknown");
    }
}
