//! How large batches are: what a receiver that takes nothing holds of memory is its batch.

use std::time::Duration;

use fairlead_drain::Limits;

/// Bytes of a first batch, and of those after a failure.
const FIRST: usize = 4 << 10;
/// A receiver that takes so long for a batch without confirming it is slow.
const SLOW: Duration = Duration::from_secs(1);

/// Small batches at first, and of twice the size each time that a full one is confirmed.
#[derive(Debug)]
pub(super) struct Pace {
    bytes: usize,
    /// Lines that are to be confirmed before batches grow, and those that were.
    wanted: usize,
    confirmed: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self { bytes: FIRST, wanted: usize::MAX, confirmed: 0 }
    }
}

impl Pace {
    /// The limits of the next batch, within those of its sink.
    pub(super) fn limits(&self, limits: Limits) -> Limits {
        Limits { bytes: limits.bytes.min(self.bytes), ..limits }
    }

    /// A batch of so many lines and bytes was sent, took so long, and that many were confirmed.
    pub(super) fn sent(&mut self, lines: usize, bytes: usize, took: Duration, confirmed: usize) {
        if took >= SLOW && confirmed < lines {
            *self = Self::default();
        } else {
            self.wanted = if bytes >= self.bytes { lines } else { usize::MAX };
        }
    }

    /// So many lines were confirmed, of whichever batch.
    pub(super) fn confirmed(&mut self, lines: usize) {
        self.confirmed = self.confirmed.saturating_add(lines);
        if self.confirmed >= self.wanted {
            *self = Self { bytes: self.bytes.saturating_mul(2), ..Self::default() };
        }
    }

    /// The receiver took nothing.
    pub(super) fn failed(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_millis(10);
    const LIMITS: Limits = Limits { lines: 1_024, bytes: 10_000, linger: QUICK };

    fn bytes(pace: &Pace) -> usize {
        pace.limits(LIMITS).bytes
    }

    #[test]
    fn batches_grow_while_full_ones_are_confirmed() {
        let mut pace = Pace::default();
        assert_eq!(pace.limits(LIMITS), Limits { bytes: FIRST, ..LIMITS });
        pace.sent(10, FIRST, QUICK, 0);
        pace.confirmed(9);
        assert_eq!(bytes(&pace), FIRST);
        pace.confirmed(1);
        assert_eq!(bytes(&pace), 2 * FIRST);
        pace.confirmed(100);
        pace.sent(10, FIRST, QUICK, 0);
        pace.confirmed(100);
        assert_eq!(bytes(&pace), 2 * FIRST, "it was not full");
        // However long it takes, all of it is confirmed.
        pace.sent(10, 2 * FIRST, 2 * SLOW, 10);
        pace.confirmed(10);
        assert_eq!(bytes(&pace), LIMITS.bytes, "no more than its sink takes");
        (0..100).for_each(|_| {
            pace.sent(1, usize::MAX, QUICK, 0);
            pace.confirmed(1);
        });
        pace.failed();
        assert_eq!(bytes(&pace), FIRST);
    }

    #[test]
    fn who_takes_long_is_given_little() {
        let mut pace = Pace::default();
        pace.sent(10, FIRST, QUICK, 0);
        pace.confirmed(10);
        pace.sent(20, 2 * FIRST, SLOW, 19);
        assert_eq!(bytes(&pace), FIRST);
        pace.confirmed(1_000);
        assert_eq!(bytes(&pace), FIRST);
    }
}
