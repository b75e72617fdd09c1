//! What is asked of a request before it is proxied.
//!
//! A policy is a plain value: it looks at [`RequestFacts`] and lets the request
//! go on or answers it. The variants stand in the order in which they apply.

mod access_list;
mod header_filter;
mod https_redirect;
mod rate_limit;
mod strict_transport;

use std::{fmt, net::IpAddr, time::Duration};

pub use access_list::{AccessDefaults, AccessList, ListMode};
pub use header_filter::{CORRELATION_ID, HeaderFilter, ReferrerPolicy, RequestIds};
pub use https_redirect::HttpsRedirect;
pub(crate) use rate_limit::ticks;
pub use rate_limit::{Rate, RateLimit, TICK};
pub use strict_transport::StrictTransport;

use crate::{reply::Reply, rule::Rule};

/// What policies may know of a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts<'a> {
    /// The client's address: the peer's, or what a trusted peer told.
    pub client: IpAddr,
    /// The client came by TLS, or a trusted peer says so.
    pub secure: bool,
    /// The host, as [`crate::normalise_host`] gives it: without port.
    pub host: &'a str,
    /// Path and query, as received.
    pub target: &'a str,
    /// The request asks for an upgrade to WebSocket.
    pub websocket: bool,
    /// When it came, on any steady clock, the same for all requests.
    pub now: Duration,
}

/// One check. Sorted, these are in the order in which a rule applies them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// 403 for clients outside the list.
    AccessList(AccessList),
    /// 429 for clients that ask too fast.
    RateLimit(RateLimit),
    /// 503 with the maintenance page.
    Maintenance,
    /// 503 where no endpoint could answer.
    RequireEndpoint,
    /// 301 to https.
    HttpsRedirect(HttpsRedirect),
}

impl Policy {
    /// The answer, or `None` to go on.
    pub fn check(&self, request: &RequestFacts<'_>, rule: &Rule) -> Option<Reply> {
        match self {
            Self::AccessList(list) => (!list.allows(request.client)).then(Reply::forbidden),
            Self::RateLimit(limit) => rule
                .app
                .clients
                .admit(&rule.app.id, request.client, limit, request.now)
                .err()
                .map(Reply::too_many),
            Self::Maintenance => Some(Reply::maintenance()),
            Self::RequireEndpoint => (!rule.backend.is_available()).then(Reply::unavailable),
            Self::HttpsRedirect(redirect) => redirect.check(request),
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccessList(list) => write!(f, "access-list {list}"),
            Self::RateLimit(limit) => limit.fmt(f),
            Self::Maintenance => f.write_str("maintenance"),
            Self::RequireEndpoint => f.write_str("require-endpoint"),
            Self::HttpsRedirect(redirect) => write!(f, "https-redirect :{}", redirect.port),
        }
    }
}
