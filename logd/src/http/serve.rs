//! Serving the interface.

use std::{sync::Arc, time::Duration};

use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use socket2::{SockRef, TcpKeepalive};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_io_timeout::TimeoutStream;

/// Connections at a time; further ones wait to be accepted.
const CONNECTIONS: usize = 4_096;
/// Limit for a request head, and for how long a connection may be idle.
const HEAD: Duration = Duration::from_secs(30);
/// A client that takes nothing for so long is cut: what waits for it is memory.
const STALL: Duration = Duration::from_secs(60);
/// A silent connection is looked after so often.
pub(super) const KEEPALIVE: Duration = Duration::from_secs(60);
/// Limit for a request head in bytes, and for what waits to be sent.
pub(super) const BUFFER: usize = 64 * 1024;

/// Serves `routes` on `listener` for ever.
pub(crate) async fn serve(listener: TcpListener, routes: axum::Router) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(BUFFER);
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept on the HTTP address");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // A line is to be seen when it is written.
        let _ = stream.set_nodelay(true);
        // A follower that went away without a word is noticed though nothing is written.
        let _ = SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE));
        let service = TowerToHyperService::new(routes.clone());
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(STALL));
        let connection = http.serve_connection(TokioIo::new(Box::pin(stream)), service);
        tokio::spawn(async move {
            // The client left, or broke a limit: its own matter.
            let _ = connection.await;
            drop(permit);
        });
    }
}
