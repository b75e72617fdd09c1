//! What one Service asks of the router.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::name::HostName;
use crate::{
    app::AppId,
    backend::BackendKey,
    object::{Key, Kind, ObjectRef},
    path::PathMatch,
    policy::{AccessList, Rate, ReferrerPolicy},
    upstream::Protocol,
};

/// A routable Service, read: the hosts it claims and how they are to be served. It depends on
/// the Service alone; together with the router's settings it becomes rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The Service.
    pub service: Key,
    /// When it was created, in seconds since the Unix epoch.
    pub created: i64,
    /// The application it belongs to.
    pub app: AppId,
    /// The hosts it claims, sorted.
    pub hosts: Vec<HostName>,
    /// The Secret with the certificate of a host.
    pub certificates: BTreeMap<HostName, Key>,
    /// Where it is served below another Service's host.
    pub mount: Option<Mount>,
    /// What is spoken to its endpoints.
    pub protocol: Protocol,
    /// The name that their certificates are for, where they have some.
    pub server_name: Arc<str>,
    /// The Secret or ConfigMap with the authorities that signed these.
    pub authorities: Option<ObjectRef>,
    /// The Secret with the certificate that they are shown.
    pub client_certificate: Option<Key>,
    /// The ConfigMap with pages for errors and maintenance.
    pub error_pages: Option<Key>,
    /// How the hosts are to be served.
    pub options: Options,
    /// Where requests go.
    pub backend: BackendKey,
}

/// Paths of a host that another Service claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The host.
    pub host: HostName,
    /// The paths, sorted.
    pub paths: Vec<PathMatch>,
}

/// What a Service sets. What it leaves out is as the router's settings say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Every request gets the maintenance page.
    pub maintenance: bool,
    /// Requests by http are sent to https.
    pub enforce_https: bool,
    /// Clients that are let in.
    pub access: Option<AccessList>,
    /// Limit for connecting to an endpoint.
    pub connect_timeout: Option<Duration>,
    /// Limit between two reads or writes upstream.
    pub tcp_timeout: Option<Duration>,
    /// The largest request body in bytes; `Some(None)` for no limit.
    pub body_size: Option<Option<u64>>,
    /// The largest head of a request in bytes.
    pub head_size: Option<u32>,
    /// How fast a client may ask; `Some(None)` for no limit.
    pub rate: Option<Option<Rate>>,
    /// How much of it at once.
    pub rate_burst: Option<u32>,
    /// Requests of one client that may be under way; `Some(None)` for any number.
    pub concurrency: Option<Option<u32>>,
    /// Responses are compressed.
    pub compression: Option<bool>,
    /// No `X-Request-Start`, even if the router sets it.
    pub no_request_start: bool,
    /// `Referrer-Policy` of responses; `Some(None)` for none.
    pub referrer_policy: Option<Option<ReferrerPolicy>>,
}

impl Claim {
    /// The Service as the origin of rules.
    pub fn origin(&self) -> ObjectRef {
        self.service.of(Kind::Service)
    }

    /// Every Secret that it names.
    pub fn secrets(&self) -> impl Iterator<Item = &Key> {
        self.certificates.values().chain(self.upstream_secrets())
    }

    /// The Secrets that all its hosts depend on.
    pub fn upstream_secrets(&self) -> impl Iterator<Item = &Key> {
        self.authorities_in(Kind::Secret).into_iter().chain(&self.client_certificate)
    }

    /// Every ConfigMap that it names.
    pub fn config_maps(&self) -> impl Iterator<Item = &Key> {
        self.error_pages.iter().chain(self.authorities_in(Kind::ConfigMap))
    }

    fn authorities_in(&self, kind: Kind) -> Option<&Key> {
        self.authorities.as_ref().filter(|object| object.kind == kind).map(|object| &object.key)
    }

    /// Every host that it names: its own, and the one that it is mounted on.
    pub fn names(&self) -> impl Iterator<Item = &HostName> {
        self.hosts.iter().chain(self.mount.as_ref().map(|mount| &mount.host))
    }

    /// Who wins a host that several claim: the oldest, then the first by name.
    pub fn seniority(&self) -> impl Ord + '_ {
        (self.created, &self.service)
    }
}
