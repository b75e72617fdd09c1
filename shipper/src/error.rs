//! Why a shipper does not start.

use std::{io, net::SocketAddr};

/// A shipper that could not be started. Says what to change.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address of the admin endpoints is taken, not of this machine, or not allowed.
    #[error("cannot listen on {address}, port {port}: {source}; choose another with --admin", port = address.port())]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The endpoints of a Service are asked for, and nobody can be asked.
    #[error(
        "--logd names a Service, which only the Kubernetes API knows: give a URL with --no-api"
    )]
    NoApi,
    /// The thread or its runtime could not be started, or there is no inotify.
    #[error("cannot start: {0}; is fs.inotify.max_user_instances large enough?")]
    Thread(#[source] io::Error),
}
