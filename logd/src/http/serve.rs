//! Serving the interface.

use std::{sync::Arc, time::Duration};

use axum::extract::Request;
use fairlead_wire::slots::{Slot, Slots};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio_io_timeout::TimeoutStream;

/// Connections at a time.
const CONNECTIONS: usize = 4_096;
/// Limit for a request head, and for how long a connection may be idle.
const HEAD: Duration = Duration::from_secs(10);
/// A client that takes nothing for so long is cut: what waits for it is memory.
const STALL: Duration = Duration::from_secs(60);
/// A silent connection is looked after so often.
pub(super) const KEEPALIVE: Duration = Duration::from_secs(60);
/// Limit for a request head in bytes, and for what waits to be sent.
pub(super) const BUFFER: usize = 64 * 1024;

/// Serves `routes` on `listener` for ever. Each request has its connection's [`Slot`] among its
/// extensions.
pub(crate) async fn serve(listener: TcpListener, routes: axum::Router) {
    serve_in(Slots::new(CONNECTIONS), listener, routes).await;
}

async fn serve_in(slots: Slots, listener: TcpListener, routes: axum::Router) {
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(BUFFER);
    let routes = TowerToHyperService::new(routes);
    let serve = |stream: TcpStream, slot: Arc<Slot>| {
        // A line is to be seen when it is written.
        let _ = stream.set_nodelay(true);
        // A follower that went away without a word is noticed though nothing is written.
        let _ = SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE));
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(STALL));
        let routes = routes.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            slot.release();
            request.extensions_mut().insert(slot.clone());
            hyper::service::Service::call(&routes, request)
        });
        let connection = http.serve_connection(TokioIo::new(Box::pin(stream)), service);
        async move {
            // The client left, or broke a limit: its own matter.
            let _ = connection.await;
        }
    };
    slots.serve(listener, "HTTP", serve).await;
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, net::SocketAddr};

    use axum::{body::Body, extract::State, http::StatusCode, routing::get};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        sync::watch,
        time::timeout,
    };

    use super::*;

    const LIMIT: usize = 8;
    const PATIENCE: Duration = Duration::from_secs(20);

    /// Lets somebody in, and says `!` when there are news.
    async fn follow(
        State(mut news): State<watch::Receiver<()>>,
        request: Request,
    ) -> Result<Body, StatusCode> {
        let slot = request.extensions().get::<Arc<Slot>>().unwrap();
        if !slot.hold() {
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        }
        Ok(Body::from_stream(futures::stream::once(async move {
            let _ = news.changed().await;
            Ok::<_, Infallible>("!")
        })))
    }

    async fn start() -> (SocketAddr, watch::Sender<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, news) = watch::channel(());
        let routes = axum::Router::new()
            .route("/livez", get(|| async {}))
            .route("/follow", get(follow))
            .with_state(news);
        tokio::spawn(serve_in(Slots::new(LIMIT), listener, routes));
        (address, tell)
    }

    /// A connection, and the status of the answer to a request on it.
    async fn ask(address: SocketAddr, path: &str) -> (TcpStream, String) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let status = again(&mut stream, path).await;
        (stream, status)
    }

    async fn again(stream: &mut TcpStream, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let head = until(stream, b"\r\n\r\n").await;
        head.split(' ').nth(1).unwrap().to_owned()
    }

    async fn until(stream: &mut TcpStream, end: &[u8]) -> String {
        let mut text = Vec::new();
        let heard = async {
            while !text.ends_with(end) {
                text.push(stream.read_u8().await.unwrap());
            }
        };
        timeout(PATIENCE, heard).await.expect("an answer");
        String::from_utf8(text).unwrap()
    }

    #[tokio::test]
    async fn a_probe_is_answered_though_strangers_connect_and_say_nothing() {
        let (address, _tell) = start().await;
        let mut silent = Vec::new();
        for _ in 0..3 * LIMIT {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        assert_eq!(ask(address, "/livez").await.1, "200");
    }

    #[tokio::test]
    async fn followers_are_not_closed_for_strangers_and_leave_room_for_probes() {
        let (address, tell) = start().await;
        let (mut followers, mut statuses) = (Vec::new(), Vec::new());
        for _ in 0..LIMIT {
            let (follower, status) = ask(address, "/follow").await;
            followers.push(follower);
            statuses.push(status);
        }
        assert_eq!(statuses[..LIMIT - 1], ["200"; LIMIT - 1]);
        assert_eq!(statuses[LIMIT - 1], "503");
        // One that was refused may be used again, and one that nobody uses gives way.
        assert_eq!(again(&mut followers[LIMIT - 1], "/livez").await, "200");
        let mut strangers = Vec::new();
        for _ in 0..2 * LIMIT {
            strangers.push(TcpStream::connect(address).await.unwrap());
        }
        assert_eq!(ask(address, "/livez").await.1, "200");
        tell.send(()).unwrap();
        for follower in &mut followers[..LIMIT - 1] {
            until(follower, b"!").await;
        }
    }
}
