//! DaemonSet → a pod on the node. There is one node.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::action::{Action, Outcome};
use super::claim::claim;
use super::object::{pod_active, pod_available_at, pod_finished, pod_ready};
use super::revisions::Revisions;
use super::scheduler::NODE;
use super::{object::Fields, pods};
use crate::kinds::{DAEMON_SET, POD};
use crate::meta;

const HASH: &str = "controller-revision-hash";
const GENERATION: &str = "deprecated.daemonset.template.generation";

/// Decides what to do for a DaemonSet. `pods` and `revisions` are all of its namespace.
pub(super) fn reconcile(
    set: &Value,
    pods: &[Arc<Value>],
    revisions: &[Arc<Value>],
    now: Timestamp,
) -> Outcome {
    let mut outcome = Outcome::default();
    let owned = claim(&DAEMON_SET, set, &POD, pods, &mut outcome.actions);
    if meta::is_deleting(set) {
        return outcome;
    }
    let revisions = Revisions::sync(&DAEMON_SET, set, revisions, HASH, &mut outcome);
    let updated = |pod: &&Arc<Value>| meta::label(pod, HASH) == Some(revisions.hash());
    let min_ready = set.int("/spec/minReadySeconds").unwrap_or_default();
    let available =
        |pod: &&Arc<Value>| pod_available_at(pod, min_ready).is_some_and(|at| at <= now);

    let wanted = runs_here(&set["spec"]["template"]["spec"]);
    let active: Vec<&Arc<Value>> = owned.iter().filter(|pod| pod_active(pod)).collect();
    if wanted {
        roll(set, &active, &owned, &updated, &available, &revisions, &mut outcome);
    } else {
        outcome.actions.extend(active.iter().map(|pod| delete(pod)));
    }
    // One that has ended is made anew.
    let finished = owned.iter().filter(|pod| pod_finished(pod) && !meta::is_deleting(pod));
    outcome.actions.extend(finished.map(delete));

    let pending = active.iter().filter_map(|pod| pod_available_at(pod, min_ready));
    if let Some(at) = pending.filter(|at| *at > now).min() {
        let wait = Duration::try_from(at.duration_since(now)).unwrap_or_default();
        outcome.again_in(wait + Duration::from_millis(1));
    }
    let in_use = |revision: &Value| {
        owned.iter().any(|pod| {
            let hash = meta::label(pod, HASH).unwrap_or_default();
            meta::label(revision, HASH) == Some(hash)
        })
    };
    revisions.clean_up(set, in_use, &mut outcome);

    // A node counts once, however many pods a rollout has on it.
    let count = |holds: bool| i64::from(wanted && holds);
    let ready = active.iter().any(|pod| pod_ready(pod));
    let is_available = active.iter().any(available);
    let mut status = json!({
        "currentNumberScheduled": count(!active.is_empty()),
        "numberMisscheduled": i64::from(!wanted && !active.is_empty()),
        "desiredNumberScheduled": count(true),
        "numberReady": count(ready),
        "observedGeneration": meta::generation(set),
    });
    for (field, number) in [
        ("updatedNumberScheduled", count(active.iter().any(updated))),
        ("numberAvailable", count(is_available)),
        ("numberUnavailable", count(!is_available)),
    ] {
        if number > 0 {
            status[field] = number.into();
        }
    }
    let mut changed = set.clone();
    let generation = meta::generation(set).to_string();
    if meta::annotation(set, GENERATION) != Some(&generation) {
        super::object::set_annotation(&mut changed, GENERATION, &generation);
        outcome.actions.push(Action::Update(&DAEMON_SET, changed.clone()));
    }
    if set["status"] != status {
        changed["status"] = status;
        outcome.actions.push(Action::UpdateStatus(&DAEMON_SET, changed));
    }
    outcome
}

fn delete(pod: &Arc<Value>) -> Action {
    Action::Delete(&POD, Value::clone(pod))
}

/// Keeps one pod of the current template: another is made once the old one has ended, or, with
/// `maxSurge`, before.
fn roll(
    set: &Value,
    active: &[&Arc<Value>],
    owned: &[Arc<Value>],
    updated: &dyn Fn(&&Arc<Value>) -> bool,
    available: &dyn Fn(&&Arc<Value>) -> bool,
    revisions: &Revisions,
    outcome: &mut Outcome,
) {
    let strategy = &set["spec"]["updateStrategy"];
    let rolling = strategy["type"] != "OnDelete";
    let surge = &strategy["rollingUpdate"]["maxSurge"];
    let surge = !(surge.is_null() || *surge == 0 || *surge == "0%");
    let (new, old): (Vec<_>, Vec<_>) = active.iter().copied().partition(updated);
    // More than one of a template: the youngest go.
    let spare = if rolling || new.is_empty() { &new } else { &old };
    outcome.actions.extend(spare.iter().skip(1).map(|pod| delete(pod)));
    match (new.first(), old.first()) {
        (None, None) if owned.iter().all(|pod| pod_finished(pod)) => {
            outcome.actions.push(Action::Create(&POD, pod(set, revisions)));
        }
        (None, Some(_)) if rolling && surge => {
            outcome.actions.push(Action::Create(&POD, pod(set, revisions)));
        }
        (None, Some(old)) if rolling => outcome.actions.push(delete(old)),
        (Some(new), Some(old)) if rolling && (!surge || available(new)) => {
            outcome.actions.push(delete(old));
        }
        _ => {}
    }
}

fn pod(set: &Value, revisions: &Revisions) -> Value {
    let mut pod = pods::from_template(&DAEMON_SET, set);
    pod["metadata"]["labels"][HASH] = revisions.hash().into();
    pod["metadata"]["labels"]["pod-template-generation"] = meta::generation(set).to_string().into();
    pod
}

/// Whether the node has the labels that the pods want.
fn runs_here(spec: &Value) -> bool {
    let labels = [
        ("kubernetes.io/hostname", NODE),
        ("kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }),
    ];
    let wanted = spec["nodeSelector"].as_object().into_iter().flatten();
    wanted.into_iter().all(|(key, value)| labels.iter().any(|(k, v)| k == key && *value == **v))
}
