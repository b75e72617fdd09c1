//! What is counted for all apps together. Each number is written by one thread.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use fairlead_ring::Count;
use fairlead_wire::message::LossReason;

/// A number that only rises.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Records and bytes.
#[derive(Debug, Default)]
pub(crate) struct Pair {
    pub(crate) records: Counter,
    pub(crate) bytes: Counter,
}

impl Pair {
    pub(crate) fn add(&self, records: u64, bytes: u64) {
        self.records.add(records);
        self.bytes.add(bytes);
    }

    pub(crate) fn count(&self, count: Count) {
        self.add(count.records, count.bytes);
    }
}

/// Why records left the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The app's own limits of bytes and lines.
    Limit,
    /// Their age.
    Age,
    /// Other apps needed the memory.
    Budget,
    /// Somebody deleted them.
    Deleted,
}

/// Of one shard.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) accepted: Pair,
    pub(crate) notices: Counter,
    pub(crate) duplicates: Pair,
    pub(crate) batches: Counter,
    pub(crate) gaps: Counter,
    pub(crate) gap_bytes: Counter,
    pub(crate) files: AtomicU64,
    evicted: [Pair; 4],
    losses: [Pair; 3],
}

impl Counters {
    pub(crate) fn evicted(&self, cause: Cause) -> &Pair {
        &self.evicted[cause as usize]
    }

    pub(crate) fn loss(&self, reason: LossReason) -> &Pair {
        &self.losses[match reason {
            LossReason::RateLimited => 0,
            LossReason::Oversize => 1,
            LossReason::QueueFull => 2,
        }]
    }
}
