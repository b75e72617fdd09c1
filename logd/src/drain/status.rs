//! How a drain is doing, for whoever asks.

use fairlead_drain::Failure;
use parking_lot::Mutex;
use serde::Serialize;

use super::{
    breaker,
    ledger::Ledger,
    totals::{self, Totals},
};
use crate::time;

/// How a drain is doing.
#[derive(Debug, Default)]
pub(crate) struct Status(Mutex<Doing>);

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

impl Status {
    pub(crate) fn doing(&self) -> Doing {
        self.0.lock().clone()
    }

    pub(super) fn ledger(&self, ledger: Ledger, totals: &Totals) {
        let mut doing = self.0.lock();
        totals.change(&doing.ledger, &ledger);
        doing.ledger = ledger;
    }

    pub(super) fn breaker(&self, state: breaker::State, failures: u32) {
        let mut doing = self.0.lock();
        (doing.breaker, doing.failures) = (state, failures);
    }

    pub(super) fn succeeded(&self) {
        self.0.lock().last_success = Some(time::now());
    }

    pub(super) fn failed(&self, failure: &Failure) {
        self.error(totals::name(failure.kind), failure.to_string());
    }

    pub(super) fn rejected(&self, message: String) {
        self.error("rejected", message);
    }

    fn error(&self, kind: &'static str, message: String) {
        let time = time::show(time::now());
        self.0.lock().last_error = Some(LastError { kind, message, time });
    }
}
