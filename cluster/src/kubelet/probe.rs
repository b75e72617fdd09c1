//! One attempt of a probe, and when attempts are made.

use std::time::Duration;

use tokio::time::timeout;

use super::handler::{Handler, Target};
use super::seconds;
use super::supervision::Supervision;
use crate::controllers::object::Fields;

/// A probe of a container's spec.
#[derive(Debug, Clone)]
pub(super) struct Probe {
    handler: Handler,
    /// Before the first attempt.
    pub(super) initial_delay: Duration,
    /// Between attempts.
    pub(super) period: Duration,
    /// An attempt that takes longer has failed.
    timeout: Duration,
    /// Attempts in a row that must succeed before the probe does.
    pub(super) successes: u32,
    /// Attempts in a row that must fail before the probe does.
    pub(super) failures: u32,
    /// Instead of the pod's own, when the container is ended because of this probe.
    pub(super) grace: Option<i64>,
}

impl Probe {
    /// Reads `livenessProbe`, `readinessProbe` or `startupProbe`; `None` where there is none.
    pub(super) fn of(target: &Target<'_>, field: &str) -> Option<Self> {
        let spec = target.container.get(field).filter(|spec| spec.is_object())?;
        let number = |name: &str, default: i64| {
            spec[name].as_i64().filter(|number| *number > 0).unwrap_or(default)
        };
        let count = |name, default| u32::try_from(number(name, default)).unwrap_or(u32::MAX);
        let time = |name, default| seconds(number(name, default));
        Some(Self {
            handler: Handler::of(target, spec),
            initial_delay: time("initialDelaySeconds", 0),
            period: time("periodSeconds", 10),
            timeout: time("timeoutSeconds", 1),
            successes: count("successThreshold", 1),
            failures: count("failureThreshold", 3),
            grace: spec.int("/terminationGracePeriodSeconds"),
        })
    }

    /// Makes one attempt.
    ///
    /// # Errors
    /// Why it failed.
    pub(super) async fn attempt(&self, supervision: &Supervision) -> Result<(), String> {
        let attempt = self.handler.run(supervision);
        let late = || Err(format!("no answer within {} s", self.timeout.as_secs()));
        timeout(self.timeout, attempt).await.unwrap_or_else(|_| late())
    }
}
