//! What the writer and the readers of a ring share.

use std::sync::atomic::Ordering;

use imbl::Vector;

use crate::{
    chunk::Chunk,
    reader::Reader,
    sync::{Arc, AtomicU64, Swap},
    view::Backwards,
};

/// The chunks, oldest first.
pub(crate) type Directory<S> = Vector<Arc<Chunk<S>>>;

/// A ring, to be read. Clones are the same ring.
pub struct Log<S>(pub(crate) Arc<Shared<S>>);

pub(crate) struct Shared<S> {
    directory: Swap<Directory<S>>,
    /// The number of the oldest record that is held, or of the next one where there is none. The
    /// directory's first chunk may begin before it. Stored before the directory that goes with it
    /// and loaded after it: so it is never older than the directory.
    first: AtomicU64,
}

impl<S> Clone for Log<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S> Log<S> {
    pub(crate) fn new() -> Self {
        let directory = Swap::from_pointee(Directory::new());
        Self(Arc::new(Shared { directory, first: AtomicU64::new(0) }))
    }

    /// The number of the oldest record that is held; that of the next one where none is.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.0.first.load(Ordering::Acquire)
    }

    /// The number of the next record to be published.
    #[must_use]
    pub fn end(&self) -> u64 {
        let newest = self.0.directory.load().back().cloned();
        newest.map_or_else(|| self.first(), |chunk| self.first().max(end(&chunk)))
    }

    /// Reads on from a record number, at most from [`end`](Self::end).
    #[must_use]
    pub fn reader(&self, from: u64) -> Reader<S> {
        Reader::new(self.clone(), from.min(self.end()))
    }

    /// What is held, newest first.
    #[must_use]
    pub fn backwards(&self) -> Backwards<S> {
        Backwards::new(self.clone())
    }

    /// The last chunk that begins at `no` or before it, and the first record held.
    pub(crate) fn find(&self, no: u64) -> (Option<Arc<Chunk<S>>>, u64) {
        let directory = self.0.directory.load();
        let (mut low, mut high) = (0, directory.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if directory[middle].first() <= no { low = middle + 1 } else { high = middle }
        }
        let chunk = low.checked_sub(1).map(|index| directory[index].clone());
        drop(directory);
        (chunk, self.first())
    }

    pub(crate) fn store(&self, directory: &Directory<S>, first: u64) {
        self.0.first.store(first, Ordering::Release);
        self.0.directory.store(std::sync::Arc::new(directory.clone()));
    }

    pub(crate) fn store_first(&self, first: u64) {
        self.0.first.store(first, Ordering::Release);
    }
}

/// The number of the record after the last one published in `chunk`.
pub(crate) fn end<S>(chunk: &Chunk<S>) -> u64 {
    chunk.first() + u64::from(chunk.published().0.records)
}
