//! What the tests of this crate share: a router in this process, scripted backends, raw clients.

use std::{future::Future, sync::Arc, time::Duration};

pub(crate) mod backend;
pub(crate) mod client;
pub(crate) mod frames;
pub(crate) mod router;
pub(crate) mod tls;

pub(crate) use backend::Backend;
pub(crate) use client::Client;
pub(crate) use router::{Record, Router, Setup};

/// The result of `future`, which must come within 30 seconds.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), future)
        .await
        .expect("it should not take this long")
}

/// Returns once `condition` holds.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let holds = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), holds).await;
    assert!(waited.is_ok(), "never: {what}");
}

/// A router with the app `web` at `web.example` on `backends`.
pub(crate) fn web(backends: &[&Backend]) -> Router {
    let mut router = Router::start(Setup::default());
    router.app("web", &[], &backends.iter().map(|backend| backend.addr).collect::<Vec<_>>());
    router
}

pub(crate) type Shared<T> = Arc<parking_lot::Mutex<T>>;
