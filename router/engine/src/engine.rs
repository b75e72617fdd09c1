//! One engine per worker, and what all of them share.

use std::{sync::Arc, time::Instant};

use arc_swap::ArcSwap;
use fairlead_router_core::Table;
use fairlead_router_listen::{Connection, Drain, Scheme, Serve};

use pingora_core::{protocols::http::v2::server::H2Options, server::configuration::ServerConf};
use pingora_proxy::HttpProxy;

use crate::{AccessLog, EngineLimits, EngineMetrics, connection, proxy::Proxy, retry::MOST, tcp};

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
    proxy: Arc<HttpProxy<Proxy>>,
    shared: Arc<Shared>,
    worker: usize,
}

impl Engine {
    /// The engine of `worker`, to be made on its thread.
    pub fn new(worker: usize, shared: Arc<Shared>) -> Arc<Self> {
        // Pingora installs another provider where there is none.
        fairlead_router_listen::tls::install_default_provider();
        let limits = shared.limits.clone();
        let conf = ServerConf {
            threads: 1,
            max_retries: MOST,
            upstream_keepalive_pool_size: limits.upstream_idle,
            // Authorities of endpoints come with their rules. Else every worker would read all of the
            // system's authorities, and panic on one that it cannot read.
            ca_file: Some("/dev/null".to_owned()),
            ..ServerConf::default()
        };
        let mut h2 = H2Options::default();
        h2.max_concurrent_streams(limits.h2_streams)
            .max_header_list_size(limits.h2_header_list)
            .max_send_buffer_size(limits.h2_send_buffer);
        let mut proxy = HttpProxy::new(Proxy::new(worker, shared.clone()), Arc::new(conf));
        proxy.h2_options = Some(h2);
        Arc::new(Self { proxy: Arc::new(proxy), shared, worker })
    }
}

impl Engine {
    async fn serve_tcp(&self, connection: Connection) {
        // One that has just been taken away closes what it still accepts.
        let stream = self.shared.table.load().streams().get(&connection.info.listener).cloned();
        if let Some(stream) = stream {
            tcp::serve(connection, &stream, self.worker, || self.shared.now()).await;
        }
    }
}

impl Shared {
    /// Milliseconds since the start: the clock of [`fairlead_router_core::Endpoint`].
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Serve for Engine {
    async fn serve(self: Arc<Self>, connection: Connection, drain: Drain) {
        if connection.info.scheme == Scheme::Tcp {
            // Boxed: its size would be that of every connection.
            return Box::pin(self.serve_tcp(connection)).await;
        }
        let Shared { table, limits, .. } = &*self.shared;
        connection::serve(&self.proxy, table, limits, connection, drain).await;
    }
}
