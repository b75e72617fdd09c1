//! ReplicaSet → Pods: keeps `spec.replicas` pods of one template.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::action::{Action, Outcome};
use super::claim::claim;
use super::object::{Fields, pod_active, pod_available_at, pod_finished, pod_ready};
use super::{Failure, pods};
use crate::kinds::{POD, REPLICA_SET};
use crate::meta;
use crate::selector::Selector;

/// How many pods one pass creates or deletes at most.
const BURST: usize = 500;

/// Decides what to do for a ReplicaSet. `pods` are all pods of its namespace; `failure` is why the
/// last pass could not create or delete a pod.
pub(super) fn reconcile(
    set: &Value,
    pods: &[Arc<Value>],
    failure: Option<&Failure>,
    now: Timestamp,
) -> Outcome {
    let mut outcome = Outcome::default();
    let owned = claim(&REPLICA_SET, set, &POD, pods, &mut outcome.actions);
    let active: Vec<&Arc<Value>> = owned.iter().filter(|pod| pod_active(pod)).collect();
    let wanted = usize::try_from(set.int("/spec/replicas").unwrap_or(1)).unwrap_or_default();

    let status = status(set, &owned, failure, now);
    wait_for_availability(set, &active, now, &mut outcome);
    if set["status"] != status {
        let mut changed = set.clone();
        changed["status"] = status;
        outcome.actions.push(Action::UpdateStatus(&REPLICA_SET, changed));
    }
    if meta::is_deleting(set) {
        return outcome;
    }
    for _ in active.len()..wanted.min(active.len() + BURST) {
        outcome.actions.push(Action::Create(&POD, pods::from_template(&REPLICA_SET, set)));
    }
    for pod in surplus(active, wanted, now).into_iter().take(BURST) {
        outcome.actions.push(Action::Delete(&POD, Value::clone(pod)));
    }
    outcome
}

/// The pods to delete, the least useful first: unscheduled, not running, not ready; then those
/// that are cheapest by annotation, became ready last, restarted most, are youngest.
fn surplus(mut pods: Vec<&Arc<Value>>, wanted: usize, now: Timestamp) -> Vec<&Arc<Value>> {
    let surplus = pods.len().saturating_sub(wanted);
    if surplus == 0 {
        return Vec::new();
    }
    pods.sort_by_cached_key(|pod| {
        let phase = match pod.text("/status/phase") {
            "Pending" => 0,
            "Unknown" => 1,
            _ => 2,
        };
        let cost = meta::annotation(pod, "controller.kubernetes.io/pod-deletion-cost")
            .and_then(|cost| cost.parse::<i32>().ok())
            .unwrap_or_default();
        let ready_since = pod.condition("Ready").and_then(|c| c.time("/lastTransitionTime"));
        let restarts = pod.list("/status/containerStatuses").iter();
        let restarts = restarts.filter_map(|status| status.int("/restartCount")).max();
        let created = pod.time("/metadata/creationTimestamp").unwrap_or(now);
        (
            !pod.text("/spec/nodeName").is_empty(),
            phase,
            pod_ready(pod),
            cost,
            Reverse(ready_since.unwrap_or(now)),
            Reverse(restarts.unwrap_or_default()),
            Reverse(created),
            Reverse(meta::revision(pod)),
        )
    });
    pods.truncate(surplus);
    pods
}

fn wait_for_availability(
    set: &Value,
    active: &[&Arc<Value>],
    now: Timestamp,
    outcome: &mut Outcome,
) {
    let min_ready = set.int("/spec/minReadySeconds").unwrap_or_default();
    let next = active.iter().filter_map(|pod| pod_available_at(pod, min_ready));
    if let Some(next) = next.filter(|at| *at > now).min() {
        let wait = Duration::try_from(next.duration_since(now)).unwrap_or_default();
        outcome.again_in(wait + Duration::from_millis(1));
    }
}

fn status(set: &Value, owned: &[Arc<Value>], failure: Option<&Failure>, now: Timestamp) -> Value {
    let min_ready = set.int("/spec/minReadySeconds").unwrap_or_default();
    let template = set.pointer("/spec/template/metadata/labels").and_then(Value::as_object);
    let template = template.into_iter().flatten();
    let template =
        Selector::from_labels(template.filter_map(|(key, value)| Some((&**key, value.as_str()?))));
    let active = || owned.iter().filter(|pod| pod_active(pod));
    let available =
        |pod: &&Arc<Value>| pod_available_at(pod, min_ready).is_some_and(|at| at <= now);

    let mut status = json!({ "replicas": active().count() });
    let mut count = |field: &str, number: usize| {
        if number > 0 {
            status[field] = number.into();
        }
    };
    count("fullyLabeledReplicas", active().filter(|pod| template.matches(pod)).count());
    count("readyReplicas", active().filter(|pod| pod_ready(pod)).count());
    count("availableReplicas", active().filter(available).count());
    let ending = owned.iter().filter(|pod| meta::is_deleting(pod) && !pod_finished(pod)).count();
    status["terminatingReplicas"] = ending.into();
    status["observedGeneration"] = meta::generation(set).into();
    if let Some(failure) = failure {
        let known = set.condition("ReplicaFailure").and_then(|c| c.time("/lastTransitionTime"));
        status["conditions"] = json!([{
            "type": "ReplicaFailure",
            "status": "True",
            "lastTransitionTime": meta::time(known.unwrap_or(now)),
            "reason": if failure.creating { "FailedCreate" } else { "FailedDelete" },
            "message": failure.message,
        }]);
    }
    status
}
