//! An open-loop load: requests are due at fixed times, whether earlier ones were answered or not, and
//! latency counts from when a request was due. So a proxy that stalls is charged for every request
//! that it kept waiting, not only for those that were under way.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    time::timeout,
};

use crate::{
    response::{self, ResponseError},
    ticker::Ticker,
};

/// Largest response that is understood.
const BUFFER: usize = 4096;
/// How long after the last request was due answers may still come.
const GRACE: Duration = Duration::from_secs(10);

/// What stopped a run. Failed requests do not: they are counted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    #[error("no timer: {0}")]
    Timer(io::Error),
    #[error("answers were still missing {} s after the last request was due", GRACE.as_secs())]
    Stalled,
}

/// Why one request failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Response(#[from] ResponseError),
    #[error("{0} bytes came for one request")]
    Surplus(usize),
}

/// What a run found.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// From when a request was due to its whole answer, in microseconds, sorted.
    pub(crate) latencies: Vec<u32>,
    /// Requests without a right answer.
    pub(crate) errors: u64,
    /// One of the reasons.
    pub(crate) last_error: Option<ExchangeError>,
}

/// Keep-alive connections to one target.
pub(crate) struct Pool {
    target: SocketAddr,
    request: Vec<u8>,
    connections: Vec<TcpStream>,
}

/// Requests that are due and not yet sent.
#[derive(Default)]
struct Queue {
    due: RefCell<VecDeque<Instant>>,
    more: Notify,
    closed: Cell<bool>,
}

impl Pool {
    /// Opens the connections; `request` is what each request sends.
    pub(crate) async fn connect(
        target: SocketAddr,
        connections: usize,
        request: Vec<u8>,
    ) -> Result<Self, LoadError> {
        let connections = join_all((0..connections).map(|_| connect(target))).await;
        let connections =
            connections.into_iter().collect::<Result<_, _>>().map_err(LoadError::Connect)?;
        Ok(Self { target, request, connections })
    }

    /// Sends `rate` requests per second for `length`.
    pub(crate) async fn run(&mut self, rate: u32, length: Duration) -> Result<Run, LoadError> {
        let queue = Queue::default();
        let Self { target, request, connections } = self;
        let workers =
            join_all(connections.iter_mut().map(|stream| work(stream, *target, request, &queue)));
        let everything = async { futures::join!(queue.fill(rate, length), workers) };
        let (filled, runs) =
            timeout(length + GRACE, everything).await.map_err(|_| LoadError::Stalled)?;
        filled.map_err(LoadError::Timer)?;
        let mut all = Run::default();
        for run in runs {
            all.latencies.extend(run.latencies);
            all.errors += run.errors;
            all.last_error = run.last_error.or(all.last_error);
        }
        all.latencies.sort_unstable();
        Ok(all)
    }
}

async fn connect(target: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(target).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Takes requests from the queue, one at a time, until it is closed and empty.
async fn work(stream: &mut TcpStream, target: SocketAddr, request: &[u8], queue: &Queue) -> Run {
    let mut run = Run::default();
    let mut buffer = [0; BUFFER];
    while let Some(due) = queue.next().await {
        match exchange(stream, request, &mut buffer).await {
            Ok(()) => {
                run.latencies.push(u32::try_from(due.elapsed().as_micros()).unwrap_or(u32::MAX));
            }
            Err(error) => {
                run.errors += 1;
                run.last_error = Some(error);
                // What may still arrive belongs to the failed request.
                if let Ok(fresh) = connect(target).await {
                    *stream = fresh;
                }
            }
        }
    }
    run
}

async fn exchange(
    stream: &mut TcpStream,
    request: &[u8],
    buffer: &mut [u8; BUFFER],
) -> Result<(), ExchangeError> {
    stream.write_all(request).await?;
    let mut filled = 0;
    loop {
        match stream.read(&mut buffer[filled..]).await? {
            0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            read => filled += read,
        }
        match response::length(&buffer[..filled])? {
            Some(length) if filled == length => return Ok(()),
            Some(length) if filled > length => return Err(ExchangeError::Surplus(filled)),
            _ => (),
        }
    }
}

impl Queue {
    async fn fill(&self, rate: u32, length: Duration) -> io::Result<()> {
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
