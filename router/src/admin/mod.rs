//! The admin endpoints: health, metrics, and what is served and why.
//!
//! Read-only. Bodies are never read, heads and connections are bounded.

mod pages;
mod serve;

use std::{net::SocketAddr, sync::Arc, time::Instant};

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::get,
};
use prometheus_client::registry::Registry;

pub(crate) use self::serve::serve;
use crate::health::Health;

/// What the endpoints show.
pub(crate) struct Admin {
    pub(crate) health: Arc<Health>,
    pub(crate) registry: Registry,
    pub(crate) started: Instant,
}

/// The endpoints, as served on `address`.
pub(crate) fn routes(admin: Arc<Admin>, address: SocketAddr) -> Router {
    Router::new()
        .route("/healthz", get(pages::healthz))
        .route("/readyz", get(pages::readyz))
        .route("/metrics", get(pages::metrics))
        .route("/status", get(pages::status))
        .route("/routes", get(pages::routes))
        .route("/diagnostics", get(pages::diagnostics))
        .layer(middleware::from_fn_with_state(address, own_host))
        .with_state(admin)
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
