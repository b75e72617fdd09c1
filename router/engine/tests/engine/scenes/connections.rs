//! Who may use which connection, and what is made again on another.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{router, said, scenes, setup, status};
use crate::{
    support::{
        Backend, Client, Router, Setup,
        backend::OK,
        frames::{END_HEADERS, END_STREAM, HEADERS, PREFACE, Raw, SETTINGS, fields, frame, get},
        tls, within,
    },
    upstreams,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: web.example\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: web.example\r\nContent-Length: 4\r\n\r\nonce";

scenes! {
    another_host_than_tls_was_made_for, "RFC 9110 §7.4": misdirected => "421", alone "200";
    another_host_than_tls_was_made_for_by_http_2, "RFC 9113 §9.1.1": misdirected_by_http_2
        => "421", alone "200";
    more_connections_than_a_client_may_have, "RFC 9112 §9.4": many_connections
        => "closed", alone "200";
    a_request_for_an_endpoint_that_refuses, "RFC 9110 §9.2.2": refusing
        => "200, by another one", alone "502";
    a_get_whose_kept_connection_breaks, "RFC 9112 §9.3.1": |hardened| broken(hardened, GET)
        => "200, sent twice";
    a_post_whose_kept_connection_breaks, "RFC 9110 §9.2.2": |hardened| broken(hardened, POST)
        => "502, sent once";
    a_get_whose_new_connection_breaks, "RFC 9110 §9.2.2": |hardened| broken_at_once(hardened, GET)
        => "502, sent once";
    a_request_behind_credentials_of_another_client, "RFC 4559 §6": credentials
        => "made as nobody", alone "made as alice";
    a_pod_whose_certificate_only_another_app_believes, "RFC 9110 §4.3.4": believed
        => "502", alone "200";
    crumbs_of_a_cookie, "RFC 9113 §8.2.3": crumbs
        => "`cookie: a=1; b=2`", alone "`cookie: a=1`, `cookie: b=2`";
}

/// `web.example` and `other.example` with a certificate each.
async fn two_hosts(hardened: bool, backend: &Backend) -> Router {
    let mut router = Router::start(setup(hardened, |_| {}));
    for name in ["web", "other"] {
        router.certificate(name);
        let certificate = format!("{name}.example:{name}");
        router.app(name, &[("router.deis.io/certificates", &certificate)], &[backend.addr]);
    }
    router
}

async fn misdirected(hardened: bool) -> String {
    let backend = Backend::answering(OK).await;
    let router = two_hosts(hardened, &backend).await;
    let mut client = Client::new(tls::connect(&router, "web.example", "http/1.1").await);
    client.send("GET / HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n").await;
    status(&mut client).await
}

async fn misdirected_by_http_2(hardened: bool) -> String {
    let backend = Backend::answering(OK).await;
    let router = two_hosts(hardened, &backend).await;
    let mut stream = tls::connect(&router, "web.example", "h2").await;
    let request = fields(&[
        (":method", "GET"),
        (":scheme", "https"),
        (":path", "/"),
        (":authority", "other.example"),
    ]);
    let frames = [
        PREFACE.to_vec(),
        frame(SETTINGS, 0, 0, &[]),
        frame(HEADERS, END_HEADERS | END_STREAM, 1, &request),
    ];
    within(stream.write_all(&frames.concat())).await.unwrap();
    said(&mut Raw { stream }).await
}

async fn many_connections(hardened: bool) -> String {
    let backend = Backend::answering(OK).await;
    let cap = |setup: &mut Setup| setup.edge.max_connections_per_client = 2;
    let router = router(setup(hardened, cap), &backend);
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut client = router.connect().await;
        assert_eq!(client.ask(GET).await.status(), 200);
        held.push(client);
    }
    let mut client = router.connect().await;
    let _ = client.stream.write_all(GET.as_bytes()).await;
    let mut first = [0; 12];
    match within(client.stream.read_exact(&mut first)).await {
        Ok(_) => String::from_utf8_lossy(&first[9..]).into_owned(),
        Err(_) => "closed".to_owned(),
    }
}

/// One of two endpoints refuses connections.
async fn refusing(hardened: bool) -> String {
    let backend = Backend::answering(OK).await;
    let refusing = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let dead = refusing.local_addr().unwrap();
    drop(refusing);
    let mut router = Router::start(setup(hardened, |_| {}));
    router.app("web", &[], &[dead, backend.addr]);
    for _ in 0..20 {
        let status = router.connect().await.ask(POST).await.status();
        if status != 200 {
            return status.to_string();
        }
    }
    "200, by another one".to_owned()
}

/// The second time `request` is made the endpoint reads it and closes; another connection is answered.
async fn broken(hardened: bool, request: &str) -> String {
    let backend = Backend::start(|mut conn, _| async move {
        conn.request().await?;
        conn.write(OK).await?;
        conn.request().await;
        None
    })
    .await;
    let router = router(setup(hardened, |_| {}), &backend);
    let mut client = router.connect().await;
    assert_eq!(client.ask(request).await.status(), 200);
    let status = client.ask(request).await.status();
    sent(status, backend.requests().len() - 1)
}

/// Every connection is closed once a request has been read from it.
async fn broken_at_once(hardened: bool, request: &str) -> String {
    let backend = Backend::start(|mut conn, _| async move {
        conn.request().await;
        None
    })
    .await;
    let router = router(setup(hardened, |_| {}), &backend);
    let status = router.connect().await.ask(request).await.status();
    sent(status, backend.requests().len())
}

fn sent(status: u16, times: usize) -> String {
    format!("{status}, sent {}", if times == 1 { "once" } else { "twice" })
}

/// Who a client is to an application that has authenticated a connection by credentials of alice's.
async fn credentials(hardened: bool) -> String {
    let backend = Backend::start(|mut conn, _| async move {
        let mut user = "nobody";
        loop {
            if conn.head().await?.contains("NTLM alice") {
                user = "alice";
            }
            let length = user.len();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{user}");
            conn.write(answer).await?;
        }
    })
    .await;
    let router = router(Setup { workers: 1, ..setup(hardened, |_| {}) }, &backend);
    let mut alice = router.connect().await;
    let request = "GET / HTTP/1.1\r\nHost: web.example\r\nAuthorization: NTLM alice\r\n\r\n";
    assert_eq!(alice.ask(request).await.body, b"alice");
    let answer = router.connect().await.ask(GET).await;
    format!("made as {}", String::from_utf8(answer.body).unwrap())
}

/// Two apps have one endpoint, and each an authority of its own that vouches for it.
async fn believed(hardened: bool) -> String {
    let authority = upstreams::Authority::new();
    let acceptor = authority.acceptor("web.internal", b"http/1.1");
    let server = upstreams::Server::start(Some(acceptor), false).await;
    let mut router = Router::start(Setup { workers: 1, ..setup(hardened, |_| {}) });
    router.apply([authority.secret("ca"), upstreams::Authority::new().secret("other")]);
    router.app("web", &upstreams::tls("ca", "web.internal"), &[server.addr]);
    router.app("other", &upstreams::tls("other", "web.internal"), &[server.addr]);
    assert_eq!(router.connect().await.ask(GET).await.status(), 200);
    let other = "GET / HTTP/1.1\r\nHost: other.example\r\n\r\n";
    router.connect().await.ask(other).await.status().to_string()
}

/// What an application of HTTP/1 gets of a cookie in two fields.
async fn crumbs(hardened: bool) -> String {
    let backend = Backend::answering(OK).await;
    let router = router(setup(hardened, |_| {}), &backend);
    let mut raw = Raw::open(router.http).await;
    let block = get(&[("cookie", "a=1"), ("cookie", "b=2")]);
    raw.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &block)).await;
    assert_eq!(said(&mut raw).await, "200");
    let request = backend.requests().remove(0);
    let cookies = request.lines().filter(|line| line.to_ascii_lowercase().starts_with("cookie:"));
    let cookies: Vec<_> =
        cookies.map(|line| format!("`{}`", line.replacen("Cookie", "cookie", 1))).collect();
    cookies.join(", ")
}
