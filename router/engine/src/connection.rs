//! The life of a connection: one request after another, or HTTP/2, until it ends or drains.

use std::{
    any::Any,
    future::{pending, poll_fn, ready},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    task::Poll,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use fairlead_router_core::{Settings, Table};
use fairlead_router_listen::{Connection, ConnectionInfo, Drain, PhaseHandle, Scheme};
use h2::Reason;
use http::{HeaderValue, StatusCode};
use pingora_core::{
    apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream, ServerApp},
    protocols::{
        http::{ServerSession, v2::server::H2Options},
        raw_connect::ProxyDigest,
    },
    server::ShutdownWatch,
};
use pingora_error::Result;
use pingora_http::ResponseHeader;
use pingora_proxy::{HttpProxy, Session};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use crate::{EngineLimits, io::EdgeIo, proxy::Proxy, silence::Body};

/// How long a connection without a request is still heard when draining begins: its first one may
/// be on the way.
const DRAIN_GRACE: Duration = Duration::from_secs(1);

/// Pingora's name for a keep-alive without a limit of its own: `EdgeStream` keeps the limits.
const KEEP_ALIVE: Option<u64> = Some(0);

/// What the filters know of the connection that a request came by.
pub(crate) struct Origin {
    pub(crate) info: Arc<ConnectionInfo>,
    pub(crate) phase: PhaseHandle,
    pub(crate) drain: Drain,
    pub(crate) http2: bool,
    /// Which connections to endpoints are for this connection's requests alone; 0 as long as all
    /// others may share them.
    pub(crate) bound: AtomicU64,
    /// Requests so far, HTTP/1.
    requests: AtomicU32,
    since: Instant,
    /// How old it may become.
    age: Duration,
    /// The peer's address as `X-Forwarded-For` has it.
    pub(crate) peer: HeaderValue,
    /// The port under which clients reach us as `X-Forwarded-Port` has it.
    pub(crate) port: HeaderValue,
}

impl Origin {
    /// The origin of the request in `session`.
    pub(crate) fn of(session: &Session) -> Option<&Arc<Self>> {
        let data: &(dyn Any + Send + Sync) =
            session.digest()?.proxy_digest.as_ref()?.user_data.as_deref()?;
        data.downcast_ref()
    }

    /// Counts a request of HTTP/1.
    pub(crate) fn count(&self) {
        self.requests.fetch_add(1, Relaxed);
    }

    /// Whether the connection is to end behind the answer to a request that came at `now`: the
    /// router ends, or it has had as many requests, or as much time, as a connection may.
    pub(crate) fn is_ending(&self, limits: &EngineLimits, now: Instant) -> bool {
        self.drain.draining()
            || self.requests.load(Relaxed) >= limits.requests
            || now.saturating_duration_since(self.since) >= self.age
    }

    fn digest(self: Arc<Self>) -> Result<Arc<ProxyDigest>> {
        // Pingora's place for facts of a connection wants a response; nobody reads it.
        let unused = ResponseHeader::build_no_case(StatusCode::OK, Some(0))?;
        Ok(Arc::new(ProxyDigest::new(Box::new(unused), Some(Box::new(self)))))
    }
}

/// Serves `connection` to its end.
pub(crate) async fn serve(
    proxy: &Arc<HttpProxy<Proxy>>,
    table: &ArcSwap<Table>,
    limits: &EngineLimits,
    connection: Connection,
    drain: Drain,
) {
    let Connection { stream, info, http2 } = connection;
    let Ok(peer) = HeaderValue::try_from(info.peer.ip().to_string()) else { return };
    let settings = table.load().settings.clone();
    if http2 && !settings.tls.http2 {
        // Over TLS it is not offered; who speaks it unasked in the clear is not understood.
        return;
    }
    let port = public_port(&info, &settings).into();
    let phase = stream.phase();
    let bound = AtomicU64::new(0);
    let (requests, since) = (AtomicU32::new(0), Instant::now());
    let age = spread(limits.age);
    let facts = Origin { info, phase, drain, http2, bound, requests, since, age, peer, port };
    let origin = Arc::new(facts);
    let Ok(digest) = origin.clone().digest() else { return };
    let io = Box::new(EdgeIo::new(stream, http2, digest));
    if http2 {
        let (http2, ends) = Http2::new(proxy.clone(), settings.idle_timeout, limits);
        tokio::select! {
            biased;
            _ = http2.process_new(io, &ends) => {}
            () = http2.over(&origin.drain, age) => {}
        }
    } else {
        serve_http1(proxy, ServerSession::new_http1(io), &origin, &origin.drain.watch()).await;
    }
}

/// Up to a tenth less than `age`: connections that were all made when a router started are not to end all
/// in one second.
fn spread(age: Duration) -> Duration {
    age.mul_f64(1.0 - fastrand::f64() / 10.0)
}

/// The port that the client sees: in a pod the listener's own is another one.
fn public_port(info: &ConnectionInfo, settings: &Settings) -> u16 {
    match info.scheme {
        Scheme::Http | Scheme::Tcp => settings.public_http_port,
        Scheme::Https => settings.public_https_port,
    }
}

/// How long an HTTP/2 connection may be without a stream, at most. Load balancers close theirs
/// before: longer limits are for HTTP/1.
const H2_IDLE: Duration = Duration::from_secs(180);

/// The proxy for one HTTP/2 connection, which may be without a stream for as long as the settings
/// said when it began, up to [`H2_IDLE`]. Those of HTTP/1 have that from their `EdgeStream`.
struct Http2 {
    proxy: Arc<HttpProxy<Proxy>>,
    options: HttpServerOptions,
    idle: Duration,
    /// How long nothing may come of a request body.
    body_read: Duration,
    /// Streams so far.
    streams: AtomicU64,
    /// With this many the connection is told to end.
    last: u64,
    /// What is on the way when it is told is still served, as far as that can be: this many in all.
    most: AtomicU64,
    /// Streams at a time, and so what can be on the way.
    at_once: u64,
    /// Told once no more are to come.
    end: watch::Sender<bool>,
}

impl Http2 {
    /// The proxy, and what tells its connection to end.
    fn new(
        proxy: Arc<HttpProxy<Proxy>>,
        idle: Duration,
        limits: &EngineLimits,
    ) -> (Arc<Self>, ShutdownWatch) {
        let idle = idle.min(H2_IDLE);
        let mut options = HttpServerOptions::default();
        options.h2_idle_timeout = Some(idle);
        let (end, ends) = watch::channel(false);
        let last = u64::from(limits.requests);
        let at_once = u64::from(limits.h2_streams);
        let (streams, most) = (AtomicU64::new(0), AtomicU64::new(last + at_once));
        let body_read = limits.body_read;
        let http2 = Self { proxy, options, idle, body_read, streams, last, most, at_once, end };
        (Arc::new(http2), ends)
    }

    /// Ends the connection, told by `drain`, by its `age` or by the number of its streams. Returns
    /// when it is to be cut: Pingora awaits an answer to its PING then, and a client need not give one.
    async fn over(self: &Arc<Self>, drain: &Drain, age: Duration) {
        let mut ends = self.end.subscribe();
        let told = async {
            tokio::select! {
                () = drain.signalled() => {}
                // It fails with its sender, which is `self`.
                _ = ends.wait_for(|end| *end) => {}
            }
        };
        let _ = timeout(age, told).await;
        self.most.fetch_min(self.streams.load(Relaxed) + self.at_once, Relaxed);
        self.end.send_replace(true);
        let mut unused = false;
        loop {
            sleep(self.idle).await;
            // One is of `serve` and one of Pingora's loop; the others are of streams.
            let is_unused = Arc::strong_count(self) <= 2;
            if unused && is_unused {
                return;
            }
            unused = is_unused;
        }
    }
}

impl HttpServerApp for Http2 {
    // As `async_trait` would have it, but with the proxy's own future and not one around it.
    fn process_new_http<'a, 'b, 'c>(
        self: &'a Arc<Self>,
        mut session: ServerSession,
        shutdown: &'b ShutdownWatch,
    ) -> Pin<Box<dyn Future<Output = Option<ReusedHttpStream>> + Send + 'c>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        let streams = self.streams.fetch_add(1, Relaxed) + 1;
        if streams == self.last {
            self.end.send_replace(true);
        } else if streams > self.most.load(Relaxed) {
            if let ServerSession::H2(refused) = &mut session {
                refused.shutdown_with_reason(Reason::REFUSED_STREAM);
            }
            return Box::pin(ready(None));
        }
        if session.is_body_empty() {
            return self.proxy.process_new_http(session, shutdown);
        }
        let body = Body::of_request(session.req_header_mut(), self.body_read);
        let proxied = self.proxy.process_new_http(session, shutdown);
        Box::pin(async move {
            tokio::select! {
                biased;
                reused = proxied => reused,
                () = body.silent() => {
                    tracing::debug!("a request was dropped: nothing came of its body");
                    None
                }
            }
        })
    }

    fn h2_options(&self) -> Option<H2Options> {
        self.proxy.h2_options()
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        Some(&self.options)
    }
}

async fn serve_http1(
    proxy: &Arc<HttpProxy<Proxy>>,
    mut session: ServerSession,
    origin: &Origin,
    shutdown: &ShutdownWatch,
) {
    session.set_keepalive(KEEP_ALIVE);
    let mut fresh = true;
    loop {
        origin.phase.awaiting_head();
        let reused = tokio::select! {
            biased;
            reused = proxy.process_new_http(session, shutdown) => reused,
            () = drained_while_idle(origin, fresh) => return,
        };
        let Some(reused) = reused else { return };
        let (stream, settings) = reused.consume();
        session = ServerSession::new_http1(stream);
        if let Some(settings) = settings {
            settings.apply_to_session(&mut session);
        }
        fresh = false;
    }
}

/// Returns when draining begins with no request under way or half read; never if there is one.
async fn drained_while_idle(origin: &Origin, fresh: bool) {
    let mut signalled = pin!(origin.drain.signalled());
    // While there is a request it would be looked at for nothing, several times for each.
    poll_fn(|cx| if origin.phase.is_idle() { signalled.as_mut().poll(cx) } else { Poll::Pending })
        .await;
    if fresh {
        sleep(DRAIN_GRACE).await;
    }
    if !origin.phase.is_idle() {
        pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_spread_over_a_tenth() {
        let age = Duration::from_secs(3_600);
        let ages: Vec<_> = (0..1_000).map(|_| spread(age)).collect();
        let (least, most) = (ages.iter().min().unwrap(), ages.iter().max().unwrap());
        assert!(*least >= age * 9 / 10 && *most <= age, "{least:?} {most:?}");
        assert!(*most - *least > age / 20, "{least:?} {most:?}");
    }

    /// Each connection costs this much for as long as it is open, busy or not.
    #[test]
    fn the_future_of_a_connection_is_small() {
        type Shared =
            (&'static Arc<HttpProxy<Proxy>>, &'static ArcSwap<Table>, &'static EngineLimits);
        fn size<A, B, C, F>(_: impl Fn(A, B, C) -> F) -> usize {
            size_of::<F>()
        }
        let size = size(|(proxy, table, limits): Shared, connection, drain| {
            serve(proxy, table, limits, connection, drain)
        });
        assert!(size <= 2400, "{size} bytes");
    }
}
