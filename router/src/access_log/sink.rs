//! Bytes of many workers, written by one thread.
//!
//! Each worker has a slot with a buffer in it. To add a line a worker takes the buffer
//! out, appends, and puts it back; the writer takes full buffers out and leaves nothing.
//! Taking and putting are one atomic exchange each: no worker waits for another or for
//! the writer. A slow reader of the output makes buffers grow to [`CAPACITY`]; then lines
//! are dropped and counted.

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, SeqCst},
            fence,
        },
        mpsc,
    },
    thread::{self, Thread},
    time::Duration,
};

use crossbeam_utils::{CachePadded, atomic::AtomicCell};
use parking_lot::Mutex;

/// The most bytes that wait to be written, for each worker.
const CAPACITY: usize = 1024 * 1024;
/// How long the last lines may take to be written.
const END: Duration = Duration::from_secs(1);
/// How long lines are gathered before they are written.
const GATHER: Duration = Duration::from_millis(10);

/// Counts lines that were dropped.
#[derive(Debug, Default)]
pub(crate) struct Dropped(AtomicU64);

impl Dropped {
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

type Buffer = Box<Vec<u8>>;

const _: () =
    assert!(AtomicCell::<Option<Buffer>>::is_lock_free(), "a pointer is exchanged at once");

#[derive(Default)]
struct Slot {
    /// What is to be written, or nothing.
    full: AtomicCell<Option<Buffer>>,
    /// A buffer given back, so that none need be allocated.
    empty: AtomicCell<Option<Buffer>>,
}

struct Shared {
    slots: Box<[CachePadded<Slot>]>,
    dropped: Arc<Dropped>,
    /// The writer sleeps, or is about to.
    idle: AtomicBool,
    closed: AtomicBool,
}

/// Takes lines from workers. Dropping it writes what is there, for a second at most.
pub(crate) struct Sink {
    shared: Arc<Shared>,
    thread: Thread,
    /// Closed by the writer when it is done.
    done: Mutex<mpsc::Receiver<()>>,
}

impl Sink {
    /// A sink for `workers` that writes to `out` on a thread of its own.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub(crate) fn start(
        workers: usize,
        dropped: Arc<Dropped>,
        out: impl Write + Send + 'static,
    ) -> std::io::Result<Self> {
        let slots = (0..workers.max(1)).map(|_| CachePadded::default()).collect();
        let (idle, closed) = (AtomicBool::new(false), AtomicBool::new(false));
        let shared = Arc::new(Shared { slots, dropped, idle, closed });
        let writer = Writer { shared: shared.clone(), out };
        let (end, done) = mpsc::channel();
        let run = move || {
            writer.run();
            drop(end);
        };
        let writer = thread::Builder::new().name("access-log".into()).spawn(run)?;
        Ok(Self { shared, thread: writer.thread().clone(), done: Mutex::new(done) })
    }

    /// Has `write` append a line, newline included, to the buffer of `worker`.
    pub(crate) fn line(&self, worker: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let slot = &self.shared.slots[worker % self.shared.slots.len()];
        let mut buffer = slot.full.take().or_else(|| slot.empty.take()).unwrap_or_default();
        if buffer.len() >= CAPACITY {
            self.shared.dropped.0.fetch_add(1, Relaxed);
        } else {
            write(&mut buffer);
        }
        // Something is there only when two threads call themselves the same worker.
        while let Some(other) = slot.full.swap(Some(buffer)) {
            buffer = slot.full.take().unwrap_or_default();
            buffer.extend_from_slice(&other);
        }
        // Either the writer, idle, sees the line, or it is seen to be idle here.
        fence(SeqCst);
        if self.shared.idle.load(Relaxed) && self.shared.idle.swap(false, Relaxed) {
            self.thread.unpark();
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.shared.closed.store(true, Relaxed);
        self.thread.unpark();
        // An error tells that the writer is done, or that it takes too long.
        let _: Result<(), _> = self.done.get_mut().recv_timeout(END);
    }
}

struct Writer<W> {
    shared: Arc<Shared>,
    out: W,
}

impl<W: Write> Writer<W> {
    fn run(mut self) {
        loop {
            let closed = self.shared.closed.load(Relaxed);
            self.shared.idle.store(true, Relaxed);
            fence(SeqCst);
            if self.write_all() {
                self.shared.idle.store(false, Relaxed);
                // Lets more lines gather, so that a busy router writes them together.
                if !closed {
                    thread::sleep(GATHER);
                }
            } else if closed {
                return;
            } else {
                thread::park();
            }
        }
    }

    /// Writes what is there; whether there was anything.
    fn write_all(&mut self) -> bool {
        let mut any = false;
        for slot in &self.shared.slots {
            let Some(mut buffer) = slot.full.take() else { continue };
            any = true;
            if self.out.write_all(&buffer).is_err() {
                let lines = buffer.iter().filter(|byte| **byte == b'\n').count();
                self.shared.dropped.0.fetch_add(lines as u64, Relaxed);
            }
            buffer.clear();
            slot.empty.store(Some(buffer));
        }
        if any {
            // What could not be flushed is still in `out`.
            let _ = self.out.flush();
        }
        any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives each write to the test, which may be slow to take it.
    struct Out(mpsc::SyncSender<Vec<u8>>);

    impl Write for Out {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(std::io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn all_lines_of_all_workers_are_written_in_their_order() {
        let (out, written) = mpsc::sync_channel(1);
        let dropped = Arc::new(Dropped::default());
        let sink = Arc::new(Sink::start(4, dropped.clone(), Out(out)).unwrap());
        let workers: Vec<_> = (0..4)
            .map(|worker| {
                let sink = sink.clone();
                thread::spawn(move || {
                    for i in 0..1_000 {
                        sink.line(worker, |line| writeln!(line, "{worker} {i}").unwrap());
                    }
                })
            })
            .collect();
        let reader = thread::spawn(move || written.iter().flatten().collect::<Vec<u8>>());
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        drop(sink);
        let text = String::from_utf8(reader.join().unwrap()).unwrap();
        for worker in 0..4 {
            let prefix = format!("{worker} ");
            let lines = text.lines().filter_map(|line| line.strip_prefix(&prefix));
            let lines: Vec<usize> = lines.map(|i| i.parse().unwrap()).collect();
            assert_eq!(lines, (0..1_000).collect::<Vec<_>>(), "worker {worker}");
        }
        assert_eq!(dropped.get(), 0);
    }

    #[test]
    fn a_reader_that_stands_still_costs_lines_and_no_time() {
        let (out, written) = mpsc::sync_channel(0);
        let dropped = Arc::new(Dropped::default());
        let sink = Sink::start(1, dropped.clone(), Out(out)).unwrap();
        let line = [b'x'; 1023];
        for _ in 0..4 * 1024 {
            sink.line(0, |buffer| {
                buffer.extend_from_slice(&line);
                buffer.push(b'\n');
            });
        }
        // Two buffers at most: one being written, one waiting.
        assert!(dropped.get() >= 2 * 1024, "{}", dropped.get());
        let reader = thread::spawn(move || written.iter().flatten().count());
        drop(sink);
        let written = reader.join().unwrap() as u64;
        assert_eq!(written / 1024 + dropped.get(), 4 * 1024);
    }
}
