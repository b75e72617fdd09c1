//! Up to where a file is settled: every drain concerned has it, or has counted it as lost.

use std::collections::VecDeque;

/// Ends of batches that are remembered per file; beyond, borders between them are forgotten.
const MARKS: usize = 16;

/// How far a file is settled, and which batches are stored and not settled.
#[derive(Debug, Default)]
pub(super) struct Settled {
    to: u64,
    marks: VecDeque<Mark>,
}

/// The end of a batch.
#[derive(Debug, Clone, Copy)]
struct Mark {
    /// The number after its last record in the app's ring.
    next: u64,
    /// Where it ends in the file.
    to: u64,
}

impl Settled {
    /// Up to where it is.
    pub(super) fn to(&self) -> u64 {
        self.to
    }

    /// Whether something is stored that is not settled.
    pub(super) fn is_behind(&self) -> bool {
        !self.marks.is_empty()
    }

    /// The file is stored up to `to`, all of it before the record `next`.
    pub(super) fn stored(&mut self, next: u64, to: u64) {
        if let Some(last) = self.marks.back_mut().filter(|last| last.next == next) {
            last.to = to;
            return;
        }
        if self.marks.len() == MARKS {
            // The newest stays, so that all is settled in the end.
            let mut keep = false;
            self.marks.retain(|_| {
                keep = !keep;
                !keep
            });
        }
        self.marks.push_back(Mark { next, to });
    }

    /// All records before `done` are done with. True where it went on.
    pub(super) fn settle(&mut self, done: u64) -> bool {
        let before = self.to;
        while let Some(mark) = self.marks.pop_front_if(|mark| mark.next <= done) {
            self.to = mark.to;
        }
        self.to > before
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Batches come and records are done with in any order of the two.
        #[test]
        fn what_is_settled_only_rises_is_never_beyond_what_is_done_and_reaches_the_end(
            steps in prop::collection::vec((0..5u64, 0..5u64), 1..300),
        ) {
            let mut settled = Settled::default();
            let (mut next, mut to, mut done) = (0, 0, 0);
            let mut batches = vec![(0, 0)];
            for (records, more_done) in steps {
                (next, to) = (next + records, to + records + 1);
                batches.push((next, to));
                settled.stored(next, to);
                done = (done + more_done).min(next);
                let before = settled.to();
                let moved = settled.settle(done);
                prop_assert_eq!(moved, settled.to() > before);
                let most = batches.iter().filter(|(next, _)| *next <= done).map(|(_, to)| *to).max();
                prop_assert!(before <= settled.to() && settled.to() <= most.unwrap_or(0));
                prop_assert!(settled.marks.len() <= MARKS);
                prop_assert_eq!(settled.is_behind(), next > done);
            }
            settled.settle(next);
            prop_assert_eq!((settled.to(), settled.is_behind()), (to, false));
        }
    }
}
