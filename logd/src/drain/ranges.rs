//! Sets of record numbers that mostly lie behind one another.

use std::{collections::BTreeMap, ops::Range};

/// A set of numbers, kept as ranges that neither overlap nor touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ranges {
    /// The end of each by its start.
    ends: BTreeMap<u64, u64>,
    count: u64,
}

impl Ranges {
    /// The smallest number.
    pub(crate) fn first(&self) -> Option<u64> {
        self.ends.keys().next().copied()
    }

    /// The range with the smallest numbers.
    pub(crate) fn first_range(&self) -> Option<Range<u64>> {
        self.ends.iter().next().map(|(start, end)| *start..*end)
    }

    /// How many numbers are in it.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// How many of these numbers are in it.
    pub(crate) fn count_in(&self, range: Range<u64>) -> u64 {
        let before = self.ends.range(..range.start).next_back();
        let within =
            before.into_iter().chain(self.ends.range(range.start..range.end.max(range.start)));
        let shared = within
            .map(|(start, end)| (*end).min(range.end).saturating_sub((*start).max(range.start)));
        shared.sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds numbers, known or not.
    pub(crate) fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        self.remove(range.clone());
        let Range { mut start, mut end } = range;
        self.count += end - start;
        if let Some((before, _)) =
            self.ends.range(..start).next_back().filter(|(_, e)| **e == start)
        {
            start = *before;
        }
        if let Some(after) = self.ends.remove(&end) {
            end = after;
        }
        self.ends.insert(start, end);
    }

    /// Takes numbers out, those that are in it. Gives how many.
    pub(crate) fn remove(&mut self, range: Range<u64>) -> u64 {
        let before = self.count;
        if range.is_empty() {
            return 0;
        }
        while let Some((&start, &end)) =
            self.ends.range(..range.end).next_back().filter(|(_, end)| **end > range.start)
        {
            self.ends.remove(&start);
            self.count -= end.min(range.end) - start.max(range.start);
            if start < range.start {
                self.ends.insert(start, range.start);
            }
            if end > range.end {
                self.ends.insert(range.end, end);
            }
        }
        before - self.count
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set_of_numbers(
            steps in prop::collection::vec((any::<bool>(), 0..40u64, 0..12u64), 1..60),
        ) {
            let (mut ranges, mut model) = (Ranges::default(), BTreeSet::new());
            for (insert, start, length) in steps {
                let range = start..start + length;
                let there = model.range(range.clone()).count() as u64;
                prop_assert_eq!(ranges.count_in(range.clone()), there);
                if insert {
                    ranges.insert(range.clone());
                    model.extend(range);
                } else {
                    prop_assert_eq!(ranges.remove(range.clone()), there);
                    model.retain(|no| !range.contains(no));
                }
                prop_assert_eq!(ranges.count(), model.len() as u64);
                prop_assert_eq!(ranges.first(), model.first().copied());
                let all: Vec<u64> = ranges.ends.iter().flat_map(|(s, e)| *s..*e).collect();
                prop_assert_eq!(all, model.iter().copied().collect::<Vec<_>>());
                // Neither overlapping nor touching.
                let starts = ranges.ends.keys().skip(1);
                prop_assert!(ranges.ends.values().zip(starts).all(|(end, next)| end < next));
                let first = ranges.first_range();
                prop_assert_eq!(first.map(|range| range.start), ranges.first());
            }
        }
    }
}
