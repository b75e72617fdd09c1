//! How far a file is: what of a batch is new, and what is missing before it.

use std::ops::Range;

use fairlead_wire::message::{Batch, Opened};

/// How far a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Position {
    to: Option<u64>,
    open_stdout: Option<u64>,
    open_stderr: Option<u64>,
}

/// What of a batch is new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Advance {
    /// Records that end here or before are known.
    pub(crate) known: u64,
    /// What was never sent.
    pub(crate) gap: Option<Range<u64>>,
    /// Part of the batch was taken before.
    pub(crate) overlaps: bool,
}

impl Position {
    /// Takes a batch; none where nothing of it is new.
    pub(crate) fn advance(&mut self, batch: &Batch) -> Option<Advance> {
        let known = self.to.unwrap_or(batch.from);
        if self.to.is_some() && batch.to <= known {
            return None;
        }
        *self = Self {
            to: Some(batch.to),
            open_stdout: batch.open_stdout,
            open_stderr: batch.open_stderr,
        };
        let gap = (known < batch.from).then_some(known..batch.from);
        Some(Advance { known, gap, overlaps: batch.from < known })
    }

    /// Up to where it is stored.
    pub(crate) fn stored(&self) -> u64 {
        self.to.unwrap_or_default()
    }

    pub(crate) fn opened(&self, file: u32, settled: u64) -> Opened {
        let Self { to, open_stdout, open_stderr } = *self;
        Opened { file, to, open_stdout, open_stderr, settled }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(from: u64, to: u64) -> Batch {
        Batch { from, to, open_stdout: Some(to - 1), ..Batch::default() }
    }

    fn new(known: u64) -> Option<Advance> {
        Some(Advance { known, gap: None, overlaps: false })
    }

    #[test]
    fn batches_follow_one_another() {
        let mut position = Position::default();
        assert_eq!(position.opened(3, 0), Opened { file: 3, ..Opened::default() });
        assert_eq!(position.advance(&batch(10, 20)), new(10));
        assert_eq!(position.advance(&batch(20, 30)), new(20));
        let opened =
            Opened { file: 3, to: Some(30), open_stdout: Some(29), open_stderr: None, settled: 5 };
        assert_eq!(position.opened(3, 5), opened);
    }

    #[test]
    fn what_is_sent_again_is_known() {
        let mut position = Position::default();
        position.advance(&batch(10, 30));
        let before = position;
        assert_eq!(position.advance(&batch(10, 30)), None);
        assert_eq!(position.advance(&batch(0, 20)), None);
        assert_eq!(position, before);
        let advance = Advance { known: 30, gap: None, overlaps: true };
        assert_eq!(position.advance(&batch(20, 40)), Some(advance));
        assert_eq!(position.stored(), 40);
    }

    #[test]
    fn what_is_left_out_is_a_gap_and_the_beginning_is_none() {
        let mut position = Position::default();
        assert_eq!(position.advance(&batch(100, 200)), new(100));
        let advance = Advance { known: 200, gap: Some(200..250), overlaps: false };
        assert_eq!(position.advance(&batch(250, 300)), Some(advance));
    }
}
