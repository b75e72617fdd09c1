//! What an endpoint is told of the client.

use std::net::IpAddr;

use crate::support::{Backend, Client, Router, Setup, backend::OK, tls};

/// The fields that concern the client, in the order of their names, as the endpoint gets them for
/// a request with `fields`.
async fn told(trusted: &str, fields: &str, secure: bool) -> (Vec<String>, IpAddr) {
    let backend = Backend::answering(OK).await;
    let mut setup = Setup::default();
    setup.settings.trusted =
        trusted.split_terminator(',').map(|net| net.parse().unwrap()).collect();
    let mut router = Router::start(setup);
    router.certificate("web");
    router.app("web", &[("router.deis.io/certificates", "web.example:web")], &[backend.addr]);
    let request = format!("GET / HTTP/1.1\r\nHost: web.example\r\n{fields}\r\n");
    if secure {
        Client::new(tls::connect(&router, "web.example", "http/1.1").await).ask(&request).await;
    } else {
        router.ask(&request).await;
    }
    let request = backend.requests().pop().unwrap();
    let mut lines: Vec<_> = request
        .lines()
        .filter(|line| line.to_ascii_lowercase().starts_with("x-forwarded"))
        .map(str::to_owned)
        .collect();
    lines.sort();
    (lines, router.records(1).await[0].client)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

const SPOOFED: &str = "x-forwarded-for: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2\r\nX-Forwarded-Proto: https\r\n\
    X-Forwarded-Port: 443\r\n";

#[tokio::test]
async fn a_peer_that_is_not_trusted_speaks_for_itself_only() {
    let expected =
        ["X-Forwarded-For: 127.0.0.1", "X-Forwarded-Port: 80", "X-Forwarded-Proto: http"];
    for fields in ["", SPOOFED] {
        let (told, client) = told("192.0.2.0/24", fields, false).await;
        assert_eq!((told.as_slice(), client), (&expected.map(str::to_owned)[..], ip("127.0.0.1")));
    }
}

/// Most balancers set none of these, and pass those of their clients on: it is theirs to take them out.
#[tokio::test]
async fn what_a_trusted_peer_claims_in_other_fields_passes() {
    const CLAIMS: [&str; 5] = [
        "Forwarded: for=192.0.2.1",
        "X-Real-IP: 192.0.2.1",
        "X-Forwarded-Host: other.example",
        "X-Original-URL: /admin",
        "X-Rewrite-URL: /admin",
    ];
    for (trusted, passes) in [("127.0.0.0/8", true), ("192.0.2.0/24", false)] {
        let backend = Backend::answering(OK).await;
        let mut setup = Setup::default();
        setup.settings.trusted = vec![trusted.parse().unwrap()];
        let mut router = Router::start(setup);
        router.app("web", &[], &[backend.addr]);
        let fields = CLAIMS.join("\r\n");
        router.ask(&format!("GET / HTTP/1.1\r\nHost: web.example\r\n{fields}\r\n\r\n")).await;
        let request = backend.requests().pop().unwrap();
        assert_eq!(CLAIMS.map(|claim| request.contains(claim)), [passes; 5], "{request}");
    }
}

#[tokio::test]
async fn a_trusted_peer_is_believed_and_added_to_the_chain() {
    let (told, client) = told("127.0.0.0/8,10.0.0.0/8", SPOOFED, false).await;
    assert_eq!(
        told,
        [
            "X-Forwarded-For: 192.0.2.1, 192.0.2.2, 127.0.0.1",
            "X-Forwarded-Port: 443",
            "X-Forwarded-Proto: https"
        ]
    );
    assert_eq!(client, ip("192.0.2.2"));
}

#[tokio::test]
async fn the_client_is_the_rightmost_address_that_is_not_trusted() {
    for (chain, client) in [
        ("192.0.2.9, 10.1.1.1", "192.0.2.9"),
        ("192.0.2.8,192.0.2.9 , 10.1.1.1,10.2.2.2", "192.0.2.9"),
        ("10.1.1.1, 10.2.2.2", "10.1.1.1"),
        ("192.0.2.9, nonsense, 10.1.1.1", "10.1.1.1"),
        ("nonsense", "127.0.0.1"),
        ("[2001:db8::1]:4711, 10.1.1.1", "2001:db8::1"),
        ("[2001:db8::2]", "2001:db8::2"),
        ("::ffff:192.0.2.9", "192.0.2.9"),
        ("192.0.2.9:80", "192.0.2.9"),
    ] {
        let fields = format!("X-Forwarded-For: {chain}\r\n");
        let (_, found) = told("127.0.0.0/8,10.0.0.0/8", &fields, false).await;
        assert_eq!(found, ip(client), "{chain}");
    }
}

#[tokio::test]
async fn of_a_list_of_protocols_the_last_counts_and_an_unknown_one_means_http() {
    for (given, expected) in [
        ("http, https", "https"),
        ("https,http", "http"),
        ("WSS", "wss"),
        ("ws", "ws"),
        ("gopher", "http"),
        ("", "http"),
    ] {
        let fields = format!("X-Forwarded-Proto: {given}\r\nX-Forwarded-Port: x\r\n");
        let (told, _) = told("127.0.0.0/8", &fields, false).await;
        let expected = format!("X-Forwarded-Proto: {expected}");
        assert_eq!(told, ["X-Forwarded-For: 127.0.0.1", "X-Forwarded-Port: 80", &expected]);
    }
}

#[tokio::test]
async fn tls_to_us_is_https_whoever_says_otherwise() {
    let (told, _) = told("127.0.0.0/8", "X-Forwarded-Proto: http\r\n", true).await;
    assert_eq!(
        told,
        ["X-Forwarded-For: 127.0.0.1", "X-Forwarded-Port: 443", "X-Forwarded-Proto: https"]
    );
}

#[tokio::test]
async fn fields_of_the_connection_stay_on_the_connection() {
    let backend = Backend::answering(
        "HTTP/1.1 200 OK\r\nConnection: X-Own, close\r\nX-Own: 1\r\nKeep-Alive: timeout=5\r\nX-End: 1\r\n\
         Content-Length: 2\r\n\r\nok",
    )
    .await;
    let router = crate::support::web(&[&backend]);
    let answer = router
        .ask(
            "GET / HTTP/1.1\r\nHost: web.example\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\nTE: gzip\r\n\
             Keep-Alive: timeout=5\r\nProxy-Connection: x\r\nUpgrade: h2c\r\nX-End: 1\r\n\r\n",
        )
        .await;
    assert_eq!(
        answer,
        "HTTP/1.1 200 OK\r\nX-End: 1\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok"
    );
    let request = backend.requests().pop().unwrap();
    let names: Vec<_> =
        request.lines().skip(1).filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    assert_eq!(
        names,
        ["Host", "X-End", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Port"]
    );
    // It is refused to have a field of the router's own taken out.
    let answer = router
        .ask("GET / HTTP/1.1\r\nHost: web.example\r\nConnection: X-Forwarded-For\r\n\r\n")
        .await;
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
}
