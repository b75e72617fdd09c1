//! Endpoints that speak HTTP/2, gRPC or TLS.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use fairlead_router_core::{Change, Key, Secret};
use futures::stream;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, StreamBody, combinators::BoxBody};
use hyper::{
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{Certificate, CertificateParams, Issuer, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier},
};

use crate::{
    http2,
    support::{Backend, Client, Router, Setup, Shared, within},
};

type Body = BoxBody<Bytes, std::convert::Infallible>;

/// An authority, and what it signs.
pub(crate) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate for `name`, and its key.
    fn sign(&self, name: &str) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// An acceptor with a certificate for `name`, which speaks `protocol`.
    pub(crate) fn acceptor(&self, name: &str, protocol: &[u8]) -> TlsAcceptor {
        self.acceptor_of(name, protocol, None)
    }

    /// As [`Authority::acceptor`], for those alone that show a certificate of `clients`.
    fn acceptor_of(&self, name: &str, protocol: &[u8], clients: Option<&Self>) -> TlsAcceptor {
        fairlead_router_listen::tls::install_default_provider();
        let (certificate, key) = self.sign(name);
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        let config = ServerConfig::builder();
        let config = match clients {
            None => config.with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(CertificateDer::from_pem_slice(clients.pem.as_bytes()).unwrap()).unwrap();
                let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
                config.with_client_cert_verifier(verifier)
            }
        };
        let mut config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        config.alpn_protocols = vec![protocol.to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }

    /// The Secret `shop/<name>` with a certificate for `client`.
    fn client_secret(&self, name: &str, client: &str) -> Change {
        let (certificate, pair) = self.sign(client);
        let key = Key::new("shop", name);
        let secret = Secret {
            key: key.clone(),
            certificate: Some(certificate.pem().into()),
            private_key: Some(pair.serialize_pem().into()),
            authorities: None,
        };
        Change::Secret(key, Some(secret))
    }

    /// The Secret `shop/<name>`.
    pub(crate) fn secret(&self, name: &str) -> Change {
        let key = Key::new("shop", name);
        let authorities = Some(self.pem.clone().into());
        let secret = Secret { key: key.clone(), certificate: None, private_key: None, authorities };
        Change::Secret(key, Some(secret))
    }
}

/// A server that tells what it was asked, and ends as gRPC does.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    connections: Arc<AtomicUsize>,
    seen: Shared<Vec<Request<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn start(tls: Option<TlsAcceptor>, http2: bool) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (connections, seen) = (Arc::<AtomicUsize>::default(), Shared::<Vec<_>>::default());
        let (count, log) = (connections.clone(), seen.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, log, count) = (tls.clone(), log.clone(), count.clone());
                tokio::spawn(async move {
                    match tls {
                        None => {
                            count.fetch_add(1, Relaxed);
                            serve(stream, http2, log).await;
                        }
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                count.fetch_add(1, Relaxed);
                                serve(stream, http2, log).await;
                            }
                        }
                    }
                });
            }
        });
        Self { addr, connections, seen, task }
    }

    fn connections(&self) -> usize {
        self.connections.load(Relaxed)
    }
}

async fn serve<S>(stream: S, http2: bool, log: Shared<Vec<Request<String>>>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let log = log.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let body = String::from_utf8(body.to_vec()).unwrap();
            log.lock().push(Request::from_parts(head, body.clone()));
            let frames = [Ok(Frame::data(Bytes::from(format!("got {body}")))), Ok(trailers())];
            let body: Body = BodyExt::boxed(StreamBody::new(stream::iter(frames)));
            let response = Response::builder().header("content-type", "application/grpc");
            Ok::<_, std::convert::Infallible>(response.body(body).unwrap())
        }
    });
    let io = TokioIo::new(stream);
    // A connection ends when the router lets it go.
    if http2 {
        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = server.serve_connection(io, service).await;
    } else {
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
    }
}

fn trailers() -> Frame<Bytes> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    trailers.insert("grpc-message", "fine".parse().unwrap());
    Frame::trailers(trailers)
}

/// What a gRPC client asks.
fn call(host: &str) -> Request<Body> {
    let body = http_body_util::Full::new(Bytes::from("hello")).boxed();
    Request::post(format!("http://{host}/shop.Cart/Add"))
        .header("te", "trailers")
        .header("content-type", "application/grpc")
        .body(body)
        .unwrap()
}

fn router(name: &str, annotations: &[(&str, &str)], server: &Server) -> Router {
    let mut router = Router::start(Setup { workers: 1, ..Setup::default() });
    router.app(name, annotations, &[server.addr]);
    router
}

const GRPC: (&str, &str) = ("router.fairlead.dev/upstreamProtocol", "grpc");

#[tokio::test]
async fn grpc_passes_with_its_trailers_over_one_connection() {
    let server = Server::start(None, true).await;
    let router = router("web", &[GRPC], &server);
    let mut client = http2::open(TcpStream::connect(router.http).await.unwrap()).await;
    for _ in 0..3 {
        let response = within(client.send_request(call("web.example"))).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/grpc");
        let body = within(response.into_body().collect()).await.unwrap();
        let trailers = body.trailers().expect("trailers come through").clone();
        assert_eq!(trailers["grpc-status"], "0");
        assert_eq!(trailers["grpc-message"], "fine");
        assert_eq!(body.to_bytes(), "got hello");
    }
    let seen = server.seen.lock();
    assert_eq!((seen.len(), seen[0].version()), (3, http::Version::HTTP_2));
    assert_eq!(seen[0].uri().authority().map(|a| a.as_str()), Some("web.example"));
    assert_eq!(seen[0].uri().path(), "/shop.Cart/Add");
    assert_eq!(seen[0].headers()["te"], "trailers");
    assert_eq!(seen[0].headers()["x-forwarded-for"], "127.0.0.1");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn clients_of_http_1_reach_endpoints_of_http_2() {
    let server = Server::start(None, true).await;
    let router = router("web", &[("router.fairlead.dev/upstreamProtocol", "h2c")], &server);
    let mut client = router.connect().await;
    for body in ["one", "two"] {
        let length = body.len();
        client
            .send(format!(
                "POST /a?b HTTP/1.1\r\nHost: web.example\r\nContent-Length: {length}\r\n\r\n{body}"
            ))
            .await;
        let head = client.head().await.unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        let mut got = Vec::new();
        loop {
            match client.chunk().await {
                chunk if chunk.is_empty() => break,
                chunk => got.extend(chunk),
            }
        }
        assert_eq!(String::from_utf8(got).unwrap(), format!("got {body}"));
    }
    assert_eq!(server.seen.lock()[1].uri().to_string(), "http://web.example/a?b");
    assert_eq!(server.connections(), 1);
}

/// The status that `host` answers with.
async fn status(router: &Router, host: &str) -> u16 {
    let mut client: Client<TcpStream> = router.connect().await;
    client.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await;
    let answer = client.rest().await;
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

pub(crate) fn tls<'a>(ca: &'a str, name: &'a str) -> [(&'static str, &'a str); 3] {
    [
        ("router.fairlead.dev/upstreamProtocol", "https"),
        ("router.fairlead.dev/upstreamCA", ca),
        ("router.fairlead.dev/upstreamServerName", name),
    ]
}

#[tokio::test]
async fn over_tls_only_who_shows_the_right_certificate_is_asked() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = Server::start(Some(authority.acceptor("web.internal", b"http/1.1")), false).await;
    let mut router = Router::start(Setup { workers: 1, ..Setup::default() });
    router.apply([authority.secret("ca"), other.secret("other")]);
    router.app("right", &tls("ca", "web.internal"), &[server.addr]);
    router.app("name", &tls("ca", "api.internal"), &[server.addr]);
    router.app("authority", &tls("other", "web.internal"), &[server.addr]);
    for (app, expected) in [("right", 200), ("name", 502), ("authority", 502), ("right", 200)] {
        assert_eq!(status(&router, &format!("{app}.example")).await, expected, "{app}");
    }
    assert_eq!(server.seen.lock().len(), 2);
}

/// Two apps with the same endpoint: what one has verified is nothing to the other.
#[tokio::test]
async fn apps_that_verify_differently_never_share_a_connection() {
    let authority = Authority::new();
    let acceptor = authority.acceptor("web.internal", b"http/1.1");
    let server = Server::start(Some(acceptor), false).await;
    let mut router = Router::start(Setup { workers: 1, ..Setup::default() });
    router.apply([
        authority.secret("ca"),
        authority.secret("same"),
        Authority::new().secret("other"),
    ]);
    router.app("one", &tls("ca", "web.internal"), &[server.addr]);
    router.app("two", &tls("same", "web.internal"), &[server.addr]);
    router.app("three", &tls("other", "web.internal"), &[server.addr]);
    router.app("four", &tls("ca", "other.internal"), &[server.addr]);
    router.app("plain", &[], &[server.addr]);
    let ask = async |app: &str| {
        let mut client = router.connect().await;
        client.ask(&format!("GET / HTTP/1.1\r\nHost: {app}.example\r\n\r\n")).await.status()
    };
    assert_eq!(ask("one").await, 200);
    // The same authority and name by another Secret is the same identity.
    assert_eq!((ask("two").await, server.connections()), (200, 1));
    // The kept connection would do for each of these, if it were found.
    assert_eq!([ask("three").await, ask("four").await, ask("plain").await], [502; 3]);
    assert_eq!((ask("one").await, server.connections()), (200, 1));
    assert_eq!(server.seen.lock().len(), 3);
}

#[tokio::test]
async fn http_2_over_tls_is_verified_as_well() {
    let authority = Authority::new();
    let server = Server::start(Some(authority.acceptor("web.internal", b"h2")), true).await;
    let mut router = Router::start(Setup { workers: 1, ..Setup::default() });
    router.apply([authority.secret("ca"), Authority::new().secret("other")]);
    let over = |ca| {
        let mut annotations = tls(ca, "web.internal");
        annotations[0].1 = "grpcs";
        annotations
    };
    router.app("web", &over("ca"), &[server.addr]);
    router.app("wrong", &over("other"), &[server.addr]);
    let mut client = http2::open(TcpStream::connect(router.http).await.unwrap()).await;
    let response = within(client.send_request(call("web.example"))).await.unwrap();
    let body = within(response.into_body().collect()).await.unwrap();
    assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
    let response = within(client.send_request(call("wrong.example"))).await.unwrap();
    assert_eq!(response.status(), 502);
    assert_eq!(server.seen.lock().len(), 1);
}

#[tokio::test]
async fn an_authority_that_is_replaced_counts_from_the_next_request_on() {
    let (old, new) = (Authority::new(), Authority::new());
    let server = Server::start(Some(old.acceptor("web.internal", b"http/1.1")), false).await;
    let mut router = Router::start(Setup { workers: 1, ..Setup::default() });
    router.apply([old.secret("ca")]);
    router.app("web", &tls("ca", "web.internal"), &[server.addr]);
    assert_eq!(status(&router, "web.example").await, 200);
    router.apply([new.secret("ca")]);
    assert_eq!(status(&router, "web.example").await, 502, "not even by the kept connection");
    router.apply([old.secret("ca")]);
    assert_eq!(status(&router, "web.example").await, 200);
}

/// How an app reaches pods that ask for a certificate.
fn shown(certificate: &str) -> [(&'static str, &str); 4] {
    let [protocol, ca, name] = tls("ca", "web.internal");
    [protocol, ca, name, ("router.fairlead.dev/upstreamCertificate", certificate)]
}

#[tokio::test]
async fn an_endpoint_that_asks_for_a_certificate_is_shown_the_apps_and_no_other_ones() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let acceptor = authority.acceptor_of("web.internal", b"http/1.1", Some(&clients));
    let server = Server::start(Some(acceptor), false).await;
    let mut router = Router::start(Setup { workers: 1, ..Setup::default() });
    router.apply([
        authority.secret("ca"),
        clients.client_secret("one", "router"),
        clients.client_secret("two", "router"),
        authority.client_secret("stranger", "router"),
    ]);
    router.app("one", &shown("one"), &[server.addr]);
    router.app("two", &shown("two"), &[server.addr]);
    router.app("stranger", &shown("stranger"), &[server.addr]);
    router.app("none", &tls("ca", "web.internal"), &[server.addr]);
    let mut client = router.connect().await;
    let mut ask = async |app: &str| {
        client.ask(&format!("GET / HTTP/1.1\r\nHost: {app}.example\r\n\r\n")).await.status()
    };
    assert_eq!((ask("one").await, server.connections()), (200, 1));
    assert_eq!((ask("one").await, server.connections()), (200, 1), "the connection is kept");
    // It is nobody else's, though it would do for each of these.
    assert_eq!((ask("two").await, server.connections()), (200, 2));
    for app in ["stranger", "none"] {
        let mut client = router.connect().await;
        let answer = client.ask(&format!("GET / HTTP/1.1\r\nHost: {app}.example\r\n\r\n")).await;
        assert_eq!(answer.status(), 502, "{app}");
    }
    assert_eq!(server.seen.lock().len(), 3);
}

#[tokio::test]
async fn a_certificate_that_is_replaced_is_shown_from_the_next_request_on() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let acceptor = authority.acceptor_of("web.internal", b"h2", Some(&clients));
    let server = Server::start(Some(acceptor), true).await;
    let mut router = Router::start(Setup { workers: 1, ..Setup::default() });
    router.apply([authority.secret("ca"), authority.client_secret("mine", "router")]);
    let mut annotations = shown("mine");
    annotations[0].1 = "grpcs";
    router.app("web", &annotations, &[server.addr]);
    assert_eq!(status(&router, "web.example").await, 502);
    router.apply([clients.client_secret("mine", "router")]);
    assert_eq!(status(&router, "web.example").await, 200);
    router.apply([clients.client_secret("mine", "router")]);
    assert_eq!(status(&router, "web.example").await, 200);
    assert_eq!(server.connections(), 2, "not by the connection of the old one");
    // Who it was shown to before knows it no more.
    router.apply([authority.client_secret("mine", "router")]);
    assert_eq!(status(&router, "web.example").await, 502);
}

/// RFC 4559 §6: whoever has authenticated a connection is who all its requests are from.
#[tokio::test]
async fn credentials_for_a_connection_are_for_one_client_alone() {
    let backend = Backend::start(|mut conn, number| async move {
        let mut user = "nobody".to_owned();
        loop {
            let head = conn.head().await?;
            if head.contains("NTLM alice") {
                user = "alice".to_owned();
            }
            let body = format!("{user} by {number}");
            let length = body.len();
            conn.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"))
                .await?;
        }
    })
    .await;
    let setup = Setup { workers: 1, ..Setup::default() };
    let mut router = Router::start(setup);
    router.app("web", &[], &[backend.addr]);
    let plain = "GET / HTTP/1.1\r\nHost: web.example\r\n\r\n";
    let alice = "GET / HTTP/1.1\r\nHost: web.example\r\nAuthorization: NTLM alice\r\n\r\n";
    let mut bob = router.connect().await;
    assert_eq!(bob.ask(plain).await.body, b"nobody by 0");
    let mut client = router.connect().await;
    assert_eq!(client.ask(plain).await.body, b"nobody by 0", "shared as yet");
    assert_eq!(client.ask(alice).await.body, b"alice by 1");
    // She goes on by the same connection, and nobody else does.
    assert_eq!(client.ask(plain).await.body, b"alice by 1");
    assert_eq!(bob.ask(plain).await.body, b"nobody by 0");
    drop(client);
    for _ in 0..3 {
        assert_eq!(router.connect().await.ask(plain).await.body, b"nobody by 0");
    }
}
