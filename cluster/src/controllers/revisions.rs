//! ControllerRevisions: the pod templates that a DaemonSet or StatefulSet had.

use std::sync::Arc;

use serde_json::{Value, json};

use super::action::{Action, Outcome};
use super::hash;
use super::object::{Fields, controller_reference, controls};
use crate::kinds::{CONTROLLER_REVISION, Kind};
use crate::meta;

/// The revisions of one owner.
pub(super) struct Revisions {
    /// Oldest first, the current template's last.
    list: Vec<Value>,
    /// The short name of the current template's revision.
    hash: String,
}

impl Revisions {
    /// Finds the revision of the owner's template, or makes it. `label` is what the owner's kind
    /// calls the hash on revisions.
    pub(super) fn sync(
        kind: &'static Kind,
        owner: &Value,
        all: &[Arc<Value>],
        label: &str,
        outcome: &mut Outcome,
    ) -> Self {
        let mine = all.iter().filter(|revision| controls(owner, revision));
        let mut list: Vec<Value> = mine.map(|revision| Value::clone(revision)).collect();
        list.sort_by_key(|revision| revision.int("/revision"));
        let data = data(owner);
        let next = list.last().and_then(|last| last.int("/revision")).unwrap_or_default() + 1;
        match list.iter().position(|revision| revision["data"] == data) {
            Some(at) if at + 1 == list.len() => {}
            Some(at) => {
                // Going back to a former template: its revision becomes the newest.
                let mut revision = list.remove(at);
                revision["revision"] = next.into();
                outcome.actions.push(Action::Update(&CONTROLLER_REVISION, revision.clone()));
                list.push(revision);
            }
            None => {
                let revision = new(kind, owner, data, label, next);
                outcome.actions.push(Action::Create(&CONTROLLER_REVISION, revision.clone()));
                list.push(revision);
            }
        }
        let hash = list
            .last()
            .and_then(|last| meta::name(last).strip_prefix(meta::name(owner))?.strip_prefix('-'));
        let hash = hash.unwrap_or_default().to_owned();
        Self { list, hash }
    }

    /// The hash of the current template.
    pub(super) fn hash(&self) -> &str {
        &self.hash
    }

    /// The name of the current template's revision.
    pub(super) fn current(&self) -> &str {
        self.list.last().map_or("", |revision| meta::name(revision))
    }

    /// The pod template of a revision.
    pub(super) fn template(&self, name: &str) -> Option<Value> {
        let revision = self.list.iter().find(|revision| meta::name(revision) == name)?;
        let mut template = revision.pointer("/data/spec/template")?.clone();
        meta::object_at(&mut template).remove("$patch");
        Some(template)
    }

    /// Deletes the oldest beyond the owner's limit that no pod uses.
    pub(super) fn clean_up(
        &self,
        owner: &Value,
        in_use: impl Fn(&Value) -> bool,
        outcome: &mut Outcome,
    ) {
        let limit = owner.int("/spec/revisionHistoryLimit").unwrap_or(10);
        let unused: Vec<&Value> = self
            .list
            .iter()
            .filter(|revision| meta::name(revision) != self.current() && !in_use(revision))
            .collect();
        let surplus = unused.len().saturating_sub(usize::try_from(limit).unwrap_or_default());
        for revision in unused.into_iter().take(surplus) {
            outcome.actions.push(Action::Delete(&CONTROLLER_REVISION, revision.clone()));
        }
    }
}

/// What a revision keeps: enough to put the template back by a strategic merge patch.
fn data(owner: &Value) -> Value {
    let mut template = owner["spec"]["template"].clone();
    template["$patch"] = "replace".into();
    json!({ "spec": { "template": template } })
}

fn new(kind: &'static Kind, owner: &Value, data: Value, label: &str, revision: i64) -> Value {
    let collisions = owner.int("/status/collisionCount").unwrap_or_default();
    let hash = hash::name_of(&data, collisions);
    let mut labels = owner["spec"]["template"]["metadata"]["labels"].clone();
    labels[label] = hash.clone().into();
    let mut made = json!({
        "apiVersion": CONTROLLER_REVISION.api_version(),
        "kind": CONTROLLER_REVISION.kind,
        "metadata": {
            "name": format!("{}-{hash}", meta::name(owner)),
            "namespace": meta::namespace(owner),
            "labels": labels,
            "ownerReferences": [controller_reference(kind, owner)],
        },
        "data": data,
        "revision": revision,
    });
    if let Some(annotations) = meta::get(owner, "annotations") {
        let mut annotations = annotations.clone();
        meta::object_at(&mut annotations)
            .remove("kubectl.kubernetes.io/last-applied-configuration");
        meta::set(&mut made, "annotations", Some(annotations));
    }
    made
}
