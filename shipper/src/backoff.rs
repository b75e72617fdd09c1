//! How long to wait before asking a server again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);

/// Doubles from 0.1 s to 5 s, each wait shortened at random by up to a half so that
/// senders that lost the same server do not come back at the same moment.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The longest wait.
    pub(crate) const LONGEST: Duration = Duration::from_secs(5);

    /// The wait after one more failure.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = FIRST.saturating_mul(1 << self.failures.min(10)).min(Self::LONGEST);
        self.failures = self.failures.saturating_add(1);
        wait.mul_f64(fastrand::f64().mul_add(-0.5, 1.0))
    }

    /// Whether there was no failure since the server answered.
    pub(crate) const fn is_fresh(&self) -> bool {
        self.failures == 0
    }

    /// The server answered for a while.
    pub(crate) const fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_bounded() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..100).map(|_| backoff.next()).collect();
        assert!(waits[0] <= FIRST && waits[0] >= FIRST / 2, "{:?}", waits[0]);
        assert!(
            waits[99] <= Backoff::LONGEST && waits[99] >= Backoff::LONGEST / 2,
            "{:?}",
            waits[99]
        );
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
