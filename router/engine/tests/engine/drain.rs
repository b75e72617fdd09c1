//! The end of a worker: what is under way is finished, nothing new is begun.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use tokio::{io::AsyncReadExt, net::TcpStream, sync::mpsc};
use tokio_tungstenite::{accept_async, client_async, tungstenite::Message};

use crate::{
    http2,
    support::{Backend, Client, Router, Setup, backend::OK, eventually, tls, web, within},
};

const GET: &str = "GET / HTTP/1.1\r\nHost: web.example\r\n\r\n";
const LONG: Duration = Duration::from_secs(20);

/// A backend that answers when it is told to.
async fn on_command() -> (Backend, mpsc::Sender<()>) {
    let (go, gone) = mpsc::channel::<()>(1);
    let gone = std::sync::Arc::new(tokio::sync::Mutex::new(gone));
    let backend = Backend::start(move |mut conn, _| {
        let gone = gone.clone();
        async move {
            loop {
                conn.request().await?;
                gone.lock().await.recv().await?;
                conn.write(OK).await?;
            }
        }
    })
    .await;
    (backend, go)
}

/// A router of one worker with `web`, so that what one connection hears all have heard.
fn one_worker(backend: &Backend) -> Router {
    let mut router = Router::start(Setup { workers: 1, ..Setup::default() });
    router.certificate("web");
    router.app("web", &[("router.deis.io/certificates", "web.example:web")], &[backend.addr]);
    router
}

/// A connection between two requests.
async fn idle(router: &Router) -> Client<TcpStream> {
    let mut client = router.connect().await;
    assert_eq!(client.ask("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.status(), 200);
    client
}

/// RFC 8446 §6.1: without a word the client would have to think that somebody cut the connection.
#[tokio::test]
async fn an_idle_connection_over_tls_is_told_of_its_end() {
    let backend = Backend::answering(OK).await;
    let router = one_worker(&backend);
    let mut client = Client::new(tls::connect(&router, "web.example", "http/1.1").await);
    assert_eq!(client.ask(GET).await.status(), 200);
    assert_eq!(router.drain(LONG).await, 0);
    // An error but for the alert.
    assert_eq!(within(client.stream.read(&mut [0])).await.unwrap(), 0);
}

#[tokio::test]
async fn idle_connections_close_at_once_and_what_is_under_way_is_finished() {
    let (backend, go) = on_command().await;
    let router = one_worker(&backend);
    let mut idle = idle(&router).await;
    let mut busy = router.connect().await;
    busy.send(GET).await;
    eventually("asked", || backend.requests().len() == 1).await;
    let mut half = router.connect().await;
    half.send("GET /healthz HTTP/1.1\r\nHo").await;

    let clients = async {
        assert_eq!(idle.rest().await, "");
        half.send("st: x\r\n\r\n").await;
        let answer = half.response().await;
        assert_eq!((answer.status(), answer.header("connection")), (200, Some("close")));
        assert_eq!(half.rest().await, "");
        go.send(()).await.unwrap();
        let answer = busy.response().await;
        assert_eq!((answer.status(), answer.header("connection")), (200, Some("close")));
        assert_eq!(busy.rest().await, "");
    };
    let (cut, ()) = tokio::join!(router.drain(LONG), clients);
    assert_eq!(cut, 0);
}

#[tokio::test]
async fn http2_finishes_its_streams_and_goes_away() {
    for secure in [false, true] {
        let (backend, go) = on_command().await;
        let router = one_worker(&backend);
        let mut idle = idle(&router).await;
        let mut client = if secure {
            http2::open(tls::connect(&router, "web.example", "h2").await).await
        } else {
            http2::open(TcpStream::connect(router.http).await.unwrap()).await
        };
        let answer = tokio::spawn(client.send_request(http2::get("/")));
        eventually("asked", || backend.requests().len() == 1).await;
        let clients = async {
            assert_eq!(idle.rest().await, "");
            go.send(()).await.unwrap();
            assert_eq!(within(answer).await.unwrap().unwrap().status(), 200);
            eventually("closed", || client.is_closed()).await;
        };
        let (cut, ()) = tokio::join!(router.drain(LONG), clients);
        assert_eq!(cut, 0);
    }
}

#[tokio::test]
async fn websockets_live_until_the_deadline_and_are_cut_then() {
    let backend = Backend::start(|conn, _| async move {
        let mut socket = accept_async(conn.stream).await.ok()?;
        while let Some(Ok(message)) = socket.next().await {
            socket.send(message).await.ok()?;
        }
        Some(())
    })
    .await;
    let router = web(&[&backend]);
    let stream = TcpStream::connect(router.http).await.unwrap();
    let mut socket = within(client_async("ws://web.example/", stream)).await.unwrap().0;
    let clients = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        socket.send(Message::text("alive")).await.unwrap();
        assert_eq!(within(socket.next()).await.unwrap().unwrap(), Message::text("alive"));
        let end = within(socket.next()).await;
        assert!(!matches!(end, Some(Ok(_))), "{end:?}");
    };
    let (cut, ()) = tokio::join!(router.drain(Duration::from_secs(2)), clients);
    assert_eq!(cut, 1);
    assert_eq!(router.counts("web", 0).await.in_flight, 0);
}
