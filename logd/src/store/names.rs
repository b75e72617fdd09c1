//! Memory for names and labels of the files that senders have open, over all their streams.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Part of the memory for logs that they may take. It is taken from records, of whatever app: nobody can
/// give it back.
const PART: usize = 8;

/// Bytes for all open files together.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    used: Arc<AtomicUsize>,
    limit: usize,
}

/// Bytes that are given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    pub(crate) bytes: usize,
    used: Arc<AtomicUsize>,
}

impl Names {
    /// A part of so many bytes.
    pub(crate) fn of(memory: usize) -> Self {
        Self { used: Arc::default(), limit: memory / PART }
    }

    /// Takes so many bytes, unless that is too much.
    pub(crate) fn take(&self, bytes: usize) -> Option<Share> {
        let more = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.limit);
        self.used.fetch_update(Relaxed, Relaxed, more).ok()?;
        Some(Share { bytes, used: self.used.clone() })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_is_there_for_others() {
        let names = Names::of(800);
        let share = names.take(60).expect("there is room");
        assert!(names.take(41).is_none());
        let other = names.take(40).expect("there is room");
        drop(share);
        assert!(names.take(61).is_none() && names.take(60).is_some());
        assert_eq!(other.bytes, 40);
    }
}
