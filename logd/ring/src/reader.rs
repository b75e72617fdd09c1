//! Reading forward, following what is appended.

use crate::{
    chunk::Chunk,
    log::{Log, end},
    record::{self, Entry},
    sync::Arc,
};

/// A place in a ring. It holds the memory of at most one chunk.
pub struct Reader<S> {
    log: Log<S>,
    /// Where it reads. What is in it stays readable even after it has left the ring.
    chunk: Option<Arc<Chunk<S>>>,
    /// Where in the chunk the next record begins.
    offset: usize,
    next: u64,
}

/// What a reader comes to.
#[derive(Debug)]
pub enum Next<'a, S> {
    /// A record.
    Entry(Entry<'a, S>),
    /// So many records that have left the ring before they were read.
    Missed(u64),
    /// Nothing yet.
    Idle,
}

impl<S> Reader<S> {
    pub(crate) fn new(log: Log<S>, next: u64) -> Self {
        Self { log, chunk: None, offset: 0, next }
    }

    /// The number of the record that it comes to next.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.next
    }

    /// Goes on by a record, or past those that are missing.
    #[expect(clippy::should_implement_trait, reason = "what it gives borrows from the reader")]
    pub fn next(&mut self) -> Next<'_, S> {
        if !self.has_more() {
            if let Some(missed) = self.find_chunk() {
                return Next::Missed(missed);
            }
            if !self.has_more() {
                return Next::Idle;
            }
        }
        let chunk = self.chunk.as_ref().expect("one that has more");
        let (_, bytes, sources) = chunk.published();
        let (record, source, offset) = record::read(bytes, self.offset);
        let no = self.next;
        (self.offset, self.next) = (offset, no + 1);
        Next::Entry(Entry { no, source: &sources[usize::from(source)], record })
    }

    fn has_more(&self) -> bool {
        self.chunk.as_ref().is_some_and(|chunk| chunk.published().0.bytes as usize > self.offset)
    }

    /// Goes to the chunk that the next record is in, or will be. Where records are missing it goes
    /// past them and tells how many.
    fn find_chunk(&mut self) -> Option<u64> {
        let (chunk, first) = self.log.find(self.next);
        if first > self.next {
            let missed = first - self.next;
            (self.chunk, self.offset, self.next) = (None, 0, first);
            return Some(missed);
        }
        match (&self.chunk, chunk) {
            (Some(old), Some(new)) if Arc::ptr_eq(old, &new) => {}
            (_, Some(new)) if self.next < end(&new) => {
                let (_, bytes, _) = new.published();
                self.offset =
                    (new.first()..self.next).fold(0, |offset, _| record::next(bytes, offset));
                self.chunk = Some(new);
            }
            // All of it is read, or it has left: it need not be held.
            _ => (self.chunk, self.offset) = (None, 0),
        }
        None
    }
}
