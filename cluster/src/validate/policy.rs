//! NetworkPolicy, ResourceQuota.

use ipnet::IpNet;
use serde_json::Value;

use super::{Causes, elements, names};
use crate::status::Cause;

pub(crate) fn network_policy(object: &Value, _: Option<&Value>, causes: &mut Causes) {
    let spec = &object["spec"];
    for (list, side) in [("ingress", "from"), ("egress", "to")] {
        for (path, rule) in elements(&format!("spec.{list}"), &spec[list]) {
            for (path, port) in elements(&format!("{path}.ports"), &rule["ports"]) {
                policy_port(&path, port, causes);
            }
            for (path, peer) in elements(&format!("{path}.{side}"), &rule[side]) {
                policy_peer(&path, peer, causes);
            }
        }
    }
    if spec["policyTypes"].as_array().is_some_and(|types| types.len() > 2) {
        let why = "may not specify more than two policyTypes";
        causes.add(Cause::invalid("spec.policyTypes", &spec["policyTypes"], why));
        return;
    }
    for (path, kind) in elements("spec.policyTypes", &spec["policyTypes"]) {
        causes.one_of(&path, kind, &["Egress", "Ingress"]);
    }
}

fn policy_port(path: &str, port: &Value, causes: &mut Causes) {
    causes.one_of_or_none(&format!("{path}.protocol"), &port["protocol"], &["SCTP", "TCP", "UDP"]);
    let (first, last) = (&port["port"], &port["endPort"]);
    if !first.is_null() {
        causes.port(&format!("{path}.port"), first, true);
    }
    if last.is_null() {
        return;
    }
    let field = format!("{path}.endPort");
    match first {
        Value::Null => {
            let why = "may not be specified when `port` is not specified";
            causes.add(Cause::invalid(field, last, why));
        }
        Value::String(_) => {
            let why = "may not be specified when `port` is non-numeric";
            causes.add(Cause::invalid(field, last, why));
        }
        first if last.as_i64() < first.as_i64() => {
            let why = "must be greater than or equal to `port`";
            causes.add(Cause::invalid(field, last, why));
        }
        _ => causes.port(&field, last, false),
    }
}

fn policy_peer(path: &str, peer: &Value, causes: &mut Causes) {
    let selects = !peer["podSelector"].is_null() || !peer["namespaceSelector"].is_null();
    let block = &peer["ipBlock"];
    match (selects, block.is_null()) {
        (true, true) => {}
        (false, true) => causes.add(Cause::required(path, "must specify a peer")),
        (true, false) => {
            causes.add(Cause::forbidden(path, "may not specify both ipBlock and another peer"));
        }
        (false, false) => {
            let field = format!("{path}.ipBlock.cidr");
            if causes.required(&field, &block["cidr"])
                && block["cidr"].as_str().is_none_or(|cidr| cidr.parse::<IpNet>().is_err())
            {
                let why = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
                causes.add(Cause::invalid(field, &block["cidr"], why));
            }
        }
    }
}

/// What a quota may count that is not named with a domain.
const COUNTED: [&str; 19] = [
    "configmaps",
    "cpu",
    "ephemeral-storage",
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "memory",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
    "requests.storage",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
];

pub(crate) fn resource_quota(object: &Value, _: Option<&Value>, causes: &mut Causes) {
    for (name, amount) in object["spec"]["hard"].as_object().into_iter().flatten() {
        let field = format!("spec.hard[{name}]");
        causes.check(&field, name, names::qualified);
        let known = name.contains('/')
            || name.starts_with("hugepages-")
            || name.starts_with("requests.hugepages-");
        if !known && !COUNTED.contains(&name.as_str()) {
            let why = "must be a standard resource for quota";
            causes.add(Cause::invalid(field.as_str(), &name.as_str().into(), why));
        }
        if amount.as_str().is_some_and(|amount| amount.starts_with('-')) {
            let why = "must be greater than or equal to 0";
            causes.add(Cause::invalid(field, amount, why));
        }
    }
}
