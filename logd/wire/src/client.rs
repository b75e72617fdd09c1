//! A sender's side of a stream to a logd: one HTTP/2 request whose body and answer are frames.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderValue};
use http::{Request, StatusCode, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls_pki_types::ServerName;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::body::Frames;
use crate::frame::{Decoder, Encoder, FrameError};
use crate::message::{FromLogd, FromSender, LogdHello, SenderHello, VERSION};

/// The path that streams are opened at.
pub const PATH: &str = "/v1/stream";

/// For the connection, and for logd's answer to the hello.
const PATIENCE: Duration = Duration::from_secs(5);
/// A logd that went away without a word is noticed after both.
const PING_INTERVAL: Duration = Duration::from_secs(5);
const PING_TIMEOUT: Duration = Duration::from_secs(4);
/// Frames that wait for the connection to take them.
const QUEUE: usize = 2;

/// Where a logd is and what it is shown.
#[derive(Clone)]
pub struct Endpoint {
    /// `http://HOST:PORT` or `https://HOST:PORT`.
    pub url: Uri,
    /// For `https`: what logd's certificate has to be for; `None`: the URL's host.
    pub server_name: Option<ServerName<'static>>,
    /// For `https`: whom to trust, and the sender's own certificate where logd wants one; see
    /// [`crate::tls::client_config`].
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// A bearer token of role `ingest`.
    pub token: Option<HeaderValue>,
}

impl Endpoint {
    /// This logd, which is shown nothing.
    #[must_use]
    pub const fn at(url: Uri) -> Self {
        Self { url, server_name: None, tls: None, token: None }
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Why there is no stream, or no more of it.
#[derive(Debug, Error)]
pub enum WireError {
    /// The URL has no host, or is neither `http` nor `https`.
    #[error("{0} is not http://HOST:PORT or https://HOST:PORT")]
    Url(Uri),
    /// `https` without a TLS configuration.
    #[error("{0} needs TLS, and nothing says whom to trust")]
    NoTls(Uri),
    /// There is no connection.
    #[error("cannot connect to {url}: {source}")]
    Connect {
        /// Where.
        url: Uri,
        /// Why not.
        source: std::io::Error,
    },
    /// Nothing came in time.
    #[error("{0} did not answer in time")]
    Silent(Uri),
    /// logd refused the stream.
    #[error("{url} refused with {status}")]
    Refused {
        /// Where.
        url: Uri,
        /// 401: no token; 403: one of another role.
        status: StatusCode,
    },
    /// logd speaks another version.
    #[error("{url} speaks version {version} of the protocol, not {VERSION}")]
    Version {
        /// Where.
        url: Uri,
        /// Its version.
        version: u32,
    },
    /// logd ended the stream.
    #[error("logd ended the stream: {0}")]
    Ended(String),
    /// The first message was no hello.
    #[error("the first message was no hello")]
    NoHello,
    /// The connection broke.
    #[error("the connection broke: {}", cause(.0))]
    Broken(#[from] hyper::Error),
    /// No stream was opened that could be let in.
    #[error("no stream was opened in time")]
    NoStream,
    /// The other side ended the stream without a word, or the connection is gone.
    #[error("the stream ended")]
    Closed,
    /// What came, or was to be sent, is no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// hyper's errors tell what was being done; what went wrong is at their end.
fn cause(error: &hyper::Error) -> String {
    let mut error: &dyn std::error::Error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// An open stream.
#[derive(Debug)]
pub struct Connection {
    /// To logd.
    pub sender: Sender,
    /// From logd.
    pub receiver: Receiver,
    /// What logd said first.
    pub hello: LogdHello,
}

/// Opens a stream, saying who the sender is.
///
/// # Errors
/// Where there is no connection within 5 s, or logd refuses.
pub async fn connect(endpoint: &Endpoint, name: &str) -> Result<Connection, WireError> {
    let silent = |_| WireError::Silent(endpoint.url.clone());
    timeout(PATIENCE, open(endpoint, name)).await.map_err(silent)?
}

async fn open(endpoint: &Endpoint, name: &str) -> Result<Connection, WireError> {
    let url = &endpoint.url;
    let no_url = || WireError::Url(url.clone());
    let failed = |source| WireError::Connect { url: url.clone(), source };
    let host = url.host().ok_or_else(no_url)?.trim_matches(['[', ']']);
    let secure = match url.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err(no_url()),
    };
    let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let tcp = TcpStream::connect((host, port)).await.map_err(failed)?;
    tcp.set_nodelay(true).map_err(failed)?;
    if !secure {
        return exchange(tcp, endpoint, name).await;
    }
    let tls = endpoint.tls.clone().ok_or_else(|| WireError::NoTls(url.clone()))?;
    let server = match &endpoint.server_name {
        Some(name) => name.clone(),
        None => ServerName::try_from(host.to_owned()).map_err(|_| no_url())?,
    };
    let stream =
        tokio_rustls::TlsConnector::from(tls).connect(server, tcp).await.map_err(failed)?;
    exchange(stream, endpoint, name).await
}

async fn exchange<S>(stream: S, endpoint: &Endpoint, name: &str) -> Result<Connection, WireError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut requests, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(stream))
        .await?;
    let task = Task(tokio::spawn(async move {
        // What broke it shows in the stream's body.
        let _ = connection.await;
    }));
    let (frames, body) = Frames::channel(QUEUE);
    let mut sender = Sender { frames, encoder: Encoder::new()? };
    let hello = SenderHello { version: VERSION, sender: name.to_owned() };
    sender.send(&FromSender::Hello(hello)).await?;
    let mut request = Request::post(
        Uri::builder()
            .scheme(endpoint.url.scheme_str().unwrap_or("http"))
            .authority(endpoint.url.authority().map_or("", |authority| authority.as_str()))
            .path_and_query(PATH)
            .build()
            .map_err(|_| WireError::Url(endpoint.url.clone()))?,
    );
    if let Some(token) = &endpoint.token {
        request = request.header(AUTHORIZATION, token);
    }
    let request = request.body(body).map_err(|_| WireError::Url(endpoint.url.clone()))?;
    let answer = requests.send_request(request).await?;
    if answer.status() != StatusCode::OK {
        return Err(WireError::Refused { url: endpoint.url.clone(), status: answer.status() });
    }
    let mut receiver =
        Receiver { body: answer.into_body(), decoder: Decoder::default(), _connection: task };
    match receiver.next().await? {
        FromLogd::Hello(hello) if hello.version == VERSION => {
            Ok(Connection { sender, receiver, hello })
        }
        FromLogd::Hello(hello) => {
            Err(WireError::Version { url: endpoint.url.clone(), version: hello.version })
        }
        FromLogd::End(end) => Err(WireError::Ended(end.reason)),
        _ => Err(WireError::NoHello),
    }
}

/// The connection's own work, which ends with the stream.
#[derive(Debug)]
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// To logd. Dropped, it ends the stream's sending half: logd takes what was sent and ends the other.
#[derive(Debug)]
pub struct Sender {
    frames: mpsc::Sender<Bytes>,
    encoder: Encoder,
}

impl Sender {
    /// Sends a message; waits while the connection takes no more.
    ///
    /// # Errors
    /// Where the stream has ended, or the message is too long.
    pub async fn send(&mut self, message: &FromSender) -> Result<(), WireError> {
        let frame = self.encoder.from_sender(message)?;
        self.frames.send(frame).await.map_err(|_| WireError::Closed)
    }
}

/// From logd. Dropped, it ends the stream and its connection.
#[derive(Debug)]
pub struct Receiver {
    body: Incoming,
    decoder: Decoder,
    _connection: Task,
}

impl Receiver {
    /// The next message. Nothing is lost where the future is dropped before it is done.
    ///
    /// # Errors
    /// Where the stream has ended.
    pub async fn next(&mut self) -> Result<FromLogd, WireError> {
        loop {
            if let Some(message) = self.decoder.logd()? {
                return Ok(message);
            }
            let frame = self.body.frame().await.ok_or(WireError::Closed)??;
            if let Some(data) = frame.data_ref() {
                self.decoder.push(data);
            }
        }
    }
}
