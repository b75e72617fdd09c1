//! Numbers for `/metrics`. Written once per connection, not per request; read without a lock.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that any thread may read at any time.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The value now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn increment(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn decrement(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// Adds one unless the value is `max` already.
    pub(crate) fn increment_below(&self, max: u64) -> bool {
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < max).then_some(n + 1))
            .is_ok()
    }
}

/// What the listeners of one [`Workers`](crate::Workers) have seen since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections that count against `max_connections` at this moment. The one number here that falls.
    pub open: Counter,
    /// Connections accepted, refused ones included.
    pub accepted: Counter,
    /// Closed at once: `max_connections` were open.
    pub refused_total: Counter,
    /// Closed at once: the client had `max_connections_per_client` open.
    pub refused_client: Counter,
    /// Failures of `accept` itself, for instance for want of file descriptors.
    pub accept_errors: Counter,
    /// TLS handshakes that failed, timeouts not included.
    pub handshake_failures: Counter,
    /// Peers that are trusted with the PROXY protocol and did not speak it.
    pub proxy_failures: Counter,
    /// Request heads larger than `head_bytes`, answered 431.
    pub heads_too_large: Counter,
    /// Connections closed by a deadline.
    pub timeouts: Timeouts,
}

/// Connections closed by a deadline, by the deadline.
#[derive(Debug, Default)]
pub struct Timeouts {
    /// A header of the PROXY protocol that did not come.
    pub proxy: Counter,
    /// TLS handshake or start of HTTP/2.
    pub handshake: Counter,
    /// No byte of HTTP after the connection was made.
    pub first_byte: Counter,
    /// A request head that did not end, answered 408.
    pub head: Counter,
    /// No further request.
    pub idle: Counter,
    /// A client that did not read.
    pub write: Counter,
    /// An upgraded connection on which nothing moved.
    pub tunnel: Counter,
}
