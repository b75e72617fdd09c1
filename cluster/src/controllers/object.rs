//! Reading what controllers and the kubelet need from objects, without copies. What is absent reads
//! as empty.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::kinds::Kind;
use crate::meta;
use crate::selector::Selector;

/// Fields by path, as in `/spec/replicas`: a JSON pointer (RFC 6901) without its escapes, which take
/// an allocation per step.
pub(crate) trait Fields {
    /// A string.
    fn text(&self, path: &str) -> &str;
    /// An integer.
    fn int(&self, path: &str) -> Option<i64>;
    /// A list.
    fn list(&self, path: &str) -> &[Value];
    /// A time.
    fn time(&self, path: &str) -> Option<Timestamp>;
    /// The condition of this type in `status.conditions`.
    fn condition(&self, kind: &str) -> Option<&Value>;
}

impl Fields for Value {
    fn text(&self, path: &str) -> &str {
        at(self, path).and_then(Self::as_str).unwrap_or_default()
    }

    fn int(&self, path: &str) -> Option<i64> {
        at(self, path).and_then(Self::as_i64)
    }

    fn list(&self, path: &str) -> &[Value] {
        at(self, path).and_then(Self::as_array).map_or(&[], Vec::as_slice)
    }

    fn time(&self, path: &str) -> Option<Timestamp> {
        at(self, path)?.as_str()?.parse().ok()
    }

    fn condition(&self, kind: &str) -> Option<&Value> {
        self.list("/status/conditions").iter().find(|condition| condition["type"] == kind)
    }
}

/// The value at a path.
fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('/').skip(1).try_fold(value, |value, key| match value {
        Value::Object(fields) => fields.get(key),
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Sets an annotation; false when it had that value already.
pub(crate) fn set_annotation(object: &mut Value, key: &str, value: &str) -> bool {
    if meta::annotation(object, key) == Some(value) {
        return false;
    }
    let annotations = meta::metadata_mut(object).entry("annotations").or_insert(Value::Null);
    meta::object_at(annotations).insert(key.to_owned(), value.into());
    true
}

/// An owner reference to an object that controls what it is put on.
pub(crate) fn controller_reference(kind: &Kind, owner: &Value) -> Value {
    json!({
        "apiVersion": kind.api_version(),
        "kind": kind.kind,
        "name": meta::name(owner),
        "uid": meta::uid(owner),
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// Whether this object is the one that controls the other.
pub(crate) fn controls(owner: &Value, object: &Value) -> bool {
    meta::controller(object).is_some_and(|reference| reference["uid"] == meta::uid(owner))
}

/// The selector of a workload. `None` where it is malformed or empty: a controller that took every
/// pod of the namespace would be a mistake, never a wish.
pub(crate) fn workload_selector(object: &Value) -> Option<Selector> {
    Selector::from_label_selector(&object["spec"]["selector"])
        .filter(|selector| !selector.is_everything())
}

/// Whether the pod's condition `Ready` is true.
pub(crate) fn pod_ready(pod: &Value) -> bool {
    pod.condition("Ready").is_some_and(|condition| condition["status"] == "True")
}

/// Whether all containers of the pod have ended for good.
pub(crate) fn pod_finished(pod: &Value) -> bool {
    matches!(pod.text("/status/phase"), "Succeeded" | "Failed")
}

/// Whether the pod counts for a controller that keeps pods running.
pub(crate) fn pod_active(pod: &Value) -> bool {
    !meta::is_deleting(pod) && !pod_finished(pod)
}

/// When a ready pod is available, given its owner's `minReadySeconds`: in the past when it is, in
/// the future when it still has to prove itself; `None` when it is not ready.
pub(crate) fn pod_available_at(pod: &Value, min_ready: i64) -> Option<Timestamp> {
    let ready = pod.condition("Ready").filter(|condition| condition["status"] == "True")?;
    let since = ready.time("/lastTransitionTime").unwrap_or(Timestamp::UNIX_EPOCH);
    if min_ready <= 0 {
        return Some(Timestamp::UNIX_EPOCH);
    }
    since.checked_add(SignedDuration::from_secs(min_ready)).ok()
}
