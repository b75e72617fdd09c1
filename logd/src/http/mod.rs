//! The HTTP interface.

mod access;
mod drains;
mod forward;
mod logs;
mod pages;
mod serve;

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::AtomicBool},
};

use axum::{
    Router, middleware,
    routing::{get, post},
};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;

pub(crate) use self::serve::serve;
use self::{drains::Trials, logs::Answers};
use crate::{
    app::AppId,
    auth::Auth,
    drain::Drains,
    peers::{Peers, Place},
    store::{Store, counters::Counter},
};

/// What requests are answered from.
pub(crate) struct Api {
    pub(crate) store: Store,
    pub(crate) auth: Arc<Auth>,
    pub(crate) drains: Drains,
    pub(crate) peers: Option<Peers>,
    pub(crate) registry: Registry,
    pub(crate) reading: Arc<Reading>,
    pub(crate) answers: Answers,
    /// Held while the rings are read to see how far drains are behind.
    pub(crate) looking: Mutex<()>,
    pub(crate) trials: Trials,
    pub(crate) ending: AtomicBool,
}

impl Api {
    /// Where an app is. What is done with the answer takes time, in which that may change.
    fn place(&self, app: &AppId) -> Place {
        self.peers.as_ref().map_or(Place::Here, |peers| peers.place(app))
    }
}

/// What is counted of reading.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// Records that readers were told to have missed.
    pub(crate) missed: Counter,
    /// Followers that came, and that went.
    pub(crate) followed: Counter,
    pub(crate) unfollowed: Counter,
    pub(crate) tails: Counter,
    /// Requests that another logd was asked, and those of them that it did not answer.
    pub(crate) forwarded: Counter,
    pub(crate) unanswered: Counter,
}

/// The interface, as served on `address`.
pub(crate) fn routes(api: Arc<Api>, address: SocketAddr) -> Router {
    Router::new()
        .route("/logs/{*app}", get(logs::read).delete(logs::delete))
        .route("/ledger/{*app}", get(pages::ledger))
        .route("/drains", get(drains::all))
        .route("/drains/{namespace}/{name}", get(drains::one))
        .route("/drains/{namespace}/{name}/test", post(drains::test))
        .route("/healthz", get(pages::healthz))
        .route("/healthz/", get(pages::healthz))
        .route("/livez", get(pages::healthz))
        .route("/readyz", get(pages::readyz))
        .route("/metrics", get(pages::metrics))
        .layer(middleware::from_fn_with_state(address, access::own_host))
        .with_state(api)
}
