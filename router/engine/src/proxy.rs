//! One request, from its head to the record of it: the hooks that Pingora calls.

use std::{
    net::SocketAddr,
    os::fd::RawFd,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use fairlead_router_core::{Reply, strict::Findings};
use http::{HeaderMap, StatusCode, Version, header::TRANSFER_ENCODING};
use pingora_core::{protocols::Digest, upstreams::peer::HttpPeer};
use pingora_error::{Error, ErrorSource, ErrorType, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};

use crate::{
    Shared,
    compress::{Compressing, Slots},
    connection::Origin,
    context::Context,
    hop,
    record::{Parting, status},
    respond,
    retry::Failure,
    route::{Route, target_for_server},
    silence, strict,
    upstream::{self, Pool},
};

/// The requests of one worker.
pub(crate) struct Proxy {
    pub(crate) worker: usize,
    pub(crate) shared: Arc<Shared>,
    /// Numbers attempts that must have a connection of their own.
    fresh: AtomicU64,
    /// Responses being compressed.
    compressions: Slots,
    /// Not before this moment is a failure of an application told again.
    quiet_until: AtomicU64,
}

/// Milliseconds between two warnings: an application that is down would drown all else.
const QUIET: u64 = 1_000;

impl Proxy {
    pub(crate) fn new(worker: usize, shared: Arc<Shared>) -> Self {
        Self {
            worker,
            shared,
            fresh: AtomicU64::new(0),
            compressions: Slots::default(),
            quiet_until: AtomicU64::new(0),
        }
    }

    /// An endpoint for the next attempt.
    fn pick(&self, context: &mut Context) -> Option<SocketAddr> {
        // Given back first: the request does not compete with itself.
        context.upstream.lease = None;
        let backend = &context.flight.as_ref()?.rule.backend;
        let lease = backend.pick(context.upstream.attempts.avoid, self.shared.now())?;
        let address = lease.address;
        context.upstream.lease = Some(lease);
        Some(address)
    }

    /// Which connections to endpoints the client's connection has for itself, where it does: from
    /// its first credentials on that are for a whole connection.
    fn bound(&self, context: &Context) -> Option<u64> {
        let origin = context.origin.as_ref()?;
        let mut number = origin.bound.load(Relaxed);
        if context.findings.binds_connection && context.client.is_some_and(|client| client.trusted)
        {
            // A proxy's connection carries requests of many clients.
            return Some(1 + self.fresh.fetch_add(1, Relaxed));
        }
        if number == 0 && context.findings.binds_connection {
            number = 1 + self.fresh.fetch_add(1, Relaxed);
            origin.bound.store(number, Relaxed);
        }
        (number != 0).then_some(number)
    }

    /// Logs why a request failed: the client's mistakes for who debugs, the application's for all.
    fn tell(&self, error: &Error, context: &Context) {
        let app = context.flight.as_ref().map(|flight| flight.rule.app.id.as_str());
        let endpoint = context.upstream.lease.as_deref().map(|endpoint| endpoint.address);
        let now = self.shared.now();
        let ours = *error.esource() != ErrorSource::Downstream;
        if ours && now >= self.quiet_until.load(Relaxed) {
            self.quiet_until.store(now + QUIET, Relaxed);
            tracing::warn!(app, ?endpoint, %error, "no answer from the application");
        } else {
            tracing::debug!(app, ?endpoint, %error, "request failed");
        }
    }

    /// Has the response compressed, where its rule says so and the client takes it.
    fn compress(
        &self,
        request: &RequestHeader,
        response: &mut ResponseHeader,
        context: &mut Context,
    ) -> Result<()> {
        let flight = context.flight.as_ref();
        if let Some(compression) = flight.and_then(|flight| flight.rule.compression.as_deref()) {
            let (slots, limit) = (&self.compressions, self.shared.limits.compressions);
            let begun = Compressing::begin(compression, slots, limit, request, response)?;
            context.compressing = begun.map(Box::new);
        }
        Ok(())
    }

    /// How long a client that sends no more has for the rest of its answer.
    fn to_take(&self) -> Duration {
        let limits = &self.shared.limits;
        limits.body_read.max(limits.body_write)
    }

    /// The final answer to `request`, whose `body` is still on its way, has begun.
    fn answered(
        &self,
        body: &silence::Body,
        request: &RequestHeader,
        response: &ResponseHeader,
        context: &Context,
    ) {
        if hop::is_whole(request, response) {
            return body.ended(self.to_take());
        }
        let tcp = context.flight.as_ref().map(|flight| flight.rule.timeouts.tcp);
        // Pingora has the same limit on the wait for more of the answer, and is to be first.
        body.answered(tcp.unwrap_or_default() + self.shared.limits.body_read);
    }

    /// Decides about another attempt and counts.
    fn retry(&self, context: &mut Context, failure: Failure) -> bool {
        let again = context.upstream.attempts.retry(failure);
        if again {
            self.shared.metrics.retried(self.worker);
        }
        // What a kept connection's age explains is no fault of the application.
        if (!again || matches!(failure, Failure::Connect(_)))
            && let Some(flight) = &context.flight
        {
            flight.rule.app.upstream_error(self.worker);
        }
        again
    }
}

/// What is impossible as long as [`crate::connection`] makes the streams and the filters run in order.
fn out_of_order() -> Box<Error> {
    Error::new_in(ErrorType::InternalError)
}

#[async_trait]
impl ProxyHttp for Proxy {
    // Pingora moves it from one future into the next, for each request.
    type CTX = Box<Context>;

    fn new_ctx(&self) -> Box<Context> {
        Box::new(Context::new())
    }

    async fn early_request_filter(
        &self,
        session: &mut Session,
        context: &mut Box<Context>,
    ) -> Result<()> {
        let origin = Origin::of(session).ok_or_else(out_of_order)?.clone();
        let limits = &self.shared.limits;
        session.set_total_drain_timeout(Some(limits.body_discard));
        if origin.http2 {
            // Of HTTP/1 the stream sees to that.
            session.set_write_timeout(Some(limits.body_write));
            if silence::Body::of(session.req_header()).is_some() {
                context.parting = Some(Box::new(Parting::new(self, session.req_header())));
            }
        } else {
            origin.phase.busy();
            origin.count();
            session.set_read_timeout(Some(limits.body_read));
            session.set_pipelining_enabled(true);
            // RFC 9110 §15.2: not for HTTP/1.0 clients.
            let old = session.req_header().version < Version::HTTP_11;
            session.set_ignore_info_resp(old);
        }
        if limits.strict && session.req_header().headers.contains_key(TRANSFER_ENCODING) {
            // Programs disagree on where some chunks end. Nobody's request is behind that end.
            session.set_keepalive(None);
        }
        if limits.strict {
            match strict::check(session, origin.http2) {
                Ok(findings) => context.findings = findings,
                Err(violation) => context.violation = Some(violation),
            }
        }
        context.origin = Some(origin);
        Ok(())
    }

    async fn request_filter(
        &self,
        session: &mut Session,
        context: &mut Box<Context>,
    ) -> Result<bool> {
        let origin = context.origin.clone().ok_or_else(out_of_order)?;
        if let Some(violation) = context.violation {
            tracing::debug!(?violation, peer = %origin.info.peer, "request refused");
            self.shared.metrics.refused(self.worker);
            context.own_answer = true;
            respond::refuse(session, &Reply::violation(violation), context).await?;
            return Ok(true);
        }
        match self.route(session.req_header(), &origin, context) {
            Route::Proxy => match self.too_large(session, context) {
                None => Ok(false),
                Some(reply) => {
                    context.own_answer = true;
                    respond::refuse(session, &reply, context).await?;
                    Ok(true)
                }
            },
            Route::Answer(reply) => {
                if origin.is_ending(&self.shared.limits, context.started) {
                    session.set_keepalive(None);
                }
                context.own_answer = true;
                respond::reply(session, &reply, context).await?;
                Ok(true)
            }
        }
    }

    async fn upstream_peer(
        &self,
        session: &mut Session,
        context: &mut Box<Context>,
    ) -> Result<Box<HttpPeer>> {
        context.upstream.began.get_or_insert_with(Instant::now);
        let Some(address) = self.pick(context) else {
            return Error::e_explain(ErrorType::HTTPStatus(503), "no endpoint");
        };
        let rule = &context.flight.as_ref().ok_or_else(out_of_order)?.rule;
        let timeouts = rule.timeouts;
        let http2 = rule.upstream.as_ref().is_some_and(|upstream| upstream.http2);
        let without_body = session.is_body_empty();
        let strict = self.shared.limits.strict;
        let pool = if !strict {
            Pool::Repeatable
        } else if let Some(number) = self.bound(context) {
            Pool::Bound(number)
        } else if context.upstream.attempts.fresh {
            Pool::Fresh(1 + self.fresh.fetch_add(1, Relaxed))
        } else if http2 || upstream::is_repeatable(session.req_header(), without_body) {
            Pool::Repeatable
        } else {
            Pool::Once
        };
        if context.upgrade
            && let Some(origin) = &context.origin
        {
            origin.phase.tunnel(timeouts.tcp);
        }
        let kept = self.shared.limits.upstream_idle_time;
        let spoken = rule.upstream.as_deref();
        let mut peer = upstream::peer(address, timeouts, pool, kept, context.upgrade, spoken);
        if !strict {
            peer.group_key = 0;
        }
        Ok(peer)
    }

    fn fail_to_connect(
        &self,
        _session: &mut Session,
        _peer: &HttpPeer,
        context: &mut Box<Context>,
        mut error: Box<Error>,
    ) -> Box<Error> {
        let mut again = false;
        if let Some(lease) = &context.upstream.lease {
            let address = lease.address;
            // What is wrong with a certificate, or with those that are to vouch for it, is this rule's alone.
            if !matches!(error.etype(), ErrorType::InvalidCert | ErrorType::TLSHandshakeFailure) {
                lease.failed(self.shared.now());
            }
            again = self.shared.limits.strict && self.retry(context, Failure::Connect(address));
        }
        error.set_retry(again);
        error
    }

    async fn connected_to_upstream(
        &self,
        session: &mut Session,
        reused: bool,
        _peer: &HttpPeer,
        fd: RawFd,
        _digest: Option<&Digest>,
        context: &mut Box<Context>,
    ) -> Result<()> {
        // HTTP/2 says which requests it has not seen (RFC 9113 §6.8), and others share the connection.
        let http2 = context.speaks_http2();
        let once = !http2 && !session.req_header().method.is_idempotent();
        let checked = self.shared.limits.strict && reused && once;
        context.upstream.doubtful = checked.then_some(fd);
        if !http2 && let Some(body) = silence::Body::of(session.req_header()) {
            body.sent_to(fd);
        }
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        _session: &mut Session,
        request: &mut RequestHeader,
        context: &mut Box<Context>,
    ) -> Result<()> {
        if let Some(target) = context.target.as_deref().or_else(|| target_for_server(request)) {
            let target = target.to_owned();
            request.set_raw_path(target.as_bytes())?;
        }
        let (Some(client), Some(origin)) = (&context.client, &context.origin) else {
            return Err(out_of_order());
        };
        if context.findings != Findings::default() {
            strict::strip(request, context.findings, client.trusted);
        }
        if origin.http2 && !context.speaks_http2() && self.shared.limits.strict {
            hop::join_cookies(request)?;
        }
        client.tell(request, origin)?;
        context.mark_request(request)?;
        // The last thing before the request is sent.
        if context.upstream.doubtful.is_some_and(upstream::is_closed) {
            return Err(Error::new_up(upstream::STALE));
        }
        Ok(())
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        context: &mut Box<Context>,
    ) -> Result<()> {
        if let Some(watched) = silence::Body::of(session.req_header()) {
            if end { watched.whole() } else { watched.moved() }
        }
        context.receive(body.as_ref().map_or(0, Bytes::len), &self.shared.limits)?;
        // Pingora would write an empty last part as an end of the body, and then the end itself.
        if end && body.as_ref().is_some_and(Bytes::is_empty) {
            *body = None;
        }
        Ok(())
    }

    fn error_while_proxy(
        &self,
        _peer: &HttpPeer,
        session: &mut Session,
        mut error: Box<Error>,
        context: &mut Box<Context>,
        reused: bool,
    ) -> Box<Error> {
        let broken = matches!(
            error.etype(),
            ErrorType::ReadError | ErrorType::WriteError | ErrorType::ConnectionClosed
        );
        let repeatable = session.req_header().method.is_idempotent()
            && !session.as_ref().retry_buffer_truncated();
        if !self.shared.limits.strict {
            error.retry.decide_reuse(reused && repeatable);
            return error;
        }
        let failure = if *error.etype() == upstream::STALE {
            Failure::Stale
        } else {
            let answered = context.upstream.answered;
            Failure::Broken { reused: reused && broken, repeatable, answered }
        };
        let again = *error.esource() == ErrorSource::Upstream && self.retry(context, failure);
        error.set_retry(again);
        error
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        context: &mut Box<Context>,
    ) -> Result<()> {
        let upstream = &mut context.upstream;
        if !upstream.answered {
            upstream.answered = true;
            upstream.lease.as_deref().inspect(|endpoint| endpoint.answered());
        }
        if response.status == StatusCode::SWITCHING_PROTOCOLS {
            if !context.upgrade {
                return Err(
                    Error::explain(ErrorType::InvalidHTTPHeader, "101 unasked for").into_up()
                );
            }
            // The stream watches both directions from here on.
            session.set_read_timeout(None);
            (upstream.switched, upstream.concluded) = (true, true);
            return Ok(());
        }
        hop::clean_response(response, self.shared.limits.strict)?;
        let interim = response.status.is_informational();
        context.upstream.concluded = !interim;
        if !interim {
            if let Some(parting) = &mut context.parting {
                parting.answered(response.status);
            }
            if let Some(body) = silence::Body::of(session.req_header()) {
                self.answered(body, session.req_header(), response, context);
            }
        }
        if response.status == StatusCode::CONTINUE {
            // Only once: nobody moves the deadline again and again.
            context.upstream.continued.get_or_insert_with(Instant::now);
        }
        if !interim {
            self.compress(session.req_header(), response, context)?;
        }
        if self.shared.limits.strict
            && session.req_header().version == Version::HTTP_10
            && response.remove_header(&TRANSFER_ENCODING).is_some()
        {
            // RFC 9112 §6.1: such a client knows no chunks. The body ends with the connection.
            session.set_keepalive(None);
        }
        // A final answer before the end of the body ends the connection, an interim one does not.
        if !interim {
            context.mark_response(response)?;
        }
        session.set_close_on_response_before_downstream_finish(!interim);
        let (limits, started) = (&self.shared.limits, context.started);
        let ending = |origin: &Arc<Origin>| origin.is_ending(limits, started);
        if !interim && context.origin.as_ref().is_some_and(ending) {
            session.set_keepalive(None);
        }
        Ok(())
    }

    fn response_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        context: &mut Box<Context>,
    ) -> Result<Option<Duration>> {
        if let Some(watched) = silence::Body::of(session.req_header()) {
            if end { watched.ended(self.to_take()) } else { watched.moved() }
        }
        if let Some(compressing) = &mut context.compressing {
            compressing.piece(body, end);
            if end {
                // The client may take its time; the encoder's memory is not to wait for it.
                context.compressing = None;
            }
        }
        if let (Some(parting), Some(body)) = (&mut context.parting, body.as_ref()) {
            parting.sends(body.len());
        }
        Ok(None)
    }

    fn upstream_response_body_filter(
        &self,
        _session: &mut Session,
        _body: &mut Option<Bytes>,
        end: bool,
        context: &mut Box<Context>,
    ) -> Result<Option<Duration>> {
        if end {
            context.upstream.ended = Some(Instant::now());
        }
        Ok(None)
    }

    async fn response_trailer_filter(
        &self,
        session: &mut Session,
        _trailers: &mut HeaderMap,
        _: &mut Box<Context>,
    ) -> Result<Option<Bytes>> {
        if let Some(watched) = silence::Body::of(session.req_header()) {
            watched.ended(self.to_take());
        }
        Ok(None)
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        context: &mut Box<Context>,
    ) -> FailToProxy {
        self.tell(error, context);
        // An answer that has begun can only be cut.
        if status(session) == 0
            && let Some(reply) = respond::answer_to(error)
        {
            context.own_answer = true;
            if let Err(error) = respond::refuse(session, &reply, context).await {
                tracing::debug!(%error, "the client left before the answer");
            }
        }
        FailToProxy { error_code: status(session), can_reuse_downstream: false }
    }

    fn suppress_error_log(&self, _: &Session, _: &Box<Context>, _: &Error) -> bool {
        // Told by `fail_to_proxy`, to whom it concerns.
        true
    }

    fn suppress_proxy_warn_log(
        &self,
        _: &Session,
        _: &Box<Context>,
        _: &Error,
        _: ProxyWarnLogContext,
    ) -> bool {
        // Retries are counted.
        true
    }

    async fn logging(&self, session: &mut Session, _: Option<&Error>, context: &mut Box<Context>) {
        self.record(session, context);
        // What follows concerns the client's connection alone.
        context.flight = None;
        context.upstream.lease = None;
        if context.own_answer {
            respond::settle(session).await;
        }
    }
}
