//! Reading what controllers and kubelet need from objects, without copies.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::kinds::Kind;

/// The fields of an object that controllers read. What is absent reads as empty.
pub(crate) trait Object {
    /// `metadata.name`.
    fn name(&self) -> &str;
    /// `metadata.namespace`.
    fn namespace(&self) -> &str;
    /// `metadata.uid`.
    fn uid(&self) -> &str;
    /// A string by JSON pointer.
    fn text(&self, pointer: &str) -> &str;
    /// An integer by JSON pointer.
    fn int(&self, pointer: &str) -> Option<i64>;
    /// A list by JSON pointer.
    fn list(&self, pointer: &str) -> &[Value];
    /// `metadata.labels[key]`.
    fn label(&self, key: &str) -> Option<&str>;
    /// `metadata.annotations[key]`.
    fn annotation(&self, key: &str) -> Option<&str>;
    /// Whether `metadata.deletionTimestamp` is set.
    fn deleting(&self) -> bool;
    /// A time by JSON pointer.
    fn time(&self, pointer: &str) -> Option<Timestamp>;
    /// The condition of this type in `status.conditions`.
    fn condition(&self, kind: &str) -> Option<&Value>;
    /// The owner that controls this object.
    fn controller(&self) -> Option<&Value>;
}

impl Object for Value {
    fn name(&self) -> &str {
        self["metadata"]["name"].as_str().unwrap_or_default()
    }

    fn namespace(&self) -> &str {
        self["metadata"]["namespace"].as_str().unwrap_or_default()
    }

    fn uid(&self) -> &str {
        self["metadata"]["uid"].as_str().unwrap_or_default()
    }

    fn text(&self, pointer: &str) -> &str {
        self.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    fn int(&self, pointer: &str) -> Option<i64> {
        self.pointer(pointer).and_then(Value::as_i64)
    }

    fn list(&self, pointer: &str) -> &[Value] {
        self.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn label(&self, key: &str) -> Option<&str> {
        self["metadata"]["labels"][key].as_str()
    }

    fn annotation(&self, key: &str) -> Option<&str> {
        self["metadata"]["annotations"][key].as_str()
    }

    fn deleting(&self) -> bool {
        self["metadata"]["deletionTimestamp"].is_string()
    }

    fn time(&self, pointer: &str) -> Option<Timestamp> {
        self.pointer(pointer)?.as_str()?.parse().ok()
    }

    fn condition(&self, kind: &str) -> Option<&Value> {
        self.list("/status/conditions").iter().find(|condition| condition["type"] == kind)
    }

    fn controller(&self) -> Option<&Value> {
        self.list("/metadata/ownerReferences").iter().find(|owner| owner["controller"] == true)
    }
}

/// The object at a key, made when absent or of another type.
pub(crate) fn object_at<'a>(value: &'a mut Value, path: &[&str]) -> &'a mut Map<String, Value> {
    let mut at = value;
    for key in path {
        if !at[*key].is_object() {
            at[*key] = Value::Object(Map::new());
        }
        at = &mut at[*key];
    }
    if !at.is_object() {
        *at = Value::Object(Map::new());
    }
    at.as_object_mut().expect("made an object above")
}

/// Sets an annotation; false when it had that value already.
pub(crate) fn set_annotation(object: &mut Value, key: &str, value: &str) -> bool {
    if object.annotation(key) == Some(value) {
        return false;
    }
    object_at(object, &["metadata", "annotations"]).insert(key.to_owned(), value.into());
    true
}

/// An owner reference to an object that controls what it is put on.
pub(crate) fn controller_reference(kind: &Kind, owner: &Value) -> Value {
    json!({
        "apiVersion": kind.api_version(),
        "kind": kind.kind,
        "name": owner.name(),
        "uid": owner.uid(),
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// A time as Kubernetes writes it: whole seconds, `Z`.
pub(crate) fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
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
    !pod.deleting() && !pod_finished(pod)
}

/// Since when a ready pod is available, given the owner's `minReadySeconds`: in the past when it
/// is available, in the future when it still has to prove itself; `None` when it is not ready.
pub(crate) fn pod_available_at(pod: &Value, min_ready: i64) -> Option<Timestamp> {
    if !pod_ready(pod) {
        return None;
    }
    let since = pod.condition("Ready").and_then(|ready| ready.time("/lastTransitionTime"));
    let since = since.unwrap_or(Timestamp::UNIX_EPOCH);
    since.checked_add(jiff::SignedDuration::from_secs(min_ready)).ok()
}
