//! Making pods from the template of a workload.

use serde_json::{Value, json};

use super::object::controller_reference;
use crate::kinds::Kind;
use crate::meta;

/// A pod of the owner's `spec.template`, named after the owner and controlled by it.
pub(super) fn from_template(kind: &'static Kind, owner: &Value) -> Value {
    let template = &owner["spec"]["template"];
    let mut metadata = json!({
        "generateName": format!("{}-", meta::name(owner)),
        "namespace": meta::namespace(owner),
        "ownerReferences": [controller_reference(kind, owner)],
    });
    for field in ["labels", "annotations", "finalizers"] {
        if let Some(value) = meta::get(template, field) {
            metadata[field] = value.clone();
        }
    }
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": template["spec"],
    })
}
