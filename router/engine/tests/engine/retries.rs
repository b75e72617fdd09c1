//! What happens when an endpoint refuses, closes or says nothing.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use crate::support::{Backend, Router, Setup, backend::OK, eventually, web};

const GET: &str = "GET / HTTP/1.1\r\nHost: web.example\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: web.example\r\nContent-Length: 4\r\n\r\nonce";
const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok";
const BAD_GATEWAY: &str = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 45\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Connection: close\r\n\r\nThe application did not give a valid answer.\n";

/// An address that refuses connections.
async fn refusing() -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test]
async fn an_endpoint_that_refuses_is_left_for_another() {
    let backend = Backend::answering(OK).await;
    let dead = refusing().await;
    let mut router = Router::start(Setup::default());
    router.app("web", &[], &[dead, backend.addr]);
    for request in [GET, POST].repeat(10) {
        assert_eq!(router.ask(request).await, ANSWER);
    }
    let (counts, metrics) = (router.counts("web", 20).await, router.metrics());
    assert_eq!((counts.classes, backend.requests().len()), ([0, 20, 0, 0, 0], 20));
    // Remembered for a second: not every request had to find out.
    assert!((1..20).contains(&counts.upstream_errors), "{}", counts.upstream_errors);
    assert_eq!(metrics.retries, counts.upstream_errors);
    let records = router.records(20).await;
    assert!(records.iter().all(|record| record.upstream == Some(backend.addr)));
    assert_eq!(
        records.iter().map(|record| u64::from(record.retries)).sum::<u64>(),
        metrics.retries
    );
}

#[tokio::test]
async fn when_all_refuse_it_is_502() {
    let mut router = Router::start(Setup::default());
    router.app("web", &[], &[refusing().await, refusing().await]);
    assert_eq!(router.ask(GET).await, BAD_GATEWAY);
    router.app("web", &[], &[refusing().await]);
    assert_eq!(router.ask(POST).await, BAD_GATEWAY);
    let counts = router.counts("web", 2).await;
    assert_eq!((counts.classes, counts.upstream_errors), ([0, 0, 0, 0, 2], 4));
}

#[tokio::test]
async fn a_broken_answer_is_502_and_the_request_is_not_repeated() {
    for answer in
        ["", "HTTP/1.1 200", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"]
    {
        let backend = Backend::start(move |mut conn, _| async move {
            conn.request().await?;
            conn.write(answer).await
        })
        .await;
        let router = web(&[&backend]);
        for request in [GET, POST] {
            assert_eq!(router.ask(request).await, BAD_GATEWAY, "{answer:?}");
        }
        assert_eq!(backend.requests().len(), 2, "{answer:?}");
        assert_eq!(router.counts("web", 2).await.upstream_errors, 2, "{answer:?}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_cut_for_the_client_too() {
    for (answer, got) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart", "part"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n", "4\r\npart\r\n"),
    ] {
        let backend = Backend::start(move |mut conn, _| async move {
            conn.request().await?;
            conn.write(answer).await
        })
        .await;
        let router = web(&[&backend]);
        let mut client = router.connect().await;
        client.send(GET).await;
        client.head().await.unwrap();
        assert_eq!(client.rest().await, got);
        assert_eq!((router.records(1).await[0].status, backend.requests().len()), (200, 1));
    }
}

/// A backend that answers one request per connection and closes when the next one has come.
async fn once_per_connection() -> Backend {
    Backend::start(|mut conn, _| async move {
        conn.request().await?;
        conn.write(OK).await?;
        conn.request().await;
        Some(())
    })
    .await
}

#[tokio::test]
async fn on_a_kept_connection_only_what_may_be_repeated_is_repeated() {
    for (request, answer) in [
        (GET.to_owned(), ANSWER),
        ("PUT / HTTP/1.1\r\nHost: web.example\r\nContent-Length: 4\r\n\r\nbody".to_owned(), ANSWER),
        (POST.to_owned(), BAD_GATEWAY),
    ] {
        let backend = once_per_connection().await;
        let router = web(&[&backend]);
        let mut client = router.connect().await;
        assert_eq!(client.ask(&request).await.text(), ANSWER);
        assert_eq!(client.ask(&request).await.text(), answer);
        let requests = backend.requests();
        let expected = if answer == ANSWER { 3 } else { 2 };
        assert_eq!((requests.len(), backend.connections()), (expected, expected - 1));
        assert!(requests.iter().all(|again| *again == requests[0]));
        assert_eq!(router.metrics().retries, expected as u64 - 2);
        assert_eq!(router.counts("web", 2).await.upstream_errors, u64::from(expected == 2));
    }
}

#[tokio::test]
async fn a_body_too_large_to_keep_is_not_sent_on_an_old_connection() {
    let backend = once_per_connection().await;
    let router = web(&[&backend]);
    let mut client = router.connect().await;
    assert_eq!(client.ask(GET).await.text(), ANSWER);
    let size = 64 * 1024 + 1;
    client
        .send(format!("PUT / HTTP/1.1\r\nHost: web.example\r\nContent-Length: {size}\r\n\r\n"))
        .await;
    client.send(vec![b'x'; size]).await;
    assert_eq!(client.response().await.text(), ANSWER);
    assert_eq!((backend.connections(), router.metrics().retries), (2, 0));
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_is_not_used() {
    static CLOSED: AtomicBool = AtomicBool::new(false);
    let backend = Backend::start(|mut conn, _| async move {
        conn.request().await?;
        conn.write(OK).await?;
        drop(conn);
        CLOSED.store(true, Relaxed);
        Some(())
    })
    .await;
    let router = web(&[&backend]);
    let mut client = router.connect().await;
    for request in [POST, GET].repeat(20) {
        assert_eq!(client.ask(request).await.text(), ANSWER);
        eventually("closed by the backend", || CLOSED.swap(false, Relaxed)).await;
    }
    assert_eq!(backend.requests().len(), 40);
}

#[tokio::test]
async fn what_must_not_be_repeated_uses_only_connections_of_this_moment() {
    let backend = Backend::answering(OK).await;
    let router = web(&[&backend]);
    let mut client = router.connect().await;
    for _ in 0..3 {
        assert_eq!(client.ask(POST).await.text(), ANSWER);
    }
    let fresh = backend.connections();
    // Given up by the router long before a backend's shortest keep-alive of a second.
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(client.ask(POST).await.text(), ANSWER);
    assert_eq!((fresh, backend.connections()), (1, 2));
}

#[tokio::test]
async fn without_endpoints_left_it_is_503() {
    let mut router = Router::start(Setup::default());
    router.app("web", &[], &[]);
    let answer = router.ask(GET).await;
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
}
