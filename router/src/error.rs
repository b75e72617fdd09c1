//! Why a router does not start.

use std::{io, net::SocketAddr};

use fairlead_router_listen::ListenError;

/// A router that could not be started. Says what to change.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address of a listener is taken, not of this machine, or not allowed.
    #[error("cannot listen on {address}, port {port}: {source}; choose another with {flag}", port = address.port())]
    Bind {
        /// The flag that sets the address.
        flag: &'static str,
        /// The address that was asked for.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The workers could not be started.
    #[error("cannot start the workers: {0}")]
    Workers(#[source] ListenError),
    /// A thread or its runtime could not be started.
    #[error("cannot start the {0} thread: {1}")]
    Thread(&'static str, #[source] io::Error),
    /// TLS cannot be set up.
    #[error("cannot set up TLS: {0}")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// logd's authorities cannot be read.
    #[error("--logd-ca: {0}")]
    LogdCa(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<ListenError> for StartError {
    fn from(error: ListenError) -> Self {
        match error {
            ListenError::Bind { name, addr: address, source } => {
                let flag = if &*name == crate::router::HTTPS { "--https" } else { "--http" };
                Self::Bind { flag, address, source }
            }
            error => Self::Workers(error),
        }
    }
}
