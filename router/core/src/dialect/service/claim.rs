//! What one Service asks of the router.

use std::collections::BTreeMap;

use crate::{
    app::AppId,
    backend::BackendKey,
    host::HostPattern,
    object::{Key, Kind, ObjectRef},
    policy::Policy,
    rule::Timeouts,
};

/// A routable Service, read: the hosts it claims and how they are to be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The Service.
    pub service: Key,
    /// When it was created, in seconds since the Unix epoch.
    pub created: i64,
    /// The application it belongs to.
    pub app: AppId,
    /// The hosts it claims, sorted.
    pub hosts: Vec<HostPattern>,
    /// The Secret with the certificate of a host.
    pub certificates: BTreeMap<HostPattern, Key>,
    /// Checks before proxying, sorted.
    pub policies: Vec<Policy>,
    /// Limits upstream.
    pub timeouts: Timeouts,
    /// Where requests go.
    pub backend: BackendKey,
}

impl Claim {
    /// The Service as the origin of rules.
    pub fn origin(&self) -> ObjectRef {
        self.service.of(Kind::Service)
    }

    /// Who wins a host that several claim: the oldest, then the first by name.
    pub fn seniority(&self) -> impl Ord + '_ {
        (self.created, &self.service)
    }
}
