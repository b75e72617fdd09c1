//! What is known of a finished request.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, SystemTime},
};

use fairlead_router_core::{AppId, HostPattern};
use fairlead_router_listen::ConnectionInfo;
use http::Version;

/// Takes a record of every finished request.
pub trait AccessLog: Send + Sync {
    /// Called once per request, on the thread of `worker`, when its answer has
    /// been sent or given up. It must not block; requests that the table has no
    /// host for and that ask for `/healthz` are not recorded.
    fn record(&self, worker: usize, entry: &AccessEntry<'_>);

    /// Whether anybody reads the records. Where nobody does none is made.
    fn is_read(&self) -> bool {
        true
    }
}

/// One finished request. Borrows from it: whoever needs a field later copies it.
#[derive(Clone, Copy, Debug)]
pub struct AccessEntry<'a> {
    /// When the request ended.
    pub time: SystemTime,
    /// The application it was routed to; `None` where the table had no rule for it.
    pub app: Option<&'a AppId>,
    /// The host or wildcard that was matched (nginx's `server_name`).
    pub host_pattern: Option<&'a HostPattern>,
    /// The client: the peer, or who a trusted peer says it is.
    pub client: IpAddr,
    /// How the connection came in: listener, peer, TLS.
    pub connection: &'a ConnectionInfo,
    /// `http` or `https`, as the client spoke it: to us, or to a trusted peer.
    pub scheme: &'static str,
    /// The request method.
    pub method: &'a str,
    /// `Host` or `:authority` as received. May hold any byte but controls; empty where there was none.
    pub host: &'a [u8],
    /// Path and query as received; bytes that are no UTF-8 replaced.
    pub target: &'a str,
    /// HTTP/1.0, 1.1 or 2.
    pub version: Version,
    /// Status sent; 0 where the client left before any.
    pub status: u16,
    /// Request body bytes read.
    pub received: u64,
    /// Response body bytes sent.
    pub sent: u64,
    /// `Referer` as received; may hold any byte but controls.
    pub referer: Option<&'a [u8]>,
    /// `User-Agent` as received; may hold any byte but controls.
    pub user_agent: Option<&'a [u8]>,
    /// The last endpoint that was tried.
    pub upstream: Option<SocketAddr>,
    /// From the choice of the first endpoint to the last byte of the answer.
    pub upstream_time: Option<Duration>,
    /// From the end of the request's head to the end of the answer.
    pub request_time: Duration,
    /// Attempts after the first.
    pub retries: u32,
}
