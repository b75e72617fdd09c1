//! When a client has taken next to nothing for too long.

use tokio::time::Instant;

/// A client that takes less than this in the limit's time takes next to nothing: with the default of
/// 60 s that is 500 bytes a second, as for request bodies.
const LEAST: u64 = 30_000;

/// The start of a wait in which the client took less than it has to.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Stall(Option<Start>);

#[derive(Debug, Clone, Copy)]
struct Start {
    at: Instant,
    taken: u64,
}

impl Stall {
    /// For a write that has to wait `now`, when the client has taken `taken` bytes in all: since when it has taken next to nothing.
    pub(crate) fn since(&mut self, taken: u64, now: Instant) -> Instant {
        match self.0 {
            Some(start) if taken.wrapping_sub(start.taken) < LEAST => start.at,
            _ => {
                self.0 = Some(Start { at: now, taken });
                now
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_new_wait_begins_when_enough_is_taken() {
        let mut stall = Stall::default();
        let start = Instant::now();
        let second = |n| start + Duration::from_secs(n);
        assert_eq!(stall.since(100, second(0)), second(0));
        assert_eq!(stall.since(100, second(5)), second(0));
        assert_eq!(stall.since(101, second(6)), second(0), "a byte is not enough");
        assert_eq!(stall.since(100 + LEAST - 1, second(7)), second(0));
        assert_eq!(stall.since(100 + LEAST, second(8)), second(8));
        assert_eq!(stall.since(100 + LEAST, second(9)), second(8));
    }
}
