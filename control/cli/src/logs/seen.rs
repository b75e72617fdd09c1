//! Lines that were shown already: after a restart of logd some come again.

use std::collections::{HashSet, VecDeque};

/// More than come again: what logd has of the seconds before a cursor.
const CAP: usize = 100_000;

/// The names of the last lines, as hashes.
#[derive(Debug)]
pub(crate) struct Seen {
    known: HashSet<u128>,
    order: VecDeque<u128>,
    cap: usize,
}

impl Default for Seen {
    fn default() -> Self {
        Self { known: HashSet::new(), order: VecDeque::new(), cap: CAP }
    }
}

impl Seen {
    /// Whether the name is new. From now on it is not, until many others came.
    pub(crate) fn insert(&mut self, name: &str) -> bool {
        let hash = xxhash_rust::xxh3::xxh3_128(name.as_bytes());
        if !self.known.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > self.cap
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_new_once_while_it_is_remembered() {
        let mut seen = Seen { cap: 2, ..Seen::default() };
        let new: Vec<bool> =
            ["a", "b", "a", "c", "a", "b"].iter().map(|name| seen.insert(name)).collect();
        assert_eq!(new, [true, true, false, true, true, true]);
    }
}
