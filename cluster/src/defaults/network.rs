//! Service, EndpointSlice, IngressClass, NetworkPolicy.

use serde_json::{Map, Value, json};

use super::{each, fill, made, map, spec};

pub(crate) fn service(object: &mut Value) {
    let spec = spec(object);
    fill(spec, "sessionAffinity", "None");
    fill(spec, "type", "ClusterIP");
    let text = |spec: &Map<String, Value>, field: &str| {
        spec.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    if text(spec, "sessionAffinity") == "ClientIP" {
        fill(made(made(spec, "sessionAffinityConfig"), "clientIP"), "timeoutSeconds", 10_800);
    }
    let kind = text(spec, "type");
    if matches!(kind.as_str(), "ClusterIP" | "NodePort" | "LoadBalancer") {
        fill(spec, "internalTrafficPolicy", "Cluster");
    }
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
        fill(spec, "externalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        fill(spec, "allocateLoadBalancerNodePorts", true);
    }
    for port in each(spec, "ports") {
        fill(port, "protocol", "TCP");
        let target = port.get("targetPort").filter(|t| **t != json!(0) && **t != json!(""));
        if target.is_none()
            && let Some(number) = port.get("port").cloned()
        {
            port.insert("targetPort".to_owned(), number);
        }
    }
}

/// There are no cluster IPs here: every Service is headless, and says so.
pub(crate) fn cluster_ip(old: Option<&Value>, service: &mut Value) {
    let spec = spec(service);
    if spec.get("type") == Some(&json!("ExternalName")) {
        return;
    }
    for (field, none) in [("clusterIP", json!("None")), ("clusterIPs", json!(["None"]))] {
        let before = old.and_then(|old| old["spec"].get(field)).cloned();
        fill(spec, field, before.unwrap_or(none));
    }
}

/// A new Service or Ingress: no address yet.
pub(crate) fn new_load_balanced(object: &mut Value) {
    object["status"] = json!({ "loadBalancer": {} });
}

pub(crate) fn endpoint_slice(object: &mut Value) {
    let slice = crate::meta::object_at(object);
    for port in each(slice, "ports") {
        fill(port, "name", "");
        fill(port, "protocol", "TCP");
    }
    for endpoint in each(slice, "endpoints") {
        fill(endpoint, "conditions", json!({}));
    }
    // Lists that Go writes even where they are empty.
    fill(slice, "endpoints", json!(null));
    fill(slice, "ports", json!(null));
}

pub(crate) fn ingress_class(object: &mut Value) {
    if let Some(parameters) = map(spec(object), "parameters") {
        fill(parameters, "scope", "Cluster");
    }
}

pub(crate) fn network_policy(object: &mut Value) {
    let spec = spec(object);
    let egress = spec.contains_key("egress");
    fill(
        spec,
        "policyTypes",
        if egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) },
    );
    for direction in ["ingress", "egress"] {
        for rule in each(spec, direction) {
            for port in each(rule, "ports") {
                fill(port, "protocol", "TCP");
            }
        }
    }
}
