//! Why `fairlead up` did not start, or ended.

use super::{manifests::ManifestError, state::StateError};

/// Each variant says what to change.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpError {
    /// The system refused a runtime or a signal handler.
    #[error("the system refused a resource: {0}")]
    System(#[from] std::io::Error),
    /// The state folder cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The folder of manifests cannot be read.
    #[error("{0}; name another folder with --manifests")]
    Manifests(#[from] ManifestError),
    /// The folder of manifests cannot be followed.
    #[error("cannot follow the manifests: {0}")]
    Follow(#[from] notify::Error),
    /// The cluster did not start.
    #[error(transparent)]
    Cluster(#[from] fairlead_cluster::StartError),
    /// The client of the embedded API could not be made.
    #[error("cannot reach the embedded Kubernetes API: {0}")]
    Client(Box<kube::Error>),
    /// A port is taken.
    #[error("cannot listen on {address}: {source}; choose another port with {flag}")]
    Port {
        /// The address that was asked for.
        address: std::net::SocketAddr,
        /// Why not.
        source: std::io::Error,
        /// The flag that changes it.
        flag: &'static str,
    },
    /// The router did not start.
    #[error("the router did not start: {0}")]
    Router(fairlead_router::StartError),
    /// logd did not start.
    #[error("logd did not start: {0}")]
    Logd(fairlead_logd::StartError),
    /// The shipper did not start.
    #[error("the shipper did not start: {0}")]
    Shipper(fairlead_shipper::StartError),
    /// There is no randomness for a key.
    #[error("the system gave no random bytes for a key")]
    Random,
}
