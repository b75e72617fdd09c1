//! What is counted for all drains of a kind together, also those that are gone.

use std::{collections::BTreeMap, sync::Arc};

use fairlead_drain::FailureKind;
use parking_lot::Mutex;

use super::ledger::Ledger;
use crate::store::counters::Counter;

/// Counts for each kind of drain: the scheme of its URL.
#[derive(Debug, Default)]
pub(crate) struct Kinds(Mutex<BTreeMap<&'static str, Arc<Totals>>>);

/// Of one kind.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) matched: Counter,
    pub(crate) delivered: Counter,
    pub(crate) sent: Counter,
    pub(crate) resent: Counter,
    pub(crate) lost_lag: Counter,
    pub(crate) lost_expired: Counter,
    pub(crate) lost_rejected: Counter,
    failures: [Counter; FAILURES.len()],
}

/// Kinds of failures, as they are shown.
pub(crate) const FAILURES: [(FailureKind, &str); 8] = [
    (FailureKind::Resolve, "resolve"),
    (FailureKind::Forbidden, "forbidden"),
    (FailureKind::Connect, "connect"),
    (FailureKind::Certificate, "certificate"),
    (FailureKind::Timeout, "timeout"),
    (FailureKind::Busy, "busy"),
    (FailureKind::Denied, "denied"),
    (FailureKind::Protocol, "protocol"),
];

fn index(kind: FailureKind) -> usize {
    FAILURES.iter().position(|(known, _)| *known == kind).expect("all kinds are listed")
}

/// What kind of failure, as it is shown.
pub(super) fn name(kind: FailureKind) -> &'static str {
    FAILURES[index(kind)].1
}

impl Kinds {
    /// Those of one kind.
    pub(super) fn of(&self, kind: &'static str) -> Arc<Totals> {
        self.0.lock().entry(kind).or_default().clone()
    }

    /// Those of all kinds that there were.
    pub(crate) fn all(&self) -> Vec<(&'static str, Arc<Totals>)> {
        self.0.lock().iter().map(|(kind, totals)| (*kind, totals.clone())).collect()
    }
}

impl Totals {
    /// A drain's account went from one to the other.
    pub(super) fn change(&self, from: &Ledger, to: &Ledger) {
        for (total, from, to) in [
            (&self.matched, from.matched, to.matched),
            (&self.delivered, from.delivered, to.delivered),
            (&self.sent, from.sent, to.sent),
            (&self.resent, from.resent, to.resent),
            (&self.lost_lag, from.lost_lag, to.lost_lag),
            (&self.lost_expired, from.lost_expired, to.lost_expired),
            (&self.lost_rejected, from.lost_rejected, to.lost_rejected),
        ] {
            if to > from {
                total.add(to - from);
            }
        }
    }

    pub(super) fn failed(&self, kind: FailureKind) {
        self.failures[index(kind)].add(1);
    }

    /// Attempts that failed so.
    pub(crate) fn failures(&self, kind: FailureKind) -> u64 {
        self.failures[index(kind)].get()
    }
}
