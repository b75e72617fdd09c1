//! Why a logd does not start.

use std::{io, net::SocketAddr};

/// A logd that could not be started. Says what to change.
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
    /// Nobody would have to prove who they are, on an address that others reach.
    #[error(
        "{flag} {address} is not a loopback address: give keys for tokens with --token-keys, or an address of this machine alone"
    )]
    NoAuth {
        /// The flag that sets the address.
        flag: &'static str,
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// A drain that a flag or a variable asks for cannot be.
    #[error(transparent)]
    Drain(#[from] crate::DrainError),
    /// A thread or its runtime could not be started.
    #[error("cannot start the {0} threads: {1}")]
    Thread(&'static str, #[source] io::Error),
}
