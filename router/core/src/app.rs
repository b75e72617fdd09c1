//! An application as the router counts it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use crossbeam_utils::CachePadded;
use serde::{Serialize, Serializer};

use crate::clients::Clients;

/// `namespace/name`; the name is the Service's label `app`, else its own name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppId(Arc<str>);

impl AppId {
    /// The app `name` in `namespace`; one that is in none is named alone.
    pub fn new(namespace: &str, name: &str) -> Self {
        if namespace.is_empty() {
            return Self(name.into());
        }
        Self(format!("{namespace}/{name}").into())
    }

    /// `namespace/name`
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for AppId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// An application's identity and counters. Outlives table generations, so that
/// a change of route never resets a counter.
#[derive(Debug)]
pub struct App {
    /// The app's name in metrics, logs and `/routes`.
    pub id: AppId,
    /// What is known of clients, of this app and all others.
    pub clients: Arc<Clients>,
    shards: Box<[CachePadded<Shard>]>,
}

#[derive(Debug, Default)]
struct Shard {
    classes: [AtomicU64; 5],
    received: AtomicU64,
    sent: AtomicU64,
    upstream_errors: AtomicU64,
    micros: AtomicU64,
    upstream_micros: AtomicU64,
    started: AtomicU64,
    ended: AtomicU64,
}

/// An app's counters, summed over all workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Answers by status class: `[1xx, 2xx, 3xx, 4xx, 5xx]`.
    pub classes: [u64; 5],
    /// Request body bytes read from clients.
    pub received: u64,
    /// Response body bytes written to clients.
    pub sent: u64,
    /// Failed attempts to get an answer from an endpoint.
    pub upstream_errors: u64,
    /// Microseconds from the heads of requests to the ends of their answers, in all.
    pub micros: u64,
    /// Those of them in which an endpoint was asked.
    pub upstream_micros: u64,
    /// Requests being answered now.
    pub in_flight: u64,
}

/// What one finished request adds to its app's counters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Status code sent to the client; 0 where the client left before any.
    pub status: u16,
    /// Request body bytes.
    pub received: u64,
    /// Response body bytes.
    pub sent: u64,
    /// From the head to the end of the answer.
    pub time: Duration,
    /// How much of it an endpoint was asked.
    pub upstream_time: Duration,
}

impl App {
    /// A new app with a set of counters for each of `workers`.
    pub fn new(id: AppId, workers: usize, clients: Arc<Clients>) -> Self {
        Self { id, clients, shards: (0..workers.max(1)).map(|_| CachePadded::default()).collect() }
    }

    fn shard(&self, worker: usize) -> &Shard {
        &self.shards[worker % self.shards.len()]
    }

    /// A request began on `worker`.
    pub fn begin(&self, worker: usize) {
        self.shard(worker).started.fetch_add(1, Relaxed);
    }

    /// The request ended.
    pub fn end(&self, worker: usize, outcome: Outcome) {
        let shard = self.shard(worker);
        shard.ended.fetch_add(1, Relaxed);
        shard.received.fetch_add(outcome.received, Relaxed);
        shard.sent.fetch_add(outcome.sent, Relaxed);
        shard.micros.fetch_add(micros(outcome.time), Relaxed);
        shard.upstream_micros.fetch_add(micros(outcome.upstream_time), Relaxed);
        if let Some(class) = shard.classes.get(usize::from(outcome.status / 100).wrapping_sub(1)) {
            class.fetch_add(1, Relaxed);
        }
    }

    /// An attempt to get an answer from an endpoint failed.
    pub fn upstream_error(&self, worker: usize) {
        self.shard(worker).upstream_errors.fetch_add(1, Relaxed);
    }

    /// The sums over all workers.
    pub fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        for shard in &self.shards {
            for (total, class) in sum.classes.iter_mut().zip(&shard.classes) {
                *total += class.load(Relaxed);
            }
            sum.received += shard.received.load(Relaxed);
            sum.sent += shard.sent.load(Relaxed);
            sum.upstream_errors += shard.upstream_errors.load(Relaxed);
            sum.micros += shard.micros.load(Relaxed);
            sum.upstream_micros += shard.upstream_micros.load(Relaxed);
            // Ends first: reading them after the starts could give a negative number.
            let ended = shard.ended.load(Relaxed);
            sum.in_flight += shard.started.load(Relaxed).saturating_sub(ended);
        }
        sum
    }
}

fn micros(time: Duration) -> u64 {
    time.as_secs() * 1_000_000 + u64::from(time.subsec_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_add_up_over_workers() {
        let app = App::new(AppId::new("shop", "web"), 2, Arc::default());
        app.begin(0);
        app.begin(1);
        app.begin(1);
        let (time, upstream_time) = (Duration::from_millis(1_500), Duration::from_micros(7));
        app.end(0, Outcome { status: 200, received: 5, sent: 10, time, upstream_time });
        app.end(1, Outcome { received: 1, time, ..Outcome::default() });
        app.upstream_error(1);
        let expected = Counts {
            classes: [0, 1, 0, 0, 0],
            received: 6,
            sent: 10,
            upstream_errors: 1,
            micros: 3_000_000,
            upstream_micros: 7,
            in_flight: 1,
        };
        assert_eq!(app.counts(), expected);
        assert_eq!(app.id.as_str(), "shop/web");
    }
}
