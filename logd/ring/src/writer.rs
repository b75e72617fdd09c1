//! Appending, and letting the oldest leave.

use std::ops::AddAssign;

use crate::{
    chunk::{Chunk, Pen},
    log::{Directory, Log},
    record::{self, OVERHEAD, Record},
    sync::Arc,
};

/// Bytes of the smallest chunk, and of the largest unless one record needs more.
const CHUNK: (usize, usize) = if cfg!(loom) { (64, 64) } else { (1024, 64 * 1024) };
/// Up to so many bytes a chunk is as large as all before it.
const DOUBLED: u64 = 4 * 1024;
/// How many chunks what is held is spread over, about: what leaves at once.
const PARTS: u64 = 16;
/// Places for sources in a chunk whose predecessor needed fewer.
const SOURCES: usize = if cfg!(loom) { 1 } else { 4 };

/// How much a ring may hold. What is over leaves, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of payload. More may leave at once than is over: up to the oldest chunk, about a
    /// sixteenth.
    pub bytes: u64,
    /// Records; exactly so many are held.
    pub lines: u64,
}

impl Default for Limits {
    /// None.
    fn default() -> Self {
        Self { bytes: u64::MAX, lines: u64::MAX }
    }
}

/// A number of records, and the bytes of their payloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Records.
    pub records: u64,
    /// Bytes.
    pub bytes: u64,
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.records += other.records;
        self.bytes += other.bytes;
    }
}

/// The one that appends to a ring.
///
/// What is appended is seen by readers after [`publish`](Self::publish); limits hold then as well.
pub struct Writer<S> {
    log: Log<S>,
    chunks: Directory<S>,
    /// Writes to the last chunk.
    pen: Option<Pen<S>>,
    front: Front,
    limits: Limits,
    accepted: Count,
    evicted: Count,
    memory: usize,
    /// A chunk that has left, to be used again once no reader holds it.
    spare: Option<Arc<Chunk<S>>>,
    /// `chunks` is not what readers see.
    changed: bool,
}

/// How much of the first chunk has left.
#[derive(Clone, Copy, Default)]
struct Front {
    records: u16,
    offset: usize,
}

/// An empty ring.
#[must_use]
pub fn ring<S>(limits: Limits) -> (Writer<S>, Log<S>) {
    let log = Log::new();
    let writer = Writer {
        log: log.clone(),
        chunks: Directory::new(),
        pen: None,
        front: Front::default(),
        limits,
        accepted: Count::default(),
        evicted: Count::default(),
        memory: 0,
        spare: None,
        changed: false,
    };
    (writer, log)
}

impl<S> Writer<S> {
    /// Adds a record.
    ///
    /// # Panics
    /// Where the payload has 4 GiB.
    pub fn append(&mut self, source: &std::sync::Arc<S>, record: &Record<'_>) {
        let (mut pen, index) = self.pen_for(source, record.payload.len());
        pen.write(&record::header(record, index), record.payload);
        self.pen = Some(pen);
        self.accepted += Count { records: 1, bytes: record.payload.len() as u64 };
    }

    /// Makes what was appended visible, and lets leave what is over the limits.
    pub fn publish(&mut self) {
        if let Some(pen) = &mut self.pen {
            pen.publish();
        }
        self.trim();
        self.commit();
    }

    /// Sets the limits. They hold from the next [`publish`](Self::publish) on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Lets the records before the number `no` leave.
    pub fn expire(&mut self, no: u64) {
        while self.first() < no && self.oldest().is_some() {
            self.evict_record();
        }
        self.commit();
    }

    /// Lets the oldest chunk leave. False where there is none.
    pub fn evict(&mut self) -> bool {
        let any = self.evict_chunk();
        // Memory is what is asked for.
        self.forget_spare();
        self.commit();
        any
    }

    /// Lets all leave.
    pub fn clear(&mut self) {
        while self.evict_chunk() {}
        self.forget_spare();
        self.commit();
    }

    /// What was appended since the beginning.
    #[must_use]
    pub fn accepted(&self) -> Count {
        self.accepted
    }

    /// What has left since the beginning.
    #[must_use]
    pub fn evicted(&self) -> Count {
        self.evicted
    }

    /// What is there.
    #[must_use]
    pub fn held(&self) -> Count {
        Count {
            records: self.accepted.records - self.evicted.records,
            bytes: self.accepted.bytes - self.evicted.bytes,
        }
    }

    /// Bytes that the ring takes in memory, without what only readers still hold.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// Lets leave what is over the limits. All is published.
    fn trim(&mut self) {
        let Limits { bytes, lines } = self.limits;
        while self.held().records > lines {
            let over = self.held().records - lines;
            self.evict_oldest(self.front_left().records <= over);
        }
        while self.held().bytes > bytes {
            self.evict_oldest(true);
        }
    }

    /// Lets the oldest chunk leave where it is to and is full, else its oldest record.
    fn evict_oldest(&mut self, chunk: bool) {
        if chunk && self.chunks.len() > 1 {
            self.evict_chunk();
        } else {
            self.evict_record();
        }
    }

    /// Shows readers what is left.
    fn commit(&mut self) {
        let first = self.first();
        if self.changed {
            self.log.store(&self.chunks, first);
            self.changed = false;
        } else {
            self.log.store_first(first);
        }
    }

    /// The number of the oldest record that is held; that of the next one where none is.
    fn first(&self) -> u64 {
        match self.chunks.front() {
            Some(chunk) => chunk.first() + u64::from(self.front.records),
            None => self.accepted.records,
        }
    }

    /// A pen with room for a record, and its source's index.
    fn pen_for(&mut self, source: &std::sync::Arc<S>, payload: usize) -> (Pen<S>, u16) {
        if let Some(mut pen) = self.pen.take() {
            let index = if pen.has_room(payload) { pen.source(source) } else { None };
            match index {
                Some(index) => return (pen, index),
                None => self.pen = Some(pen),
            }
        }
        let mut pen = self.new_chunk(payload);
        let index = pen.source(source).expect("a new chunk has places");
        (pen, index)
    }

    fn new_chunk(&mut self, payload: usize) -> Pen<S> {
        // Dropping a pen publishes all that it wrote. Readers go to the new chunk only afterwards.
        let sources = self.pen.take().map_or(0, |pen| usize::from(pen.at().sources));
        self.trim();
        if self.front_left().records == 0 {
            self.evict_chunk();
        }
        let (smallest, largest) = CHUNK;
        let held = self.held().bytes.min(self.limits.bytes);
        let part = held.min(DOUBLED).max(held / PARTS);
        let part = usize::try_from(part).unwrap_or(largest).next_power_of_two();
        let bytes = part.clamp(smallest, largest).max(OVERHEAD + payload);
        let sources = (sources * 2).clamp(SOURCES, usize::from(u16::MAX));
        let first = self.accepted.records;
        let reused = match self.spare.take() {
            Some(spare) if spare.capacity() == bytes && spare.places() >= sources => {
                self.memory -= spare.memory();
                Pen::reuse(spare, first)
            }
            spare => {
                self.memory -= spare.map_or(0, |spare| spare.memory());
                None
            }
        };
        let pen = reused.unwrap_or_else(|| Pen::new(first, bytes, sources));
        self.memory += pen.chunk().memory();
        self.chunks.push_back(pen.chunk().clone());
        self.changed = true;
        self.commit();
        pen
    }

    /// The oldest record that is held and published.
    fn oldest(&self) -> Option<Record<'_>> {
        let (_, bytes, _) = self.chunks.front()?.published();
        (self.front.offset < bytes.len()).then(|| record::read(bytes, self.front.offset).0)
    }

    /// What the first chunk holds.
    fn front_left(&self) -> Count {
        self.chunks.front().map_or_else(Count::default, |chunk| {
            let extent = chunk.published().0;
            let records = u64::from(extent.records - self.front.records);
            let bytes = (extent.bytes as usize - self.front.offset) as u64;
            Count { records, bytes: bytes - records * OVERHEAD as u64 }
        })
    }

    /// Lets the oldest record leave. There is one that is published.
    fn evict_record(&mut self) {
        let payload = self.oldest().expect("asked only where one is held").payload.len();
        if self.front_left().records == 1 && self.chunks.len() > 1 {
            self.evict_chunk();
            return;
        }
        self.front.records += 1;
        self.front.offset += OVERHEAD + payload;
        self.evicted += Count { records: 1, bytes: payload as u64 };
    }

    /// Lets the oldest chunk leave. False where there is none.
    fn evict_chunk(&mut self) -> bool {
        if self.chunks.len() == 1 {
            // Publishes what it wrote, so that it is counted.
            self.pen = None;
        }
        self.evicted += self.front_left();
        let Some(chunk) = self.chunks.pop_front() else { return false };
        self.front = Front::default();
        self.changed = true;
        self.forget_spare();
        self.spare = Some(chunk);
        true
    }

    fn forget_spare(&mut self) {
        self.memory -= self.spare.take().map_or(0, |spare| spare.memory());
    }
}
