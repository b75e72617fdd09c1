//! What is told of losses and failures: in apps' streams, and in logd's own log.

use std::time::Duration;

use fairlead_drain::{Failure, FailureKind};
use tokio::time::Instant;

use super::Pump;
use crate::{
    drain::{Scope, flight::Key, notice},
    time,
};

/// Losses are told in an app's stream after so long, and again after so long.
const GATHER: Duration = Duration::from_secs(1);
const LOSS_PERIOD: Duration = Duration::from_secs(60);
/// Failures are told in an app's stream from so many in a row on, and again after so long.
const FAILURES: u32 = 5;
const FAILURE_PERIOD: Duration = Duration::from_secs(300);

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
