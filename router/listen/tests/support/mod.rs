//! What the tests of this crate share: a server whose behaviour a test gives as a closure, and clients.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, mpsc as blocking};
use std::task::Poll;
use std::time::Duration;

use fairlead_router_listen::{
    Connection, Counter, Drain, EdgeStream, Limits, ListenerSpec, PhaseHandle, Protocol, Serve,
    Workers, start,
};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) mod tls;

type Served = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Serves connections by a closure.
pub(crate) struct Handler(Box<dyn Fn(Connection, Drain) -> Served + Send + Sync>);

impl Serve for Handler {
    fn serve(
        self: Arc<Self>,
        connection: Connection,
        drain: Drain,
    ) -> impl Future<Output = ()> + Send {
        (self.0)(connection, drain)
    }
}

/// A factory that gives every worker the same closure.
pub(crate) fn handler<F, Fut>(f: F) -> Arc<Handler>
where
    F: Fn(Connection, Drain) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    Arc::new(Handler(Box::new(move |connection, drain| Box::pin(f(connection, drain)))))
}

/// One worker with a plain listener on a free port of 127.0.0.1.
pub(crate) fn plain<F, Fut>(limits: Limits, f: F) -> (Workers, SocketAddr)
where
    F: Fn(Connection, Drain) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    listening(Protocol::Http, limits, f)
}

/// One worker with a listener on a free port of 127.0.0.1.
pub(crate) fn listening<F, Fut>(protocol: Protocol, limits: Limits, f: F) -> (Workers, SocketAddr)
where
    F: Fn(Connection, Drain) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let handler = handler(f);
    let workers =
        start(1, vec![spec("main", protocol)], limits, move |_| Arc::clone(&handler)).unwrap();
    let addr = workers.addr("main").unwrap();
    (workers, addr)
}

/// A listener on a free port of 127.0.0.1.
pub(crate) fn spec(name: &str, protocol: Protocol) -> ListenerSpec {
    ListenerSpec { name: name.into(), addr: ([127, 0, 0, 1], 0).into(), protocol }
}

/// The result of `future`, which must come within 20 seconds.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("it should not take this long")
}

/// Returns once the counter has the value.
pub(crate) async fn reaches(counter: &Counter, value: u64) {
    let reached = async {
        while counter.get() != value {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), reached).await;
    assert!(waited.is_ok(), "counter is {}, not {value}", counter.get());
}

/// All that comes until the end of the stream or an error.
pub(crate) async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut all = Vec::new();
    let _ = within(stream.read_to_end(&mut all)).await;
    String::from_utf8(all).unwrap()
}

/// The next `n` bytes.
pub(crate) async fn read_exactly(stream: &mut (impl AsyncRead + Unpin), n: usize) -> String {
    let mut bytes = vec![0; n];
    within(stream.read_exact(&mut bytes)).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

pub(crate) async fn connect(addr: SocketAddr) -> TcpStream {
    let stream = within(TcpStream::connect(addr)).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Reads one request head and whatever comes along with it, as an HTTP/1 engine would. `None` at the end of the stream.
pub(crate) async fn read_head(stream: &mut EdgeStream) -> std::io::Result<Option<String>> {
    let mut head = Vec::new();
    loop {
        let n = stream.read_buf(&mut head).await?;
        if n == 0 {
            return Ok(None);
        }
        if head.windows(4).any(|window| window == b"\r\n\r\n") {
            return Ok(Some(String::from_utf8_lossy(&head).into_owned()));
        }
    }
}

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
pub(crate) const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

pub(crate) async fn answer(stream: &mut EdgeStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
}

/// Answers every request with 200 until the client closes, or draining finds the connection idle.
pub(crate) async fn keep_alive(connection: Connection, drain: Drain) {
    let mut stream = connection.stream;
    let phase = stream.phase();
    loop {
        phase.awaiting_head();
        let head = tokio::select! {
            biased;
            head = read_head(&mut stream) => head,
            () = idle_at_drain(&phase, &drain) => return,
        };
        if !matches!(head, Ok(Some(_))) {
            return;
        }
        phase.busy();
        answer(&mut stream, OK).await;
    }
}

/// Returns when the connection may be closed for draining; never if a head has begun by then.
pub(crate) async fn idle_at_drain(phase: &PhaseHandle, drain: &Drain) {
    drain.signalled().await;
    if !phase.is_idle() {
        std::future::pending::<()>().await;
    }
}

/// A worker whose thread is held by its first connection, so that the kernel queues what comes, until the last value is dropped. Then it
/// answers one request per connection.
pub(crate) async fn blocked_worker() -> (Workers, SocketAddr, blocking::Sender<()>) {
    let (hold, held) = blocking::channel::<()>();
    let held = Mutex::new(Some(held));
    let (blocked, is_blocked) = blocking::channel();
    let (workers, addr) = plain(Limits::default(), move |mut connection: Connection, _| {
        if let Some(held) = held.lock().take() {
            blocked.send(()).unwrap();
            let _ = held.recv();
        }
        async move {
            read_head(&mut connection.stream).await.unwrap();
            answer(&mut connection.stream, OK).await;
        }
    });
    let mut first = connect(addr).await;
    first.write_all(GET.as_bytes()).await.unwrap();
    tokio::task::spawn_blocking(move || is_blocked.recv().unwrap()).await.unwrap();
    (workers, addr, hold)
}

/// The result of `future` if it is ready at its first poll.
pub(crate) async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
