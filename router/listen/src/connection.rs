//! What an accepted connection is to the one who serves it.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ProtocolVersion;

use crate::drain::Drain;
use crate::stream::EdgeStream;

/// One accepted connection whose handshake is done. It counts against the caps until `stream` is dropped.
#[derive(Debug)]
pub struct Connection {
    /// The bytes: plain or decrypted.
    pub stream: EdgeStream,
    /// Who is at the other end, and how the connection came in.
    pub info: Arc<ConnectionInfo>,
    /// HTTP/2 was agreed by ALPN, or its preface was seen on a plain port (RFC 9113 §3.3). The preface is still to be read from `stream`.
    pub http2: bool,
}

/// Facts of a connection that do not change while it lives.
#[derive(Debug)]
pub struct ConnectionInfo {
    /// Name of the listener that accepted it.
    pub listener: Arc<str>,
    /// The client. An IPv4 client of a dual-stack socket is shown as IPv4.
    pub peer: SocketAddr,
    /// The address that the client connected to.
    pub local: SocketAddr,
    /// Whether the listener speaks TLS.
    pub scheme: Scheme,
    /// What the TLS handshake agreed on; `None` on a plain port.
    pub tls: Option<TlsInfo>,
}

/// How a connection came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
    /// Bytes of any protocol.
    Tcp,
}

impl Scheme {
    /// `http`, `https` or `tcp`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Tcp => "tcp",
        }
    }
}

/// What a TLS handshake agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsInfo {
    /// Server name that the client asked for (RFC 6066 §3), in lower case.
    pub sni: Option<Arc<str>>,
    /// TLS 1.2 or 1.3.
    pub version: ProtocolVersion,
}

/// Where connections go; one instance per worker thread.
pub trait Serve: Send + Sync + 'static {
    /// Serves one connection to its end. Runs as a task of its own on the worker's thread; it is dropped when the drain deadline passes.
    fn serve(
        self: Arc<Self>,
        connection: Connection,
        drain: Drain,
    ) -> impl Future<Output = ()> + Send;
}
