//! How far drains are behind.

use std::{collections::HashMap, sync::Arc};

use fairlead_ring::Next;
use serde::Serialize;

use super::{feed::Subscription, manager::Running};
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

/// How far these drains are behind, by their runs. What was found within the last second is not looked
/// for again.
pub(crate) fn of(apps: &[Arc<App>], drains: &[&Running]) -> HashMap<u64, Lag> {
    let (mut lags, mut unknown) = (HashMap::new(), HashMap::new());
    for one in drains {
        match one.status.lag() {
            Some(lag) => _ = lags.insert(one.feed.run, lag),
            None => _ = unknown.insert(one.feed.run, (one, Lag::default())),
        }
    }
    if !unknown.is_empty() {
        for subscription in apps.iter().flat_map(|app| app.drains()) {
            let Some((_, lag)) = unknown.get_mut(&subscription.feed.run) else { continue };
            let of_app = of_app(&subscription);
            lag.records += of_app.records;
            lag.bytes += of_app.bytes;
            lag.seconds = lag.seconds.max(of_app.seconds);
        }
    }
    for (run, (one, lag)) in unknown {
        one.status.is_behind(lag);
        lags.insert(run, lag);
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
        lag.bytes += view.payload_bytes(done);
    }
    if let Next::Entry(oldest) = log.reader(done).next() {
        let age = time::now().saturating_sub(oldest.record.time).max(0);
        lag.seconds = age.cast_unsigned() / 1_000_000_000;
    }
    lag
}
