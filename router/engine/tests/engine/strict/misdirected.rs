//! A connection serves the host that its TLS was made for (RFC 9110 §7.4, RFC 9113 §9.1.1).

use crate::{
    http2::{open, request_to},
    support::{Backend, Client, Router, Setup, backend::OK, tls, within},
};

/// `web.example` and `other.example`; the latter with the certificate of the Secret `other`.
async fn router(backend: &Backend, other: &str, trusted: &str) -> Router {
    let mut setup = Setup::default();
    setup.settings.trusted = trusted.split_terminator(',').map(|n| n.parse().unwrap()).collect();
    let mut router = Router::start(setup);
    router.certificate("web");
    router.certificate("other");
    router.app("web", &[("router.deis.io/certificates", "web.example:web")], &[backend.addr]);
    let certificates = format!("other.example:{other}");
    router.app("other", &[("router.deis.io/certificates", &certificates)], &[backend.addr]);
    router
}

/// The status of a request for `host` on a connection made for `name`.
async fn ask(router: &Router, name: &'static str, host: &str) -> u16 {
    let mut client = Client::new(tls::connect(router, name, "http/1.1").await);
    client.ask(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).await.status()
}

#[tokio::test]
async fn a_request_for_another_host_than_tls_was_made_for_is_421() {
    let backend = Backend::answering(OK).await;
    let router = router(&backend, "other", "").await;
    assert_eq!(ask(&router, "web.example", "web.example").await, 200);
    assert_eq!(ask(&router, "web.example", "WEB.example:8443").await, 200);
    assert_eq!(ask(&router, "web.example", "other.example").await, 421);
    assert_eq!(ask(&router, "other.example", "web.example").await, 421);
    assert_eq!(backend.requests().len(), 2);

    let mut client = open(tls::connect(&router, "web.example", "h2").await).await;
    for (host, expected) in [("web.example", 200), ("other.example", 421), ("web.example", 200)] {
        let response = within(client.send_request(request_to(host))).await.unwrap();
        assert_eq!(response.status(), expected, "{host}");
    }
}

#[tokio::test]
async fn hosts_with_one_certificate_share_connections() {
    let backend = Backend::answering(OK).await;
    let router = router(&backend, "web", "").await;
    assert_eq!(ask(&router, "web.example", "other.example").await, 200);
}

#[tokio::test]
async fn a_trusted_peer_may_ask_for_any_host() {
    let backend = Backend::answering(OK).await;
    let router = router(&backend, "other", "127.0.0.0/8").await;
    assert_eq!(ask(&router, "web.example", "other.example").await, 200);
}

#[tokio::test]
async fn a_host_that_nobody_serves_is_404_whatever_tls_was_made_for() {
    let backend = Backend::answering(OK).await;
    let router = router(&backend, "other", "").await;
    assert_eq!(ask(&router, "web.example", "unknown.example").await, 404);
}
