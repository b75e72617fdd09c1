//! How a drain is doing, for whoever asks.

use std::{collections::VecDeque, time::Duration};

use fairlead_drain::{Failure, Reason};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::time::Instant;

use super::{
    breaker,
    lag::Lag,
    ledger::Ledger,
    totals::{self, Totals},
};
use crate::time;

/// How long it is known how far a drain is behind.
const FRESH: Duration = Duration::from_secs(1);
/// Lines that are named of those that were rejected, at most: the newest.
pub(super) const NAMED: usize = 32;

/// How a drain is doing.
#[derive(Debug, Default)]
pub(crate) struct Status {
    doing: Mutex<Doing>,
    lag: Mutex<Option<(Instant, Lag)>>,
    rejected: Mutex<VecDeque<RejectedLine>>,
}

/// A line that its receiver will never take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RejectedLine {
    pub(crate) app: String,
    /// What it is called; null where it has left the ring meanwhile, or the receiver said how many
    /// lines it does not take and not which.
    pub(crate) name: Option<String>,
    /// `refused` or `too_long`.
    pub(crate) reason: &'static str,
    /// When that was known: RFC 3339.
    pub(crate) time: String,
}

/// What is known of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Doing {
    pub(crate) ledger: Ledger,
    pub(crate) breaker: breaker::State,
    /// Failures in a row.
    pub(crate) failures: u32,
    pub(crate) last_error: Option<LastError>,
    /// When lines last arrived: nanoseconds since 1970-01-01 UTC.
    pub(crate) last_success: Option<i64>,
}

/// Why lines did not arrive.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct LastError {
    /// `resolve`, `forbidden`, `connect`, `certificate`, `timeout`, `busy`, `denied`, `protocol`, or
    /// `rejected` where the receiver will never take a line.
    pub(crate) kind: &'static str,
    /// What the receiver, or the way to it, said. No secret is in it.
    pub(crate) message: String,
    /// RFC 3339.
    pub(crate) time: String,
}

/// Why it is not taken, as it is shown.
pub(super) fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Refused | Reason::Unread | Reason::Together | Reason::Unnamed => "refused",
        Reason::TooLong => "too_long",
    }
}

impl Status {
    pub(crate) fn doing(&self) -> Doing {
        self.doing.lock().clone()
    }

    /// How far it is behind, where that was found within the last second.
    pub(super) fn lag(&self) -> Option<Lag> {
        self.lag.lock().filter(|(found, _)| found.elapsed() < FRESH).map(|(_, lag)| lag)
    }

    pub(super) fn is_behind(&self, lag: Lag) {
        *self.lag.lock() = Some((Instant::now(), lag));
    }

    /// The newest lines that its receiver will never take, oldest first.
    pub(crate) fn rejected_lines(&self) -> Vec<RejectedLine> {
        self.rejected.lock().iter().cloned().collect()
    }

    /// Lines that its receiver will never take, oldest first.
    pub(super) fn name_rejected(&self, lines: impl IntoIterator<Item = RejectedLine>) {
        let mut rejected = self.rejected.lock();
        for line in lines {
            if rejected.len() == NAMED {
                rejected.pop_front();
            }
            rejected.push_back(line);
        }
    }

    pub(super) fn ledger(&self, ledger: Ledger, totals: &Totals) {
        let mut doing = self.doing.lock();
        totals.change(&doing.ledger, &ledger);
        doing.ledger = ledger;
    }

    pub(super) fn breaker(&self, state: breaker::State, failures: u32) {
        let mut doing = self.doing.lock();
        (doing.breaker, doing.failures) = (state, failures);
    }

    pub(super) fn succeeded(&self) {
        self.doing.lock().last_success = Some(time::now());
    }

    pub(super) fn failed(&self, failure: &Failure) {
        self.error(totals::name(failure.kind), failure.to_string());
    }

    pub(super) fn rejected(&self, message: String) {
        self.error("rejected", message);
    }

    fn error(&self, kind: &'static str, message: String) {
        let time = time::show(time::now());
        self.doing.lock().last_error = Some(LastError { kind, message, time });
    }
}
