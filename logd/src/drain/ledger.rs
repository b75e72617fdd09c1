//! The account of a drain.

use fairlead_drain::Verdict;
use serde::Serialize;

/// What became of the lines of a drain, in lines, since it was set up here. At every moment
/// `matched = delivered + sent + pending + lost_lag + lost_expired + lost_rejected`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Ledger {
    /// Lines that were wanted, and all that left before it was known whether they are.
    pub(crate) matched: u64,
    /// The receiver's protocol has confirmed them.
    pub(crate) delivered: u64,
    /// They have left; its protocol confirms nothing.
    pub(crate) sent: u64,
    /// They are under way, or go again.
    pub(crate) pending: u64,
    /// They left the ring to make room, before they could be sent.
    pub(crate) lost_lag: u64,
    /// They left because of their age, were deleted, their app is no longer this drain's, or the drain
    /// has ended.
    pub(crate) lost_expired: u64,
    /// The receiver takes them never.
    pub(crate) lost_rejected: u64,
    /// Sendings of lines that had left before, each counted when it is known that it has left, too.
    pub(crate) resent: u64,
    /// Notices of losses that the receiver was given.
    pub(crate) notices: u64,
}

impl Ledger {
    /// So many pending lines are decided.
    pub(super) fn decide(&mut self, verdict: Verdict, lines: u64) {
        let account = match verdict {
            Verdict::Delivered => &mut self.delivered,
            Verdict::Sent => &mut self.sent,
            Verdict::Rejected(_) => &mut self.lost_rejected,
            Verdict::Again => return,
        };
        *account += lines;
        self.pending -= lines;
    }

    /// So many that were pending are gone, the first of them for another reason than lag.
    pub(super) fn lose(&mut self, expired: u64, lag: u64) {
        self.lost_expired += expired;
        self.lost_lag += lag;
        self.pending -= expired + lag;
    }

    /// Whether nothing is missing in it.
    #[cfg(test)]
    pub(super) fn balances(&self) -> bool {
        let Self { matched, delivered, sent, pending, .. } = self;
        *matched
            == delivered + sent + pending + self.lost_lag + self.lost_expired + self.lost_rejected
    }
}
