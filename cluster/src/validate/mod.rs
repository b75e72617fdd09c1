//! The rules that objects must follow beyond their types, with Kubernetes' messages.

mod config;
mod definition;
mod job;
mod metadata;
pub(crate) mod names;
mod network;
mod pod;
mod policy;
mod rbac;
mod sets;
mod workload;

pub(crate) use config::{config_map, lease, secret};
pub(crate) use definition::definition;
pub(crate) use job::job;
pub(crate) use network::{endpoint_slice, ingress, ingress_class, service};
pub(crate) use pod::pod;
pub(crate) use policy::{network_policy, resource_quota};
pub(crate) use rbac::{cluster_role, cluster_role_binding, role, role_binding};
pub(crate) use sets::{controller_revision, daemon_set, stateful_set};
pub(crate) use workload::{deployment, disruption_budget, horizontal_pod_autoscaler, replica_set};

use serde_json::Value;

use crate::custom;
use crate::kinds::Kind;
use crate::meta;
use crate::status::{Cause, Status};

/// A kind without rules of its own.
pub(crate) fn anything(_: &Value, _: Option<&Value>, _: &mut Causes) {}

/// What was found wrong.
#[derive(Debug, Default)]
pub(crate) struct Causes(Vec<Cause>);

/// Checks an object; `old` is what it replaces.
pub(crate) fn validate(kind: &Kind, object: &Value, old: Option<&Value>) -> Result<(), Status> {
    let mut causes = Causes::default();
    metadata::validate(kind, object, old, &mut causes);
    match kind.custom {
        Some(custom) => causes.0.extend(custom::check(&custom.structural, object, old)),
        None => (kind.validate)(object, old, &mut causes),
    }
    if causes.0.is_empty() {
        return Ok(());
    }
    Err(Status::invalid(kind, meta::name(object), causes.0))
}

impl Causes {
    fn add(&mut self, cause: Cause) {
        self.0.push(cause);
    }

    /// Adds one cause for each problem that a rule finds with a text.
    fn check(&mut self, field: &str, text: &str, rule: fn(&str) -> Vec<String>) {
        for problem in rule(text) {
            self.add(Cause::invalid(field, &text.into(), &problem));
        }
    }

    /// A text that must be there and be one of a few.
    fn one_of(&mut self, field: &str, value: &Value, allowed: &[&str]) {
        match value.as_str() {
            None | Some("") => self.add(Cause::required(field, "")),
            Some(text) if allowed.contains(&text) => {}
            Some(text) => self.add(Cause::not_supported(field, text, allowed)),
        }
    }

    /// A text that may be absent, else is one of a few.
    fn one_of_or_none(&mut self, field: &str, value: &Value, allowed: &[&str]) {
        if !value.is_null() {
            self.one_of(field, value, allowed);
        }
    }

    /// A text that must be there. Tells whether it is.
    fn required(&mut self, field: &str, value: &Value) -> bool {
        let there = value.as_str().is_some_and(|text| !text.is_empty());
        if !there {
            self.add(Cause::required(field, ""));
        }
        there
    }

    /// A number that may be absent, else is not negative.
    fn not_negative(&mut self, field: &str, value: &Value) {
        if value.as_i64().is_some_and(|number| number < 0) {
            self.add(Cause::invalid(field, value, "must be greater than or equal to 0"));
        }
    }

    /// A port number, or with `names` the name of one.
    fn port(&mut self, field: &str, value: &Value, names: bool) {
        match value {
            Value::String(name) if names => self.check(field, name, names::port_name),
            _ if value.as_i64().is_some_and(|port| (1..=65535).contains(&port)) => {}
            _ => self.add(Cause::invalid(field, value, "must be between 1 and 65535, inclusive")),
        }
    }

    /// A field that cannot change once the object exists.
    fn immutable(&mut self, field: &str, new: &Value, old: Option<&Value>) {
        let at = |object: &Value| {
            field.split('.').fold(object.clone(), |value, name| value[name].clone())
        };
        if let Some(old) = old
            && at(new) != at(old)
        {
            self.add(Cause::invalid(field, &at(new), "field is immutable"));
        }
    }
}

/// Elements of a list, with their paths.
fn elements<'a>(
    path: &str,
    list: &'a Value,
) -> impl Iterator<Item = (String, &'a Value)> + use<'a> {
    let path = path.to_owned();
    list.as_array()
        .into_iter()
        .flatten()
        .enumerate()
        .map(move |(index, element)| (format!("{path}[{index}]"), element))
}

/// Adds a cause for every element whose key came before.
fn unique(causes: &mut Causes, path: &str, list: &Value, key: &str) {
    let mut seen = Vec::new();
    for (element_path, element) in elements(path, list) {
        let Some(name) = element[key].as_str() else { continue };
        if seen.contains(&name) {
            causes.add(Cause::duplicate(format!("{element_path}.{key}"), &format!("{name:?}")));
        }
        seen.push(name);
    }
}
