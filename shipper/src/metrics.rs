//! What is counted.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crate::decode::{Count, Tally};

/// Records and bytes of payload, counted.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    pub(crate) records: AtomicU64,
    pub(crate) bytes: AtomicU64,
}

impl Counted {
    fn add(&self, count: Count) {
        self.records.fetch_add(count.records, Relaxed);
        self.bytes.fetch_add(count.bytes, Relaxed);
    }
}

/// Why there are gaps, in the order of [`fairlead_wire::message::GapReason`].
pub(crate) const GAP_REASONS: [&str; 5] =
    ["deleted", "truncated", "given_up", "runtime_rotation", "unreadable"];

/// All that one shipper counts. Written by its own thread, read by scrapes.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) read: Counted,
    pub(crate) sent: Counted,
    pub(crate) excluded: Counted,
    pub(crate) rate_limited: Counted,
    pub(crate) oversize_bytes: AtomicU64,
    pub(crate) gaps: [AtomicU64; GAP_REASONS.len()],
    pub(crate) containers: AtomicU64,
    pub(crate) held: AtomicU64,
    pub(crate) watches: AtomicU64,
    pub(crate) unacknowledged_bytes: AtomicU64,
    pub(crate) connections: AtomicU64,
    pub(crate) connects: AtomicU64,
    pub(crate) connect_failures: AtomicU64,
    pub(crate) batches: AtomicU64,
    pub(crate) checkpoints: AtomicU64,
    pub(crate) checkpoint_errors: AtomicU64,
    pub(crate) rescans: AtomicU64,
}

impl Metrics {
    pub(crate) fn add(&self, tally: Tally) {
        self.read.add(tally.read());
        self.sent.add(tally.sent);
        self.excluded.add(tally.excluded);
        self.rate_limited.add(tally.rate_limited);
        if tally.oversize > 0 {
            self.oversize_bytes.fetch_add(tally.oversize, Relaxed);
        }
    }
}
