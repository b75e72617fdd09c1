//! Times of lines, quickly: a container's lines are some nanoseconds apart.

use std::io::Write as _;

use jiff::{SignedDuration, Timestamp};

/// Times that rise.
#[derive(Debug, Default)]
pub(super) struct Clock {
    now: Timestamp,
    /// The second's text, as in `2026-11-20T10:15:30.`.
    second: (i64, Vec<u8>),
}

impl Clock {
    /// Takes the system's time, unless it is behind.
    pub(super) fn tick(&mut self) {
        self.now = self.now.max(Timestamp::now());
    }

    /// Appends the next time: RFC 3339 with nanoseconds.
    pub(super) fn write(&mut self, into: &mut Vec<u8>) {
        self.now += SignedDuration::from_nanos(1);
        let second = self.now.as_second();
        if self.second.0 != second {
            let text = self.now.strftime("%Y-%m-%dT%H:%M:%S.").to_string();
            self.second = (second, text.into_bytes());
        }
        into.extend_from_slice(&self.second.1);
        // Writing to a vector cannot fail.
        let _ = write!(into, "{:09}Z", self.now.subsec_nanosecond());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_rise() {
        let mut clock =
            Clock { now: "2026-11-20T10:15:30.999999998Z".parse().unwrap(), ..Clock::default() };
        let mut next = || {
            let mut text = Vec::new();
            clock.write(&mut text);
            String::from_utf8(text).unwrap()
        };
        assert_eq!(next(), "2026-11-20T10:15:30.999999999Z");
        assert_eq!(next(), "2026-11-20T10:15:31.000000000Z");
        let last = next();
        clock.tick();
        let mut text = Vec::new();
        clock.write(&mut text);
        assert!(text > last.into_bytes());
    }
}
