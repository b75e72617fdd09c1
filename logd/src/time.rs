//! Times, as RFC 3339.

use jiff::{Timestamp, fmt::temporal::DateTimePrinter};

/// Nanoseconds since 1970-01-01 UTC.
pub(crate) fn now() -> i64 {
    i64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX)
}

/// `2026-11-20T10:00:00.123456+00:00` or, with nanoseconds, `2026-11-20T10:00:00.123456789Z`.
pub(crate) fn show(time: i64) -> String {
    let mut text = Vec::new();
    Times::default().nanoseconds(&mut text, time);
    String::from_utf8(text).expect("digits")
}

/// Writes times. Those of one second cost little.
#[derive(Default)]
pub(crate) struct Times {
    /// The second that `text` shows.
    second: Option<i64>,
    text: String,
}

impl Times {
    /// With microseconds and offset: the form of lines for people.
    pub(crate) fn microseconds(&mut self, out: &mut Vec<u8>, time: i64) {
        let fraction = self.second(out, time) / 1_000;
        digits::<6>(out, fraction);
        out.extend_from_slice(b"+00:00");
    }

    /// With nanoseconds: all that is known.
    pub(crate) fn nanoseconds(&mut self, out: &mut Vec<u8>, time: i64) {
        let fraction = self.second(out, time);
        digits::<9>(out, fraction);
        out.push(b'Z');
    }

    /// Up to the point; gives the nanoseconds behind it.
    fn second(&mut self, out: &mut Vec<u8>, time: i64) -> u32 {
        let second = time.div_euclid(1_000_000_000);
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
        out.extend_from_slice(self.text.as_bytes());
        time.rem_euclid(1_000_000_000) as u32
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
            String::from_utf8(text).unwrap()
        };
        assert_eq!(shown(0), "1970-01-01T00:00:00.000000+00:00 1970-01-01T00:00:00.000000000Z");
        assert_eq!(
            shown(1_795_168_800_123_456_789),
            "2026-11-20T10:00:00.123456+00:00 2026-11-20T10:00:00.123456789Z"
        );
        assert_eq!(shown(-1), "1969-12-31T23:59:59.999999+00:00 1969-12-31T23:59:59.999999999Z");
        for time in [i64::MIN, i64::MAX] {
            assert!(shown(time).ends_with('Z'));
        }
    }
}
