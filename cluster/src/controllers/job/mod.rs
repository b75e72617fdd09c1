//! Job → Pods that run until enough of them have succeeded, or too many have failed.

mod index;
mod status;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::action::{Action, Outcome};
use super::claim::claim;
use super::object::Fields;
use super::pods;
use crate::kinds::{JOB, POD};
use crate::meta;
use status::{Counts, Verdict};

/// The longest wait before a pod that failed is replaced, as in Kubernetes.
const LONGEST_BACKOFF: Duration = Duration::from_secs(600);

/// Decides what to do for a Job. `pods` are all pods of its namespace; `backoff` is the wait before
/// the first pod that failed is replaced, and doubles.
pub(super) fn reconcile(
    job: &Value,
    pods: &[Arc<Value>],
    backoff: Duration,
    now: Timestamp,
) -> Outcome {
    let mut outcome = Outcome::default();
    if status::finished(job) {
        expire(job, now, &mut outcome);
        return outcome;
    }
    let owned = claim(&JOB, job, &POD, pods, &mut outcome.actions);
    if meta::is_deleting(job) {
        return outcome;
    }
    let counts = Counts::of(job, &owned);
    let verdict = status::verdict(job, &counts, now);
    let suspended = job["spec"]["suspend"] == true;
    if verdict.is_some() || suspended {
        let active = owned.iter().filter(|pod| status::active(pod));
        outcome.actions.extend(active.map(|pod| Action::Delete(&POD, Value::clone(pod))));
    } else {
        start_pods(job, &owned, &counts, backoff, now, &mut outcome);
        wait_for_deadline(job, now, &mut outcome);
    }
    // A Job has ended only when its pods have.
    let over = verdict.filter(|_| counts.active == 0 && counts.terminating == 0);
    if let Some(verdict) = &over {
        outcome.actions.push(Action::Event {
            about: job.clone(),
            kind: &JOB,
            warning: !matches!(verdict, Verdict::Complete),
            reason: verdict.event(),
            message: verdict.message().to_owned(),
        });
    }
    let status = status::compute(job, &counts, verdict.as_ref(), over.is_some(), now);
    if job["status"] != status {
        let mut changed = job.clone();
        changed["status"] = status;
        outcome.actions.push(Action::UpdateStatus(&JOB, changed));
    }
    outcome
}

/// Starts as many pods as may run and are still needed.
fn start_pods(
    job: &Value,
    owned: &[Arc<Value>],
    counts: &Counts,
    backoff: Duration,
    now: Timestamp,
    outcome: &mut Outcome,
) {
    let parallelism = job.int("/spec/parallelism").unwrap_or(1).max(0);
    let wanted = match job.int("/spec/completions") {
        Some(completions) => parallelism.min(completions - counts.succeeded),
        // A work queue: once one has succeeded no more are started.
        None if counts.succeeded > 0 => counts.active,
        None => parallelism,
    };
    let surplus = counts.active - wanted.max(0);
    if surplus > 0 {
        let active = owned.iter().filter(|pod| status::active(pod));
        let surplus = usize::try_from(surplus).unwrap_or_default();
        let surplus = active.take(surplus).map(|pod| Action::Delete(&POD, Value::clone(pod)));
        outcome.actions.extend(surplus);
        return;
    }
    // Terminating pods are replaced once they have ended.
    let missing = wanted - counts.active - counts.terminating;
    if missing <= 0 {
        return;
    }
    if let Some(wait) = back_off(owned, backoff, now) {
        outcome.again_in(wait);
        return;
    }
    if job["spec"]["completionMode"] == "Indexed" {
        let missing = usize::try_from(missing).unwrap_or_default();
        let free = index::free(job, owned).take(missing);
        outcome.actions.extend(free.map(|at| Action::Create(&POD, index::pod(job, at))));
    } else {
        let create = |_| Action::Create(&POD, pods::from_template(&JOB, job));
        outcome.actions.extend((0..missing).map(create));
    }
}

/// How long to wait yet after pods that failed in a row.
fn back_off(owned: &[Arc<Value>], backoff: Duration, now: Timestamp) -> Option<Duration> {
    let ended = |pod: &Value| {
        let states = pod.list("/status/containerStatuses").iter();
        states.filter_map(|status| status.time("/state/terminated/finishedAt")).max()
    };
    let of =
        |phase: &'static str| owned.iter().filter(move |pod| pod.text("/status/phase") == phase);
    let last_success = of("Succeeded").filter_map(|pod| ended(pod)).max();
    let failures: Vec<Timestamp> = of("Failed")
        .filter_map(|pod| ended(pod))
        .filter(|at| last_success.is_none_or(|success| *at > success))
        .collect();
    let last = failures.iter().max()?;
    let doublings = u32::try_from(failures.len() - 1).unwrap_or(u32::MAX).min(16);
    let wait = backoff.saturating_mul(1 << doublings).min(LONGEST_BACKOFF);
    let end = last.saturating_add(SignedDuration::try_from(wait).unwrap_or_default()).ok()?;
    Duration::try_from(end.duration_since(now)).ok().filter(|wait| !wait.is_zero())
}

fn wait_for_deadline(job: &Value, now: Timestamp, outcome: &mut Outcome) {
    if let Some(end) = status::deadline(job, now)
        && let Ok(wait) = Duration::try_from(end.duration_since(now))
    {
        outcome.again_in(wait + Duration::from_millis(1));
    }
}

/// Deletes a Job some time after its end, where its spec says so.
fn expire(job: &Value, now: Timestamp, outcome: &mut Outcome) {
    let Some(time_to_live) = job.int("/spec/ttlSecondsAfterFinished") else { return };
    let end = job.list("/status/conditions").iter().filter(|condition| {
        condition["status"] == "True" && matches!(condition.text("/type"), "Complete" | "Failed")
    });
    let Some(end) = end.filter_map(|condition| condition.time("/lastTransitionTime")).max() else {
        return;
    };
    let expiry = end.saturating_add(SignedDuration::from_secs(time_to_live)).unwrap_or(end);
    match Duration::try_from(expiry.duration_since(now)) {
        Ok(wait) if !wait.is_zero() => outcome.again_in(wait),
        _ if meta::is_deleting(job) => {}
        _ => outcome.actions.push(Action::Delete(&JOB, job.clone())),
    }
}
