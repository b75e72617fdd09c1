//! An open-loop load: requests are due at fixed times, whether earlier ones were answered or not, and
//! latency counts from when a request was due. So a proxy that stalls is charged for every request
//! that it kept waiting, not only for those that were under way.

pub(crate) mod http1;
pub(crate) mod http2;
mod response;
mod stream;

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use fairlead_benches::ticker::Ticker;
use futures::future::{join_all, try_join_all};
use rustls::ClientConfig;
use tokio::{sync::Notify, time::timeout};

use self::response::ResponseError;

/// How long after the last request was due answers may still come.
const GRACE: Duration = Duration::from_secs(10);

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Response(#[from] ResponseError),
    #[error("HTTP/2: {0}")]
    Http2(#[from] h2::Error),
    #[error("the request cannot be made: {0}")]
    Request(#[from] http::Error),
    #[error("the answer is a {status} with {body} bytes, not a 200 with {expected}")]
    Wrong { status: u16, body: usize, expected: usize },
    #[error("{0} bytes came for one request")]
    Surplus(usize),
    #[error("answers were still missing {} s after the last request was due", GRACE.as_secs())]
    Stalled,
}

/// What is asked of whom.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) host: String,
    pub(crate) path: &'static str,
    /// Bytes of the right answer's body.
    pub(crate) body: usize,
    /// How to speak TLS; `None`: in the clear.
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

/// Sends one request at a time.
pub(crate) trait Client {
    /// Sends a request and reads its whole answer.
    ///
    /// # Errors
    /// When that is not the right one.
    async fn exchange(&mut self) -> Result<(), LoadError>;
}

/// Requests that are due and not yet sent.
#[derive(Default)]
struct Queue {
    due: RefCell<VecDeque<Instant>>,
    more: Notify,
    closed: Cell<bool>,
}

/// Has `clients` send `rate` requests per second for `length`. The latencies, in microseconds,
/// sorted.
///
/// # Errors
/// When one request fails: figures with errors mean nothing.
pub(crate) async fn run<C: Client>(
    clients: &mut [C],
    rate: u32,
    length: Duration,
) -> Result<Vec<f64>, LoadError> {
    let queue = Queue::default();
    let workers = try_join_all(clients.iter_mut().map(|client| work(client, &queue)));
    let everything = async { futures::try_join!(queue.fill(rate, length), workers) };
    let ((), latencies) =
        timeout(length + GRACE, everything).await.map_err(|_| LoadError::Stalled)??;
    let mut latencies: Vec<f64> = latencies.into_iter().flatten().collect();
    latencies.sort_by(f64::total_cmp);
    Ok(latencies)
}

/// Makes `n` of something at a time.
///
/// # Errors
/// When one cannot be made.
pub(crate) async fn all<T, F: Future<Output = Result<T, LoadError>>>(
    n: usize,
    make: impl FnMut(usize) -> F,
) -> Result<Vec<T>, LoadError> {
    join_all((0..n).map(make)).await.into_iter().collect()
}

/// Takes requests from the queue, one at a time, until it is closed and empty.
async fn work<C: Client>(client: &mut C, queue: &Queue) -> Result<Vec<f64>, LoadError> {
    let mut latencies = Vec::new();
    while let Some(due) = queue.next().await {
        client.exchange().await?;
        latencies.push(due.elapsed().as_secs_f64() * 1e6);
    }
    Ok(latencies)
}

impl Queue {
    async fn fill(&self, rate: u32, length: Duration) -> Result<(), LoadError> {
        let interval = Duration::from_secs(1) / rate;
        let ticker = Ticker::new(interval)?;
        let start = Instant::now();
        let mut due = start;
        while due < start + length {
            while Instant::now() < due {
                ticker.tick().await?;
            }
            self.due.borrow_mut().push_back(due);
            self.more.notify_one();
            due += interval;
        }
        self.closed.set(true);
        self.more.notify_waiters();
        Ok(())
    }

    async fn next(&self) -> Option<Instant> {
        loop {
            if let Some(due) = self.due.borrow_mut().pop_front() {
                return Some(due);
            }
            if self.closed.get() {
                return None;
            }
            self.more.notified().await;
        }
    }
}
