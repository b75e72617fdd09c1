//! Pods → the one node.

use std::sync::Arc;

use serde_json::Value;

use super::action::{Action, Outcome};
use super::object::Fields;
use crate::kinds::POD;
use crate::meta;

/// The name of the one node.
pub const NODE: &str = "local";

/// Assigns a pod that nobody has assigned to the node.
pub(super) fn reconcile(pod: &Arc<Value>) -> Outcome {
    let mut outcome = Outcome::default();
    let unassigned = pod.text("/spec/nodeName").is_empty();
    let ours = matches!(pod.text("/spec/schedulerName"), "" | "default-scheduler");
    if !unassigned || !ours || meta::is_deleting(pod) {
        return outcome;
    }
    let mut bound = Value::clone(pod);
    bound["spec"]["nodeName"] = NODE.into();
    let (namespace, name) = (meta::namespace(pod).unwrap_or_default(), meta::name(pod));
    outcome.actions.push(Action::Update(&POD, bound));
    outcome.actions.push(Action::Event {
        about: Value::clone(pod),
        kind: &POD,
        warning: false,
        reason: "Scheduled",
        message: format!("Successfully assigned {namespace}/{name} to {NODE}"),
    });
    outcome
}
