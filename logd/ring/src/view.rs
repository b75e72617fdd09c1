//! Reading backwards, chunk by chunk.

use crate::{
    chunk::{Chunk, Extent},
    log::Log,
    record::{self, Entry, OVERHEAD},
    sync::Arc,
};

/// What a ring held when it was asked for, newest first; what has left meanwhile is passed over.
pub struct Backwards<S> {
    log: Log<S>,
    next: Option<View<S>>,
    end: u64,
}

/// Records that lie behind one another. It holds their memory.
pub struct View<S> {
    chunk: Arc<Chunk<S>>,
    extent: Extent,
    /// How many of the chunk's records come before those that are shown.
    skipped: u16,
}

impl<S> Backwards<S> {
    pub(crate) fn new(log: Log<S>) -> Self {
        let first = log.first();
        let next = before(&log, None);
        let end = next.as_ref().map_or(first, View::end);
        Self { log, next, end }
    }

    /// The number after the newest record: where to go on reading forward.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }
}

impl<S> Iterator for Backwards<S> {
    type Item = View<S>;

    fn next(&mut self) -> Option<View<S>> {
        let view = self.next.take()?;
        self.next = before(&self.log, Some(view.chunk.first()));
        Some(view)
    }
}

/// The last records before a number, or of all.
fn before<S>(log: &Log<S>, no: Option<u64>) -> Option<View<S>> {
    let mut no = no.unwrap_or(u64::MAX);
    loop {
        let (chunk, first) = log.find(no.checked_sub(1)?);
        let chunk = chunk?;
        let extent = chunk.published().0;
        // A chunk that is just begun is still empty.
        if extent.records == 0 {
            no = chunk.first();
            continue;
        }
        let skipped = first.saturating_sub(chunk.first());
        let held = skipped < u64::from(extent.records);
        return held.then(|| View { chunk, extent, skipped: skipped as u16 });
    }
}

impl<S> View<S> {
    /// The number of the first record.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.chunk.first() + u64::from(self.skipped)
    }

    /// The number after the last record.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.chunk.first() + u64::from(self.extent.records)
    }

    /// Bytes of the payloads of its records from a number on. It costs nothing where that are all that
    /// the chunk has.
    #[must_use]
    pub fn payload_bytes(&self, from: u64) -> u64 {
        if from <= self.chunk.first() && self.skipped == 0 {
            let overhead = usize::from(self.extent.records) * OVERHEAD;
            return u64::from(self.extent.bytes) - overhead as u64;
        }
        self.entries_from(from).map(|entry| entry.record.payload.len() as u64).sum()
    }

    /// The records, oldest first.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_, S>> {
        self.entries_from(self.first())
    }

    /// Those from a number on, which lies in the view.
    pub fn entries_from(&self, no: u64) -> impl Iterator<Item = Entry<'_, S>> {
        let (_, bytes, sources) = self.chunk.published();
        let bytes = &bytes[..self.extent.bytes as usize];
        let mut no = no.clamp(self.first(), self.end());
        let mut offset = (self.chunk.first()..no).fold(0, |offset, _| record::next(bytes, offset));
        std::iter::from_fn(move || {
            let (record, source, next) =
                (offset < bytes.len()).then(|| record::read(bytes, offset))?;
            let entry = Entry { no, source: &sources[usize::from(source)], record };
            (no, offset) = (no + 1, next);
            Some(entry)
        })
    }
}
