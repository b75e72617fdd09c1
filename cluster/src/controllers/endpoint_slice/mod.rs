//! Service → EndpointSlices: which addresses stand behind a Service's selector.
//!
//! Endpoints are grouped by the ports that they are reached on. Slices are changed in place as far
//! as possible: whoever watches them sees the endpoints that changed and no churn.

mod endpoint;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use serde_json::{Value, json};

use super::action::{Action, Outcome};
use super::object::{Fields, controller_reference};
use crate::kinds::{ENDPOINT_SLICE, SERVICE};
use crate::meta;
use crate::selector::Selector;
use endpoint::Endpoint;

/// Label that names the Service of a slice.
pub(super) const SERVICE_NAME: &str = "kubernetes.io/service-name";
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const MANAGER: &str = "endpointslice-controller.k8s.io";
const HEADLESS: &str = "service.kubernetes.io/headless";

/// Endpoints per slice.
const CAPACITY: usize = 100;

/// The pods that a Service selects; `None` where its endpoints are not made from pods.
pub(super) fn pod_selector(service: &Value) -> Option<Selector> {
    if service["spec"]["type"] == "ExternalName" {
        return None;
    }
    let labels = service.pointer("/spec/selector")?.as_object()?;
    let labels = labels.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)));
    Some(Selector::from_labels(labels)).filter(|selector| !selector.is_everything())
}

/// Decides what to do for a Service. `pods` are all of its namespace, `slices` may be more than its own.
pub(super) fn reconcile(service: &Value, pods: &[Arc<Value>], slices: &[Arc<Value>]) -> Outcome {
    let mut outcome = Outcome::default();
    if meta::is_deleting(service) {
        return outcome;
    }
    let mine = slices.iter().filter(|slice| {
        meta::label(slice, SERVICE_NAME) == Some(meta::name(service))
            && meta::label(slice, MANAGED_BY) == Some(MANAGER)
            && !meta::is_deleting(slice)
    });
    let Some(selector) = pod_selector(service) else {
        if service["spec"]["type"] == "ExternalName" {
            outcome.actions.extend(mine.map(|slice| delete(slice)));
        }
        return outcome;
    };
    // By name, so that every pass places them in the same order.
    let mut endpoints: BTreeMap<&str, Endpoint> = pods
        .iter()
        .filter(|pod| selector.matches(pod))
        .filter_map(|pod| Some((meta::name(pod), Endpoint::of(service, pod)?)))
        .collect();

    let mut plan = Plan { kept: Vec::new(), unused: Vec::new(), new: Vec::new() };
    for slice in mine {
        plan.keep(slice, &mut endpoints);
    }
    plan.place(endpoints.into_values());
    if plan.kept.is_empty() && plan.new.is_empty() {
        // A Service always has a slice, so that "no endpoints" can be told from "not known yet".
        plan.new.push((json!([]), Vec::new()));
    }
    plan.finish(service, &mut outcome);
    outcome
}

/// Where each endpoint goes.
struct Plan<'s> {
    /// Slices that keep some of their endpoints, with those.
    kept: Vec<(&'s Value, Vec<Value>)>,
    /// Slices that keep none.
    unused: Vec<&'s Value>,
    /// Slices to make: ports and endpoints.
    new: Vec<(Value, Vec<Value>)>,
}

impl<'s> Plan<'s> {
    /// Takes the endpoints that the slice has already.
    fn keep(&mut self, slice: &'s Value, endpoints: &mut BTreeMap<&'s str, Endpoint>) {
        let mut kept = Vec::new();
        for known in slice.list("/endpoints") {
            if let Entry::Occupied(wanted) = endpoints.entry(known.text("/targetRef/name"))
                && Endpoint::uid(&wanted.get().value) == Endpoint::uid(known)
                && wanted.get().ports == slice["ports"]
            {
                kept.push(wanted.remove().value);
            }
        }
        if kept.is_empty() {
            self.unused.push(slice);
        } else {
            self.kept.push((slice, kept));
        }
    }

    /// Finds room for the endpoints that no slice has.
    fn place(&mut self, endpoints: impl Iterator<Item = Endpoint>) {
        for Endpoint { ports, value } in endpoints {
            let kept = self.kept.iter_mut().map(|(slice, list)| (&slice["ports"], list));
            let new = self.new.iter_mut().map(|(ports, list)| (&*ports, list));
            let room = kept.chain(new).find(|(of, list)| **of == ports && list.len() < CAPACITY);
            match room {
                Some((_, list)) => list.push(value),
                None => self.new.push((ports, vec![value])),
            }
        }
    }

    fn finish(mut self, service: &Value, outcome: &mut Outcome) {
        for (slice, endpoints) in self.kept {
            update(service, slice, slice["ports"].clone(), endpoints, outcome);
        }
        for (ports, endpoints) in self.new {
            // An unused slice of the same ports first, so that a restart of the only pod is one change.
            let same = self.unused.iter().position(|slice| slice["ports"] == ports);
            let reused = same.or_else(|| self.unused.len().checked_sub(1));
            match reused.map(|at| self.unused.remove(at)) {
                Some(slice) => update(service, slice, ports, endpoints, outcome),
                None => outcome
                    .actions
                    .push(Action::Create(&ENDPOINT_SLICE, slice(service, ports, endpoints))),
            }
        }
        outcome.actions.extend(self.unused.into_iter().map(delete));
    }
}

fn delete(slice: &Value) -> Action {
    Action::Delete(&ENDPOINT_SLICE, slice.clone())
}

fn update(
    service: &Value,
    known: &Value,
    ports: Value,
    endpoints: Vec<Value>,
    outcome: &mut Outcome,
) {
    let mut changed = known.clone();
    changed["ports"] = ports;
    changed["endpoints"] = endpoints.into();
    meta::set(&mut changed, "labels", Some(labels(service)));
    if changed != *known {
        outcome.actions.push(Action::Update(&ENDPOINT_SLICE, changed));
    }
}

fn slice(service: &Value, ports: Value, endpoints: Vec<Value>) -> Value {
    json!({
        "apiVersion": ENDPOINT_SLICE.api_version(),
        "kind": ENDPOINT_SLICE.kind,
        "metadata": {
            "generateName": format!("{}-", meta::name(service)),
            "namespace": meta::namespace(service),
            "labels": labels(service),
            "ownerReferences": [controller_reference(&SERVICE, service)],
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": ports,
    })
}

/// The Service's labels and those that mark the slice as made from it.
fn labels(service: &Value) -> Value {
    let mut labels = meta::get(service, "labels").cloned().unwrap_or_else(|| json!({}));
    labels[SERVICE_NAME] = meta::name(service).into();
    labels[MANAGED_BY] = MANAGER.into();
    if service["spec"]["clusterIP"] == "None" {
        labels[HEADLESS] = "".into();
    }
    labels
}
