//! Tells lines that a receiver cannot read from a set-up of which it can read nothing.

use std::time::Duration;

use fairlead_drain::{Reason, Verdict};
use tokio::time::Instant;

/// How long lines go again that a receiver refuses without saying which of them it cannot read.
const GRACE: Duration = Duration::from_secs(300);

/// In what is refused as a whole there is a line that was asked for alone: the oldest.
const UNREAD: Verdict = Verdict::Rejected(Reason::Unread);
const TOGETHER: Verdict = Verdict::Rejected(Reason::Together);

/// What a receiver has refused as a whole. Most often that is a mistake of the set-up, such as plain
/// HTTP to a port of TLS: there is time to mend it before lines are given up.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// It has taken a line, so the set-up is right, or was.
    taken: bool,
    /// Since when there are lines of which it takes none.
    since: Option<Instant>,
    /// It has taken others since then: the set-up is right, and these lines are wrong.
    proved: bool,
}

impl Refusals {
    /// Whether all of these lines are to go again although they were refused. Where they are not, and
    /// the set-up is right, those go again that nobody was asked for alone.
    pub(super) fn go_again(&mut self, verdicts: &mut [Verdict], now: Instant) -> bool {
        if !verdicts.contains(&UNREAD) {
            // That a line is too long is no word on those that are not.
            if verdicts.iter().any(|verdict| *verdict != Verdict::Rejected(Reason::TooLong)) {
                (self.taken, self.proved) = (true, self.since.is_some());
            }
            return false;
        }
        // A line that was sent by itself may be the one that cannot be read.
        let alone = self.taken && self.since.is_none() && verdicts.len() == 1;
        if alone || self.proved {
            (self.since, self.proved) = (None, false);
            let together = |verdict: &&mut Verdict| **verdict == TOGETHER;
            verdicts.iter_mut().filter(together).for_each(|verdict| *verdict = Verdict::Again);
            return false;
        }
        now < *self.since.get_or_insert(now) + GRACE
    }

    /// Whether there may be lines of which it takes none.
    pub(super) fn wait(&self) -> bool {
        self.since.is_some()
    }

    /// There are none: it has taken them after all, or they were given up.
    pub(super) fn are_over(&mut self) {
        (self.since, self.proved) = (None, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: Verdict = Verdict::Rejected(Reason::Refused);
    const TOO_LONG: Verdict = Verdict::Rejected(Reason::TooLong);

    #[test]
    fn what_is_refused_as_a_whole_goes_again_for_five_minutes() {
        let now = Instant::now();
        let after = |seconds| now + Duration::from_secs(seconds);
        let mut refusals = Refusals::default();
        assert!(refusals.go_again(&mut [UNREAD], now), "nothing was taken so far");
        assert!(refusals.go_again(&mut [UNREAD; 9], after(298)));
        assert!(refusals.go_again(&mut [TOO_LONG, UNREAD], after(299)));
        assert!(!refusals.go_again(&mut [TOO_LONG], after(299)), "nor does it prove anything");
        let mut late = [UNREAD, UNREAD, TOGETHER];
        assert!(!refusals.go_again(&mut late, after(300)));
        assert_eq!(late, [UNREAD, UNREAD, TOGETHER]);
        assert!(!refusals.go_again(&mut [UNREAD], after(301)));
    }

    #[test]
    fn what_is_taken_meanwhile_proves_the_set_up() {
        for taken in [Verdict::Delivered, Verdict::Sent, Verdict::Again, REFUSED] {
            let now = Instant::now();
            let after = |seconds| now + Duration::from_secs(seconds);
            let mut refusals = Refusals::default();
            assert!(!refusals.go_again(&mut [taken], now));
            for begin in [0, 400] {
                assert!(refusals.go_again(&mut [UNREAD; 2], after(begin)), "a time of its own");
                assert!(refusals.go_again(&mut [UNREAD], after(begin + 1)), "a probe");
                assert!(!refusals.go_again(&mut [taken; 3], after(begin + 2)));
                assert!(!refusals.go_again(&mut [taken], after(begin + 3)));
                let mut refused = [UNREAD, TOO_LONG, TOGETHER, TOGETHER];
                assert!(!refusals.go_again(&mut refused, after(begin + 4)));
                assert_eq!(refused, [UNREAD, TOO_LONG, Verdict::Again, Verdict::Again]);
            }
        }
    }

    #[test]
    fn what_is_told_apart_does_not_go_again() {
        let now = Instant::now();
        let mut refusals = Refusals::default();
        assert!(!refusals.go_again(&mut [REFUSED; 2], now));
        assert!(!refusals.go_again(&mut [REFUSED, Verdict::Delivered], now));
        assert!(!refusals.go_again(&mut [UNREAD], now), "one line that cannot be read");
        assert!(!refusals.go_again(&mut [], now));
    }
}
