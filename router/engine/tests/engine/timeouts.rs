//! Waits that end.

use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::net::TcpStream;

use crate::support::{Backend, Router, Setup, backend::OK};

const GET: &str = "GET / HTTP/1.1\r\nHost: web.example\r\n\r\n";
const GATEWAY_TIMEOUT: &str = "HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 40\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Connection: close\r\n\r\nThe application did not answer in time.\n";
const SHORT: [(&str, &str); 2] =
    [("router.deis.io/connectTimeout", "300ms"), ("router.deis.io/tcpTimeout", "500ms")];

/// A listener whose queue is full: the kernel lets further connections wait.
async fn full() -> (Socket, Vec<TcpStream>) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let addr = socket.local_addr().unwrap().as_socket().unwrap();
    let mut queue = Vec::new();
    while let Ok(stream) =
        tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(addr)).await
    {
        queue.push(stream.unwrap());
    }
    (socket, queue)
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_connected_to_in_time_is_504() {
    let (socket, _queue) = full().await;
    let addr = socket.local_addr().unwrap().as_socket().unwrap();
    let mut router = Router::start(Setup::default());
    router.app("web", &SHORT, &[addr]);
    assert_eq!(router.ask(GET).await, GATEWAY_TIMEOUT);
    assert_eq!(router.counts("web", 1).await.upstream_errors, 2);
    let backend = Backend::answering(OK).await;
    router.app("web", &SHORT, &[addr, backend.addr]);
    for _ in 0..5 {
        let answer = router.ask(GET).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_in_time_is_504_and_not_asked_again() {
    let backend = Backend::start(|mut conn, _| async move {
        conn.request().await?;
        conn.closed().await;
        Some(())
    })
    .await;
    let mut router = Router::start(Setup::default());
    router.app("web", &SHORT, &[backend.addr]);
    assert_eq!(router.ask(GET).await, GATEWAY_TIMEOUT);
    assert_eq!(
        (backend.requests().len(), router.counts("web", 1).await.classes),
        (1, [0, 0, 0, 0, 1])
    );
}

#[tokio::test]
async fn the_limit_is_on_each_wait_and_not_on_the_whole() {
    let backend = Backend::start(|mut conn, _| async move {
        conn.request().await?;
        conn.write("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n").await?;
        for _ in 0..8 {
            tokio::time::sleep(Duration::from_millis(150)).await;
            conn.write(".").await?;
        }
        Some(())
    })
    .await;
    let mut router = Router::start(Setup::default());
    router.app("web", &SHORT, &[backend.addr]);
    assert!(router.ask(GET).await.ends_with("\r\n\r\n........"));
}

#[tokio::test]
async fn an_answer_that_stops_is_cut() {
    let backend = Backend::start(|mut conn, _| async move {
        conn.request().await?;
        conn.write("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npart").await?;
        conn.closed().await;
        Some(())
    })
    .await;
    let mut router = Router::start(Setup::default());
    router.app("web", &SHORT, &[backend.addr]);
    let mut client = router.connect().await;
    client.send(GET).await;
    client.head().await.unwrap();
    assert_eq!(client.rest().await, "part");
}

#[tokio::test]
async fn a_request_body_that_stops_is_408() {
    let backend = Backend::start(|mut conn, _| async move {
        conn.request().await?;
        conn.write(OK).await
    })
    .await;
    let mut setup = Setup::default();
    setup.limits.body_read = Duration::from_millis(300);
    let mut router = Router::start(setup);
    router.app("web", &[], &[backend.addr]);
    let mut client = router.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: web.example\r\nContent-Length: 8\r\n\r\npart").await;
    assert_eq!(
        client.response().await.text(),
        "HTTP/1.1 408 Request Timeout\r\nContent-Length: 47\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Connection: close\r\n\r\nThe rest of this request did not come in time.\n"
    );
    assert_eq!(client.rest().await, "");
    let counts = router.counts("web", 1).await;
    assert_eq!((counts.classes, counts.upstream_errors), ([0, 0, 0, 1, 0], 0));
}

#[tokio::test]
async fn a_half_sent_head_gets_408_and_an_idle_connection_is_closed() {
    let mut setup = Setup::default();
    setup.edge.head = Duration::from_millis(300);
    setup.edge.idle = Duration::from_millis(300);
    let backend = Backend::answering(OK).await;
    let mut router = Router::start(setup);
    router.app("web", &[], &[backend.addr]);
    for sent in ["", GET] {
        let mut client = router.connect().await;
        if !sent.is_empty() {
            assert_eq!(client.ask(sent).await.status(), 200);
        }
        client.send("GET / HTTP/1.1\r\nHost: web").await;
        assert_eq!(client.response().await.status(), 408);
        assert_eq!(client.rest().await, "");
    }
    let mut idle = router.connect().await;
    assert_eq!(idle.ask(GET).await.status(), 200);
    assert_eq!(idle.rest().await, "");
}

/// A router that gives a body 300 ms and a second per 500 bytes.
fn impatient(backend: &Backend) -> Router {
    let mut setup = Setup::default();
    setup.limits.body_grace = Duration::from_millis(300);
    let mut router = Router::start(setup);
    router.app("web", &[], &[backend.addr]);
    router
}

/// `Expect: 100-continue` is the client's to send, and nearly every server answers it.
#[tokio::test]
async fn a_body_that_drips_after_an_interim_answer_is_408() {
    for interim in ["100 Continue", "103 Early Hints"] {
        let backend = Backend::start(move |mut conn, _| async move {
            conn.head().await?;
            conn.write(format!("HTTP/1.1 {interim}\r\n\r\n")).await?;
            conn.closed().await;
            None
        })
        .await;
        let router = impatient(&backend);
        let mut client = router.connect().await;
        client.send("POST / HTTP/1.1\r\nHost: web.example\r\nExpect: 100-continue\r\nContent-Length: 6000\r\n\r\n").await;
        assert_eq!(client.head().await.unwrap(), format!("HTTP/1.1 {interim}\r\n\r\n"));
        let dripping = client.drip(b"x");
        assert_eq!(client.response().await.status(), 408);
        dripping.abort();
    }
}
