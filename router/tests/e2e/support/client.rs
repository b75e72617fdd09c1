//! A client that sends what it is told and shows what came back.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    CipherSuite, ClientConfig, DigitallySignedStruct, HandshakeKind, ProtocolVersion,
    SignatureScheme, SupportedProtocolVersion,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::within;

/// A whole response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case, `date` left out, sorted.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    /// Status and body: what most tests are about.
    pub(crate) fn brief(&self) -> (u16, &str) {
        (self.status, &self.body)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

enum Sender {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

/// One connection to a listener; requests follow one another on it.
pub(crate) struct Connection {
    sender: Sender,
    scheme: &'static str,
    /// Ends with the connection.
    driver: JoinHandle<()>,
    received: Arc<AtomicUsize>,
    /// The certificate that the server showed.
    pub(crate) certificate: Option<CertificateDer<'static>>,
}

impl Connection {
    /// HTTP/1.1 in the clear.
    pub(crate) async fn plain(address: SocketAddr) -> Self {
        Self::over(within("a connection", TcpStream::connect(address)).await.unwrap()).await
    }

    /// HTTP/1.1 in the clear over `stream`.
    pub(crate) async fn over(stream: TcpStream) -> Self {
        let (sender, driver, received) = start_http1(stream).await;
        Self { sender, scheme: "http", driver, received, certificate: None }
    }

    /// HTTP/2 with prior knowledge, in the clear.
    pub(crate) async fn plain_http2(address: SocketAddr) -> Self {
        let stream = within("a connection", TcpStream::connect(address)).await.unwrap();
        let (sender, driver, received) = start_http2(stream).await;
        Self { sender, scheme: "http", driver, received, certificate: None }
    }

    /// Over TLS, with `name` as SNI; any certificate is accepted and kept.
    pub(crate) async fn tls(address: SocketAddr, name: &str, alpn: &[&[u8]]) -> Self {
        let stream = within("a connection", TcpStream::connect(address)).await.unwrap();
        Self::tls_over(stream, name, alpn).await
    }

    /// As [`Connection::tls`], over `stream`.
    pub(crate) async fn tls_over(stream: TcpStream, name: &str, alpn: &[&[u8]]) -> Self {
        let stream = tls(stream, name, alpn).await;
        let (_, session) = stream.get_ref();
        let certificate = session.peer_certificates().map(|chain| chain[0].clone().into_owned());
        let (sender, driver, received) = if session.alpn_protocol() == Some(b"h2") {
            start_http2(stream).await
        } else {
            start_http1(stream).await
        };
        Self { sender, scheme: "https", driver, received, certificate }
    }

    /// GET `target` of `host`.
    pub(crate) async fn get(&mut self, host: &str, target: &str) -> Answer {
        self.get_with(host, target, &[]).await
    }

    /// GET with further header fields.
    pub(crate) async fn get_with(
        &mut self,
        host: &str,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        self.try_get(host, target, headers).await.unwrap()
    }

    /// GET that may fail with the connection.
    pub(crate) async fn try_get(
        &mut self,
        host: &str,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Result<Answer, hyper::Error> {
        let mut request = Request::get(target);
        if matches!(self.sender, Sender::One(_)) {
            request = request.header("host", host);
        } else {
            request = Request::get(format!("{}://{host}{target}", self.scheme));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Full::default()).unwrap()).await
    }

    /// Any request.
    pub(crate) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, hyper::Error> {
        within("a response", async {
            let response = match &mut self.sender {
                Sender::One(sender) => {
                    sender.ready().await?;
                    sender.send_request(request).await?
                }
                Sender::Two(sender) => sender.send_request(request).await?,
            };
            let (head, body) = response.into_parts();
            let body = body.collect().await?.to_bytes();
            let mut headers: Vec<_> = head
                .headers
                .iter()
                .filter(|(name, _)| *name != "date")
                .map(|(name, value)| {
                    (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
                })
                .collect();
            headers.sort();
            let body = String::from_utf8_lossy(&body).into_owned();
            Ok(Answer { status: head.status.as_u16(), headers, body })
        })
        .await
    }

    /// Waits until the server has closed the connection.
    pub(crate) async fn closed(&mut self) {
        within("the connection is closed", &mut self.driver).await.unwrap();
    }

    /// Bytes that have come so far, those of TLS itself aside.
    pub(crate) fn received(&self) -> usize {
        self.received.load(Relaxed)
    }

    /// Whether HTTP/2 is spoken.
    pub(crate) fn is_http2(&self) -> bool {
        matches!(self.sender, Sender::Two(_))
    }
}

type Started = (Sender, JoinHandle<()>, Arc<AtomicUsize>);

async fn start_http1<S>(stream: S) -> Started
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (stream, received) = Counted::over(stream);
    let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    (Sender::One(sender), tokio::spawn(async { drop(driver.await) }), received)
}

async fn start_http2<S>(stream: S) -> Started
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (stream, received) = Counted::over(stream);
    let stream = TokioIo::new(stream);
    let (sender, driver) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    (Sender::Two(sender), tokio::spawn(async { drop(driver.await) }), received)
}

/// Counts what comes.
struct Counted<S> {
    stream: S,
    received: Arc<AtomicUsize>,
}

impl<S> Counted<S> {
    fn over(stream: S) -> (Self, Arc<AtomicUsize>) {
        let received = Arc::<AtomicUsize>::default();
        (Self { stream, received: received.clone() }, received)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.received.fetch_add(buffer.filled().len() - before, Relaxed);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A client that makes one handshake after another and remembers sessions.
pub(crate) struct Handshake(TlsConnector);

/// What a handshake agreed on.
#[derive(Debug, PartialEq)]
pub(crate) struct Agreed {
    pub(crate) version: ProtocolVersion,
    pub(crate) suite: CipherSuite,
    pub(crate) kind: HandshakeKind,
}

impl Handshake {
    /// Knows `versions`.
    pub(crate) fn new(versions: &[&'static SupportedProtocolVersion]) -> Self {
        Self(TlsConnector::from(Arc::new(config(versions))))
    }

    /// A handshake and a request; `None` when there is nothing to agree on.
    pub(crate) async fn with(&self, address: SocketAddr, name: &str) -> Option<Agreed> {
        let stream = within("a connection", TcpStream::connect(address)).await.unwrap();
        let host = ServerName::try_from(name.to_owned()).unwrap();
        let stream = within("a handshake", self.0.connect(host, stream)).await.ok()?;
        let session = stream.get_ref().1;
        let agreed = Agreed {
            version: session.protocol_version().unwrap(),
            suite: session.negotiated_cipher_suite().unwrap().suite(),
            kind: session.handshake_kind().unwrap(),
        };
        // A ticket comes with the answer.
        let (Sender::One(mut sender), _driver, _) = start_http1(stream).await else {
            unreachable!()
        };
        let request = Request::get("/").header("host", name).body(Full::default()).unwrap();
        within("an answer", sender.send_request(request)).await.unwrap();
        Some(agreed)
    }
}

fn config(versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let provider = Arc::new(aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate))
        .with_no_client_auth()
}

async fn tls(stream: TcpStream, name: &str, alpn: &[&[u8]]) -> TlsStream<TcpStream> {
    let mut config = config(rustls::ALL_VERSIONS);
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connect = TlsConnector::from(Arc::new(config)).connect(name, stream);
    within("a TLS connection", connect).await.unwrap()
}

/// Tests compare certificates themselves.
#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
