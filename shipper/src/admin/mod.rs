//! The admin endpoints: health and metrics.
//!
//! Read-only. Bodies are never read, heads and connections are bounded.

mod collect;
mod serve;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use prometheus_client::registry::Registry;

use crate::metrics::Metrics;

/// What the endpoints show.
pub(crate) struct Admin {
    metrics: Arc<Metrics>,
    registry: Registry,
}

impl Admin {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        let mut registry = Registry::with_prefix("fairlead_shipper");
        registry.register_collector(Box::new(collect::Source(metrics.clone())));
        Self { metrics, registry }
    }
}

/// Serves the endpoints for ever.
pub(crate) async fn serve(listener: std::net::TcpListener, admin: Arc<Admin>) {
    let listening = listener
        .local_addr()
        .and_then(|address| Ok((address, tokio::net::TcpListener::from_std(listener)?)));
    match listening {
        Ok((address, listener)) => serve::serve(listener, routes(admin, address)).await,
        Err(error) => tracing::error!(%error, "the admin endpoints cannot be served"),
    }
}

fn routes(admin: Arc<Admin>, address: SocketAddr) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .layer(middleware::from_fn_with_state(address, own_host))
        .with_state(admin)
}

/// Whether lines can be sent.
async fn readyz(State(admin): State<Arc<Admin>>) -> Response {
    if admin.metrics.connections.load(Relaxed) > 0 {
        return "ready\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, "not ready\nthere is no connection to a logd\n")
        .into_response()
}

/// OpenMetrics text.
async fn metrics(State(admin): State<Arc<Admin>>) -> Response {
    let mut body = String::new();
    if prometheus_client::encoding::text::encode(&mut body, &admin.registry).is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], body).into_response()
}

/// On a loopback address only requests for that address or localhost are answered: a web
/// page whose name was made to point there must not read what a browser can reach.
async fn own_host(State(address): State<SocketAddr>, request: Request, next: Next) -> Response {
    let host =
        request.headers().get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|b| b.is_ascii_digit()) { name } else { host }
    });
    let address = address.ip().to_canonical();
    let own = name.eq_ignore_ascii_case("localhost")
        || name.trim_matches(['[', ']']).parse() == Ok(address);
    if address.is_loopback() && !own {
        return (StatusCode::FORBIDDEN, "This address is asked for by another name.\n")
            .into_response();
    }
    next.run(request).await
}
