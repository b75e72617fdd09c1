//! What the demo promises, over real sockets.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};
use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode};

use super::*;

const LIMIT: Duration = Duration::from_secs(10);

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Result<(), DemoError>>,
}

async fn start() -> Running {
    let demo = Demo::bind(args(0)).await.unwrap();
    let address = demo.local_addr();
    let (stop, stopped) = oneshot::channel();
    let served = tokio::spawn(demo.serve(async { stopped.await.unwrap() }));
    Running { address, stop, served }
}

fn args(port: u16) -> DemoArgs {
    DemoArgs {
        host: "127.0.0.1".to_owned(),
        port,
        app: "web".to_owned(),
        pod: "web-1".to_owned(),
        greeting: "Ahoy".to_owned(),
    }
}

/// Sends `request` as it is and gives everything that comes back.
async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(LIMIT, stream.read_to_string(&mut answer)).await.expect("an answer in time").unwrap();
    answer
}

/// Status line and body of the answer to a request for `path`.
async fn get(address: SocketAddr, path: &str) -> (String, String) {
    let answer =
        exchange(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
            .await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[tokio::test]
async fn the_front_page_names_greeting_app_and_pod() {
    let demo = start().await;
    assert_eq!(
        get(demo.address, "/").await,
        ("HTTP/1.1 200 OK".to_owned(), "Ahoy from web\npod: web-1\n".to_owned())
    );
}

#[tokio::test]
async fn headers_are_shown_as_they_arrived() {
    let demo = start().await;
    let request = "GET /headers HTTP/1.1\r\nHost: hello.localhost\r\nX-Forwarded-For: 10.0.0.7\r\nx-two: 1\r\nx-two: 2\r\nConnection: close\r\n\r\n";
    let answer = exchange(demo.address, request).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("\r\nx-pod: web-1\r\n"), "{head}");
    let mut lines: Vec<_> = body.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "connection: close",
            "host: hello.localhost",
            "x-forwarded-for: 10.0.0.7",
            "x-two: 1",
            "x-two: 2"
        ]
    );
}

#[tokio::test]
async fn echo_returns_a_piece_before_the_next_is_sent() {
    let demo = start().await;
    let mut stream = TcpStream::connect(demo.address).await.unwrap();
    let mut seen = String::new();
    stream.write_all(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
    for piece in ["one", "two"] {
        stream.write_all(format!("3\r\n{piece}\r\n").as_bytes()).await.unwrap();
        let mut buffer = [0; 4096];
        while !seen.ends_with(&format!("3\r\n{piece}\r\n")) {
            let length =
                timeout(LIMIT, stream.read(&mut buffer)).await.expect("a piece in time").unwrap();
            assert_ne!(length, 0, "closed after {seen:?}");
            seen.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        }
    }
    assert!(seen.contains("\r\ncontent-type: a/b\r\n"), "{seen}");
}

#[tokio::test]
async fn stream_sends_as_many_chunks_as_asked() {
    let demo = start().await;
    let (_, body) = get(demo.address, "/stream?chunks=2&ms=0").await;
    assert_eq!(body, "8\r\nchunk 1\n\r\n8\r\nchunk 2\n\r\n0\r\n\r\n");
}

#[tokio::test]
async fn a_number_that_is_none_is_a_bad_request() {
    let demo = start().await;
    assert_eq!(get(demo.address, "/slow?ms=soon").await.0, "HTTP/1.1 400 Bad Request");
}

#[tokio::test]
async fn a_websocket_echoes_and_is_told_when_the_server_stops() {
    let demo = start().await;
    let (mut socket, _) =
        tokio_tungstenite::connect_async(format!("ws://{}/ws", demo.address)).await.unwrap();
    socket.send(Message::text("ping me")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("ping me"));
    demo.stop.send(()).unwrap();
    match timeout(LIMIT, socket.next()).await.unwrap().unwrap().unwrap() {
        Message::Close(Some(frame)) => assert_eq!(frame.code, CloseCode::Away),
        other => panic!("not a close: {other:?}"),
    }
    timeout(LIMIT, demo.served).await.expect("ends with its last socket").unwrap().unwrap();
}

#[tokio::test]
async fn a_plain_request_for_the_websocket_is_a_bad_request() {
    let demo = start().await;
    assert_eq!(get(demo.address, "/ws").await.0, "HTTP/1.1 400 Bad Request");
}

#[tokio::test]
async fn a_request_at_hand_is_answered_after_the_server_was_told_to_stop() {
    let demo = start().await;
    let mut waiting = TcpStream::connect(demo.address).await.unwrap();
    waiting
        .write_all(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf")
        .await
        .unwrap();
    let mut head = [0; 4096];
    let length = timeout(LIMIT, waiting.read(&mut head)).await.unwrap().unwrap();
    assert!(head[..length].starts_with(b"HTTP/1.1 200 OK\r\n"));

    demo.stop.send(()).unwrap();
    waiting.write_all(b"more").await.unwrap();
    let mut rest = Vec::new();
    timeout(LIMIT, waiting.read_to_end(&mut rest)).await.expect("closed after the answer").unwrap();
    let rest = String::from_utf8(rest).unwrap();
    assert!(rest.ends_with("more\r\n0\r\n\r\n") || rest.ends_with("more"), "{rest:?}");
    timeout(LIMIT, demo.served).await.expect("ends with its last request").unwrap().unwrap();
    assert!(TcpStream::connect(demo.address).await.is_err(), "still accepts");
}

#[tokio::test]
async fn a_taken_port_is_named_with_its_flag() {
    let demo = start().await;
    let port = demo.address.port();
    let error = Demo::bind(args(port)).await.unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "cannot listen on 127.0.0.1:{port}: Address already in use (os error 98); choose with --host and --port (or HOST and PORT)"
        )
    );
}
