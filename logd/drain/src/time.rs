//! Times, as RFC 3339.

use jiff::{Timestamp, fmt::temporal::DateTimePrinter};

/// Writes times, given in nanoseconds since 1970-01-01 UTC. Those of one second cost little.
#[derive(Debug, Default)]
pub struct Times {
    /// The second that `text` shows.
    second: Option<i64>,
    text: String,
}

impl Times {
    /// With microseconds and offset: `2026-11-20T10:00:00.123456+00:00`.
    pub fn microseconds(&mut self, out: &mut Vec<u8>, time: i64) {
        let fraction = self.second(out, time) / 1_000;
        digits::<6>(out, fraction);
        out.extend_from_slice(b"+00:00");
    }

    /// With nanoseconds, all that is known: `2026-11-20T10:00:00.123456789Z`.
    pub fn nanoseconds(&mut self, out: &mut Vec<u8>, time: i64) {
        let fraction = self.second(out, time);
        digits::<9>(out, fraction);
        out.push(b'Z');
    }

    /// The day in UTC: `2026-11-20`.
    pub fn day(&mut self, time: i64) -> &str {
        &self.shown(time.div_euclid(1_000_000_000))[..10]
    }

    /// Up to the point; gives the nanoseconds behind it.
    fn second(&mut self, out: &mut Vec<u8>, time: i64) -> u32 {
        let text = self.shown(time.div_euclid(1_000_000_000));
        out.extend_from_slice(text.as_bytes());
        time.rem_euclid(1_000_000_000) as u32
    }

    fn shown(&mut self, second: i64) -> &str {
        if self.second != Some(second) {
            self.text.clear();
            let timestamp = Timestamp::new(second, 0).expect("an i64 of nanoseconds is in range");
            DateTimePrinter::new()
                .print_timestamp(&timestamp, &mut self.text)
                .expect("a string grows");
            debug_assert!(self.text.ends_with('Z'));
            self.text.pop();
            self.text.push('.');
            self.second = Some(second);
        }
        &self.text
    }
}

fn digits<const N: usize>(out: &mut Vec<u8>, mut number: u32) {
    let mut text = [b'0'; N];
    for digit in text.iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
    }
    out.extend_from_slice(&text);
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
            text.extend_from_slice(times.day(time).as_bytes());
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
