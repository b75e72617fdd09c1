//! Settings that concern all hosts.

use std::{net::IpAddr, time::Duration};

use ipnet::IpNet;

/// Router-wide settings; one immutable value beside the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// A dot-less name `web` is served at `web.<platform_domain>`. Without one it is refused.
    pub platform_domain: Option<Box<str>>,
    /// Peers whose `X-Forwarded-*` headers are believed. Empty: none.
    pub trusted: Vec<IpNet>,
    /// The port that https redirects name; left out of the URL when 443.
    pub public_https_port: u16,
    /// Limit for connecting to an endpoint where an app sets none. Deis's default: 30 s.
    pub connect_timeout: Duration,
    /// Limit between two reads or writes upstream where an app sets none. Deis's default: 1300 s.
    pub tcp_timeout: Duration,
    /// Number of data-plane workers; sizes the per-worker counters.
    pub workers: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            platform_domain: None,
            trusted: Vec::new(),
            public_https_port: 443,
            connect_timeout: Duration::from_secs(30),
            tcp_timeout: Duration::from_secs(1300),
            workers: 1,
        }
    }
}

impl Settings {
    /// Whether `peer` may tell us about the client with `X-Forwarded-*`.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted.iter().any(|net| net.contains(&peer))
    }
}
