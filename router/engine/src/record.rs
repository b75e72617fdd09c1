//! What is counted and recorded of a finished request.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use fairlead_router_core::app::Outcome;
use fairlead_router_listen::Scheme;
use http::{
    StatusCode,
    header::{REFERER, USER_AGENT},
};
use pingora_http::RequestHeader;
use pingora_proxy::Session;

use crate::{AccessEntry, Shared, context::Context, head, proxy::Proxy, route::target};

/// A request, and what came of it.
struct Exchange<'a> {
    request: &'a RequestHeader,
    status: u16,
    received: u64,
    sent: u64,
}

/// What is to be recorded of a request that may be dropped before its end.
pub(crate) struct Parting {
    shared: Arc<Shared>,
    worker: usize,
    request: RequestHeader,
    status: u16,
    sent: u64,
}

impl Parting {
    /// Of `request`, on its way.
    pub(crate) fn new(proxy: &Proxy, request: &RequestHeader) -> Self {
        let (shared, worker) = (proxy.shared.clone(), proxy.worker);
        Self { shared, worker, request: request.clone(), status: 0, sent: 0 }
    }

    /// The final answer has begun.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.status = status.as_u16();
    }

    /// A part of the answer follows.
    pub(crate) fn sends(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    /// The request was dropped.
    pub(crate) fn record(self, context: &mut Context) {
        let Self { shared, worker, request, status, sent } = self;
        let exchange =
            Exchange { request: &request, status, received: context.body_received, sent };
        shared.record(worker, &exchange, context);
    }
}

impl Proxy {
    /// Counts a finished request and writes the access log.
    pub(crate) fn record(&self, session: &Session, context: &mut Context) {
        context.parting = None;
        let exchange = Exchange {
            request: session.req_header(),
            status: status(session),
            received: session.body_bytes_read() as u64,
            sent: session.body_bytes_sent() as u64,
        };
        self.shared.record(self.worker, &exchange, context);
    }
}

impl Shared {
    fn record(&self, worker: usize, exchange: &Exchange<'_>, context: &mut Context) {
        let Exchange { request, status, received, sent } = *exchange;
        let Some(origin) = &context.origin else { return };
        // One moment for both times: the wait for the endpoint is part of the request.
        let now = Instant::now();
        let request_time = now.saturating_duration_since(context.started);
        if status != StatusCode::SWITCHING_PROTOCOLS.as_u16() {
            self.metrics.finished(worker, request_time);
        }
        let upstream = &context.upstream;
        let upstream_time = upstream
            .began
            .map(|began| upstream.ended.unwrap_or(now).saturating_duration_since(began));
        if let Some(flight) = &mut context.flight {
            let (time, upstream_time) = (request_time, upstream_time.unwrap_or_default());
            flight.set_outcome(Outcome { status, received, sent, time, upstream_time });
        }
        if context.unrecorded || !self.access.is_read() {
            return;
        }
        let upstream = &context.upstream;
        let secure = match context.client {
            Some(client) => client.proto.is_secure(),
            None => origin.info.scheme == Scheme::Https,
        };
        let field = |name| request.headers.get(name).map(|value| value.as_bytes());
        self.access.record(
            worker,
            &AccessEntry {
                time: SystemTime::now(),
                app: context.flight.as_ref().map(|flight| &flight.rule.app.id),
                host_pattern: context.pattern.as_ref(),
                client: context
                    .client
                    .map_or_else(|| origin.info.peer.ip(), |client| client.address),
                connection: &origin.info,
                scheme: if secure { "https" } else { "http" },
                method: request.method.as_str(),
                host: head::received(request).unwrap_or_default(),
                target: target(request),
                version: request.version,
                status,
                received,
                sent,
                referer: field(REFERER),
                user_agent: field(USER_AGENT),
                upstream: upstream.lease.as_deref().map(|endpoint| endpoint.address),
                upstream_time,
                request_time,
                retries: upstream.attempts.retries,
            },
        );
    }
}

/// The final status that the client was sent; 0 where there was none.
pub(crate) fn status(session: &Session) -> u16 {
    session.response_written().map_or(0, |head| match head.status {
        StatusCode::SWITCHING_PROTOCOLS => 101,
        status if status.is_informational() => 0,
        status => status.as_u16(),
    })
}
