//! Serving the admin endpoints.

use std::time::Duration;

use fairlead_wire::slots::Slots;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::TcpListener;

/// Connections at a time.
const CONNECTIONS: usize = 64;
/// Limit for a request head, and for how long a connection may be idle.
const HEAD: Duration = Duration::from_secs(10);
/// Limit for a request head in bytes; the least that hyper admits.
const BUFFER: usize = 8 * 1024;

/// Serves `routes` on `listener` for ever.
pub(crate) async fn serve(listener: TcpListener, routes: axum::Router) {
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(BUFFER);
    let serve = |stream, slot| {
        let service = TowerToHyperService::new(routes.clone());
        let connection = http.serve_connection(TokioIo::new(stream), service);
        async move {
            let _slot = slot;
            // The client left, or broke a limit: its own matter.
            let _ = connection.await;
        }
    };
    Slots::new(CONNECTIONS).serve(listener, "admin", serve).await;
}
