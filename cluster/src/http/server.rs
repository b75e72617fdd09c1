//! Listening, connections, and the way from a request to its handler.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::faults::Faults;
use super::openapi::OpenApi;
use super::query::Query;
use super::respond::{self, Reply};
use super::route::{self, Target};
use super::tls::{self, Identity};
use super::tokens::{Access, Tokens};
use super::{discovery, etag, locks, logs, negotiate, verbs};
use crate::kinds::Served;
use crate::logs::PodLogs;
use crate::registry::Registry;
use crate::status::Status;

/// Connections at one time. More wait in the listener's queue.
const CONNECTIONS: usize = 1024;

/// The largest head of a request.
const HEAD: usize = 64 * 1024;

/// How long a head may take to arrive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves a registry on a loopback address. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    accept: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    registry: Registry,
    tokens: Tokens,
    /// `None`: no pods run here, and none has a log.
    logs: Option<PodLogs>,
    faults: Faults,
    openapi: OpenApi,
    bound: SocketAddr,
    identity: Identity,
    /// Counts how often all watches were cut.
    cut: watch::Sender<u64>,
    /// Dropped to end all connections.
    running: watch::Sender<()>,
}

impl Server {
    /// Binds 127.0.0.1 on a port of the system's choosing and starts to serve, the logs of pods too
    /// where they are given.
    ///
    /// # Errors
    /// Where the address cannot be bound.
    pub async fn start(
        registry: Registry,
        tokens: Tokens,
        logs: Option<PodLogs>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let shared = Arc::new(Shared {
            registry,
            tokens,
            logs,
            faults: Faults::default(),
            openapi: OpenApi::default(),
            bound: listener.local_addr()?,
            identity: Identity::new()?,
            cut: watch::Sender::new(0),
            running: watch::Sender::new(()),
        });
        let accept = tokio::spawn(accept(listener, shared.clone()));
        Ok(Self { shared, accept })
    }

    /// The address that is listened on.
    pub fn addr(&self) -> SocketAddr {
        self.shared.bound
    }

    /// The certificate that a client has to trust, as PEM.
    pub fn certificate(&self) -> &str {
        &self.shared.identity.certificate
    }

    /// Faults on demand.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// Ends every watch, as a restarted server would.
    pub fn drop_watches(&self) {
        self.shared.cut.send_modify(|count| *count += 1);
    }

    /// Stops accepting and ends every connection.
    pub fn stop(&self) {
        self.accept.abort();
        self.shared.running.send_replace(());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let shared = shared.clone();
                tokio::spawn(async move {
                    connection(stream, shared).await;
                    drop(slot);
                });
            }
            // Out of descriptors, or the peer is gone already: leave others time to end.
            Err(error) => {
                tracing::debug!(%error, "could not accept a connection");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    // Events are small and must not wait for acknowledgements; failing to say so only slows.
    let _ = stream.set_nodelay(true);
    let mut first = [0];
    match timeout(HEAD_TIMEOUT, stream.peek(&mut first)).await {
        Ok(Ok(1)) if first[0] == tls::HANDSHAKE => {
            let handshake = shared.identity.acceptor.accept(stream);
            match timeout(HEAD_TIMEOUT, handshake).await {
                Ok(Ok(stream)) => serve(stream, shared).await,
                Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
                Err(_) => tracing::debug!("TLS handshake timed out"),
            }
        }
        Ok(Ok(1)) => serve(stream, shared).await,
        _ => tracing::debug!("closed before anything was sent"),
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, shared: Arc<Shared>) {
    let mut running = shared.running.subscribe();
    let service = service_fn(|request| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(answer(request, &shared).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        ended = connection => if let Err(error) = ended {
            tracing::debug!(%error, "connection ended");
        },
        _ = running.changed() => {}
    }
}

async fn answer(request: Request<Incoming>, shared: &Shared) -> Reply {
    match dispatch(request, shared).await {
        Ok(reply) => reply,
        Err(refused) => respond::refusal(&refused),
    }
}

async fn dispatch(request: Request<Incoming>, shared: &Shared) -> Result<Reply, Status> {
    let (parts, incoming) = request.into_parts();
    let user = locks::admit(&parts, shared.bound, &shared.tokens)?;
    let served = shared.registry.served();
    let target = route::parse(parts.uri.path(), &served).ok_or_else(Status::no_such_resource)?;
    if let Target::Resource(resource) = &target {
        let request = verbs::Request {
            registry: &shared.registry,
            resource,
            parts: &parts,
            query: Query::parse(parts.uri.query()),
            user: user.clone(),
            stop: shared.cut.subscribe(),
            stale: shared.faults.stale_revision(),
        };
        let verb = request.verb().ok_or_else(Status::method_not_allowed)?;
        shared.tokens.record(&user, request.access(verb));
        shared.faults.strike().await?;
        return request.answer(verb, incoming).await;
    }
    if parts.method != Method::GET {
        return Err(Status::method_not_allowed());
    }
    if let Target::Log(namespace, name) = &target {
        let resource = "pods/log".to_owned();
        shared.tokens.record(&user, Access { verb: "get", group: String::new(), resource });
        let pods = shared.logs.as_ref().ok_or_else(Status::no_such_resource)?;
        let query = Query::parse(parts.uri.query());
        return logs::log(&shared.registry, pods, namespace, name, &query);
    }
    about(&target, &parts, shared, &served)
}

/// What is served, rather than objects.
fn about(
    target: &Target,
    parts: &Parts,
    shared: &Shared,
    served: &Arc<Served>,
) -> Result<Reply, Status> {
    let aggregated = negotiate::wants_aggregated(&parts.headers);
    let body = match target {
        Target::Health => return Ok(respond::text(StatusCode::OK, "ok")),
        Target::Version => discovery::version(),
        Target::CoreVersions | Target::Groups if aggregated => {
            let core = *target == Target::CoreVersions;
            let body = discovery::aggregated(served, core).to_string();
            let hash = etag::of(body.as_bytes());
            return Ok(etag::conditional(&parts.headers, &hash, || {
                respond::reply(StatusCode::OK, discovery::AGGREGATED, body)
            }));
        }
        Target::CoreVersions => discovery::core_versions(shared.bound),
        Target::Groups => discovery::groups(served),
        Target::Group(group) => discovery::group(served, group),
        Target::Resources(group, version) => discovery::resources(served, group, version),
        Target::OpenApi => shared.openapi.root(served),
        Target::OpenApiGroup(path) => {
            let document = shared.openapi.group(served, path);
            let document = document.ok_or_else(Status::no_such_resource)?;
            return Ok(etag::conditional(&parts.headers, &document.hash, || {
                respond::json(StatusCode::OK, document.body.clone())
            }));
        }
        Target::Resource(_) | Target::Log(..) => return Err(Status::no_such_resource()),
    };
    let body = body.to_string();
    let hash = etag::of(body.as_bytes());
    Ok(etag::conditional(&parts.headers, &hash, || respond::json(StatusCode::OK, body)))
}
