//! StatefulSet → Pods with names of their own, one after another.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::action::{Action, Outcome};
use super::claim::claim;
use super::object::{Fields, pod_available_at, pod_finished, pod_ready};
use super::pods;
use super::revisions::Revisions;
use crate::kinds::{POD, STATEFUL_SET};
use crate::meta;

/// The label on pods; it holds the whole name of the revision.
const REVISION: &str = "controller-revision-hash";

/// The label on revisions.
const HASH: &str = "controller.kubernetes.io/hash";

/// Decides what to do for a StatefulSet. `pods` and `revisions` are all of its namespace.
pub(super) fn reconcile(
    set: &Value,
    pods: &[Arc<Value>],
    revisions: &[Arc<Value>],
    now: Timestamp,
) -> Outcome {
    let mut outcome = Outcome::default();
    let owned = claim(&STATEFUL_SET, set, &POD, pods, &mut outcome.actions);
    if meta::is_deleting(set) {
        return outcome;
    }
    let revisions = Revisions::sync(&STATEFUL_SET, set, revisions, HASH, &mut outcome);
    let plan = Plan::new(set, &owned, &revisions, now);
    plan.decide(&mut outcome);
    let in_use = |revision: &Value| {
        let name = meta::name(revision);
        plan.current == name || owned.iter().any(|pod| meta::label(pod, REVISION) == Some(name))
    };
    revisions.clean_up(set, in_use, &mut outcome);
    let status = plan.status();
    if set["status"] != status {
        let mut changed = set.clone();
        changed["status"] = status;
        outcome.actions.push(Action::UpdateStatus(&STATEFUL_SET, changed));
    }
    outcome
}

struct Plan<'a> {
    set: &'a Value,
    revisions: &'a Revisions,
    /// The revision that pods below the partition have.
    current: String,
    /// By ordinal.
    pods: BTreeMap<i64, &'a Arc<Value>>,
    first: i64,
    replicas: i64,
    now: Timestamp,
}

impl<'a> Plan<'a> {
    fn new(
        set: &'a Value,
        owned: &'a [Arc<Value>],
        revisions: &'a Revisions,
        now: Timestamp,
    ) -> Self {
        let current = match set.text("/status/currentRevision") {
            known if revisions.template(known).is_some() => known,
            _ => revisions.current(),
        };
        let numbered = owned.iter().filter_map(|pod| Some((ordinal(set, pod)?, pod)));
        Self {
            set,
            revisions,
            current: current.to_owned(),
            pods: numbered.collect(),
            first: set.int("/spec/ordinals/start").unwrap_or_default(),
            replicas: set.int("/spec/replicas").unwrap_or(1).max(0),
            now,
        }
    }

    fn ordinals(&self) -> std::ops::Range<i64> {
        self.first..self.first + self.replicas
    }

    fn available(&self, pod: &Value) -> bool {
        let min_ready = self.set.int("/spec/minReadySeconds").unwrap_or_default();
        pod_available_at(pod, min_ready).is_some_and(|at| at <= self.now)
    }

    /// Runs, is ready, and is not ending.
    fn healthy(&self, pod: &Value) -> bool {
        pod_ready(pod) && !meta::is_deleting(pod) && self.available(pod)
    }

    fn decide(&self, outcome: &mut Outcome) {
        let ordered = self.set["spec"]["podManagementPolicy"] != "Parallel";
        self.wait_for_availability(outcome);
        let mut settled = true;
        for ordinal in self.ordinals() {
            let healthy = match self.pods.get(&ordinal) {
                None => {
                    outcome.actions.push(Action::Create(&POD, self.pod(ordinal)));
                    false
                }
                Some(pod) if pod_finished(pod) && !meta::is_deleting(pod) => {
                    // Its name is free once it is gone.
                    outcome.actions.push(delete(pod));
                    false
                }
                Some(pod) => self.healthy(pod),
            };
            settled &= healthy;
            if ordered && !healthy {
                return;
            }
        }
        for (_, pod) in self.pods.iter().rev().filter(|(at, _)| !self.ordinals().contains(at)) {
            settled = false;
            if !meta::is_deleting(pod) {
                outcome.actions.push(delete(pod));
            }
            if ordered {
                return;
            }
        }
        if settled {
            self.update(outcome);
        }
    }

    /// Deletes the highest pod that has not the current template yet: it comes back with it.
    fn update(&self, outcome: &mut Outcome) {
        let strategy = &self.set["spec"]["updateStrategy"];
        if strategy["type"] == "OnDelete" {
            return;
        }
        let partition = strategy.int("/rollingUpdate/partition").unwrap_or_default();
        let target = self.revisions.current();
        let old = self.pods.iter().rev().take_while(|(at, _)| **at >= partition);
        let old = old.map(|(_, pod)| pod).find(|pod| meta::label(pod, REVISION) != Some(target));
        outcome.actions.extend(old.map(|pod| delete(pod)));
    }

    fn wait_for_availability(&self, outcome: &mut Outcome) {
        let min_ready = self.set.int("/spec/minReadySeconds").unwrap_or_default();
        let next = self.pods.values().filter_map(|pod| pod_available_at(pod, min_ready));
        if let Some(at) = next.filter(|at| *at > self.now).min() {
            let wait = Duration::try_from(at.duration_since(self.now)).unwrap_or_default();
            outcome.again_in(wait + Duration::from_millis(1));
        }
    }

    fn pod(&self, ordinal: i64) -> Value {
        let strategy = &self.set["spec"]["updateStrategy"];
        let partition = strategy.int("/rollingUpdate/partition").unwrap_or_default();
        let revision =
            if ordinal < partition { self.current.as_str() } else { self.revisions.current() };
        let mut owner = self.set.clone();
        if let Some(template) = self.revisions.template(revision) {
            owner["spec"]["template"] = template;
        }
        let mut pod = pods::from_template(&STATEFUL_SET, &owner);
        let name = format!("{}-{ordinal}", meta::name(self.set));
        pod["metadata"]["name"] = name.clone().into();
        let labels = &mut pod["metadata"]["labels"];
        labels["apps.kubernetes.io/pod-index"] = ordinal.to_string().into();
        labels[REVISION] = revision.into();
        labels["statefulset.kubernetes.io/pod-name"] = name.clone().into();
        pod["spec"]["hostname"] = name.clone().into();
        pod["spec"]["subdomain"] = self.set["spec"]["serviceName"].clone();
        for claim in self.set.list("/spec/volumeClaimTemplates") {
            let volume = json!({
                "name": meta::name(claim),
                "persistentVolumeClaim": { "claimName": format!("{}-{name}", meta::name(claim)) },
            });
            match pod["spec"]["volumes"].as_array_mut() {
                Some(volumes) => volumes.push(volume),
                None => pod["spec"]["volumes"] = json!([volume]),
            }
        }
        pod
    }

    fn status(&self) -> Value {
        let living =
            || self.pods.values().filter(|pod| !pod_finished(pod) && !meta::is_deleting(pod));
        let of = |revision: &str| {
            living().filter(|pod| meta::label(pod, REVISION) == Some(revision)).count()
        };
        let target = self.revisions.current();
        let replicas = self.pods.values().filter(|pod| !pod_finished(pod)).count();
        let ready = living().filter(|pod| pod_ready(pod)).count();
        let updated = of(target);
        let wanted = usize::try_from(self.replicas).unwrap_or_default();
        // Once every pod has it, the target is what they have.
        let done = updated == wanted && replicas == wanted && ready == wanted;
        let current = if done { target } else { self.current.as_str() };
        let mut status = json!({
            "observedGeneration": meta::generation(self.set),
            "replicas": replicas,
            "currentRevision": current,
            "updateRevision": target,
            "collisionCount": self.set.int("/status/collisionCount").unwrap_or_default(),
            "availableReplicas": living().filter(|pod| self.available(pod)).count(),
        });
        for (field, number) in [
            ("readyReplicas", ready),
            ("currentReplicas", of(current)),
            ("updatedReplicas", updated),
        ] {
            if number > 0 {
                status[field] = number.into();
            }
        }
        status
    }
}

fn delete(pod: &Value) -> Action {
    Action::Delete(&POD, pod.clone())
}

fn ordinal(set: &Value, pod: &Value) -> Option<i64> {
    meta::name(pod).strip_prefix(meta::name(set))?.strip_prefix('-')?.parse().ok()
}
