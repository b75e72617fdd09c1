//! Counters of the engine itself; those of an application are in its `App`.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use crossbeam_utils::CachePadded;

/// Upper bounds of the latency histogram's buckets, in seconds; a further bucket has no bound.
pub const LATENCY_BOUNDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

const BUCKETS: usize = LATENCY_BOUNDS.len() + 1;

/// The engine's counters, a set per worker, added up when read.
#[derive(Debug)]
pub struct EngineMetrics {
    workers: Box<[CachePadded<Worker>]>,
}

#[derive(Debug, Default)]
struct Worker {
    latency: [AtomicU64; BUCKETS],
    latency_micros: AtomicU64,
    unrouted: AtomicU64,
    refused: AtomicU64,
    retries: AtomicU64,
}

/// The sums over all workers at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Requests by the time from head to end of answer: one count per bucket, not cumulative.
    /// Upgraded connections are left out.
    pub latency: [u64; BUCKETS],
    /// The sum of those times.
    pub latency_sum: Duration,
    /// Requests that the table had no rule for, among them ones without a usable `Host`.
    pub unrouted: u64,
    /// Requests that broke a rule of `fairlead_router_core::strict`.
    pub refused: u64,
    /// Further attempts after one that failed.
    pub retries: u64,
}

impl EngineMetrics {
    /// Counters for `workers` workers (at least one).
    pub fn new(workers: usize) -> Self {
        Self { workers: (0..workers.max(1)).map(|_| CachePadded::default()).collect() }
    }

    fn worker(&self, worker: usize) -> &Worker {
        &self.workers[worker % self.workers.len()]
    }

    pub(crate) fn finished(&self, worker: usize, time: Duration) {
        let worker = self.worker(worker);
        let seconds = time.as_secs_f64();
        let bucket = LATENCY_BOUNDS.iter().position(|bound| seconds <= *bound);
        worker.latency[bucket.unwrap_or(BUCKETS - 1)].fetch_add(1, Relaxed);
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        worker.latency_micros.fetch_add(micros, Relaxed);
    }

    pub(crate) fn unrouted(&self, worker: usize) {
        self.worker(worker).unrouted.fetch_add(1, Relaxed);
    }

    pub(crate) fn refused(&self, worker: usize) {
        self.worker(worker).refused.fetch_add(1, Relaxed);
    }

    pub(crate) fn retried(&self, worker: usize) {
        self.worker(worker).retries.fetch_add(1, Relaxed);
    }

    /// The sums over all workers.
    pub fn snapshot(&self) -> Snapshot {
        let mut sum = Snapshot::default();
        for worker in &self.workers {
            for (total, bucket) in sum.latency.iter_mut().zip(&worker.latency) {
                *total += bucket.load(Relaxed);
            }
            sum.latency_sum += Duration::from_micros(worker.latency_micros.load(Relaxed));
            sum.unrouted += worker.unrouted.load(Relaxed);
            sum.refused += worker.refused.load(Relaxed);
            sum.retries += worker.retries.load(Relaxed);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_add_up_over_workers_and_times_fall_into_their_bucket() {
        let metrics = EngineMetrics::new(2);
        metrics.finished(0, Duration::from_millis(1));
        metrics.finished(1, Duration::from_millis(2));
        metrics.finished(1, Duration::from_secs(61));
        metrics.unrouted(0);
        metrics.refused(1);
        metrics.retried(1);
        let mut expected = Snapshot {
            latency_sum: Duration::from_millis(61_003),
            unrouted: 1,
            refused: 1,
            retries: 1,
            ..Snapshot::default()
        };
        expected.latency[0] = 1;
        expected.latency[1] = 1;
        expected.latency[BUCKETS - 1] = 1;
        assert_eq!(metrics.snapshot(), expected);
    }
}
