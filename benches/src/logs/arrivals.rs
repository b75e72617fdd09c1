//! What arrived at a receiver, and when.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::time::{sleep, timeout};

use super::checker::{Checker, Seen};
use super::lines::Lines;

/// How often a waiting test looks.
const LOOK: Duration = Duration::from_millis(5);

/// Filled by a receiver, read by who waits. Clones share it.
#[derive(Debug, Clone)]
pub struct Arrivals(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    checker: Checker,
    first: Option<Instant>,
    last: Option<Instant>,
}

/// Takes records for a while, locked.
pub struct Taking<'a>(parking_lot::MutexGuard<'a, Inner>);

impl Taking<'_> {
    /// Takes a record.
    pub fn record(&mut self, seen: &Seen<'_>) {
        self.0.checker.record(seen);
    }
}

impl Arrivals {
    /// Expects lines of this run.
    #[must_use]
    pub fn new(lines: Lines) -> Self {
        Self(Arc::new(Mutex::new(Inner { checker: Checker::new(lines), first: None, last: None })))
    }

    /// Something has arrived: takes it.
    pub fn take(&self) -> Taking<'_> {
        let mut inner = self.0.lock();
        let now = Instant::now();
        inner.first.get_or_insert(now);
        inner.last = Some(now);
        Taking(inner)
    }

    /// How many different lines have arrived.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.0.lock().checker.lines()
    }

    /// Time between what arrived first and what arrived last.
    #[must_use]
    pub fn span(&self) -> Duration {
        let inner = self.0.lock();
        inner.first.zip(inner.last).map_or(Duration::ZERO, |(first, last)| last - first)
    }

    /// Looks at the checker.
    pub fn check<T>(&self, look: impl FnOnce(&Checker) -> T) -> T {
        look(&self.0.lock().checker)
    }

    /// Waits until so many lines have arrived; whether they did before nothing arrived for `patience`.
    pub async fn wait(&self, lines: u64, patience: Duration) -> bool {
        loop {
            let before = self.lines();
            let arrived = async {
                while self.lines() < lines {
                    sleep(LOOK).await;
                }
            };
            if timeout(patience, arrived).await.is_ok() {
                return true;
            }
            if self.lines() == before {
                return false;
            }
        }
    }
}
