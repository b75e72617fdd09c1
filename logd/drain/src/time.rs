//! Times, as RFC 3339.

use jiff::{Timestamp, fmt::temporal::DateTimePrinter};

/// `2026-11-20T10:00:00.`: all times that there are have four digits for the year.
const SECOND: usize = 20;

/// Writes times, given in nanoseconds since 1970-01-01 UTC. Those of one second cost little.
#[derive(Debug, Default)]
pub struct Times {
    /// The second that `text` shows.
    second: Option<i64>,
    text: [u8; SECOND],
    /// Kept for its memory.
    printed: String,
}

impl Times {
    /// With microseconds and offset: `2026-11-20T10:00:00.123456+00:00`.
    pub fn microseconds(&mut self, out: &mut Vec<u8>, time: i64) {
        let mut text = *b"2026-11-20T10:00:00.000000+00:00";
        let fraction = self.second(&mut text, time) / 1_000;
        digits(&mut text[SECOND..SECOND + 6], fraction);
        out.extend_from_slice(&text);
    }

    /// With nanoseconds, all that is known: `2026-11-20T10:00:00.123456789Z`.
    pub fn nanoseconds(&mut self, out: &mut Vec<u8>, time: i64) {
        let mut text = *b"2026-11-20T10:00:00.000000000Z";
        let fraction = self.second(&mut text, time);
        digits(&mut text[SECOND..SECOND + 9], fraction);
        out.extend_from_slice(&text);
    }

    /// The day in UTC: `2026-11-20`.
    pub fn day(&mut self, time: i64) -> [u8; 10] {
        let mut text = [0; SECOND];
        self.second(&mut text, time);
        *text.first_chunk().expect("it is longer")
    }

    /// Up to the point; gives the nanoseconds behind it.
    fn second(&mut self, out: &mut [u8], time: i64) -> u32 {
        let second = time.div_euclid(1_000_000_000);
        if self.second != Some(second) {
            let timestamp = Timestamp::new(second, 0).expect("an i64 of nanoseconds is in range");
            self.printed.clear();
            DateTimePrinter::new()
                .print_timestamp(&timestamp, &mut self.printed)
                .expect("a string grows");
            let text = self.printed.strip_suffix('Z').expect("it is in UTC").as_bytes();
            self.text[..SECOND - 1].copy_from_slice(text);
            self.text[SECOND - 1] = b'.';
            self.second = Some(second);
        }
        out[..SECOND].copy_from_slice(&self.text);
        time.rem_euclid(1_000_000_000) as u32
    }
}

fn digits(text: &mut [u8], mut number: u32) {
    for digit in text.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_fixed_form() {
        let mut times = Times::default();
        let mut shown = |time| {
            let mut text = Vec::new();
            times.microseconds(&mut text, time);
            text.push(b' ');
            times.nanoseconds(&mut text, time);
            text.push(b' ');
            text.extend_from_slice(&times.day(time));
            String::from_utf8(text).unwrap()
        };
        assert_eq!(
            shown(0),
            "1970-01-01T00:00:00.000000+00:00 1970-01-01T00:00:00.000000000Z 1970-01-01"
        );
        assert_eq!(
            shown(1_795_168_800_123_456_789),
            "2026-11-20T10:00:00.123456+00:00 2026-11-20T10:00:00.123456789Z 2026-11-20"
        );
        assert_eq!(
            shown(-1),
            "1969-12-31T23:59:59.999999+00:00 1969-12-31T23:59:59.999999999Z 1969-12-31"
        );
        for time in [i64::MIN, i64::MAX] {
            assert_eq!(shown(time).len(), 32 + 1 + 30 + 1 + 10);
        }
    }
}
