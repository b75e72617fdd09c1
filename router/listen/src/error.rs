//! What can go wrong when listeners and workers start.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// A listener or a worker that could not be started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address cannot be listened on: taken, not of this machine, or below 1024 without the right to it.
    #[error("listener {name}: cannot listen on {addr}: {source}")]
    Bind {
        /// The listener.
        name: Arc<str>,
        /// The address as it was asked for.
        addr: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// There is a listener of this name.
    #[error("listener {0}: the name is in use; remove that listener first")]
    Duplicate(Arc<str>),
    /// There is no listener of this name.
    #[error("listener {0}: no listener has this name")]
    Unknown(Arc<str>),
    /// A worker's thread or runtime cannot be started.
    #[error("worker {worker}: cannot start: {source}")]
    Worker {
        /// Number of the worker, from 0.
        worker: usize,
        /// Why.
        source: io::Error,
    },
    /// The workers have drained; nothing can be added to or removed from them.
    #[error("the workers have stopped")]
    Stopped,
}

impl ListenError {
    /// Whether the reason is that somebody else listens on the address.
    pub fn address_in_use(&self) -> bool {
        matches!(self, Self::Bind { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
    }
}
