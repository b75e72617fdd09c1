//! When to try again: back-off with jitter, and a probe at a time where much has failed.

use std::time::Duration;

use tokio::time::Instant;

/// The longest wait before the second attempt; it doubles with each.
const FIRST: Duration = Duration::from_millis(100);
/// The longest of all waits, but for what a receiver asks for.
const LONGEST: Duration = Duration::from_secs(60);
/// The longest wait that a receiver may ask for.
const ASKED: Duration = Duration::from_secs(3_600);
/// From so many failures in a row on it is open: attempts are probes.
pub(super) const THRESHOLD: u32 = 5;

/// Counts failures in a row, and says when to try again.
#[derive(Debug)]
pub(super) struct Breaker {
    /// So many failures in a row are passed over.
    patience: u32,
    failures: u32,
    until: Option<Instant>,
    probing: bool,
}

/// Whether to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    Go,
    /// With little: it is to be seen whether it works again.
    Probe,
    /// Not before.
    Wait(Instant),
}

/// What it is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// All is tried.
    #[default]
    Closed,
    /// Nothing is tried for now.
    Open,
    /// One attempt shows whether it works again.
    HalfOpen,
}

impl Breaker {
    /// One that waits from the failure after so many on.
    pub(super) fn new(patience: u32) -> Self {
        Self { patience, failures: 0, until: None, probing: false }
    }

    /// Whether to try now. Whoever may [probe](Pass::Probe) has to tell what came of it.
    pub(super) fn pass(&mut self, now: Instant) -> Pass {
        match self.until {
            Some(until) if now < until => Pass::Wait(until),
            _ if self.failures < THRESHOLD => Pass::Go,
            // One at a time.
            _ if self.probing => Pass::Wait(now + FIRST),
            _ => {
                self.probing = true;
                Pass::Probe
            }
        }
    }

    /// It works. True where that is news.
    pub(super) fn succeeded(&mut self) -> bool {
        let news = self.failures > 0;
        *self = Self::new(self.patience);
        news
    }

    /// It does not work. `jitter` is at least 0 and less than 1. Gives how long it waits.
    pub(super) fn failed(
        &mut self,
        now: Instant,
        jitter: f64,
        asked: Option<Duration>,
    ) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.probing = false;
        let counted = self.failures.saturating_sub(self.patience);
        if counted == 0 {
            return Duration::ZERO;
        }
        let most = FIRST.saturating_mul(1 << (counted - 1).min(10)).min(LONGEST);
        let wait = most.mul_f64(jitter).max(asked.unwrap_or_default().min(ASKED));
        self.until = Some(now + wait);
        wait
    }

    /// A probe came to nothing: nobody knows.
    pub(super) fn given_up(&mut self) {
        self.probing = false;
    }

    /// Failures in a row.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) fn state(&self, now: Instant) -> State {
        match self.until {
            _ if self.failures < THRESHOLD => State::Closed,
            Some(until) if now < until => State::Open,
            _ => State::HalfOpen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute_and_never_end() {
        let now = Instant::now();
        let mut breaker = Breaker::new(0);
        let waits: Vec<_> = (0..40).map(|_| breaker.failed(now, 0.5, None).as_millis()).collect();
        assert_eq!(waits[..6], [50, 100, 200, 400, 800, 1_600]);
        assert!(waits[10..].iter().all(|wait| *wait == 30_000));
        assert_eq!(breaker.failed(now, 0.0, None), Duration::ZERO, "full jitter");
    }

    #[test]
    fn what_a_receiver_asks_for_is_waited_within_an_hour() {
        let now = Instant::now();
        let mut breaker = Breaker::new(0);
        let seconds = Duration::from_secs;
        assert_eq!(breaker.failed(now, 0.5, Some(seconds(90))), seconds(90));
        assert_eq!(breaker.pass(now + seconds(89)), Pass::Wait(now + seconds(90)));
        assert_eq!(breaker.pass(now + seconds(90)), Pass::Go);
        assert_eq!(breaker.failed(now, 0.5, Some(seconds(1_000_000))), seconds(3_600));
    }

    #[test]
    fn after_five_failures_one_probe_at_a_time_shows_whether_it_works_again() {
        let now = Instant::now();
        let mut breaker = Breaker::new(THRESHOLD - 1);
        for _ in 1..THRESHOLD {
            assert_eq!(breaker.failed(now, 0.5, None), Duration::ZERO);
            assert_eq!((breaker.pass(now), breaker.state(now)), (Pass::Go, State::Closed));
        }
        let wait = breaker.failed(now, 0.5, None);
        assert_eq!((breaker.pass(now), breaker.state(now)), (Pass::Wait(now + wait), State::Open));
        let later = now + wait;
        assert_eq!((breaker.pass(later), breaker.state(later)), (Pass::Probe, State::HalfOpen));
        assert!(matches!(breaker.pass(later), Pass::Wait(_)), "one at a time");
        breaker.given_up();
        assert_eq!(breaker.pass(later), Pass::Probe);
        let wait = breaker.failed(later, 0.5, None);
        assert_eq!(breaker.pass(later), Pass::Wait(later + wait));
        assert_eq!(breaker.pass(later + wait), Pass::Probe);
        assert!(breaker.succeeded());
        assert_eq!((breaker.pass(later), breaker.state(later)), (Pass::Go, State::Closed));
        assert!(!breaker.succeeded());
    }
}
