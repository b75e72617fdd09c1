//! From an accepted socket to a [`Connection`]: the part of a connection's life before HTTP.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::caps::Permit;
use crate::connection::{Connection, ConnectionInfo, Scheme, TlsInfo};
use crate::drain::Drain;
use crate::preface::{Ahead, Verdict, judge};
use crate::proxied::{Arrived, arrive};
use crate::socket::Socket;
use crate::stream::{Edge, EdgeStream};
use crate::transport::Transport;
use crate::workers::Protocol;

/// How long a plain connection without a byte is still heard when draining begins: its request may be on the way.
const DRAIN_GRACE: Duration = Duration::from_secs(1);

/// A socket as it comes from the accept loop.
pub(crate) struct Accepted {
    pub(crate) tcp: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) permit: Permit,
    pub(crate) listener: Arc<str>,
}

/// Why there is no connection to serve. All but `Quiet` are counted where they arise.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("closed before anything was sent")]
    Quiet,
    #[error("deadline passed before the first byte")]
    FirstByte,
    #[error("deadline passed during the TLS handshake")]
    HandshakeTimeout,
    #[error("deadline passed before the whole PROXY header")]
    ProxyTimeout,
    #[error("a peer that is trusted with the PROXY protocol did not speak it")]
    Proxy,
    #[error("TLS handshake failed: {0}")]
    Handshake(io::Error),
    #[error("{0}")]
    Socket(#[from] io::Error),
}

/// Makes a connection of a socket, within the limits on handshake, first byte and head.
pub(crate) async fn establish(
    accepted: Accepted,
    protocol: &Protocol,
    edge: &Arc<Edge>,
    drain: &Drain,
) -> Result<Connection, Failure> {
    let listener = Arc::clone(&accepted.listener);
    let _ = accepted.tcp.set_nodelay(true);
    let Arrived { tcp, peer, local, permit } = arrive(accepted, edge, drain).await?;
    match protocol {
        Protocol::Http => {
            let (socket, http2, head_since) = sniff(tcp, edge, drain).await?;
            let info = ConnectionInfo { listener, peer, local, scheme: Scheme::Http, tls: None };
            let io = Transport::Plain(socket);
            let stream = EdgeStream::new(io, http2, Some(head_since), Arc::clone(edge), permit);
            Ok(Connection { stream, info: Arc::new(info), http2 })
        }
        Protocol::Tcp => {
            let info = ConnectionInfo { listener, peer, local, scheme: Scheme::Tcp, tls: None };
            let io = Transport::Plain(Socket::new(tcp, Ahead::default()));
            let stream = EdgeStream::new(io, false, None, Arc::new(edge.without_limits()), permit);
            stream.phase().busy();
            Ok(Connection { stream, info: Arc::new(info), http2: false })
        }
        Protocol::Https(config) => {
            // Boxed: it is large, and gone when the connection is served.
            let tls = Box::pin(handshake(tcp, &config.get(), edge)).await?;
            let session = tls.get_ref().1;
            let http2 = session.alpn_protocol() == Some(b"h2");
            let version = session.protocol_version().ok_or(Failure::Quiet)?;
            let tls_info = TlsInfo { sni: session.server_name().map(Arc::from), version };
            let info = ConnectionInfo {
                listener,
                peer,
                local,
                scheme: Scheme::Https,
                tls: Some(tls_info),
            };
            let stream =
                EdgeStream::new(Transport::Tls(tls), http2, None, Arc::clone(edge), permit);
            Ok(Connection { stream, info: Arc::new(info), http2 })
        }
    }
}

/// The address as IPv4 where it stands for one.
pub(crate) fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

async fn handshake(
    tcp: TcpStream,
    config: &Arc<ServerConfig>,
    edge: &Edge,
) -> Result<Box<TlsStream<Socket>>, Failure> {
    let accept = TlsAcceptor::from(Arc::clone(config)).accept(Socket::new(tcp, Ahead::default()));
    match timeout(edge.limits.handshake, accept).await {
        Ok(Ok(tls)) => Ok(Box::new(tls)),
        Ok(Err(error)) => {
            edge.counters.handshake_failures.increment();
            Err(Failure::Handshake(error))
        }
        Err(_) => {
            edge.counters.timeouts.handshake.increment();
            Err(Failure::HandshakeTimeout)
        }
    }
}

/// Reads until it is clear which HTTP a plain client speaks, and says so and when its first byte came. A client that keeps us guessing
/// until the head deadline is taken for HTTP/1: the stream then answers it.
async fn sniff(
    mut tcp: TcpStream,
    edge: &Edge,
    drain: &Drain,
) -> Result<(Socket, bool, Instant), Failure> {
    let mut ahead = Ahead::default();
    let first = tokio::select! {
        biased;
        first = timeout(edge.limits.first_byte, tcp.read(ahead.space())) => match first {
            Ok(first) => first?,
            Err(_) => {
                edge.counters.timeouts.first_byte.increment();
                return Err(Failure::FirstByte);
            }
        },
        () = grace(drain) => return Err(Failure::Quiet),
    };
    if first == 0 {
        return Err(Failure::Quiet);
    }
    ahead.filled(first);
    let since = Instant::now();
    while judge(ahead.bytes()) == Verdict::Undecided {
        match timeout_at(since + edge.limits.head, tcp.read(ahead.space())).await {
            Ok(Ok(n)) if n > 0 => ahead.filled(n),
            // The stream meets the same end after the bytes so far.
            _ => break,
        }
    }
    let http2 = judge(ahead.bytes()) == Verdict::Http2;
    Ok((Socket::new(tcp, ahead), http2, since))
}

pub(crate) async fn grace(drain: &Drain) {
    drain.signalled().await;
    tokio::time::sleep(DRAIN_GRACE).await;
}
