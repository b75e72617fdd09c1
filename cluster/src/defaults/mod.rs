//! What Kubernetes fills in: values that a client leaves out, and the status of new objects.

mod config;
mod definition;
mod job;
mod network;
mod pod;
mod sets;
mod workload;

pub(crate) use config::{
    emptying_namespace, event, namespace, namespace_finalizers, new_namespace, role_binding, secret,
};
pub(crate) use definition::{
    CLEANUP, definition, emptying_definition, new_definition, stored_versions,
};
pub(crate) use job::{job, new_job};
pub(crate) use network::{
    cluster_ip, endpoint_slice, ingress_class, network_policy, new_load_balanced, service,
};
pub(crate) use pod::{new_pod, pod};
pub(crate) use sets::{daemon_set, new_daemon_set, new_stateful_set, stateful_set};
pub(crate) use workload::{
    deployment, horizontal_pod_autoscaler, new_disruption_budget, new_replica_set, replica_set,
};

use serde_json::{Map, Value, json};

/// A kind for which nothing is filled in.
pub(crate) fn nothing(_: &mut Value) {}

/// A kind for which nothing is allocated.
pub(crate) fn no_allocation(_: Option<&Value>, _: &mut Value) {}

/// A new object whose status is there, and empty.
pub(crate) fn new_with_status(object: &mut Value) {
    object["status"] = json!({});
}

/// Sets a field that is not there.
fn fill(object: &mut Map<String, Value>, field: &str, value: impl Into<Value>) {
    if !object.contains_key(field) {
        object.insert(field.to_owned(), value.into());
    }
}

/// The map at a field, if the field is there.
fn map<'a>(object: &'a mut Map<String, Value>, field: &str) -> Option<&'a mut Map<String, Value>> {
    object.get_mut(field)?.as_object_mut()
}

/// The map at a field, which is made if it is not there.
fn made<'a>(object: &'a mut Map<String, Value>, field: &str) -> &'a mut Map<String, Value> {
    crate::meta::object_at(object.entry(field).or_insert(Value::Null))
}

/// The maps in the list at a field.
fn each<'a>(
    object: &'a mut Map<String, Value>,
    field: &str,
) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    let list = object.get_mut(field).and_then(Value::as_array_mut);
    list.into_iter().flatten().filter_map(Value::as_object_mut)
}

/// The map at `spec`, which is made if it is not there.
fn spec(object: &mut Value) -> &mut Map<String, Value> {
    made(crate::meta::object_at(object), "spec")
}
