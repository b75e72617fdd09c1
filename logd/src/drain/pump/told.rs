//! What is told of losses and failures: in apps' streams, and in logd's own log.

use std::{ops::Range, time::Duration};

use fairlead_drain::{Failure, FailureKind, Reason};
use fairlead_ring::Next;
use tokio::time::Instant;

use super::Pump;
use crate::{
    drain::{
        RejectedLine, Scope,
        flight::Key,
        notice,
        status::{NAMED, reason},
    },
    time,
};

/// Losses are told in an app's stream after so long, and again after so long.
const GATHER: Duration = Duration::from_secs(1);
const LOSS_PERIOD: Duration = Duration::from_secs(60);
/// Failures are told in an app's stream from so many in a row on, and again after so long.
const FAILURES: u32 = 5;
const FAILURE_PERIOD: Duration = Duration::from_secs(300);
/// Lines that were rejected are told in logd's log after so long again.
const REJECTED_PERIOD: Duration = Duration::from_secs(60);

impl Pump {
    /// Tells that attempts fail, where it is time to.
    pub(super) async fn tell_failure(&mut self, failure: &Failure, failures: u32) {
        let now = Instant::now();
        let since = *self.failing_since.get_or_insert_with(time::now);
        let bad_certificate = failure.kind == FailureKind::Certificate;
        let told = self.failure_told.is_some_and(|told| now < told + FAILURE_PERIOD);
        if told || failures < FAILURES && !bad_certificate {
            return;
        }
        self.failure_told = Some(now);
        tracing::warn!(drain = &*self.id, error = %failure, failures, "lines do not arrive");
        // What the receiver answered is for those who may see the drain.
        let text = match bad_certificate {
            true => notice::certificate(&self.id, &failure.message),
            false => notice::undeliverable(&self.id, failures, since, &failure.message),
        };
        if let Scope::App(app) = &self.order.scope {
            // An error tells that the process ends.
            let _ = self.store.notice(app, text).await;
        }
    }

    /// Names the newest of these lines, which the receiver will never take: they are in no other place
    /// once they have left the ring.
    pub(super) fn tell_rejected(
        &mut self,
        rejected: &[(Key, Range<u64>, Reason)],
        said: Option<&str>,
    ) {
        let newest = rejected.iter().rev().flat_map(|(key, lines, reason)| {
            lines.clone().rev().map(move |no| (*key, no, *reason))
        });
        let newest: Vec<_> = newest.take(NAMED).collect();
        let time = time::show(time::now());
        let named = newest.into_iter().rev().filter_map(|(key, no, why)| {
            let app = &self.apps.get(&key)?.subscription.app;
            let name = match app.log.reader(no).next() {
                Next::Entry(entry) if entry.no == no && why != Reason::Unnamed => {
                    Some(format!("{}:{}", entry.source.incarnation, entry.record.end))
                }
                _ => None,
            };
            let (app, reason, time) = (app.id.to_string(), reason(why), time.clone());
            Some(RejectedLine { app, name, reason, time })
        });
        let named: Vec<RejectedLine> = named.collect();
        self.rejected += rejected.iter().map(|(_, lines, _)| lines.end - lines.start).sum::<u64>();
        let now = Instant::now();
        if self.rejected_told.is_none_or(|told| now >= told + REJECTED_PERIOD) {
            self.rejected_told = Some(now);
            let lines = std::mem::take(&mut self.rejected);
            let newest = named.last().and_then(|line| line.name.as_deref());
            tracing::warn!(drain = &*self.id, lines, newest, said, "lines are never taken");
        }
        self.status.name_rejected(named);
    }

    /// Counts what of an app has left its ring before it was sent.
    pub(super) fn overrun(&mut self, key: Key) {
        let Some(fed) = self.apps.get_mut(&key) else { return };
        let app = &fed.subscription.app;
        // In this order: what was deleted is marked so before it leaves.
        let first = app.log.first();
        let wanted = |unread| app.for_drains(unread);
        let lost = self.flight.overrun(key, first, app.expired(), time::now(), wanted);
        if lost > 0 && self.order.scope != Scope::All {
            fed.untold.get_or_insert_with(|| (0, time::now())).0 += lost;
            let soon = Instant::now() + GATHER;
            let next = self.losses_told.map_or(soon, |told| soon.max(told + LOSS_PERIOD));
            self.tell_at.get_or_insert(next);
        }
    }

    /// Tells apps' owners what was lost, where it is time to.
    pub(super) async fn tell_losses(&mut self) {
        let now = Instant::now();
        if self.tell_at.is_none_or(|at| now < at) {
            return;
        }
        (self.tell_at, self.losses_told) = (None, Some(now));
        for fed in self.apps.values_mut() {
            let Some((lines, since)) = fed.untold.take() else { continue };
            let text = notice::overrun_of(&self.id, lines, since);
            // An error tells that the process ends.
            let _ = self.store.notice(&fed.subscription.app.id, text).await;
        }
    }
}
