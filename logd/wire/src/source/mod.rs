//! Lines of a process that writes no file: the router's access lines, release events.
//!
//! [`Source::log`] never waits: lines go through a bounded [queue](queue) to a task that batches
//! them per app, sends them to the app's owner and keeps them until logd reports them as stored.
//! When a stream breaks or logd starts again, what was not stored is sent again from where logd is.
//! Together that holds at most [`CAPACITY`]; what comes beyond is dropped, counted, and told to the
//! app's readers.

mod file;
mod link;
mod pump;
mod queue;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

pub use self::link::Credentials;
use self::pump::Pump;
use self::queue::Queue;
use crate::members::Members;
use crate::record::{Flags, Stream};

/// Bytes of lines that wait or are not stored yet, at most; and a line for each worker.
pub const CAPACITY: usize = 4 * 1024 * 1024;

/// Who logs.
#[derive(Debug, Clone)]
pub struct SourceOptions {
    /// Who this process is, for logd: `router/POD`.
    pub name: String,
    /// The process that readers see: `router`.
    pub process: String,
    /// The pod that readers see.
    pub pod: String,
    /// What is shown to logd.
    pub credentials: Credentials,
}

/// Takes lines. Clones are the same source.
#[derive(Debug, Clone)]
pub struct Source {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    queue: Queue,
    /// Lines that logd has reported as stored.
    stored: AtomicU64,
}

/// The task behind a [`Source`], which ends when this is dropped.
#[derive(Debug)]
pub struct Task {
    finish: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Source {
    /// One that `workers` threads log to. Its queue fills until it is [started](Self::start).
    #[must_use]
    pub fn new(workers: usize) -> Self {
        // Draining adds a queue's worth to what is kept: a half, a quarter and a quarter.
        let queue = Queue::new(workers, CAPACITY / 4);
        Self { shared: Arc::new(Shared { queue, stored: AtomicU64::new(0) }) }
    }

    /// Starts the task, once, on the runtime that this is called on.
    #[must_use]
    pub fn start(&self, options: SourceOptions, members: watch::Receiver<Members>) -> Task {
        let (finish, finished) = oneshot::channel();
        let pump = Pump::new(options, self.shared.clone(), members, CAPACITY / 2);
        Task { finish: Some(finish), task: tokio::spawn(pump.run(finished)) }
    }

    /// Logs a line of the app `NAMESPACE/NAME`; `write` appends its payload, without a line feed.
    /// `time` is in nanoseconds since 1970-01-01 UTC. Never waits; where the queue is full the line
    /// is dropped and counted.
    ///
    /// Each thread that logs passes its own `worker`, below the number of workers. Others are
    /// accepted and slower.
    pub fn log(
        &self,
        worker: usize,
        app: &str,
        stream: Stream,
        time: i64,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let flags = match stream {
            Stream::Stdout => Flags::default(),
            Stream::Stderr => Flags::STDERR,
        };
        self.shared.queue.push(worker, app, flags, time, write);
    }

    /// Lines that were dropped because the queue was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.queue.dropped()
    }

    /// Lines that logd has reported as stored.
    #[must_use]
    pub fn stored(&self) -> u64 {
        self.shared.stored.load(Relaxed)
    }
}

impl Task {
    /// Ends the task once everything is stored, or after `limit`.
    pub async fn finish(mut self, limit: Duration) {
        if let Some(finish) = self.finish.take() {
            // An error says that it has ended.
            let _ = finish.send(());
            let _ = tokio::time::timeout(limit, &mut self.task).await;
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.task.abort();
    }
}
