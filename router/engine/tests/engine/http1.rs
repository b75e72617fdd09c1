//! HTTP/1 connections of clients.

use crate::support::{Backend, backend::OK, web};

const GET: &str = "GET / HTTP/1.1\r\nHost: web.example\r\n\r\n";
const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok";

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let backend = Backend::start(|mut conn, _| async move {
        loop {
            let path = conn.request().await?.split(' ').nth(1)?.to_owned();
            conn.write(format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{path}")).await?;
        }
    })
    .await;
    let router = web(&[&backend]);
    let mut client = router.connect().await;
    client
        .send(
            "GET /1 HTTP/1.1\r\nHost: web.example\r\n\r\n\
             POST /2 HTTP/1.1\r\nHost: web.example\r\nContent-Length: 3\r\n\r\nabc\
             GET /3 HTTP/1.1\r\nHost: web.example\r\n\r\nGET /4 HTTP/1.1\r\nHo",
        )
        .await;
    for path in ["/1", "/2", "/3"] {
        assert_eq!(client.response().await.body, path.as_bytes());
    }
    client.send("st: web.example\r\n\r\n").await;
    assert_eq!(client.response().await.body, b"/4");
    assert!(backend.requests()[1].ends_with("\r\n\r\nabc"));
}

#[tokio::test]
async fn a_connection_serves_many_requests_and_closes_when_asked() {
    let backend = Backend::answering(OK).await;
    let router = web(&[&backend]);
    let mut client = router.connect().await;
    for _ in 0..5 {
        assert_eq!(client.ask(GET).await.text(), ANSWER);
    }
    assert_eq!(backend.connections(), 1);
    let last = client.ask("GET / HTTP/1.1\r\nHost: web.example\r\nConnection: close\r\n\r\n").await;
    assert_eq!(last.text(), ANSWER.replace("keep-alive", "close"));
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn http_1_0_closes_unless_it_asks_otherwise_and_gets_no_interim_answers() {
    let backend =
        Backend::answering("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .await;
    let router = web(&[&backend]);
    let mut client = router.connect().await;
    let kept =
        client.ask("GET / HTTP/1.0\r\nHost: web.example\r\nConnection: keep-alive\r\n\r\n").await;
    assert_eq!(kept.text(), ANSWER);
    let last = client.ask("GET / HTTP/1.0\r\nHost: web.example\r\n\r\n").await;
    assert_eq!(last.text(), ANSWER.replace("keep-alive", "close"));
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn a_head_in_small_pieces_is_a_head() {
    let backend = Backend::answering(OK).await;
    let router = web(&[&backend]);
    let mut client = router.connect().await;
    for _ in 0..2 {
        for byte in GET.as_bytes() {
            client.send([*byte]).await;
        }
        assert_eq!(client.response().await.text(), ANSWER);
    }
}

#[tokio::test]
async fn a_malformed_head_gets_400_and_costs_its_connection_only() {
    let backend = Backend::answering(OK).await;
    let router = web(&[&backend]);
    for head in ["GET\r\n\r\n", "GET / HTTP/1.1\r\nHost web.example\r\n\r\n", "\0\0\0\0\r\n\r\n"] {
        let mut client = router.connect().await;
        client.send(head).await;
        let answer = client.rest().await;
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{head:?}: {answer}");
    }
    assert_eq!(router.ask(GET).await, ANSWER);
}
