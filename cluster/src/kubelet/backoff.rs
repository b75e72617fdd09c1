//! How long a container that ended waits before it is started again.

use std::time::Duration;

/// The longest wait, as in Kubernetes.
const LONGEST: Duration = Duration::from_secs(300);

/// A run that lasted this long clears the record, as in Kubernetes.
const HEALTHY: Duration = Duration::from_secs(600);

/// Waits of one container: none the first time, then the base, doubling up to 5 minutes.
#[derive(Debug)]
pub(super) struct Backoff {
    base: Duration,
    next: Duration,
}

impl Backoff {
    pub(super) fn new(base: Duration) -> Self {
        Self { base, next: Duration::ZERO }
    }

    /// The wait after a run that lasted this long.
    pub(super) fn after(&mut self, run: Duration) -> Duration {
        if run >= HEALTHY {
            self.next = Duration::ZERO;
        }
        let wait = self.next;
        self.next = (wait * 2).clamp(self.base, LONGEST.max(self.base));
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_five_minutes_and_start_over_after_a_good_run() {
        let mut backoff = Backoff::new(Duration::from_secs(10));
        let waits: Vec<u64> = (0..9).map(|_| backoff.after(Duration::ZERO).as_secs()).collect();
        assert_eq!(waits, [0, 10, 20, 40, 80, 160, 300, 300, 300]);
        assert_eq!(backoff.after(HEALTHY).as_secs(), 0);
        assert_eq!(backoff.after(Duration::ZERO).as_secs(), 10);
    }
}
