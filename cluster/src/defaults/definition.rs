//! CustomResourceDefinition.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{fill, made, map, spec};
use crate::custom::names::{is_true, set_condition};
use crate::meta;

/// Held until the kind's objects are gone.
pub(crate) const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Names are derived from the kind.
pub(crate) fn definition(object: &mut Value) {
    let spec = spec(object);
    let conversion = made(spec, "conversion");
    fill(conversion, "strategy", "None");
    let Some(names) = map(spec, "names") else { return };
    if let Some(kind) = names.get("kind").and_then(Value::as_str).map(str::to_owned) {
        fill(names, "singular", kind.to_lowercase());
        fill(names, "listKind", format!("{kind}List"));
    }
}

/// Has no names yet.
pub(crate) fn new_definition(object: &mut Value) {
    object["status"] = json!({
        "conditions": null, "acceptedNames": { "plural": "", "kind": "" },
        "storedVersions": [],
    });
}

/// Every version that objects were ever kept as is remembered.
pub(crate) fn stored_versions(_: Option<&Value>, object: &mut Value) {
    let versions = object["spec"]["versions"].as_array().into_iter().flatten();
    let storage = versions.filter(|version| version["storage"] == true).map(|v| v["name"].clone());
    let storage: Vec<Value> = storage.collect();
    let status = made(meta::object_at(object), "status");
    let stored = status.entry("storedVersions").or_insert_with(|| json!([]));
    if let Some(stored) = stored.as_array_mut() {
        for version in storage {
            if !stored.contains(&version) {
                stored.push(version);
            }
        }
    }
}

/// Its objects go first.
pub(crate) fn emptying_definition(object: &mut Value) {
    if is_true(&object["status"], "Terminating") {
        return;
    }
    let finalizers = meta::metadata_mut(object).entry("finalizers").or_insert_with(|| json!([]));
    if let Some(finalizers) = finalizers.as_array_mut() {
        finalizers.push(CLEANUP.into());
    }
    let message =
        "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon";
    let now = meta::time(Timestamp::now());
    let condition = ("True", "InstanceDeletionPending", message);
    set_condition(&mut object["status"], "Terminating", condition, &now);
}
