//! A table as people read it: sorted, complete, without secrets.

use std::net::SocketAddr;

use serde::Serialize;

use crate::{
    app::AppId, backend::BackendKey, host::HostPattern, object::ObjectRef, path::PathMatch,
    policy::Policy, rule::Rule, table::Table,
};

/// One route. Two tables with equal views treat every request alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RouteView {
    /// The host.
    pub host: HostPattern,
    /// The paths.
    pub path: PathMatch,
    /// The application.
    pub app: AppId,
    /// Whether the host has a certificate.
    pub tls: bool,
    /// Checks before proxying, in their order.
    pub policies: Vec<String>,
    /// The Service and port.
    pub backend: BackendKey,
    /// The addresses that take requests now.
    pub endpoints: Vec<SocketAddr>,
    /// What is spoken to them, where that is not HTTP/1.1 in the clear.
    pub upstream: Option<String>,
    /// In milliseconds.
    pub connect_timeout_ms: u64,
    /// In milliseconds.
    pub tcp_timeout_ms: u64,
    /// The largest request body, in bytes; `null` for no limit.
    pub body_size: Option<u64>,
    /// Header fields that are added; `null` for none.
    pub headers: Option<String>,
    /// Whether responses are compressed.
    pub compression: bool,
    /// The object that asked for it.
    pub origin: ObjectRef,
}

/// All routes of `table`, sorted.
pub fn routes(table: &Table) -> Vec<RouteView> {
    let mut routes: Vec<_> = table
        .hosts()
        .flat_map(|host| {
            host.rules.iter().map(|rule| view(&host.pattern, host.certificate.is_some(), rule))
        })
        .collect();
    routes.sort_unstable();
    routes
}

fn view(host: &HostPattern, tls: bool, rule: &Rule) -> RouteView {
    let milliseconds = |d: std::time::Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
    RouteView {
        host: host.clone(),
        path: rule.path.clone(),
        app: rule.app.id.clone(),
        tls,
        policies: rule.policies.iter().map(Policy::to_string).collect(),
        backend: rule.backend.key.clone(),
        endpoints: rule.backend.addresses(),
        upstream: rule.upstream.as_ref().map(ToString::to_string),
        connect_timeout_ms: milliseconds(rule.timeouts.connect),
        tcp_timeout_ms: milliseconds(rule.timeouts.tcp),
        body_size: rule.body_size,
        headers: rule.headers.as_ref().map(ToString::to_string),
        compression: rule.compression.is_some(),
        origin: rule.origin.clone(),
    }
}
