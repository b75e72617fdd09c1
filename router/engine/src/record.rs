//! What is counted and recorded of a finished request.

use std::time::{Instant, SystemTime};

use fairlead_router_core::app::Outcome;
use fairlead_router_listen::Scheme;
use http::{
    StatusCode,
    header::{REFERER, USER_AGENT},
};
use pingora_proxy::Session;

use crate::{AccessEntry, context::Context, head, proxy::Proxy, route::target};

impl Proxy {
    /// Counts a finished request and writes the access log.
    pub(crate) fn record(&self, session: &Session, context: &mut Context) {
        let Some(origin) = &context.origin else { return };
        let status = status(session);
        let (received, sent) = (session.body_bytes_read() as u64, session.body_bytes_sent() as u64);
        // One moment for both times: the wait for the endpoint is part of the request.
        let now = Instant::now();
        let request_time = now.saturating_duration_since(context.started);
        if status != StatusCode::SWITCHING_PROTOCOLS.as_u16() {
            self.shared.metrics.finished(self.worker, request_time);
        }
        let upstream = &context.upstream;
        let upstream_time = upstream
            .began
            .map(|began| upstream.ended.unwrap_or(now).saturating_duration_since(began));
        if let Some(flight) = &mut context.flight {
            let (time, upstream_time) = (request_time, upstream_time.unwrap_or_default());
            flight.set_outcome(Outcome { status, received, sent, time, upstream_time });
        }
        if context.unrecorded || !self.shared.access.is_read() {
            return;
        }
        let request = session.req_header();
        let upstream = &context.upstream;
        let secure = match context.client {
            Some(client) => client.proto.is_secure(),
            None => origin.info.scheme == Scheme::Https,
        };
        let field = |name| request.headers.get(name).map(|value| value.as_bytes());
        self.shared.access.record(
            self.worker,
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
