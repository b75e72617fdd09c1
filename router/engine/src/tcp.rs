//! A TCP stream: the bytes of a connection to an endpoint and back, as they come.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    task::{Context, Poll, ready},
    time::Duration,
};

use fairlead_router_core::{Lease, Stream, app::Outcome};
use fairlead_router_listen::Connection;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf, Result, copy_bidirectional},
    net::TcpStream,
    time::{Instant, sleep_until, timeout},
};

/// Serves `connection` to its end. `now` tells the time of [`fairlead_router_core::Endpoint`].
pub(crate) async fn serve(
    connection: Connection,
    stream: &Stream,
    worker: usize,
    now: impl Fn() -> u64,
) {
    let flight = Flight { stream, worker, received: AtomicU64::new(0), sent: AtomicU64::new(0) };
    stream.app.begin(worker);
    let Some((tcp, _lease)) = connect(stream, worker, now).await else {
        tracing::debug!(service = %stream.origin, "no endpoint takes the connection");
        return;
    };
    let _ = tcp.set_nodelay(true);
    let moved = Moved::new();
    let mut client = Counted { io: connection.stream, read: &flight.received, moved: &moved };
    let mut endpoint = Counted { io: tcp, read: &flight.sent, moved: &moved };
    tokio::select! {
        ended = copy_bidirectional(&mut client, &mut endpoint) => {
            if let Err(error) = ended {
                tracing::debug!(service = %stream.origin, %error, "a TCP stream broke");
            }
        }
        () = moved.nothing_for(stream.timeouts.tcp) => {
            tracing::debug!(service = %stream.origin, "nothing moved on a TCP stream");
        }
    }
}

/// A connection to an endpoint; a second one is tried where the first does not take it.
async fn connect(
    stream: &Stream,
    worker: usize,
    now: impl Fn() -> u64,
) -> Option<(TcpStream, Lease)> {
    let mut avoid: Option<SocketAddr> = None;
    for _ in 0..2 {
        let lease = stream.backend.pick(avoid, now())?;
        match timeout(stream.timeouts.connect, TcpStream::connect(lease.address)).await {
            Ok(Ok(tcp)) => {
                lease.answered();
                return Some((tcp, lease));
            }
            Ok(Err(_)) | Err(_) => {
                lease.failed(now());
                stream.app.upstream_error(worker);
                avoid = Some(lease.address);
            }
        }
    }
    None
}

/// Counts the connection in its app for as long as it lasts.
struct Flight<'a> {
    stream: &'a Stream,
    worker: usize,
    received: AtomicU64,
    sent: AtomicU64,
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let (received, sent) = (self.received.load(Relaxed), self.sent.load(Relaxed));
        self.stream.app.end(self.worker, Outcome { received, sent, ..Outcome::default() });
    }
}

/// When a byte moved last.
struct Moved {
    start: Instant,
    /// Milliseconds after `start`.
    last: AtomicU64,
}

impl Moved {
    fn new() -> Self {
        Self { start: Instant::now(), last: AtomicU64::new(0) }
    }

    fn now(&self) {
        let since = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(since, Relaxed);
    }

    /// Returns when nothing has moved for `limit`.
    async fn nothing_for(&self, limit: Duration) {
        loop {
            let last = self.last.load(Relaxed);
            sleep_until(self.start + Duration::from_millis(last) + limit).await;
            if self.last.load(Relaxed) == last {
                return;
            }
        }
    }
}

/// One side; what it reads the other one writes.
struct Counted<'a, S> {
    io: S,
    read: &'a AtomicU64,
    moved: &'a Moved,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<'_, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        self.read.fetch_add((buf.filled().len() - before) as u64, Relaxed);
        self.moved.now();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<'_, S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<Result<usize>> {
        let wrote = ready!(Pin::new(&mut self.io).poll_write(cx, data))?;
        self.moved.now();
        Poll::Ready(Ok(wrote))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
