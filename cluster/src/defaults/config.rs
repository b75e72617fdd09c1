//! Secret, Namespace, Event, bindings.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{each, fill, made, map};
use crate::meta;

/// `stringData` is written into `data`, and is not kept.
pub(crate) fn secret(object: &mut Value) {
    let secret = meta::object_at(object);
    fill(secret, "type", "Opaque");
    if let Some(Value::Object(texts)) = secret.remove("stringData") {
        let data = made(secret, "data");
        for (key, text) in texts {
            data.insert(key, STANDARD.encode(text.as_str().unwrap_or_default()).into());
        }
    }
}

/// A namespace can be selected by its name.
pub(crate) fn namespace(object: &mut Value) {
    let name = meta::name(object).to_owned();
    let labels = made(meta::metadata_mut(object), "labels");
    labels.insert("kubernetes.io/metadata.name".to_owned(), name.into());
}

/// Held until it was emptied.
pub(crate) fn new_namespace(object: &mut Value) {
    object["spec"]["finalizers"] = json!(["kubernetes"]);
    object["status"] = json!({ "phase": "Active" });
}

/// What holds a namespace is taken away at `/finalize` only.
pub(crate) fn namespace_finalizers(old: Option<&Value>, namespace: &mut Value) {
    if let Some(old) = old {
        namespace["spec"] = old["spec"].clone();
    }
}

/// Being emptied.
pub(crate) fn emptying_namespace(namespace: &mut Value) {
    namespace["status"]["phase"] = "Terminating".into();
}

pub(crate) fn role_binding(object: &mut Value) {
    const GROUP: &str = "rbac.authorization.k8s.io";
    let binding = meta::object_at(object);
    if let Some(role) = map(binding, "roleRef") {
        fill(role, "apiGroup", GROUP);
    }
    for subject in each(binding, "subjects") {
        if matches!(subject.get("kind").and_then(Value::as_str), Some("User" | "Group")) {
            fill(subject, "apiGroup", GROUP);
        }
    }
}

/// Fields that Go writes even where they are empty.
pub(crate) fn event(object: &mut Value) {
    let event = meta::object_at(object);
    for field in ["involvedObject", "source"] {
        made(event, field);
    }
    for field in ["firstTimestamp", "lastTimestamp", "eventTime"] {
        fill(event, field, Value::Null);
    }
    for field in ["reportingComponent", "reportingInstance"] {
        fill(event, field, "");
    }
}
