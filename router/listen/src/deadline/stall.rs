//! When a client has taken nothing for too long.

use tokio::time::Instant;

/// The start of a wait in which the client took no byte.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Stall(Option<Start>);

#[derive(Debug, Clone, Copy)]
struct Start {
    at: Instant,
    taken: u64,
}

impl Stall {
    /// For a write that has to wait `now`, when the client has taken `taken` bytes in all: since when it has taken no more than that.
    pub(crate) fn since(&mut self, taken: u64, now: Instant) -> Instant {
        match self.0 {
            Some(start) if start.taken == taken => start.at,
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
    fn each_byte_taken_begins_a_new_wait() {
        let mut stall = Stall::default();
        let start = Instant::now();
        let second = |n| start + Duration::from_secs(n);
        assert_eq!(stall.since(100, second(0)), second(0));
        assert_eq!(stall.since(100, second(5)), second(0));
        assert_eq!(stall.since(101, second(6)), second(6));
        assert_eq!(stall.since(101, second(9)), second(6));
    }
}
