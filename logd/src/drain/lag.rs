//! How far drains are behind.

use std::{collections::HashMap, sync::Arc};

use fairlead_ring::Next;
use serde::Serialize;

use super::feed::Subscription;
use crate::{app::App, time};

/// What the ring holds that a drain is not done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Lag {
    /// Records, wanted or not.
    pub(crate) records: u64,
    /// Bytes of their payloads.
    pub(crate) bytes: u64,
    /// How old the oldest is, by its time.
    pub(crate) seconds: u64,
}

/// How far each drain is behind, by its run.
pub(crate) fn of_all(apps: &[Arc<App>]) -> HashMap<u64, Lag> {
    let mut lags: HashMap<u64, Lag> = HashMap::new();
    for subscription in apps.iter().flat_map(|app| app.drains()) {
        let of_app = of_app(&subscription);
        let lag = lags.entry(subscription.feed.run).or_default();
        lag.records += of_app.records;
        lag.bytes += of_app.bytes;
        lag.seconds = lag.seconds.max(of_app.seconds);
    }
    lags
}

fn of_app(subscription: &Subscription) -> Lag {
    let log = &subscription.app.log;
    let done = subscription.done().max(log.first());
    let mut lag = Lag { records: log.end().saturating_sub(done), ..Lag::default() };
    if lag.records == 0 {
        return lag;
    }
    for view in log.backwards().take_while(|view| view.end() > done) {
        let entries = view.entries().filter(|entry| entry.no >= done);
        lag.bytes += entries.map(|entry| entry.record.payload.len() as u64).sum::<u64>();
    }
    if let Next::Entry(oldest) = log.reader(done).next() {
        let age = time::now().saturating_sub(oldest.record.time).max(0);
        lag.seconds = age.cast_unsigned() / 1_000_000_000;
    }
    lag
}
