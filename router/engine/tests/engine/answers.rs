//! What the router answers itself.

use crate::support::{Backend, Router, Setup, backend::OK, web};

const BAD_HOST: &str = "HTTP/1.1 400 Bad Request\r\nContent-Length: 50\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Connection: keep-alive\r\n\r\nThe Host of this request is missing or malformed.\n";

#[tokio::test]
async fn a_request_needs_one_usable_host() {
    let router = web(&[]);
    for head in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b/c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: web.example:http\r\n\r\n",
        "GET http://web.example/ HTTP/1.1\r\n\r\n",
    ] {
        assert_eq!(router.ask(head).await, BAD_HOST, "{head:?}");
    }
    assert_eq!(router.metrics().unrouted, 5);
    // Refused by the parser, which ends the connection.
    for head in [
        "GET / HTTP/1.1\r\nHost: web.example\r\nHost: web.example\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: me@web.example\r\n\r\n",
        "GET http://other.example/ HTTP/1.1\r\nHost: web.example\r\n\r\n",
    ] {
        let answer = router.ask(head).await;
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{head:?}: {answer}");
        assert!(answer.contains("\r\nConnection: close\r\n"), "{head:?}: {answer}");
    }
}

#[tokio::test]
async fn an_unknown_host_gets_404_and_a_probe_200_without_a_record() {
    let router = web(&[]);
    let not_found = "HTTP/1.1 404 Not Found\r\nContent-Length: 40\r\nContent-Type: text/plain; charset=utf-8\r\n\
        Connection: keep-alive\r\n\r\nNo application answers at this address.\n";
    let healthy = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Type: text/plain; charset=utf-8\r\n\
        Connection: keep-alive\r\n\r\nok\n";
    let mut client = router.connect().await;
    for (request, answer) in [
        ("GET /healthz HTTP/1.1\r\nHost: 10.1.2.3:8080\r\n\r\n", healthy),
        ("GET /healthz?x HTTP/1.1\r\nHost: unknown.example\r\n\r\n", healthy),
        ("POST /healthz HTTP/1.1\r\nHost: unknown.example\r\nContent-Length: 0\r\n\r\n", not_found),
        ("GET / HTTP/1.1\r\nHost: unknown.example\r\n\r\n", not_found),
    ] {
        assert_eq!(client.ask(request).await.text(), answer, "{request:?}");
    }
    let old = router.ask("GET /healthz HTTP/1.0\r\n\r\n").await;
    assert_eq!(old, healthy.replace("keep-alive", "close"));
    let records = router.records(2).await;
    let lines: Vec<_> = records.iter().map(|record| record.line.as_str()).collect();
    assert_eq!(lines, ["POST /healthz HTTP/1.1", "GET / HTTP/1.1"]);
    assert_eq!(router.metrics().unrouted, 2);
}

#[tokio::test]
async fn an_app_has_its_own_healthz() {
    let backend = Backend::answering(OK).await;
    let router = web(&[&backend]);
    let answer = router.ask("GET /healthz HTTP/1.1\r\nHost: web.example\r\n\r\n").await;
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
}

#[tokio::test]
async fn policies_answer_before_an_endpoint_is_asked() {
    let backend = Backend::answering(OK).await;
    let mut router = Router::start(Setup::default());
    let endpoints = [backend.addr];
    router.app("down", &[("router.deis.io/maintenance", "true")], &endpoints);
    router.app("closed", &[("router.deis.io/whitelist", "192.0.2.0/24")], &endpoints);
    router.app("secure", &[("router.deis.io/ssl.enforce", "true")], &endpoints);
    router.app("empty", &[], &[]);
    let ask = async |app: &str| {
        let request = format!("GET /a?b=1 HTTP/1.1\r\nHost: {app}.example\r\n\r\n");
        router.ask(&request).await
    };
    let maintenance = ask("down").await;
    assert!(maintenance.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{maintenance}");
    assert!(maintenance.contains("<h1>Down for maintenance</h1>"), "{maintenance}");
    assert_eq!(
        ask("closed").await,
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 43\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Connection: keep-alive\r\n\r\nYour address may not use this application.\n"
    );
    assert_eq!(
        ask("secure").await,
        "HTTP/1.1 301 Moved Permanently\r\nContent-Length: 0\r\nLocation: https://secure.example/a?b=1\r\n\
         Connection: keep-alive\r\n\r\n"
    );
    assert_eq!(
        ask("empty").await,
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 42\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Connection: keep-alive\r\n\r\nThis application has no running instance.\n"
    );
    assert_eq!(backend.connections(), 0);
}

#[tokio::test]
async fn an_answer_without_reading_the_body_leaves_the_connection_in_order() {
    let router = web(&[]);
    let mut client = router.connect().await;
    let post = "POST / HTTP/1.1\r\nHost: web.example\r\nContent-Length: 5\r\n\r\nhello";
    for _ in 0..3 {
        let answer = client.ask(post).await;
        assert_eq!((answer.status(), answer.header("connection")), (503, Some("keep-alive")));
    }
    // The body is still to come when the answer is there.
    let slow = "POST / HTTP/1.1\r\nHost: web.example\r\nContent-Length: 3\r\n\r\n";
    assert_eq!(client.ask(slow).await.status(), 503);
    client.send("abc").await;
    assert_eq!(client.ask(post).await.status(), 503);
    // A client that waits for leave to send its body may never send it.
    let careful =
        "POST / HTTP/1.1\r\nHost: web.example\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    let answer = client.ask(careful).await;
    assert_eq!((answer.status(), answer.header("connection")), (503, Some("close")));
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn head_gets_the_head_alone() {
    let router = web(&[]);
    let mut client = router.connect().await;
    client.send("HEAD / HTTP/1.1\r\nHost: web.example\r\n\r\nGET / HTTP/1.1\r\nHost: unknown.example\r\n\r\n").await;
    let head = client.head().await.unwrap();
    assert!(head.contains("\r\nContent-Length: 42\r\n"), "{head}");
    assert_eq!(client.response().await.status(), 404);
}

#[tokio::test]
async fn connect_is_not_offered() {
    let router = web(&[]);
    let answer =
        router.ask("CONNECT web.example:80 HTTP/1.1\r\nHost: web.example:80\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"), "{answer}");
}
