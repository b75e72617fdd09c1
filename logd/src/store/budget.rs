//! Memory that all shards share.
//!
//! The largest app gives back first. That is max-min fairness: no app loses anything as long as
//! another one holds more.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// Part of the budget that is kept free, so that a shard can leave it to another one to give back.
const SLACK: usize = 16;

/// Bytes for all apps together.
pub(crate) struct Budget {
    limit: usize,
    used: AtomicUsize,
    /// What each shard's largest app holds.
    largest: Box<[AtomicUsize]>,
}

impl Budget {
    pub(crate) fn new(limit: usize, shards: usize) -> Self {
        let largest = (0..shards).map(|_| AtomicUsize::new(0)).collect();
        Self { limit, used: AtomicUsize::new(0), largest }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(SeqCst)
    }

    /// An app went from so many bytes to so many.
    pub(crate) fn change(&self, from: usize, to: usize) {
        if to >= from {
            self.used.fetch_add(to - from, SeqCst);
        } else {
            self.used.fetch_sub(from - to, SeqCst);
        }
    }

    /// Whether a shard's largest app, which holds `largest`, has to give back: where memory is
    /// short and no shard has a larger one, or where the limit is passed.
    pub(crate) fn is_short(&self, shard: usize, largest: usize) -> bool {
        self.largest[shard].store(largest, SeqCst);
        let used = self.used();
        if used <= self.limit - self.limit / SLACK {
            return false;
        }
        used > self.limit || self.largest.iter().all(|other| other.load(SeqCst) <= largest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shard_with_the_largest_app_gives_back() {
        let budget = Budget::new(160, 2);
        budget.change(0, 150);
        assert!(!budget.is_short(0, 90), "there is room");
        budget.change(0, 5);
        assert!(!budget.is_short(1, 50), "the other one holds more");
        assert!(budget.is_short(0, 90));
        budget.change(90, 80);
        assert!(!budget.is_short(0, 80));
        assert_eq!(budget.used(), 145);
    }

    #[test]
    fn the_limit_is_hard() {
        let budget = Budget::new(160, 2);
        budget.change(0, 161);
        assert!(budget.is_short(0, 90));
        assert!(budget.is_short(1, 50), "nobody is waited for");
    }
}
