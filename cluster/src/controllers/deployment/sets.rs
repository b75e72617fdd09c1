//! The ReplicaSets of a Deployment while a pass works on them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::budget::Budget;
use super::status::Conditions;
use crate::controllers::action::{Action, Outcome};
use crate::controllers::hash;
use crate::controllers::object::{Fields, controller_reference, set_annotation};
use crate::kinds::{DEPLOYMENT, REPLICA_SET};
use crate::meta;

pub(super) const HASH_LABEL: &str = "pod-template-hash";
pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
pub(super) const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
pub(super) const MAX: &str = "deployment.kubernetes.io/max-replicas";

/// Annotations of the Deployment that its ReplicaSets do not get.
const OWN_ANNOTATIONS: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED,
    MAX,
    "deprecated.deployment.rollback.to",
];

/// The longest history of revisions that an annotation keeps.
const HISTORY_CHARACTERS: usize = 2000;

/// One ReplicaSet, as it is and as it shall be.
#[derive(Debug)]
pub(super) struct Set {
    object: Value,
    before: i64,
    changed: bool,
    create: bool,
    delete: bool,
}

impl Set {
    fn existing(object: &Value) -> Self {
        let before = object.int("/spec/replicas").unwrap_or(1);
        Self { object: object.clone(), before, changed: false, create: false, delete: false }
    }

    pub(super) fn name(&self) -> &str {
        meta::name(&self.object)
    }

    pub(super) fn uid(&self) -> &str {
        meta::uid(&self.object)
    }

    pub(super) fn object(&self) -> &Value {
        &self.object
    }

    /// `spec.replicas` as this pass leaves it.
    pub(super) fn replicas(&self) -> i64 {
        self.object.int("/spec/replicas").unwrap_or(1)
    }

    /// A count of `status`.
    pub(super) fn status(&self, field: &str) -> i64 {
        self.object["status"][field].as_i64().unwrap_or_default()
    }

    /// The revision of the rollout that made it; 0 when unknown.
    pub(super) fn revision(&self) -> i64 {
        self.number(REVISION).unwrap_or_default()
    }

    /// An annotation that holds a number.
    pub(super) fn number(&self, annotation: &str) -> Option<i64> {
        meta::annotation(&self.object, annotation)?.parse().ok()
    }

    /// Changes the size; false when it had it already.
    pub(super) fn scale(&mut self, replicas: i64) -> bool {
        if self.replicas() == replicas {
            return false;
        }
        self.object["spec"]["replicas"] = replicas.into();
        self.changed = true;
        true
    }

    pub(super) fn delete(&mut self) {
        self.delete = true;
    }

    fn annotate(&mut self, key: &str, value: &str) {
        self.changed |= set_annotation(&mut self.object, key, value);
    }

    fn created(&self) -> (&str, &str) {
        (self.object.text("/metadata/creationTimestamp"), self.name())
    }
}

/// All ReplicaSets of a Deployment: the one of the current template, and the others, oldest first.
pub(super) struct Sets<'a> {
    pub(super) deployment: &'a Value,
    pub(super) new: Option<Set>,
    pub(super) old: Vec<Set>,
    /// The revision that the Deployment's annotation shall show.
    revision: Option<i64>,
}

impl<'a> Sets<'a> {
    pub(super) fn new(deployment: &'a Value, owned: &[Arc<Value>]) -> Self {
        let mut old: Vec<Set> = owned.iter().map(|object| Set::existing(object)).collect();
        old.sort_by(|a, b| a.created().cmp(&b.created()));
        let template = &deployment["spec"]["template"];
        let new =
            old.iter().position(|set| same_template(&set.object["spec"]["template"], template));
        let new = new.map(|at| old.remove(at));
        Self { deployment, new, old, revision: None }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Set> {
        self.old.iter().chain(&self.new)
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Set> {
        self.old.iter_mut().chain(&mut self.new)
    }

    /// Pods of all sets, as this pass wants them.
    pub(super) fn total(&self) -> i64 {
        self.all().map(Set::replicas).sum()
    }

    /// Whether `spec.replicas` has changed since the sets were last sized.
    pub(super) fn scaled_since_last_pass(&self) -> bool {
        let wanted = self.deployment.int("/spec/replicas").unwrap_or(1);
        self.all()
            .filter(|set| set.replicas() > 0)
            .any(|set| set.number(DESIRED).is_some_and(|known| known != wanted))
    }

    /// Gives the existing new set the highest revision, and the Deployment's annotations.
    pub(super) fn sync_revision(&mut self, conditions: &mut Conditions) {
        let revision = self.next_revision();
        let annotations = inherited(self.deployment);
        let Some(new) = &mut self.new else { return };
        for (key, value) in annotations {
            new.annotate(&key, &value);
        }
        let known = new.revision();
        if known < revision {
            if known > 0 {
                let history = history(meta::annotation(&new.object, REVISION_HISTORY), known);
                new.annotate(REVISION_HISTORY, &history);
            }
            new.annotate(REVISION, &revision.to_string());
        }
        let min_ready = &self.deployment["spec"]["minReadySeconds"];
        if new.object["spec"]["minReadySeconds"] != *min_ready {
            new.object["spec"]["minReadySeconds"] = min_ready.clone();
            new.changed = true;
        }
        self.revision = Some(new.revision());
        conditions.found(new.name());
    }

    /// Makes the set of the current template if there is none.
    pub(super) fn ensure_new(&mut self, budget: &Budget, conditions: &mut Conditions) {
        if self.new.is_some() {
            return;
        }
        let room = (budget.most() - self.total()).clamp(0, budget.replicas);
        let revision = self.next_revision();
        let mut object = replica_set(self.deployment);
        object["spec"]["replicas"] = room.into();
        for (key, value) in inherited(self.deployment) {
            set_annotation(&mut object, &key, &value);
        }
        set_annotation(&mut object, REVISION, &revision.to_string());
        let new = Set { object, before: 0, changed: false, create: true, delete: false };
        conditions.created(new.name());
        self.revision = Some(revision);
        self.new = Some(new);
    }

    fn next_revision(&self) -> i64 {
        self.old.iter().map(Set::revision).max().unwrap_or_default() + 1
    }

    /// Turns what the pass left into actions: sets first, then the Deployment's own fields.
    pub(super) fn finish(mut self, status: Value, outcome: &mut Outcome) {
        let budget = Budget::of(self.deployment);
        let deployment = self.deployment;
        for set in self.all_mut() {
            if set.delete {
                outcome.actions.push(Action::Delete(&REPLICA_SET, set.object.clone()));
                continue;
            }
            let sized = set.create || set.changed || set.replicas() > 0;
            if sized && !meta::is_deleting(deployment) {
                set.annotate(DESIRED, &budget.replicas.to_string());
                set.annotate(MAX, &budget.most().to_string());
            }
            let (before, after) = (set.before, set.replicas());
            if set.create {
                outcome.actions.push(Action::Create(&REPLICA_SET, set.object.clone()));
            } else if set.changed {
                outcome.actions.push(Action::Update(&REPLICA_SET, set.object.clone()));
            }
            if before != after {
                let way = if after > before { "up" } else { "down" };
                let name = meta::name(&set.object);
                outcome.actions.push(Action::Event {
                    about: deployment.clone(),
                    kind: &DEPLOYMENT,
                    warning: false,
                    reason: "ScalingReplicaSet",
                    message: format!("Scaled {way} replica set {name} from {before} to {after}"),
                });
            }
        }
        let mut changed = deployment.clone();
        if let Some(revision) = self.revision
            && set_annotation(&mut changed, REVISION, &revision.to_string())
        {
            outcome.actions.push(Action::Update(&DEPLOYMENT, changed));
        }
        if deployment["status"] != status {
            let mut changed = deployment.clone();
            changed["status"] = status;
            outcome.actions.push(Action::UpdateStatus(&DEPLOYMENT, changed));
        }
    }
}

/// Whether a ReplicaSet's template is the Deployment's: equal but for the label added to it.
fn same_template(of_set: &Value, of_deployment: &Value) -> bool {
    let mut template = of_set.clone();
    let labels = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut);
    if let Some(labels) = labels {
        labels.remove(HASH_LABEL);
    }
    template == *of_deployment
}

/// The ReplicaSet of a Deployment's template, without size and annotations.
fn replica_set(deployment: &Value) -> Value {
    let collisions = deployment.int("/status/collisionCount").unwrap_or_default();
    let hash = hash::name_of(&deployment["spec"]["template"], collisions);
    let mut template = deployment["spec"]["template"].clone();
    template["metadata"]["labels"][HASH_LABEL] = hash.clone().into();
    let mut selector = deployment["spec"]["selector"].clone();
    selector["matchLabels"][HASH_LABEL] = hash.clone().into();
    let mut set = json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": format!("{}-{hash}", meta::name(deployment)),
            "namespace": meta::namespace(deployment),
            "labels": template["metadata"]["labels"],
            "ownerReferences": [controller_reference(&DEPLOYMENT, deployment)],
        },
        "spec": { "selector": selector, "template": template },
    });
    if !deployment["spec"]["minReadySeconds"].is_null() {
        set["spec"]["minReadySeconds"] = deployment["spec"]["minReadySeconds"].clone();
    }
    set
}

fn inherited(deployment: &Value) -> BTreeMap<String, String> {
    let annotations = meta::get(deployment, "annotations").and_then(Value::as_object);
    annotations
        .into_iter()
        .flatten()
        .filter(|(key, _)| !OWN_ANNOTATIONS.contains(&key.as_str()))
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// Appends a revision to the comma separated ones that the set had before; the oldest go first
/// once the text gets long.
fn history(known: Option<&str>, revision: i64) -> String {
    let mut history = match known.unwrap_or_default() {
        "" => revision.to_string(),
        known => format!("{known},{revision}"),
    };
    while history.len() > HISTORY_CHARACTERS {
        match history.split_once(',') {
            Some((_, rest)) => history = rest.to_owned(),
            None => break,
        }
    }
    history
}
