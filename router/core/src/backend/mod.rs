//! Where requests go: the endpoints of one port of a Service.
//!
//! A [`Backend`] outlives table generations. Its endpoints are swapped in place,
//! so a pod that comes or goes never touches the table.

mod endpoint;
mod pool;
mod select;

use std::{fmt, net::SocketAddr, sync::Arc};

use arc_swap::ArcSwap;
pub use endpoint::{Endpoint, Lease};
pub use pool::Endpoints;
use serde::{Serialize, Serializer};

use crate::object::Key;

/// A Service and the name of one of its ports (empty for the unnamed one).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BackendKey {
    /// The Service.
    pub service: Key,
    /// The port's name.
    pub port: Arc<str>,
}

impl fmt::Display for BackendKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.service)?;
        if self.port.is_empty() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

impl Serialize for BackendKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The endpoints that take requests for one Service port.
#[derive(Debug)]
pub struct Backend {
    /// Which Service and port.
    pub key: BackendKey,
    endpoints: ArcSwap<Vec<Arc<Endpoint>>>,
}

impl Backend {
    /// A backend without endpoints.
    pub fn new(key: BackendKey) -> Self {
        Self { key, endpoints: ArcSwap::default() }
    }

    /// Whether any endpoint could answer.
    pub fn is_available(&self) -> bool {
        !self.endpoints.load().is_empty()
    }

    /// The addresses that take requests now, sorted.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.endpoints.load().iter().map(|endpoint| endpoint.address).collect()
    }

    /// Replaces the endpoints. Requests under way keep theirs.
    pub fn set(&self, mut endpoints: Vec<Arc<Endpoint>>) {
        endpoints.sort_unstable_by_key(|endpoint| endpoint.address);
        endpoints.dedup_by_key(|endpoint| endpoint.address);
        self.endpoints.store(Arc::new(endpoints));
    }

    /// An endpoint for one request: of two picked at random the one with fewer
    /// requests outstanding. `avoid`, and endpoints that lately refused a
    /// connection, are taken only when there is nothing else. `now` is in
    /// milliseconds on any steady clock, the same for all calls.
    pub fn pick(&self, avoid: Option<SocketAddr>, now: u64) -> Option<Lease> {
        select::pick(&self.endpoints.load(), avoid, now)
            .map(|endpoint| Lease::new(endpoint.clone()))
    }
}
