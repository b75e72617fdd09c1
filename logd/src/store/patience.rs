//! For how long files that were read to their ends are remembered: apps that come and go, as those of jobs do, are without number, and
//! what is remembered of them is not to take the room of lines.

use std::time::Duration;

/// Part of the memory that may be for such files.
const PART: usize = 16;

/// Of the apps of a shard.
#[derive(Debug)]
pub(super) struct Patience {
    /// Bytes.
    most: usize,
    longest: Duration,
    keep: Duration,
}

impl Patience {
    /// Of `memory` bytes of a shard; a file is remembered for `longest` where there is room.
    pub(super) fn new(memory: usize, longest: Duration) -> Self {
        Self { most: memory / PART, longest, keep: longest }
    }

    /// For how long.
    pub(super) fn keep(&self) -> Duration {
        self.keep
    }

    /// So many bytes are remembered. What is too much is gone when it was told some times.
    pub(super) fn adapt(&mut self, bytes: usize) {
        if bytes > self.most {
            self.keep /= 4;
        } else if bytes < self.most / 4 {
            // From nothing it would not get longer.
            self.keep = (self.keep * 2).max(Duration::from_secs(1)).min(self.longest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_is_remembered_the_shorter() {
        let week = Duration::from_secs(7 * 24 * 3_600);
        let mut patience = Patience::new(1 << 24, week);
        assert_eq!(patience.keep(), week);
        patience.adapt((1 << 20) + 1);
        assert_eq!(patience.keep(), week / 4);
        patience.adapt(1 << 20);
        patience.adapt(1 << 18);
        assert_eq!(patience.keep(), week / 4);
        (0..100).for_each(|_| patience.adapt(usize::MAX));
        assert_eq!(patience.keep(), Duration::ZERO);
        (0..100).for_each(|_| patience.adapt(0));
        assert_eq!(patience.keep(), week);
    }
}
