//! How a shipper is set up.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fairlead_wire::Logds;
use http::header::HeaderValue;

use crate::Clock;

/// What a logd is shown, and whom to trust.
#[derive(Clone, Default)]
pub struct Credentials {
    /// A bearer token of role `ingest`.
    pub token: Option<Token>,
    /// For `https`: see [`fairlead_wire::tls::client_config`].
    pub tls: Option<Arc<rustls::ClientConfig>>,
}

/// A bearer token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// The value of the header `Authorization`, marked as sensitive.
    Header(HeaderValue),
    /// A file that holds it; read for every connection, so that it may be replaced.
    File(PathBuf),
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("token", &self.token).finish_non_exhaustive()
    }
}

/// How a shipper is set up; [`crate::Flags`] has the same for the command line.
#[derive(Debug, Clone)]
pub struct ShipperOptions {
    /// The directory with the pods' logs. `/var/log/pods`
    pub pods: PathBuf,
    /// The directory for the checkpoint, which has to outlive the process.
    /// `/var/lib/fairlead/shipper`
    pub state: PathBuf,
    /// The node's name: whose pods are asked for. Empty: all pods, and no node in lines.
    pub node: String,
    /// How long lines wait for what the API knows of their pod; those of a pod that was known before
    /// the start, a tenth of it. Then their app is named like the pod. 30 s
    pub pod_wait: Duration,
    /// Where lines are sent to. The members of a Service are spoken to by TLS where `credentials` say
    /// whom to trust.
    pub logd: Logds,
    /// What is shown there. Nothing
    pub credentials: Credentials,
    /// Namespaces whose containers are not shipped. Empty: none.
    pub excluded_namespaces: Vec<String>,
    /// Lines a second that a container may write. No limit
    pub rate: Option<u32>,
    /// Bytes of files that are sent to a logd before it has reported them as stored. 8 MiB
    pub window: u64,
    /// Bytes of deleted files that are kept open until they are read. 256 MiB
    pub held: u64,
    /// What time it is. The system's
    pub clock: Clock,
    /// Where the admin endpoints are served. Port 0 lets the system choose. `[::]:9091`
    pub admin: SocketAddr,
}

impl ShipperOptions {
    /// The defaults, and where lines are sent to.
    #[must_use]
    pub fn to(logd: Logds) -> Self {
        Self {
            pods: "/var/log/pods".into(),
            state: "/var/lib/fairlead/shipper".into(),
            node: String::new(),
            pod_wait: Duration::from_secs(30),
            logd,
            credentials: Credentials::default(),
            excluded_namespaces: Vec::new(),
            rate: None,
            window: 8 << 20,
            held: 256 << 20,
            clock: Clock::default(),
            admin: SocketAddr::from((Ipv6Addr::UNSPECIFIED, 9091)),
        }
    }
}
