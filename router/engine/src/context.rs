//! What is known of a request while it is being served.

use std::{net::IpAddr, os::fd::RawFd, sync::Arc, time::Instant};

use fairlead_router_core::{
    HostPattern, Lease, Rule,
    app::Outcome,
    clients::Present,
    pages::Pages,
    policy::RequestIds,
    strict::{Findings, Violation},
};

use crate::{
    compress::Compressing, connection::Origin, forwarded::Client, record::Parting, retry::Attempts,
};

/// Made when a request's head is complete, dropped when its answer is.
pub(crate) struct Context {
    pub(crate) started: Instant,
    /// Set by the first filter.
    pub(crate) origin: Option<Arc<Origin>>,
    pub(crate) client: Option<Client>,
    /// What the check of the head asks to be done.
    pub(crate) findings: Findings,
    /// The rule that the head breaks: the request goes no further.
    pub(crate) violation: Option<Violation>,
    /// Path and query to pass on, where those received are not in normal form.
    pub(crate) target: Option<String>,
    /// The pattern of the host that was found.
    pub(crate) pattern: Option<HostPattern>,
    /// The rule that was found. Keeps its generation of the table for this request.
    pub(crate) flight: Option<Flight>,
    /// The names that the request goes by, where its rule gives it some.
    pub(crate) ids: Option<Box<RequestIds>>,
    /// The platform's pages, where there is no rule.
    pub(crate) pages: Option<Arc<Pages>>,
    /// The response is being compressed.
    pub(crate) compressing: Option<Box<Compressing>>,
    /// Bytes of the body so far.
    pub(crate) body_received: u64,
    /// The client asks for WebSocket.
    pub(crate) upgrade: bool,
    /// The router answered, not an endpoint.
    pub(crate) own_answer: bool,
    /// A probe that nobody wants to read of.
    pub(crate) unrecorded: bool,
    /// There where the request may be dropped before its end.
    pub(crate) parting: Option<Box<Parting>>,
    pub(crate) upstream: Upstream,
}

/// The exchange with endpoints.
#[derive(Default)]
pub(crate) struct Upstream {
    pub(crate) attempts: Attempts,
    /// The endpoint in use; counts as busy with this request until it ends.
    pub(crate) lease: Option<Lease>,
    /// The connection in use is a kept one, and the request must not be sent on it in vain.
    pub(crate) doubtful: Option<RawFd>,
    pub(crate) began: Option<Instant>,
    pub(crate) ended: Option<Instant>,
    /// A response head has come.
    pub(crate) answered: bool,
    /// It was the final one.
    pub(crate) concluded: bool,
    /// When the endpoint asked for the body that the client held back (RFC 9110 §10.1.1).
    pub(crate) continued: Option<Instant>,
    /// It was a 101: bytes of another protocol follow.
    pub(crate) switched: bool,
}

impl Context {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            origin: None,
            client: None,
            findings: Findings::default(),
            violation: None,
            target: None,
            pattern: None,
            flight: None,
            ids: None,
            pages: None,
            compressing: None,
            body_received: 0,
            upgrade: false,
            own_answer: false,
            unrecorded: false,
            parting: None,
            upstream: Upstream::default(),
        }
    }
}

impl Context {
    /// The pages for what the router answers.
    pub(crate) fn pages(&self) -> Option<&Pages> {
        let rule = self.flight.as_ref().map(|flight| &flight.rule.pages);
        rule.unwrap_or(&self.pages).as_deref()
    }

    /// Whether the endpoints of the rule that was found speak HTTP/2.
    pub(crate) fn speaks_http2(&self) -> bool {
        let upstream = self.flight.as_ref().and_then(|flight| flight.rule.upstream.as_ref());
        upstream.is_some_and(|upstream| upstream.http2)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if let Some(parting) = self.parting.take() {
            parting.record(self);
        }
    }
}

/// A request counted as in flight in its app, until it ends or is dropped.
pub(crate) struct Flight {
    pub(crate) rule: Arc<Rule>,
    worker: usize,
    outcome: Outcome,
    /// Counted as one of its client's.
    present: Option<Present>,
}

impl Flight {
    pub(crate) fn begin(rule: Arc<Rule>, worker: usize) -> Self {
        rule.app.begin(worker);
        let outcome = Outcome::default();
        Self { rule, worker, outcome, present: None }
    }

    /// Counts the request as one of `client`'s; false where that has too many.
    pub(crate) fn enter(&mut self, client: IpAddr) -> bool {
        let Some(limit) = self.rule.concurrency else { return true };
        self.present = self.rule.app.clients.begin(&self.rule.app.id, client, limit);
        self.present.is_some()
    }

    /// Sets what the request will have come to when this is dropped.
    pub(crate) fn set_outcome(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.rule.app.end(self.worker, self.outcome);
    }
}
