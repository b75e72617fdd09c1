//! Who the client is, told by a load balancer: believed from those who are trusted with it, and from nobody else.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fairlead_router_listen::{Connection, Limits, Protocol, Workers};
use rustls::version::TLS13;
use support::tls::{client, https};
use support::{OK, connect, keep_alive, listening, reaches, read_exactly, read_to_end, within};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;

const V1: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.1 4711 443\r\n";
/// Of 2001:db8::1, port 80, to ::1, port 90.
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24\
    \x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\x50\0\x5a";
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

type Ends = (SocketAddr, SocketAddr);

/// A listener that believes the peers in `proxies`, and who its connections come from.
fn start(
    protocol: Protocol,
    limits: Limits,
    proxies: &str,
) -> (Workers, SocketAddr, mpsc::Receiver<Ends>) {
    let (sender, ends) = mpsc::channel(4);
    let serve = move |connection: Connection, drain| {
        let sender = sender.clone();
        async move {
            sender.send((connection.info.peer, connection.info.local)).await.unwrap();
            keep_alive(connection, drain).await;
        }
    };
    let (workers, addr) = listening(protocol, limits.clone(), serve);
    workers.configure(limits, &[proxies.parse().unwrap()], true);
    (workers, addr, ends)
}

fn ends(peer: &str, local: &str) -> Ends {
    (peer.parse().unwrap(), local.parse().unwrap())
}

#[tokio::test]
async fn a_trusted_peer_says_who_the_client_is_in_either_version() {
    let (_workers, addr, mut seen) = start(Protocol::Http, Limits::default(), "127.0.0.0/8");
    for (header, expected) in [
        (V1, ends("192.0.2.1:4711", "198.51.100.1:443")),
        (V2, ends("[2001:db8::1]:80", "[::1]:90")),
    ] {
        let mut client = connect(addr).await;
        client.write_all(&[header, GET].concat()).await.unwrap();
        assert_eq!(within(seen.recv()).await, Some(expected));
        assert_eq!(read_exactly(&mut client, OK.len()).await, OK);
        // The next request on the connection has no header.
        client.write_all(GET).await.unwrap();
        assert_eq!(read_exactly(&mut client, OK.len()).await, OK);
    }
}

#[tokio::test]
async fn a_header_may_come_in_pieces_and_nothing_behind_it_is_lost() {
    let (_workers, addr, mut seen) = start(Protocol::Http, Limits::default(), "127.0.0.0/8");
    for header in [V1, V2] {
        let mut client = connect(addr).await;
        let bytes = [header, GET].concat();
        for piece in bytes.chunks(5) {
            client.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        assert!(within(seen.recv()).await.is_some());
        assert_eq!(read_exactly(&mut client, OK.len()).await, OK);
    }
}

#[tokio::test]
async fn a_health_check_of_the_load_balancer_is_its_own() {
    let (_workers, addr, mut seen) = start(Protocol::Http, Limits::default(), "127.0.0.0/8");
    for header in [&b"PROXY UNKNOWN\r\n"[..], b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"] {
        let mut client = connect(addr).await;
        client.write_all(&[header, GET].concat()).await.unwrap();
        assert_eq!(within(seen.recv()).await, Some((client.local_addr().unwrap(), addr)));
        assert_eq!(read_exactly(&mut client, OK.len()).await, OK);
    }
}

#[tokio::test]
async fn over_tls_the_header_comes_before_the_handshake() {
    let (_workers, addr, mut seen) = start(https(), Limits::default(), "127.0.0.0/8");
    let mut tcp = TcpStream::connect(addr).await.unwrap();
    tcp.write_all(V2).await.unwrap();
    let connector = TlsConnector::from(Arc::new(client(&[], &TLS13)));
    let name = "app.example".try_into().unwrap();
    let mut tls = within(connector.connect(name, tcp)).await.unwrap();
    tls.write_all(GET).await.unwrap();
    assert_eq!(within(seen.recv()).await, Some(ends("[2001:db8::1]:80", "[::1]:90")));
    assert_eq!(read_exactly(&mut tls, OK.len()).await, OK);
}

#[tokio::test]
async fn from_others_a_header_is_no_header() {
    let (_workers, addr, mut seen) = start(Protocol::Http, Limits::default(), "192.0.2.0/24");
    let mut client = connect(addr).await;
    client.write_all(&[V1, GET].concat()).await.unwrap();
    // The bytes are the client's, and so is the address.
    assert_eq!(within(seen.recv()).await, Some((client.local_addr().unwrap(), addr)));
}

#[tokio::test]
async fn a_trusted_peer_that_does_not_speak_it_is_closed() {
    let (workers, addr, _) = start(Protocol::Http, Limits::default(), "127.0.0.0/8");
    let mut client = connect(addr).await;
    client.write_all(GET).await.unwrap();
    assert_eq!(read_to_end(&mut client).await, "");
    reaches(&workers.counters().proxy_failures, 1).await;
}

#[tokio::test]
async fn a_header_has_the_time_of_a_handshake() {
    let limits = Limits { handshake: Duration::from_millis(200), ..Limits::default() };
    let (workers, addr, _) = start(Protocol::Http, limits, "127.0.0.0/8");
    let mut client = connect(addr).await;
    client.write_all(&V2[..20]).await.unwrap();
    assert_eq!(read_to_end(&mut client).await, "");
    reaches(&workers.counters().timeouts.proxy, 1).await;
}

#[tokio::test]
async fn the_cap_per_client_counts_clients_and_not_the_load_balancer() {
    let limits = Limits { max_connections_per_client: 1, ..Limits::default() };
    let (workers, addr, mut seen) = start(Protocol::Http, limits, "127.0.0.0/8");
    let mut held = Vec::new();
    for header in [V1, V2] {
        let mut client = connect(addr).await;
        client.write_all(&[header, GET].concat()).await.unwrap();
        assert!(within(seen.recv()).await.is_some());
        held.push(client);
    }
    let mut third = connect(addr).await;
    third.write_all(&[V1, GET].concat()).await.unwrap();
    assert_eq!(read_to_end(&mut third).await, "");
    reaches(&workers.counters().refused_client, 1).await;
}
