//! TCP streams: ports whose bytes go to a Service as they come.

use std::{fmt, net::SocketAddr, sync::Arc};

use crate::{
    app::App,
    backend::Backend,
    object::{Key, ObjectRef},
    rule::Timeouts,
};

/// A port that is to lead to a Service, while that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamSpec {
    /// Where to listen.
    pub address: SocketAddr,
    /// The Service.
    pub service: Key,
    /// The Service's own port.
    pub port: u16,
}

impl StreamSpec {
    /// The name of the listener, unique among those of one router: `tcp deis/deis-builder:2222`.
    pub fn name(&self) -> Arc<str> {
        format!("tcp {self}").into()
    }
}

impl fmt::Display for StreamSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.service, self.port)
    }
}

/// A compiled stream.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Where to listen.
    pub address: SocketAddr,
    /// Whose traffic this is.
    pub app: Arc<App>,
    /// Where connections go.
    pub backend: Arc<Backend>,
    /// To connect; and between two moments at which a byte moves either way.
    pub timeouts: Timeouts,
    /// The Service.
    pub origin: ObjectRef,
}
