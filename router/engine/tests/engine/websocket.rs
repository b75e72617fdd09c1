//! Upgraded connections.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_tungstenite::{WebSocketStream, accept_async, client_async, tungstenite::Message};

use crate::support::{Backend, Client, Router, Setup, backend::OK, tls, web, within};

/// Echoes WebSocket messages.
async fn echo() -> Backend {
    Backend::start(|conn, _| async move {
        let mut socket = accept_async(conn.stream).await.ok()?;
        while let Some(Ok(message)) = socket.next().await {
            if message.is_text() || message.is_binary() {
                socket.send(message).await.ok()?;
            }
        }
        Some(())
    })
    .await
}

async fn open<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> WebSocketStream<S> {
    within(client_async("ws://web.example/chat", stream)).await.unwrap().0
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>, text: &str) {
    within(socket.send(Message::text(text))).await.unwrap();
    assert_eq!(within(socket.next()).await.unwrap().unwrap(), Message::text(text));
}

#[tokio::test]
async fn messages_pass_both_ways_plain_and_over_tls() {
    let backend = echo().await;
    let mut router = Router::start(Setup::default());
    router.certificate("web");
    router.app("web", &[("router.deis.io/certificates", "web.example:web")], &[backend.addr]);
    let mut plain = open(TcpStream::connect(router.http).await.unwrap()).await;
    let mut secure = open(tls::connect(&router, "web.example", "http/1.1").await).await;
    let large = "x".repeat(300_000);
    for text in ["one", "two", &large] {
        exchange(&mut plain, text).await;
        exchange(&mut secure, text).await;
    }
    plain.close(None).await.unwrap();
    assert!(matches!(within(plain.next()).await, Some(Ok(Message::Close(_)))));
    assert!(within(plain.next()).await.is_none());
    let record = router.records(1).await.remove(0);
    assert_eq!((record.status, record.line.as_str()), (101, "GET /chat HTTP/1.1"));
    assert!(record.sent > 300_000 && record.received > 300_000, "{record:?}");
    assert_eq!(router.metrics().latency, [0; 15]);
}

#[tokio::test]
async fn an_open_one_lives_as_long_as_anything_moves_and_no_longer_than_the_limit_without() {
    let backend = echo().await;
    let mut setup = Setup::default();
    // Limits on bodies are none of an upgraded connection's.
    setup.limits.body_read = Duration::from_millis(100);
    setup.limits.body_write = Duration::from_millis(100);
    let mut router = Router::start(setup);
    router.app("web", &[("router.deis.io/tcpTimeout", "1s")], &[backend.addr]);
    let mut socket = open(TcpStream::connect(router.http).await.unwrap()).await;
    let opened = tokio::time::Instant::now();
    while opened.elapsed() < Duration::from_millis(2500) {
        tokio::time::sleep(Duration::from_millis(300)).await;
        exchange(&mut socket, "alive").await;
    }
    // Nothing moves any more.
    let quiet = tokio::time::Instant::now();
    let end = within(socket.next()).await;
    assert!(!matches!(end, Some(Ok(_))), "{end:?}");
    assert!(quiet.elapsed() > Duration::from_millis(900), "{:?}", quiet.elapsed());
    assert_eq!(router.records(1).await[0].status, 101);
}

#[tokio::test]
async fn bytes_in_one_direction_keep_it_open() {
    let backend = Backend::start(|mut conn, _| async move {
        conn.head().await?;
        conn.write(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        )
        .await?;
        conn.until("end").await?;
        conn.write("seen").await
    })
    .await;
    let mut router = Router::start(Setup::default());
    router.app("web", &[("router.deis.io/tcpTimeout", "800ms")], &[backend.addr]);
    let mut client = router.connect().await;
    client
        .send("GET / HTTP/1.1\r\nHost: web.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        .await;
    assert_eq!(
        client.head().await.unwrap(),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    );
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        client.send(".").await;
    }
    client.send("end").await;
    assert_eq!(client.rest().await, "seen");
}

#[tokio::test]
async fn a_backend_that_refuses_the_upgrade_is_heard_and_the_connection_goes_on() {
    let backend = Backend::answering(OK).await;
    let router = web(&[&backend]);
    let mut client = router.connect().await;
    let upgrade =
        "GET / HTTP/1.1\r\nHost: web.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    for _ in 0..2 {
        assert_eq!(client.ask(upgrade).await.status(), 200);
    }
    assert!(backend.requests()[0].to_lowercase().contains("\r\nupgrade: websocket\r\n"));
}

const UPGRADE: &str =
    "GET / HTTP/1.1\r\nHost: web.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

#[tokio::test]
async fn after_a_refused_upgrade_the_next_head_is_bounded_again() {
    let backend = Backend::answering(OK).await;
    let router = web(&[&backend]);
    let mut client = router.connect().await;
    assert_eq!(client.ask(UPGRADE).await.status(), 200);
    client.send(format!("GET / HTTP/1.1\r\nHost: web.example\r\nX: {}", "x".repeat(100_000))).await;
    assert_eq!(client.response().await.status(), 431);
}

#[tokio::test]
async fn after_a_refused_upgrade_an_idle_connection_is_not_cut_by_draining() {
    let backend = Backend::answering(OK).await;
    let router = web(&[&backend]);
    let mut client = router.connect().await;
    assert_eq!(client.ask(UPGRADE).await.status(), 200);
    assert_eq!(router.drain(Duration::from_secs(20)).await, 0);
}

#[tokio::test]
async fn a_protocol_switch_that_nobody_asked_for_is_502() {
    let backend = Backend::answering(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    )
    .await;
    let router = web(&[&backend]);
    let answer = router.ask("GET / HTTP/1.1\r\nHost: web.example\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 502 Bad Gateway\r\n"), "{answer}");
}

#[tokio::test]
async fn when_one_side_leaves_the_other_is_let_go() {
    let backend = echo().await;
    let router = web(&[&backend]);
    let socket = open(TcpStream::connect(router.http).await.unwrap()).await;
    drop(socket);
    assert_eq!(router.records(1).await[0].status, 101);
    assert_eq!(router.counts("web", 1).await.in_flight, 0);
    let backend = Backend::start(|mut conn, _| async move {
        conn.head().await?;
        conn.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nbye").await
    })
    .await;
    let router = web(&[&backend]);
    let mut client: Client<TcpStream> = router.connect().await;
    client
        .send("GET / HTTP/1.1\r\nHost: web.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        .await;
    client.head().await.unwrap();
    assert_eq!(client.rest().await, "bye");
}

#[tokio::test]
async fn a_backend_that_never_answers_the_handshake_ends_with_the_limit() {
    let backend = Backend::start(|mut conn, _| async move {
        conn.request().await?;
        conn.closed().await;
        Some(())
    })
    .await;
    let mut router = Router::start(Setup::default());
    router.app("web", &[("router.deis.io/tcpTimeout", "500ms")], &[backend.addr]);
    let mut client = router.connect().await;
    client
        .send("GET / HTTP/1.1\r\nHost: web.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        .await;
    assert_eq!(client.rest().await, "");
    assert_eq!(router.records(1).await[0].status, 0);
}
