//! Memory that is written once, by one thread, while others read what is published of it. All
//! unsafe code of the ring is here.
//!
//! Invariants:
//!
//! 1. A chunk has one [`Pen`], made together with it and not cloned. Only the pen writes, and only
//!    to bytes and slots at or beyond `pen.at`, which never falls.
//! 2. What lies below `pen.at` is initialised.
//! 3. `published <= pen.at`, and it never falls while the chunk is shared. The pen stores it with
//!    release after it has written what it covers; readers load it with acquire and touch only
//!    what lies below.
//! 4. So no byte is written that anybody may be reading, and none is read that was not written.
//! 5. A chunk is used again only through an `&mut Chunk`, which proves that it is not shared.
#![allow(unsafe_code, reason = "threads share memory that one of them is still filling")]

use std::{cell::UnsafeCell, mem::MaybeUninit, slice, sync::Arc as Plain, sync::atomic::Ordering};

use crate::{
    record::OVERHEAD,
    sync::{Arc, AtomicU64},
};

/// A place that is written once.
type Slot<T> = UnsafeCell<MaybeUninit<T>>;

/// A part of a chunk, from its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) bytes: u32,
    pub(crate) sources: u16,
    pub(crate) records: u16,
}

impl Extent {
    fn pack(self) -> u64 {
        u64::from(self.bytes) | u64::from(self.sources) << 32 | u64::from(self.records) << 48
    }

    fn unpack(packed: u64) -> Self {
        Self {
            bytes: packed as u32,
            sources: (packed >> 32) as u16,
            records: (packed >> 48) as u16,
        }
    }
}

/// Records that lie behind one another, and what they come from.
pub(crate) struct Chunk<S> {
    /// The number of its first record.
    first: u64,
    bytes: Box<[Slot<u8>]>,
    sources: Box<[Slot<Plain<S>>]>,
    /// An [`Extent`].
    published: AtomicU64,
    #[cfg(loom)]
    races: races::Races,
}

// SAFETY: the cells are shared as invariant 4 says, as if by `&[u8]` and `&[Arc<S>]`.
unsafe impl<S: Send + Sync> Sync for Chunk<S> {}

impl<S> Chunk<S> {
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    pub(crate) fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// How many sources it can have.
    pub(crate) fn places(&self) -> usize {
        self.sources.len()
    }

    /// Bytes that it takes in memory.
    pub(crate) fn memory(&self) -> usize {
        size_of::<Self>() + self.bytes.len() + size_of_val(&*self.sources)
    }

    /// What of it can be read, and how far that goes.
    pub(crate) fn published(&self) -> (Extent, &[u8], &[Plain<S>]) {
        let extent = Extent::unpack(self.published.load(Ordering::Acquire));
        #[cfg(loom)]
        self.races.read(extent);
        // SAFETY: it is published (invariant 3).
        let (bytes, sources) = unsafe { self.below(extent) };
        (extent, bytes, sources)
    }

    /// # Safety
    /// All below `extent` is written, and the caller knows of that: it is the writer, or has loaded
    /// `extent` from `published`.
    unsafe fn below(&self, extent: Extent) -> (&[u8], &[Plain<S>]) {
        debug_assert!(extent.bytes as usize <= self.bytes.len());
        debug_assert!(usize::from(extent.sources) <= self.sources.len());
        // SAFETY: initialised, and never written again while `self` is shared (invariants 1, 2, 4).
        // Cells have the layout of what they hold.
        unsafe {
            (
                slice::from_raw_parts(self.bytes.as_ptr().cast(), extent.bytes as usize),
                slice::from_raw_parts(self.sources.as_ptr().cast(), extent.sources.into()),
            )
        }
    }

    /// Takes all out of it. The pen is gone, or belongs to the caller.
    fn empty(&mut self, written: Extent) {
        for slot in &mut self.sources[..written.sources.into()] {
            // SAFETY: initialised (invariant 2), and nobody else sees it. It is dropped once: the
            // caller forgets how much was written.
            unsafe { slot.get_mut().assume_init_drop() };
        }
    }
}

impl<S> Drop for Chunk<S> {
    fn drop(&mut self) {
        // A pen holds its chunk and publishes when it is dropped, so all is published.
        let written = Extent::unpack(self.published.load(Ordering::Relaxed));
        self.empty(written);
    }
}

/// The right to write to a chunk.
pub(crate) struct Pen<S> {
    chunk: Arc<Chunk<S>>,
    at: Extent,
    /// The source asked for last.
    last: u16,
}

impl<S> Pen<S> {
    /// A chunk for so many bytes and sources, whose first record has the number `first`.
    pub(crate) fn new(first: u64, bytes: usize, sources: usize) -> Self {
        assert!(u32::try_from(bytes).is_ok() && u16::try_from(sources).is_ok(), "an extent fits");
        let chunk = Chunk {
            first,
            bytes: slots(bytes),
            sources: slots(sources),
            published: AtomicU64::new(0),
            #[cfg(loom)]
            races: races::Races::new(bytes, sources),
        };
        Self { chunk: Arc::new(chunk), at: Extent::default(), last: 0 }
    }

    /// The same in the memory of a chunk that nobody reads or writes any more, where that is so.
    pub(crate) fn reuse(mut chunk: Arc<Chunk<S>>, first: u64) -> Option<Self> {
        let old = Arc::get_mut(&mut chunk)?;
        let written = Extent::unpack(old.published.load(Ordering::Relaxed));
        // First of all, so that nothing is dropped twice.
        old.published = AtomicU64::new(0);
        old.empty(written);
        old.first = first;
        Some(Self { chunk, at: Extent::default(), last: 0 })
    }

    pub(crate) fn chunk(&self) -> &Arc<Chunk<S>> {
        &self.chunk
    }

    /// How much is written.
    pub(crate) fn at(&self) -> Extent {
        self.at
    }

    /// Whether a record with such a payload still fits.
    pub(crate) fn has_room(&self, payload: usize) -> bool {
        self.at.records < u16::MAX
            && self.chunk.bytes.len() - self.at.bytes as usize >= OVERHEAD + payload
    }

    /// The index of `source` among the chunk's sources; none where they are full.
    pub(crate) fn source(&mut self, source: &Plain<S>) -> Option<u16> {
        #[cfg(loom)]
        self.chunk.races.read(self.at);
        // SAFETY: written by this pen (invariant 2).
        let (_, sources) = unsafe { self.chunk.below(self.at) };
        let is_it = |known: &Plain<S>| Plain::ptr_eq(known, source);
        // Records of one source come together.
        if sources.get(usize::from(self.last)).is_some_and(is_it) {
            return Some(self.last);
        }
        if let Some(index) = sources.iter().position(is_it) {
            self.last = index as u16;
            return Some(self.last);
        }
        let index = self.at.sources;
        let slot = self.chunk.sources.get(usize::from(index))?;
        #[cfg(loom)]
        self.chunk.races.write(0..0, index.into()..usize::from(index) + 1);
        // SAFETY: not yet written, so not published either: only this pen touches it (invariant 1).
        unsafe { UnsafeCell::raw_get(slot).write(MaybeUninit::new(source.clone())) };
        self.at.sources += 1;
        self.last = index;
        Some(index)
    }

    /// Adds a record.
    ///
    /// # Panics
    /// Where it has no [room](Self::has_room).
    pub(crate) fn write(&mut self, header: &[u8; OVERHEAD], payload: &[u8]) {
        assert!(self.has_room(payload.len()), "the caller looks first");
        let from = self.at.bytes as usize;
        let to = from + OVERHEAD + payload.len();
        #[cfg(loom)]
        self.chunk.races.write(from..to, 0..0);
        let slots = UnsafeCell::raw_get(self.chunk.bytes[from..to].as_ptr()).cast::<u8>();
        // SAFETY: `from..to` lies in the chunk, is not yet written and so not published: only this
        // pen touches it (invariant 1). What is copied from is borrowed, so it lies elsewhere.
        unsafe {
            slots.copy_from_nonoverlapping(header.as_ptr(), OVERHEAD);
            slots.add(OVERHEAD).copy_from_nonoverlapping(payload.as_ptr(), payload.len());
        }
        self.at.bytes = to as u32;
        self.at.records += 1;
    }

    /// Makes all that is written visible.
    pub(crate) fn publish(&mut self) {
        self.chunk.published.store(self.at.pack(), Ordering::Release);
    }
}

impl<S> Drop for Pen<S> {
    fn drop(&mut self) {
        self.publish();
    }
}

fn slots<T>(count: usize) -> Box<[Slot<T>]> {
    let slots = Box::<[Slot<T>]>::new_uninit_slice(count);
    // SAFETY: a slot needs no initialisation, since `MaybeUninit` needs none.
    unsafe { slots.assume_init() }
}

/// A shadow of the memory by which loom sees who touches what.
#[cfg(loom)]
mod races {
    use std::ops::Range;

    use loom::cell::UnsafeCell;

    use super::Extent;

    pub(super) struct Races {
        bytes: Vec<UnsafeCell<()>>,
        sources: Vec<UnsafeCell<()>>,
    }

    impl Races {
        pub(super) fn new(bytes: usize, sources: usize) -> Self {
            let cells = |count| (0..count).map(|_| UnsafeCell::new(())).collect();
            Self { bytes: cells(bytes), sources: cells(sources) }
        }

        pub(super) fn read(&self, below: Extent) {
            self.bytes[..below.bytes as usize].iter().for_each(|cell| cell.with(|_| ()));
            self.sources[..below.sources.into()].iter().for_each(|cell| cell.with(|_| ()));
        }

        pub(super) fn write(&self, bytes: Range<usize>, sources: Range<usize>) {
            self.bytes[bytes].iter().for_each(|cell| cell.with_mut(|_| ()));
            self.sources[sources].iter().for_each(|cell| cell.with_mut(|_| ()));
        }
    }
}
