//! How far a Job is, and whether it is over.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::index;
use crate::controllers::object::{Fields, pod_finished, pod_ready};
use crate::meta;

/// Why a Job is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Complete,
    BackoffLimitExceeded,
    DeadlineExceeded,
}

impl Verdict {
    fn reason(self) -> &'static str {
        match self {
            Self::Complete => "CompletionsReached",
            Self::BackoffLimitExceeded => "BackoffLimitExceeded",
            Self::DeadlineExceeded => "DeadlineExceeded",
        }
    }

    /// The reason of the Event.
    pub(super) fn event(self) -> &'static str {
        if self == Self::Complete { "Completed" } else { self.reason() }
    }

    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Complete => "Reached expected number of succeeded pods",
            Self::BackoffLimitExceeded => "Job has reached the specified backoff limit",
            Self::DeadlineExceeded => "Job was active longer than specified deadline",
        }
    }
}

/// The pods of a Job by what they do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) active: i64,
    pub(super) ready: i64,
    pub(super) terminating: i64,
    pub(super) succeeded: i64,
    pub(super) failed: i64,
    /// Failures of containers that are restarted in place.
    restarts: i64,
    completed_indexes: Option<String>,
}

/// Runs, or will.
pub(super) fn active(pod: &Value) -> bool {
    !pod_finished(pod) && !meta::is_deleting(pod)
}

impl Counts {
    pub(super) fn of(job: &Value, pods: &[Arc<Value>]) -> Self {
        let count = |holds: &dyn Fn(&Value) -> bool| {
            i64::try_from(pods.iter().filter(|pod| holds(pod)).count()).unwrap_or(i64::MAX)
        };
        let known = |field: &str| job["status"][field].as_i64().unwrap_or_default();
        let mut counts = Self {
            active: count(&active),
            ready: count(&|pod| active(pod) && pod_ready(pod)),
            terminating: count(&|pod| meta::is_deleting(pod) && !pod_finished(pod)),
            // A pod that was counted and then deleted still counts.
            succeeded: count(&|pod| pod["status"]["phase"] == "Succeeded").max(known("succeeded")),
            failed: count(&|pod| pod["status"]["phase"] == "Failed").max(known("failed")),
            restarts: pods.iter().filter(|pod| active(pod)).map(|pod| restarts(pod)).sum(),
            completed_indexes: None,
        };
        if job["spec"]["completionMode"] == "Indexed" {
            let (succeeded, shown) = index::completed(pods);
            counts.succeeded = succeeded;
            counts.completed_indexes = Some(shown);
        }
        counts
    }
}

fn restarts(pod: &Value) -> i64 {
    let statuses = ["/status/initContainerStatuses", "/status/containerStatuses"];
    let statuses = statuses.into_iter().flat_map(|list| pod.list(list));
    statuses.filter_map(|status| status.int("/restartCount")).sum()
}

/// Whether a Job has ended.
pub(super) fn finished(job: &Value) -> bool {
    ["Complete", "Failed"]
        .into_iter()
        .any(|kind| job.condition(kind).is_some_and(|condition| condition["status"] == "True"))
}

/// When the Job must have ended.
pub(super) fn deadline(job: &Value, now: Timestamp) -> Option<Timestamp> {
    let seconds = job.int("/spec/activeDeadlineSeconds")?;
    let start = job.time("/status/startTime").unwrap_or(now);
    start.saturating_add(SignedDuration::from_secs(seconds)).ok()
}

/// Whether the Job is over, or will be once its pods have ended.
pub(super) fn verdict(job: &Value, counts: &Counts, now: Timestamp) -> Option<Verdict> {
    if job["spec"]["suspend"] == true {
        return None;
    }
    let limit = job.int("/spec/backoffLimit").unwrap_or(6);
    let complete = match job.int("/spec/completions") {
        Some(completions) => counts.succeeded >= completions,
        None => counts.succeeded > 0 && counts.active == 0,
    };
    if complete {
        Some(Verdict::Complete)
    } else if counts.failed > limit || (counts.restarts > 0 && counts.restarts >= limit.max(1)) {
        Some(Verdict::BackoffLimitExceeded)
    } else if deadline(job, now).is_some_and(|end| end <= now) {
        Some(Verdict::DeadlineExceeded)
    } else {
        None
    }
}

/// Computes `status`. `over`: the verdict is final.
pub(super) fn compute(
    job: &Value,
    counts: &Counts,
    verdict: Option<&Verdict>,
    over: bool,
    now: Timestamp,
) -> Value {
    let suspended = job["spec"]["suspend"] == true;
    let mut conditions = job.list("/status/conditions").to_vec();
    if suspended {
        set(&mut conditions, "Suspended", true, ("JobSuspended", "Job suspended"), now);
    } else if conditions.iter().any(|condition| condition["type"] == "Suspended") {
        set(&mut conditions, "Suspended", false, ("JobResumed", "Job resumed"), now);
    }
    if let Some(verdict) = verdict {
        let why = (verdict.reason(), verdict.message());
        let complete = *verdict == Verdict::Complete;
        let aim = if complete { "SuccessCriteriaMet" } else { "FailureTarget" };
        set(&mut conditions, aim, true, why, now);
        if over {
            set(&mut conditions, if complete { "Complete" } else { "Failed" }, true, why, now);
        }
    }
    let mut status = json!({
        "terminating": counts.terminating,
        "uncountedTerminatedPods": {},
        "ready": counts.ready,
    });
    if !conditions.is_empty() {
        status["conditions"] = conditions.into();
    }
    match job["status"]["startTime"].as_str() {
        // A Job that is resumed starts anew.
        _ if suspended => {}
        Some(start) => status["startTime"] = start.into(),
        None => status["startTime"] = meta::time(now).into(),
    }
    if over && verdict == Some(&Verdict::Complete) {
        status["completionTime"] = meta::time(now).into();
    }
    for (field, number) in
        [("active", counts.active), ("succeeded", counts.succeeded), ("failed", counts.failed)]
    {
        if number > 0 {
            status[field] = number.into();
        }
    }
    if let Some(indexes) = counts.completed_indexes.as_ref().filter(|shown| !shown.is_empty()) {
        status["completedIndexes"] = indexes.as_str().into();
    }
    status
}

fn set(
    conditions: &mut Vec<Value>,
    kind: &str,
    holds: bool,
    (reason, message): (&str, &str),
    now: Timestamp,
) {
    let status = if holds { "True" } else { "False" };
    let known = conditions.iter().any(|c| c["type"] == kind && c["status"] == status);
    if known {
        return;
    }
    conditions.retain(|condition| condition["type"] != kind);
    conditions.push(json!({
        "type": kind,
        "status": status,
        "lastProbeTime": meta::time(now),
        "lastTransitionTime": meta::time(now),
        "reason": reason,
        "message": message,
    }));
}
