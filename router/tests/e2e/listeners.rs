//! What the router's settings do to its listeners: who speaks the PROXY protocol, what TLS offers.

use fairlead_router::{HTTP, HTTPS, RouterOptions};
use fairlead_test_support::peer;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
};

use crate::{
    settings::{DENIED, last, noting, start, start_with},
    support::{Backend, Connection, Handshake, World, eventually, within},
};

#[tokio::test]
async fn row_17_a_client_by_ipv6_is_told_and_let_in_as_such() {
    let (web, seen) = noting().await;
    let any = |options: &mut RouterOptions| options.http = "[::1]:0".parse().unwrap();
    let world = start_with(&web, &[], any).await;
    world.annotate("router.deis.io/whitelist", "::1").await;
    let told = [("x-forwarded-for", "2001:db8::7")];
    assert_eq!(world.get_with("http://web.example/", &told).await.brief(), (200, "web"));
    assert_eq!(last(&seen, "x-forwarded-for").as_deref(), Some("::1"));
    // A trusted peer speaks for a client, which is then the one to be let in.
    world.set("proxyRealIpCidrs", "::1/128").await;
    assert_eq!(world.get_with("http://web.example/", &told).await.brief(), DENIED);
    world.annotate("router.deis.io/whitelist", "2001:db8::/32").await;
    assert_eq!(world.get_with("http://web.example/", &told).await.brief(), (200, "web"));
    assert_eq!(last(&seen, "x-forwarded-for").as_deref(), Some("2001:db8::7, ::1"));
}

/// A connection whose first bytes are `header`.
async fn behind(world: &World, listener: &str, header: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(world.router.addr(listener).unwrap()).await.unwrap();
    stream.write_all(header).await.unwrap();
    stream
}

#[tokio::test]
async fn row_18_the_proxy_protocol_gives_the_true_client_on_http_and_https() {
    let (web, seen) = noting().await;
    let world = start(&web, &[("proxyRealIpCidrs", "127.0.0.0/8")]).await;
    world.set("useProxyProtocol", "true").await;
    world.annotate("router.deis.io/whitelist", "203.0.113.7,2001:db8::1").await;
    const V1: &[u8] = b"PROXY TCP4 203.0.113.7 198.51.100.1 4711 443\r\n";
    const V1_IPV6: &[u8] = b"PROXY TCP6 2001:db8::1 2001:db8::2 4711 443\r\n";
    const V2: &[u8] =
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\x00\x71\x07\xc6\x33\x64\x01\x12\x67\x01\xbb";
    for (header, client) in [(V1, "203.0.113.7"), (V1_IPV6, "2001:db8::1"), (V2, "203.0.113.7")] {
        let stream = behind(&world, HTTP, header).await;
        let mut plain = Connection::over(stream).await;
        // What the client says of itself is worth nothing.
        let answer = plain.get_with("web.example", "/", &[("x-forwarded-for", "192.0.2.1")]).await;
        assert_eq!(answer.brief(), (200, "web"), "{client}");
        assert_eq!(last(&seen, "x-forwarded-for").as_deref(), Some(client));
        let stream = behind(&world, HTTPS, header).await;
        let mut tls = Connection::tls_over(stream, "web.example", &[b"http/1.1"]).await;
        assert_eq!(tls.get("web.example", "/").await.brief(), (200, "web"), "{client}");
        assert_eq!(last(&seen, "x-forwarded-for").as_deref(), Some(client));
        assert_eq!(last(&seen, "x-forwarded-proto").as_deref(), Some("https"));
    }
    let stranger =
        V1.to_vec().iter().map(|b| if *b == b'7' { b'8' } else { *b }).collect::<Vec<_>>();
    let stream = behind(&world, HTTP, &stranger).await;
    assert_eq!(Connection::over(stream).await.get("web.example", "/").await.brief(), DENIED);
    // The admin endpoints never speak it.
    assert_eq!(world.admin("/healthz").await.brief(), (200, "ok\n"));

    // A load balancer that does not speak it is not served; nobody else is listened to.
    let stream = behind(&world, HTTP, b"").await;
    assert!(Connection::over(stream).await.try_get("web.example", "/", &[]).await.is_err());
    world.set("proxyRealIpCidrs", "192.0.2.0/24").await;
    let mut stream = behind(&world, HTTP, V1).await;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    // Without anybody to believe it is of no use, and that is told.
    world.set("proxyRealIpCidrs", Value::Null).await;
    let reason = "nobody is trusted with the PROXY protocol, so that no proxy that speaks it is understood; name the \
                  proxies in proxyRealIpCidrs (Deis's default was 10.0.0.0/8)";
    assert_eq!(world.findings().await[0]["reason"], reason);
}

/// HAProxy on an address of its own, in front of the router's listeners.
struct Haproxy {
    _process: tokio::process::Child,
    address: std::net::SocketAddr,
}

impl Haproxy {
    /// Tells `listener` by `option` who its clients are.
    async fn start(
        program: &std::path::Path,
        world: &World,
        listener: &str,
        option: &str,
        folder: &std::path::Path,
    ) -> Self {
        // Nobody else uses this address, so that the port is free when HAProxy takes it.
        let address = TcpListener::bind("127.18.18.18:0").await.unwrap().local_addr().unwrap();
        let config = folder.join(format!("{listener}-{option}.cfg"));
        let router = world.router.addr(listener).unwrap();
        let text = format!(
            "defaults\n mode tcp\n timeout connect 10s\n timeout client 20s\n timeout server 20s\n\
             listen edge\n bind {address}\n source 127.0.0.1\n server router {router} {option}\n"
        );
        std::fs::write(&config, text).unwrap();
        let mut command = tokio::process::Command::new(program);
        command.arg("-db").arg("-f").arg(config).kill_on_drop(true);
        let process = command.spawn().unwrap();
        eventually("HAProxy listens", async || TcpStream::connect(address).await.map(drop)).await;
        Self { _process: process, address }
    }

    /// A connection from another address than that of HAProxy and its health checks.
    async fn connect_from(&self, client: &str) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{client}:0").parse().unwrap()).unwrap();
        within("a connection", socket.connect(self.address)).await.unwrap()
    }
}

#[tokio::test]
async fn row_18_haproxy_tells_who_its_clients_are_in_both_versions() {
    let test = "row_18_haproxy_tells_who_its_clients_are_in_both_versions";
    let Some(program) = peer(test, "haproxy") else { return };
    let (web, seen) = noting().await;
    let world = start(&web, &[("proxyRealIpCidrs", "127.0.0.1")]).await;
    world.set("useProxyProtocol", "true").await;
    let folder = tempfile::tempdir().unwrap();
    for option in ["send-proxy", "send-proxy-v2"] {
        let edge = Haproxy::start(&program, &world, HTTP, option, folder.path()).await;
        let mut plain = Connection::over(edge.connect_from("127.0.7.1").await).await;
        assert_eq!(plain.get("web.example", "/").await.brief(), (200, "web"), "{option}");
        assert_eq!(last(&seen, "x-forwarded-for").as_deref(), Some("127.0.7.1"), "{option}");
        let edge = Haproxy::start(&program, &world, HTTPS, option, folder.path()).await;
        let stream = edge.connect_from("127.0.7.2").await;
        let mut tls = Connection::tls_over(stream, "web.example", &[b"http/1.1"]).await;
        assert_eq!(tls.get("web.example", "/").await.brief(), (200, "web"), "{option}");
        assert_eq!(last(&seen, "x-forwarded-for").as_deref(), Some("127.0.7.2"), "{option}");
    }
}

#[tokio::test]
async fn row_22_http_2_is_offered_over_tls_unless_it_is_switched_off() {
    let web = Backend::named("web").await;
    let world = start(&web, &[]).await;
    let https = world.router.addr(HTTPS).unwrap();
    let ask = async || {
        let mut tls = Connection::tls(https, "web.example", &[b"h2", b"http/1.1"]).await;
        assert_eq!(tls.get("web.example", "/").await.brief(), (200, "web"));
        tls.is_http2()
    };
    assert!(ask().await);
    world.set("http2Enabled", "false").await;
    assert!(!ask().await);
    world.set("http2Enabled", "true").await;
    assert!(ask().await);
}

#[tokio::test]
async fn row_23_the_annotation_of_the_idle_time_holds_for_connections_to_come() {
    let web = Backend::named("web").await;
    let world = start(&web, &[]).await;
    let (http, get) = (world.router.addr(HTTP).unwrap(), ("web.example", "/"));
    let mut before = [Connection::plain(http).await, Connection::plain_http2(http).await];
    for old in &mut before {
        assert_eq!(old.get(get.0, get.1).await.brief(), (200, "web"));
    }
    world.set("defaultTimeout", "500ms").await;
    for http2 in [false, true] {
        let mut new = match http2 {
            true => Connection::plain_http2(http).await,
            false => Connection::plain(http).await,
        };
        assert_eq!(new.get(get.0, get.1).await.brief(), (200, "web"));
        new.closed().await;
    }
    for old in &mut before {
        assert_eq!(old.get(get.0, get.1).await.brief(), (200, "web"), "its own is 1,300 s");
    }
}

#[tokio::test]
async fn row_25_tls_versions_ciphers_and_tickets_are_those_of_the_annotations() {
    use rustls::{
        CipherSuite, HandshakeKind,
        ProtocolVersion::{TLSv1_2, TLSv1_3},
    };
    let web = Backend::named("web").await;
    let world = start(&web, &[]).await;
    let https = world.router.addr(HTTPS).unwrap();
    let agreed = async |versions| Handshake::new(versions).with(https, "web.example").await;
    let (both, old) =
        (&[&rustls::version::TLS13, &rustls::version::TLS12], &[&rustls::version::TLS12]);
    assert_eq!(agreed(both).await.unwrap().version, TLSv1_3);
    assert_eq!(agreed(old).await.unwrap().version, TLSv1_2);

    world.set("ssl.protocols", "TLSv1.3").await;
    assert_eq!(agreed(old).await, None);
    // Deis's default: what is safe of it.
    world.set("ssl.protocols", "TLSv1 TLSv1.1 TLSv1.2").await;
    assert_eq!(agreed(both).await.unwrap().version, TLSv1_2);
    let told = world.findings().await;
    assert_eq!(
        told[0]["reason"],
        "\"TLSv1\", \"TLSv1.1\" not offered: older versions of TLS are not safe"
    );
    world.set("ssl.protocols", Value::Null).await;
    assert_eq!(world.findings().await, Value::Null);

    world.set("ssl.ciphers", "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256").await;
    let chacha = CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256;
    assert_eq!(agreed(old).await.unwrap().suite, chacha);
    world.set("ssl.ciphers", Value::Null).await;
    assert_ne!(agreed(old).await.unwrap().suite, chacha, "the client would rather have another");

    for (tickets, expected) in [("true", HandshakeKind::Resumed), ("false", HandshakeKind::Full)] {
        world.set("ssl.useSessionTickets", tickets).await;
        let client = Handshake::new(both);
        assert_ne!(client.with(https, "web.example").await.unwrap().kind, HandshakeKind::Resumed);
        assert_eq!(client.with(https, "web.example").await.unwrap().kind, expected, "{tickets}");
    }
    world.set("ssl.sessionTimeout", "5m").await;
    assert_eq!(
        world.findings().await[0]["reason"],
        "this annotation does nothing here: TLS sessions are resumed by tickets alone; nothing is stored"
    );
}

#[tokio::test]
async fn row_32_large_headers_and_tls_1_3() {
    let (web, seen) = noting().await;
    let world = start(&web, &[]).await;
    let large = "x".repeat(32 * 1024);
    let answer = world.get_with("http://web.example/", &[("x-large", &large)]).await;
    assert_eq!(answer.brief(), (200, "web"));
    assert_eq!(last(&seen, "x-large"), Some(large.clone()));
    let answer = world.get_with("https://web.example/", &[("x-large", &large)]).await;
    assert_eq!(answer.brief(), (200, "web"));
    let https = world.router.addr(HTTPS).unwrap();
    let agreed =
        Handshake::new(&[&rustls::version::TLS13]).with(https, "web.example").await.unwrap();
    assert_eq!(agreed.version, rustls::ProtocolVersion::TLSv1_3);
}
