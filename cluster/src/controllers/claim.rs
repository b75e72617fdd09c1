//! Which objects belong to a controller: those that it controls and selects. It takes orphans that
//! it selects and lets go of what it no longer selects, as Kubernetes does.

use std::sync::Arc;

use serde_json::Value;

use super::action::Action;
use super::object::{controller_reference, controls, workload_selector};
use crate::kinds::Kind;
use crate::meta;

/// Sorts out which of the candidates belong to the owner. Adds an update per adoption and release.
pub(crate) fn claim(
    owner_kind: &'static Kind,
    owner: &Value,
    kind: &'static Kind,
    candidates: &[Arc<Value>],
    actions: &mut Vec<Action>,
) -> Vec<Arc<Value>> {
    let Some(selector) = workload_selector(owner) else { return Vec::new() };
    let mut claimed = Vec::new();
    for candidate in candidates {
        let selected = selector.matches(candidate);
        if controls(owner, candidate) {
            if selected {
                claimed.push(candidate.clone());
            } else if !meta::is_deleting(owner) {
                actions.push(Action::Update(kind, without_owner(candidate, meta::uid(owner))));
            }
        } else if selected
            && meta::controller(candidate).is_none()
            && !meta::is_deleting(owner)
            && !meta::is_deleting(candidate)
        {
            let mut adopted = Value::clone(candidate);
            push_owner(&mut adopted, controller_reference(owner_kind, owner));
            claimed.push(Arc::new(adopted.clone()));
            actions.push(Action::Update(kind, adopted));
        }
    }
    claimed
}

/// The object without its reference to this owner.
pub(crate) fn without_owner(object: &Value, uid: &str) -> Value {
    let mut object = object.clone();
    if let Some(owners) =
        object.pointer_mut("/metadata/ownerReferences").and_then(Value::as_array_mut)
    {
        owners.retain(|owner| owner["uid"] != uid);
    }
    object
}

fn push_owner(object: &mut Value, reference: Value) {
    let owners = meta::metadata_mut(object).entry("ownerReferences").or_insert(Value::Null);
    match owners.as_array_mut() {
        Some(owners) => owners.push(reference),
        None => *owners = Value::Array(vec![reference]),
    }
}
