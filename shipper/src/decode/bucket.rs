//! A token bucket: how many lines a second a container may write.
//!
//! It goes by the times of the lines, not by when they are read: what was written slowly and is read
//! at once, or again, passes as it did.

/// Holds up to ten seconds' worth of lines.
#[derive(Debug, Clone)]
pub struct Bucket {
    rate: f64,
    tokens: f64,
    /// Time of the last line, in nanoseconds since 1970-01-01 UTC; `None` before the first.
    filled: Option<i64>,
}

/// Seconds' worth of lines that may come at once.
const BURST: f64 = 10.0;

impl Bucket {
    /// A full bucket for so many lines a second.
    #[must_use]
    pub fn new(rate: u32) -> Self {
        let rate = f64::from(rate);
        Self { rate, tokens: rate * BURST, filled: None }
    }

    /// Lines a second.
    #[must_use]
    pub const fn rate(&self) -> f64 {
        self.rate
    }

    /// Full again: lines that are read next may have been read before.
    pub fn refill(&mut self) {
        (self.tokens, self.filled) = (self.rate * BURST, None);
    }

    /// Whether one more line may pass, written at `time`. A line that is earlier than the last, or later
    /// than `now`, is taken for as early or as late as that: both in nanoseconds since 1970-01-01 UTC.
    pub fn take(&mut self, time: i64, now: i64) -> bool {
        // A clock that is set back fills it from there on.
        let filled = self.filled.unwrap_or(time).min(now);
        let time = time.clamp(filled, now);
        let passed = time.saturating_sub(filled) as f64 / 1e9;
        self.filled = Some(time);
        self.tokens = passed.mul_add(self.rate, self.tokens).min(self.rate * BURST);
        let passes = self.tokens >= 1.0;
        if passes {
            self.tokens -= 1.0;
        }
        passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    /// How many of many lines of a moment pass.
    fn passed(bucket: &mut Bucket, time: i64, now: i64) -> usize {
        (0..200).filter(|_| bucket.take(time * SECOND, now * SECOND)).count()
    }

    #[test]
    fn a_burst_passes_and_then_so_many_lines_a_second() {
        let mut bucket = Bucket::new(5);
        for (time, expected) in [(100, 50), (102, 10), (101, 0), (3_702, 50), (3_703, 5)] {
            assert_eq!(passed(&mut bucket, time, 10_000), expected, "at {time}");
        }
        bucket.refill();
        assert_eq!(passed(&mut bucket, 100, 10_000), 50);
    }

    #[test]
    fn a_clock_that_jumps_neither_fills_it_nor_stops_it() {
        let mut bucket = Bucket::new(5);
        assert_eq!(passed(&mut bucket, 100, 100), 50);
        // Lines cannot be of the future.
        assert_eq!(passed(&mut bucket, 10_000, 101), 5);
        assert_eq!(passed(&mut bucket, 102, 102), 5);
        // It was set back by a minute.
        assert_eq!(passed(&mut bucket, 42, 42), 0);
        assert_eq!(passed(&mut bucket, 43, 43), 5);
        for (time, now) in [(i64::MIN, i64::MAX), (i64::MAX, i64::MAX), (i64::MAX, i64::MIN)] {
            passed(&mut Bucket::new(1), time / SECOND, now / SECOND);
        }
    }
}
