//! Tells lines that a receiver cannot read from a set-up of which it can read nothing.

use std::time::Duration;

use fairlead_drain::{Reason, Verdict};
use tokio::time::Instant;

/// How long lines go again that a receiver refuses without saying which of them it cannot read.
const GRACE: Duration = Duration::from_secs(300);

/// What a receiver has refused as a whole. Most often that is a mistake of the set-up, such as plain
/// HTTP to a port of TLS: there is time to mend it before lines are given up.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// It has taken a line, so the set-up is right, or was.
    taken: bool,
    /// Since when it has taken nothing but refused all.
    since: Option<Instant>,
}

impl Refusals {
    /// Whether all of these lines are to go again although they were refused.
    pub(super) fn go_again(&mut self, verdicts: &[Verdict], now: Instant) -> bool {
        let unread = Verdict::Rejected(Reason::Unread);
        if verdicts.is_empty() {
            return false;
        }
        if verdicts.iter().any(|verdict| *verdict != unread) {
            *self = Self { taken: true, since: None };
            return false;
        }
        // A line that was sent by itself may be the one that cannot be read.
        if self.taken && self.since.is_none() && verdicts.len() == 1 {
            return false;
        }
        now < *self.since.get_or_insert(now) + GRACE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNREAD: Verdict = Verdict::Rejected(Reason::Unread);
    const REFUSED: Verdict = Verdict::Rejected(Reason::Refused);

    #[test]
    fn what_is_refused_as_a_whole_goes_again_for_five_minutes() {
        let now = Instant::now();
        let after = |seconds| now + Duration::from_secs(seconds);
        let mut refusals = Refusals::default();
        assert!(refusals.go_again(&[UNREAD], now), "nothing was taken so far");
        assert!(refusals.go_again(&[UNREAD; 9], after(299)));
        assert!(!refusals.go_again(&[UNREAD; 9], after(300)));
        assert!(!refusals.go_again(&[UNREAD], after(301)));
        assert!(!refusals.go_again(&[Verdict::Delivered], after(302)));
        // A time of its own.
        assert!(refusals.go_again(&[UNREAD; 2], after(400)));
        assert!(refusals.go_again(&[UNREAD], after(699)), "a probe");
        assert!(!refusals.go_again(&[UNREAD], after(700)));
    }

    #[test]
    fn what_is_told_apart_does_not_go_again() {
        let now = Instant::now();
        let mut refusals = Refusals::default();
        assert!(!refusals.go_again(&[REFUSED; 2], now));
        assert!(!refusals.go_again(&[UNREAD, Verdict::Delivered], now));
        assert!(!refusals.go_again(&[UNREAD], now), "one line that cannot be read");
        assert!(!refusals.go_again(&[], now));
    }
}
