//! One engine per worker, and what all of them share.

use std::{sync::Arc, time::Instant};

use arc_swap::ArcSwap;
use fairlead_router_core::Table;
use fairlead_router_listen::{Connection, Drain, Serve};

use crate::{AccessLog, EngineLimits, EngineMetrics};

/// What the engines of all workers share.
pub struct Shared {
    /// The routing table in force; a request keeps the one that it began with.
    pub table: Arc<ArcSwap<Table>>,
    /// Where finished requests are recorded.
    pub access: Arc<dyn AccessLog>,
    /// Counters of all engines.
    pub metrics: Arc<EngineMetrics>,
    /// Bounds on every exchange.
    pub limits: EngineLimits,
    /// The zero of the clock by which endpoints are remembered to have failed.
    pub started: Instant,
}

/// Serves the connections of one worker, with connections to endpoints of its own.
pub struct Engine {
    _worker: usize,
    _shared: Arc<Shared>,
}

impl Engine {
    /// The engine of `worker`, to be made on its thread.
    pub fn new(worker: usize, shared: Arc<Shared>) -> Arc<Self> {
        fairlead_router_listen::tls::install_default_provider();
        Arc::new(Self { _worker: worker, _shared: shared })
    }
}

impl Serve for Engine {
    async fn serve(self: Arc<Self>, _connection: Connection, _drain: Drain) {}
}
