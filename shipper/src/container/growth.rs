//! How fast a file grows, and so when to look at it again.

use std::time::{Duration, Instant};

/// A file that grew is looked at again, without a word of its next change, once so many bytes are
/// likely to have come: a look costs as much as some lines do.
const WORTH: u32 = 1024;
/// At the soonest, and at the latest.
const SOON: Duration = Duration::from_millis(10);
const LATE: Duration = Duration::from_millis(50);
/// Of what was seen before, a quarter is forgotten with each look. What is older than that is long ago.
const PAST: Duration = Duration::from_secs(1);

/// What came in the last looks at a file.
#[derive(Debug, Default)]
pub struct Growth {
    looked: Option<Instant>,
    time: Duration,
    bytes: u32,
}

impl Growth {
    /// So many bytes were found. When to look again.
    pub fn next_look(&mut self, now: Instant, bytes: usize) -> Instant {
        let time = self.looked.replace(now).map_or(LATE, |looked| now - looked).min(PAST);
        self.time = self.time * 3 / 4 + time;
        self.bytes = (self.bytes / 4 * 3).saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        now + (self.time * WORTH / self.bytes.max(1)).clamp(SOON, LATE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long it is to the next look at a file in which so many bytes come in so many milliseconds.
    fn waits(rounds: &[(u64, usize)]) -> Vec<u128> {
        let (mut growth, mut now) = (Growth::default(), Instant::now());
        let wait = |(millis, bytes): &(u64, usize)| {
            now += Duration::from_millis(*millis);
            (growth.next_look(now, *bytes) - now).as_millis()
        };
        rounds.iter().map(wait).collect()
    }

    #[test]
    fn a_file_that_grows_fast_is_looked_at_soon_and_another_one_late() {
        assert_eq!(waits(&[(0, 100), (50, 100), (50, 100)]), [50, 50, 50]);
        assert_eq!(waits(&[(0, 100_000), (10, 100_000)]), [10, 10]);
        assert_eq!(waits(&[(0, 2048); 1]), [25]);
        // A look that finds little changes little.
        assert_eq!(waits(&[(0, 8_000), (10, 1_600), (10, 300), (10, 1_600)]), [10, 10, 10, 10]);
    }

    #[test]
    fn what_was_long_ago_counts_little() {
        let waits = waits(&[(0, 100), (3_600_000, 10_000), (10, 10_000), (10, 10_000)]);
        assert_eq!(waits, [50, 50, 45, 26]);
    }

    #[test]
    fn all_that_can_come_has_a_next_look() {
        assert_eq!(waits(&[(0, 0), (0, 0), (0, usize::MAX), (0, usize::MAX)]), [50, 50, 10, 10]);
    }
}
