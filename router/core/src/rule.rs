//! One route: where it applies, what is asked of a request, and where it goes.

use std::{sync::Arc, time::Duration};

use crate::{
    app::App,
    backend::Backend,
    compression::Compression,
    object::ObjectRef,
    pages::Pages,
    path::PathMatch,
    policy::{HeaderFilter, Policy, RequestFacts},
    reply::Reply,
    upstream::Upstream,
};

/// A compiled route. Immutable; a request keeps the rule that it was matched
/// to until its end, whatever is published meanwhile.
#[derive(Debug)]
pub struct Rule {
    /// Which paths of the host.
    pub path: PathMatch,
    /// Whose traffic this is.
    pub app: Arc<App>,
    /// Checks before proxying, in the order of [`Policy`].
    pub policies: Box<[Policy]>,
    /// Where requests go.
    pub backend: Arc<Backend>,
    /// How the backend is spoken to; `None` for HTTP/1.1 in the clear.
    pub upstream: Option<Arc<Upstream>>,
    /// Limits upstream.
    pub timeouts: Timeouts,
    /// The largest request body in bytes; `None` for no limit.
    pub body_size: Option<u64>,
    /// The largest head of a request in bytes, below [`crate::strict::MAX_HEAD`]; `None` for that.
    pub head_size: Option<u32>,
    /// Requests of one client that may be under way; `None` for any number.
    pub concurrency: Option<u32>,
    /// Pages in place of the built-in ones; `None` for none.
    pub pages: Option<Arc<Pages>>,
    /// Header fields to add; `None` for none.
    pub headers: Option<Box<HeaderFilter>>,
    /// How responses are compressed; `None` where they are not.
    pub compression: Option<Arc<Compression>>,
    /// The object that asked for this rule.
    pub origin: ObjectRef,
}

/// Limits on an exchange with an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timeouts {
    /// To connect; then 504.
    pub connect: Duration,
    /// Between two successful reads, or two writes, upstream; then 504, or the
    /// end of an upgraded connection.
    pub tcp: Duration,
}

impl Rule {
    /// The router's own answer to this request, or `None` when it is to be proxied.
    pub fn decide(&self, request: &RequestFacts<'_>) -> Option<Reply> {
        self.policies.iter().find_map(|policy| policy.check(request, self))
    }
}
