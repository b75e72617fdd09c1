//! How a shipper is set up.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use fairlead_wire::client::Endpoint;

/// Where logds are.
#[derive(Debug, Clone)]
pub enum Logd {
    /// One, at this address.
    At(Endpoint),
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
    /// Where lines are sent to.
    pub logd: Logd,
    /// Namespaces whose containers are not shipped. Empty: none.
    pub excluded_namespaces: Vec<String>,
    /// Lines a second that a container may write. No limit
    pub rate: Option<u32>,
    /// Bytes of files that are sent to a logd before it has reported them as stored. 8 MiB
    pub window: u64,
    /// Bytes of deleted files that are kept open until they are read. 256 MiB
    pub held: u64,
    /// Where the admin endpoints are served. Port 0 lets the system choose. `[::]:9091`
    pub admin: SocketAddr,
}

impl ShipperOptions {
    /// The defaults, and where lines are sent to.
    #[must_use]
    pub fn to(logd: Logd) -> Self {
        Self {
            pods: "/var/log/pods".into(),
            state: "/var/lib/fairlead/shipper".into(),
            node: String::new(),
            logd,
            excluded_namespaces: Vec::new(),
            rate: None,
            window: 8 << 20,
            held: 256 << 20,
            admin: SocketAddr::from((Ipv6Addr::UNSPECIFIED, 9091)),
        }
    }
}
