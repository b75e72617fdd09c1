//! The status of a Deployment, as `kubectl rollout status` reads it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::budget::Budget;
use super::sets::{Set, Sets};
use crate::controllers::action::Outcome;
use crate::controllers::object::Fields;
use crate::meta;

/// `status` and whether the rollout is over.
pub(super) struct Status {
    pub(super) status: Value,
    pub(super) complete: bool,
}

/// The list of conditions while a pass works on it.
pub(super) struct Conditions {
    list: Vec<Value>,
    now: Timestamp,
    /// Whether `spec.progressDeadlineSeconds` is set.
    deadline: Option<i64>,
}

impl Conditions {
    pub(super) fn of(deployment: &Value, now: Timestamp) -> Self {
        let deadline = deployment.int("/spec/progressDeadlineSeconds");
        let deadline = deadline.filter(|seconds| *seconds < i64::from(i32::MAX));
        Self { list: deployment.list("/status/conditions").to_vec(), now, deadline }
    }

    fn get(&self, kind: &str) -> Option<&Value> {
        self.list.iter().find(|condition| condition["type"] == kind)
    }

    fn remove(&mut self, kind: &str) {
        self.list.retain(|condition| condition["type"] != kind);
    }

    /// Sets a condition. One with the same status and reason stays as it is; the time of transition
    /// is that of the last change of status.
    fn set(&mut self, kind: &str, status: &str, reason: &str, message: &str) {
        let known = self.get(kind);
        if known.is_some_and(|known| known["status"] == status && known["reason"] == reason) {
            return;
        }
        let now = meta::time(self.now);
        let since = known.filter(|known| known["status"] == status);
        let since = since.map_or(&*now, |known| known.text("/lastTransitionTime"));
        let condition = json!({
            "type": kind,
            "status": status,
            "lastUpdateTime": now,
            "lastTransitionTime": since,
            "reason": reason,
            "message": message,
        });
        self.remove(kind);
        self.list.push(condition);
    }

    fn progressing(&mut self, status: &str, reason: &str, message: &str) {
        if self.deadline.is_some() {
            self.set("Progressing", status, reason, message);
        }
    }

    /// A set for the template was made.
    pub(super) fn created(&mut self, set: &str) {
        self.progressing(
            "True",
            "NewReplicaSetCreated",
            &format!("Created new replica set \"{set}\""),
        );
    }

    /// A set for the template was there already.
    pub(super) fn found(&mut self, set: &str) {
        if self.get("Progressing").is_none() {
            self.progressing(
                "True",
                "FoundNewReplicaSet",
                &format!("Found new replica set \"{set}\""),
            );
        }
    }

    /// Tells of a pause and its end, so that paused time does not count against the deadline.
    pub(super) fn note_pause(&mut self, deployment: &Value) {
        let known = self.get("Progressing").map_or("", |known| known.text("/reason"));
        if known == "ProgressDeadlineExceeded" {
            return;
        }
        let paused = deployment["spec"]["paused"] == true;
        if paused && known != "DeploymentPaused" {
            self.progressing("Unknown", "DeploymentPaused", "Deployment is paused");
        } else if !paused && known == "DeploymentPaused" {
            self.progressing("Unknown", "DeploymentResumed", "Deployment is resumed");
        }
    }
}

/// The counts of a Deployment's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counts {
    replicas: i64,
    updated: i64,
    ready: i64,
    available: i64,
    terminating: i64,
}

impl Counts {
    fn of(sets: &Sets<'_>) -> Self {
        let sum = |field: &str| sets.all().map(|set| set.status(field)).sum();
        Self {
            replicas: sum("replicas"),
            updated: sets.new.as_ref().map_or(0, |set| set.status("replicas")),
            ready: sum("readyReplicas"),
            available: sum("availableReplicas"),
            terminating: sum("terminatingReplicas"),
        }
    }

    fn known(deployment: &Value) -> Self {
        let count = |field: &str| deployment["status"][field].as_i64().unwrap_or_default();
        Self {
            replicas: count("replicas"),
            updated: count("updatedReplicas"),
            ready: count("readyReplicas"),
            available: count("availableReplicas"),
            terminating: count("terminatingReplicas"),
        }
    }

    fn complete(&self, wanted: i64) -> bool {
        self.updated == wanted && self.replicas == wanted && self.available == wanted
    }

    fn progressed(&self, known: &Self) -> bool {
        self.updated > known.updated
            || self.replicas - self.updated < known.replicas - known.updated
            || self.ready > known.ready
            || self.available > known.available
    }
}

/// Computes the status; asks for another pass when the deadline is the next thing to happen.
pub(super) fn compute(
    sets: &Sets<'_>,
    budget: &Budget,
    mut conditions: Conditions,
    now: Timestamp,
    outcome: &mut Outcome,
) -> Status {
    let counts = Counts::of(sets);
    if counts.available >= budget.least_available() {
        let message = "Deployment has minimum availability.";
        conditions.set("Available", "True", "MinimumReplicasAvailable", message);
    } else {
        let message = "Deployment does not have minimum availability.";
        conditions.set("Available", "False", "MinimumReplicasUnavailable", message);
    }
    let complete = counts.complete(budget.replicas);
    progress(sets, &counts, complete, &mut conditions, now, outcome);
    match failure(sets) {
        Some(failure) => conditions.set(
            "ReplicaFailure",
            "True",
            failure.text("/reason"),
            failure.text("/message"),
        ),
        None => conditions.remove("ReplicaFailure"),
    }

    let mut status = json!({ "observedGeneration": meta::generation(sets.deployment) });
    let mut count = |field: &str, number: i64| {
        if number != 0 {
            status[field] = number.into();
        }
    };
    count("replicas", counts.replicas);
    count("updatedReplicas", counts.updated);
    count("readyReplicas", counts.ready);
    count("availableReplicas", counts.available);
    count("unavailableReplicas", (sets.total() - counts.available).max(0));
    status["terminatingReplicas"] = counts.terminating.into();
    status["conditions"] = conditions.list.into();
    if let Some(collisions) = sets.deployment.int("/status/collisionCount") {
        status["collisionCount"] = collisions.into();
    }
    Status { status, complete }
}

fn progress(
    sets: &Sets<'_>,
    counts: &Counts,
    complete: bool,
    conditions: &mut Conditions,
    now: Timestamp,
    outcome: &mut Outcome,
) {
    let Some(deadline) = conditions.deadline else {
        conditions.remove("Progressing");
        return;
    };
    let known = conditions.get("Progressing");
    let reason = known.map_or("", |known| known.text("/reason"));
    if sets.deployment["spec"]["paused"] == true {
        return;
    }
    let settled = counts.replicas == counts.updated && reason == "NewReplicaSetAvailable";
    if settled {
        return;
    }
    let subject = match &sets.new {
        Some(set) => format!("ReplicaSet \"{}\"", set.name()),
        None => format!("Deployment \"{}\"", meta::name(sets.deployment)),
    };
    if complete {
        let message = format!("{subject} has successfully progressed.");
        conditions.set("Progressing", "True", "NewReplicaSetAvailable", &message);
    } else if counts.progressed(&Counts::known(sets.deployment)) {
        let since = known.filter(|known| known["status"] == "True");
        let since = since.map(|known| known["lastTransitionTime"].clone());
        // Every step forward restarts the clock of the deadline.
        conditions.remove("Progressing");
        let message = format!("{subject} is progressing.");
        conditions.set("Progressing", "True", "ReplicaSetUpdated", &message);
        if let (Some(since), Some(condition)) = (since, conditions.list.last_mut()) {
            condition["lastTransitionTime"] = since;
        }
    } else if reason != "ProgressDeadlineExceeded" {
        let since = known.and_then(|known| known.time("/lastUpdateTime")).unwrap_or(now);
        let end = since.saturating_add(SignedDuration::from_secs(deadline)).unwrap_or(now);
        if end < now {
            let message = format!("{subject} has timed out progressing.");
            conditions.set("Progressing", "False", "ProgressDeadlineExceeded", &message);
        } else {
            let wait = Duration::try_from(end.duration_since(now)).unwrap_or_default();
            outcome.again_in(wait + Duration::from_secs(1));
        }
    }
}

fn failure<'s>(sets: &'s Sets<'_>) -> Option<&'s Value> {
    let of = |set: &'s Set| set.object().condition("ReplicaFailure");
    sets.new.iter().find_map(of).or_else(|| sets.old.iter().find_map(of))
}
