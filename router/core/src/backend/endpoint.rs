//! One address that answers requests, and what is known of its health.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
};

/// How long an endpoint that refused a connection is avoided, in milliseconds.
const SUSPECT: u64 = 1_000;

/// Requests that may be under way to one endpoint. Each has a connection, unless HTTP/2 is spoken, and a system has some 28,000
/// ports for those to one address: without them connecting fails, and that would look like a fault of the endpoint.
pub(super) const MOST: u32 = 25_000;

/// An address with its health record, shared by all routes that lead to it.
#[derive(Debug)]
pub struct Endpoint {
    /// Where it listens.
    pub address: SocketAddr,
    outstanding: AtomicU32,
    suspect_until: AtomicU64,
}

impl Endpoint {
    /// An endpoint about which nothing is known yet.
    pub const fn new(address: SocketAddr) -> Self {
        Self { address, outstanding: AtomicU32::new(0), suspect_until: AtomicU64::new(0) }
    }

    /// Requests sent to it that are not finished.
    pub fn outstanding(&self) -> u32 {
        self.outstanding.load(Relaxed)
    }

    /// Whether it may have another one.
    pub fn has_room(&self) -> bool {
        self.outstanding() < MOST
    }

    /// A connection to it failed at `now`.
    pub fn failed(&self, now: u64) {
        self.suspect_until.store(now.saturating_add(SUSPECT), Relaxed);
    }

    /// It answered; an earlier failure no longer counts.
    pub fn answered(&self) {
        // Mostly zero already: a plain load keeps the cache line shared.
        if self.suspect_until.load(Relaxed) != 0 {
            self.suspect_until.store(0, Relaxed);
        }
    }

    /// Whether it refused a connection shortly before `now`.
    pub fn is_suspect(&self, now: u64) -> bool {
        self.suspect_until.load(Relaxed) > now
    }
}

/// The right to send one request to an endpoint; counts as outstanding until dropped.
#[derive(Debug)]
pub struct Lease(Arc<Endpoint>);

impl Lease {
    pub(super) fn new(endpoint: Arc<Endpoint>) -> Self {
        endpoint.outstanding.fetch_add(1, Relaxed);
        Self(endpoint)
    }
}

impl std::ops::Deref for Lease {
    type Target = Endpoint;

    fn deref(&self) -> &Endpoint {
        &self.0
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.outstanding.fetch_sub(1, Relaxed);
    }
}
