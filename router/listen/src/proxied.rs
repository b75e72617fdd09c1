//! Reading the PROXY header of a connection, where its peer is one to be believed.

use std::net::SocketAddr;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::caps::{Permit, Refusal};
use crate::drain::Drain;
use crate::establish::{Accepted, Failure, canonical, grace};
use crate::proxy_protocol::{Header, LONGEST, Verdict, judge};
use crate::stream::Edge;

/// A socket whose next byte is the client's.
pub(crate) struct Arrived {
    pub(crate) tcp: TcpStream,
    /// The client.
    pub(crate) peer: SocketAddr,
    /// What the client connected to.
    pub(crate) local: SocketAddr,
    pub(crate) permit: Permit,
}

/// Finds out who the client is. Of peers that are not trusted with it nothing is read: to them a header means nothing.
pub(crate) async fn arrive(
    accepted: Accepted,
    edge: &Edge,
    drain: &Drain,
) -> Result<Arrived, Failure> {
    let Accepted { tcp, peer, permit, .. } = accepted;
    let local = canonical(tcp.local_addr()?);
    let arrived = Arrived { tcp, peer, local, permit };
    if edge.is_proxy(peer.ip()) {
        // Boxed for its buffer, which few connections need, and these for a moment.
        return Box::pin(introduce(arrived, edge, drain)).await;
    }
    Ok(arrived)
}

/// Reads the header that a trusted peer has to send first.
async fn introduce(mut arrived: Arrived, edge: &Edge, drain: &Drain) -> Result<Arrived, Failure> {
    let header = tokio::select! {
        biased;
        header = timeout(edge.limits.handshake, read(&mut arrived.tcp)) => match header {
            Ok(header) => header?,
            Err(_) => {
                edge.counters.timeouts.proxy.increment();
                return Err(Failure::ProxyTimeout);
            }
        },
        () = grace(drain) => return Err(Failure::Quiet),
    };
    match header {
        None => {
            edge.counters.proxy_failures.increment();
            Err(Failure::Proxy)
        }
        Some(Header::Local) => Ok(arrived),
        Some(Header::Proxied { source, destination }) => {
            match arrived.permit.pass_to(source.ip(), edge.is_trusted(source.ip())) {
                Ok(permit) => {
                    Ok(Arrived { peer: source, local: destination, permit, tcp: arrived.tcp })
                }
                Err(Refusal::Client | Refusal::Total) => {
                    edge.counters.refused_client.increment();
                    Err(Failure::Quiet)
                }
            }
        }
    }
}

/// Reads the header and not a byte more; `None` when there is none.
async fn read(tcp: &mut TcpStream) -> Result<Option<Header>, Failure> {
    let mut buffer = [0; LONGEST];
    let mut len = 0;
    loop {
        let seen = tcp.peek(&mut buffer[len..]).await?;
        if seen == 0 {
            return Err(Failure::Quiet);
        }
        let (taken, header) = match judge(&buffer[..len + seen]) {
            Verdict::Invalid => return Ok(None),
            Verdict::Incomplete => (len + seen, None),
            Verdict::Whole { header, len } => (len, Some(header)),
        };
        tcp.read_exact(&mut buffer[len..taken]).await?;
        if header.is_some() {
            return Ok(header);
        }
        len = taken;
    }
}
