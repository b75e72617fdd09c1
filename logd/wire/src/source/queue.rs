//! Lines on their way from many threads to one task, which no thread ever waits for.
//!
//! Each worker has a slot with a buffer in it. To add a line a worker takes the buffer out, appends,
//! and puts it back: two atomic exchanges, no lock, no allocation in the long run. The task takes
//! buffers out. Where it does not, they fill up; then lines are dropped and counted, per app.

use std::collections::HashMap;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64, fence};

use crossbeam_utils::CachePadded;
use crossbeam_utils::atomic::AtomicCell;
use tokio::sync::Notify;

use crate::record::{Flags, PAYLOAD_CAP};

/// Bytes of a line before its app's name and its payload.
const HEADER: usize = 15;

/// What a worker adds to.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    /// `app length u16 | payload length u32 | flags u8 | time i64 | app | payload`, one after another.
    bytes: Vec<u8>,
    /// What is missing after these lines, by app.
    pub(super) lost: HashMap<Box<str>, Lost>,
}

/// What an app's lines lack.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lost {
    /// Lines that found the queue full.
    pub(super) records: u64,
    /// Their bytes.
    pub(super) bytes: u64,
    /// Bytes of lines beyond [`PAYLOAD_CAP`].
    pub(super) oversize: u64,
}

/// A line in a [`Buffer`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) app: &'a str,
    pub(super) flags: Flags,
    pub(super) time: i64,
    pub(super) payload: &'a [u8],
}

impl Buffer {
    fn push(
        &mut self,
        capacity: usize,
        app: &str,
        flags: Flags,
        time: i64,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> bool {
        let start = self.bytes.len();
        let app_length = u16::try_from(app.len()).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&app_length.to_le_bytes());
        self.bytes.extend_from_slice(&[0; HEADER - 2]);
        self.bytes.extend_from_slice(&app.as_bytes()[..usize::from(app_length)]);
        let payload = self.bytes.len();
        write(&mut self.bytes);
        let length = self.bytes.len().saturating_sub(payload);
        if start >= capacity {
            self.bytes.truncate(start);
            let lost = self.lost(app);
            lost.records += 1;
            lost.bytes += length as u64;
            return false;
        }
        let kept = length.min(PAYLOAD_CAP);
        let mut flags = flags;
        if kept < length {
            flags = flags.with(Flags::TRUNCATED);
            self.bytes.truncate(payload + kept);
            self.lost(app).oversize += (length - kept) as u64;
        }
        let kept = u32::try_from(kept).expect("at most the cap");
        self.bytes[start + 2..start + 6].copy_from_slice(&kept.to_le_bytes());
        self.bytes[start + 6] = flags.bits();
        self.bytes[start + 7..start + HEADER].copy_from_slice(&time.to_le_bytes());
        true
    }

    /// Allocates the first time an app lacks something.
    fn lost(&mut self, app: &str) -> &mut Lost {
        if !self.lost.contains_key(app) {
            self.lost.insert(app.into(), Lost::default());
        }
        self.lost.get_mut(app).expect("it was just put there")
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let mut rest = &self.bytes[..];
        std::iter::from_fn(move || {
            let (header, tail) = rest.split_first_chunk::<HEADER>()?;
            let app = usize::from(u16::from_le_bytes(*header.first_chunk()?));
            let payload = u32::from_le_bytes(*header[2..].first_chunk()?) as usize;
            let (app, tail) = tail.split_at_checked(app)?;
            let (payload, tail) = tail.split_at_checked(payload)?;
            rest = tail;
            Some(Line {
                app: std::str::from_utf8(app).ok()?,
                flags: Flags::from_bits(header[6]),
                time: i64::from_le_bytes(*header[7..].first_chunk()?),
                payload,
            })
        })
    }

    fn merge(&mut self, other: &Self) {
        self.bytes.extend_from_slice(&other.bytes);
        for (app, lost) in &other.lost {
            let sum = self.lost(app);
            sum.records += lost.records;
            sum.bytes += lost.bytes;
            sum.oversize += lost.oversize;
        }
    }
}

const _: () =
    assert!(AtomicCell::<Option<Box<Buffer>>>::is_lock_free(), "a pointer is exchanged at once");

#[derive(Default)]
struct Slot {
    /// What is to be sent, or nothing.
    full: AtomicCell<Option<Box<Buffer>>>,
    /// A buffer given back, so that none need be allocated.
    empty: AtomicCell<Option<Box<Buffer>>>,
    dropped: AtomicU64,
}

/// The slots of all workers.
pub(super) struct Queue {
    slots: Box<[CachePadded<Slot>]>,
    /// Bytes after which a slot is full.
    capacity: usize,
    /// The task waits, or is about to.
    idle: AtomicBool,
    pub(super) news: Notify,
}

impl Queue {
    /// For so many workers, and so many bytes for all of them.
    pub(super) fn new(workers: usize, bytes: usize) -> Self {
        let workers = workers.max(1);
        Self {
            slots: (0..workers).map(|_| CachePadded::default()).collect(),
            capacity: bytes / workers,
            idle: AtomicBool::new(true),
            news: Notify::new(),
        }
    }

    /// Adds a line whose payload `write` appends; drops and counts it where the slot is full.
    pub(super) fn push(
        &self,
        worker: usize,
        app: &str,
        flags: Flags,
        time: i64,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let slot = &self.slots[worker % self.slots.len()];
        let mut buffer = slot.full.take().or_else(|| slot.empty.take()).unwrap_or_default();
        if !buffer.push(self.capacity, app, flags, time, write) {
            slot.dropped.fetch_add(1, Relaxed);
        }
        // Something is there only when two threads call themselves the same worker.
        while let Some(other) = slot.full.swap(Some(buffer)) {
            buffer = slot.full.take().unwrap_or_default();
            buffer.merge(&other);
        }
        // Either the task, idle, sees the line, or it is seen to be idle here.
        fence(SeqCst);
        if self.idle.load(Relaxed) && self.idle.swap(false, Relaxed) {
            self.news.notify_one();
        }
    }

    /// Lines dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        self.slots.iter().map(|slot| slot.dropped.load(Relaxed)).sum()
    }

    /// Gives what is there to `take`. What comes after notifies `news`.
    pub(super) fn drain(&self, mut take: impl FnMut(&Buffer)) {
        self.idle.store(true, Relaxed);
        fence(SeqCst);
        for slot in &self.slots {
            let Some(mut buffer) = slot.full.take() else { continue };
            take(&buffer);
            buffer.bytes.clear();
            buffer.lost.clear();
            slot.empty.store(Some(buffer));
        }
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("dropped", &self.dropped()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Lines = Vec<(String, Vec<u8>)>;

    fn drained(queue: &Queue) -> (Lines, HashMap<Box<str>, Lost>) {
        let (mut lines, mut lost) = (Vec::new(), HashMap::new());
        queue.drain(|buffer| {
            lines.extend(buffer.lines().map(|line| (line.app.to_owned(), line.payload.to_vec())));
            lost.extend(buffer.lost.clone());
        });
        (lines, lost)
    }

    #[test]
    fn lines_come_out_as_they_went_in_until_it_is_full() {
        let queue = Queue::new(1, 40);
        let push = |app, payload: &[u8]| {
            queue.push(0, app, Flags::STDERR, 7, |line| line.extend_from_slice(payload));
        };
        push("shop/a", b"x\0");
        push("shop/b", b"");
        push("shop/a", b"dropped");
        push("shop/b", b"also");
        push("shop/b", b"");
        let (lines, lost) = drained(&queue);
        assert_eq!(lines, [("shop/a".to_owned(), b"x\0".to_vec()), ("shop/b".to_owned(), vec![])]);
        let full = |records, bytes| Lost { records, bytes, oversize: 0 };
        let expected = [("shop/a".into(), full(1, 7)), ("shop/b".into(), full(2, 4))];
        assert_eq!(lost, HashMap::from(expected));
        assert_eq!(queue.dropped(), 3);
        push("shop/a", b"again");
        assert_eq!(drained(&queue).0, [("shop/a".to_owned(), b"again".to_vec())]);
    }

    #[test]
    fn a_long_line_is_cut_and_its_rest_counted() {
        let queue = Queue::new(1, 40);
        queue.push(0, "shop/a", Flags::default(), 0, |line| {
            line.resize(line.len() + PAYLOAD_CAP + 5, b'x');
        });
        queue.drain(|buffer| {
            let line = buffer.lines().next().unwrap();
            assert_eq!((line.payload.len(), line.flags), (PAYLOAD_CAP, Flags::TRUNCATED));
            assert_eq!(buffer.lost["shop/a"], Lost { oversize: 5, ..Lost::default() });
        });
    }

    /// Threads that call themselves the same worker lose nothing either.
    #[test]
    fn every_line_of_many_threads_is_drained_or_counted() {
        const THREADS: u64 = 4;
        const LINES: u64 = 20_000;
        let queue = Queue::new(2, 4096);
        let (mut taken, mut lost) = (0, 0);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|thread| {
                    let queue = &queue;
                    scope.spawn(move || {
                        for _ in 0..LINES {
                            let worker = usize::from(thread % 2 == 1);
                            queue.push(worker, "shop/a", Flags::default(), 0, |line| {
                                line.push(b'x');
                            });
                        }
                    })
                })
                .collect();
            let mut running = true;
            while running {
                running = threads.iter().any(|thread| !thread.is_finished());
                queue.drain(|buffer| {
                    taken += buffer.lines().count() as u64;
                    lost += buffer.lost.values().map(|lost| lost.records).sum::<u64>();
                });
            }
        });
        assert_eq!(taken + lost, THREADS * LINES);
        assert_eq!(lost, queue.dropped());
        assert!(taken > 0);
    }
}
