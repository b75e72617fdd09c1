//! Service, EndpointSlice, Ingress, IngressClass.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::{Causes, elements, names, unique};
use crate::status::Cause;

const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];

pub(crate) fn service(object: &Value, _: Option<&Value>, causes: &mut Causes) {
    let spec = &object["spec"];
    let types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    causes.one_of("spec.type", &spec["type"], &types);
    causes.one_of("spec.sessionAffinity", &spec["sessionAffinity"], &["ClientIP", "None"]);
    let external = spec["type"] == "ExternalName";
    if external {
        let name = spec["externalName"].as_str().unwrap_or_default();
        match name {
            "" => causes.add(Cause::required("spec.externalName", "")),
            name => causes.check("spec.externalName", name, names::subdomain),
        }
    }
    let ports = spec["ports"].as_array().map_or(&[][..], Vec::as_slice);
    if ports.is_empty() && !external && spec["clusterIP"] != "None" {
        causes.add(Cause::required("spec.ports", ""));
    }
    for (path, port) in elements("spec.ports", &spec["ports"]) {
        service_port(&path, port, ports.len() > 1, causes);
    }
    unique(causes, "spec.ports", &spec["ports"], "name");
    same_port_twice(&spec["ports"], causes);
    for (key, value) in spec["selector"].as_object().into_iter().flatten() {
        causes.check("spec.selector", key, names::qualified);
        causes.check("spec.selector", value.as_str().unwrap_or_default(), names::label_value);
    }
}

fn service_port(path: &str, port: &Value, named: bool, causes: &mut Causes) {
    match port["name"].as_str().unwrap_or_default() {
        "" if named => causes.add(Cause::required(format!("{path}.name"), "")),
        "" => {}
        name => causes.check(&format!("{path}.name"), name, names::label),
    }
    // Go reads a number that is missing as 0.
    let number = if port["port"].is_null() { &Value::from(0) } else { &port["port"] };
    causes.port(&format!("{path}.port"), number, false);
    causes.one_of(&format!("{path}.protocol"), &port["protocol"], &PROTOCOLS);
    if !port["targetPort"].is_null() {
        causes.port(&format!("{path}.targetPort"), &port["targetPort"], true);
    }
}

fn same_port_twice(ports: &Value, causes: &mut Causes) {
    let mut seen = Vec::new();
    for (path, port) in elements("spec.ports", ports) {
        let key = (&port["port"], &port["protocol"]);
        if seen.contains(&key) {
            let shown = format!("{{\"protocol\":{},\"port\":{}}}", key.1, key.0);
            causes.add(Cause::duplicate(path, &shown));
        }
        seen.push(key);
    }
}

pub(crate) fn endpoint_slice(object: &Value, old: Option<&Value>, causes: &mut Causes) {
    let family = object["addressType"].as_str().unwrap_or_default();
    causes.one_of("addressType", &object["addressType"], &["FQDN", "IPv4", "IPv6"]);
    causes.immutable("addressType", object, old);
    too_many("endpoints", &object["endpoints"], 1000, causes);
    too_many("ports", &object["ports"], 20_000, causes);
    for (path, endpoint) in elements("endpoints", &object["endpoints"]) {
        let addresses = format!("{path}.addresses");
        if endpoint["addresses"].as_array().is_none_or(Vec::is_empty) {
            let why = "must contain at least 1 address";
            causes.add(Cause::required(addresses.as_str(), why));
        }
        too_many(&addresses, &endpoint["addresses"], 100, causes);
        for (path, address) in elements(&addresses, &endpoint["addresses"]) {
            self::address(&path, address, family, causes);
        }
    }
    let mut seen = Vec::new();
    for (path, port) in elements("ports", &object["ports"]) {
        let name = port["name"].as_str().unwrap_or_default();
        if !name.is_empty() {
            causes.check(&format!("{path}.name"), name, names::label);
        }
        if seen.contains(&name) {
            causes.add(Cause::duplicate(format!("{path}.name"), &format!("{name:?}")));
        }
        seen.push(name);
        causes.one_of(&format!("{path}.protocol"), &port["protocol"], &PROTOCOLS);
    }
}

/// Loopback addresses are accepted, which a real server refuses: pods are local processes here.
fn address(path: &str, address: &Value, family: &str, causes: &mut Causes) {
    let text = address.as_str().unwrap_or_default();
    match (family, text.parse::<IpAddr>()) {
        ("FQDN", _) => causes.check(path, text, names::subdomain),
        ("IPv4", Ok(IpAddr::V4(_))) | ("IPv6", Ok(IpAddr::V6(_))) => {}
        ("IPv4", Ok(_)) => causes.add(Cause::invalid(path, address, "must be an IPv4 address")),
        ("IPv6", Ok(_)) => causes.add(Cause::invalid(path, address, "must be an IPv6 address")),
        ("IPv4" | "IPv6", Err(_)) => causes.add(Cause::invalid(
            path,
            address,
            "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
        )),
        _ => {}
    }
}

fn too_many(path: &str, list: &Value, most: usize, causes: &mut Causes) {
    let count = list.as_array().map_or(0, Vec::len);
    if count > most {
        causes.add(Cause {
            reason: "FieldValueTooMany",
            message: format!("Too many: {count}: must have at most {most} items"),
            field: path.to_owned(),
        });
    }
}

pub(crate) fn ingress(object: &Value, _: Option<&Value>, causes: &mut Causes) {
    let spec = &object["spec"];
    if spec["rules"].is_null() && spec["defaultBackend"].is_null() {
        causes.add(Cause::invalid(
            "spec",
            &Value::Array(Vec::new()),
            "either `defaultBackend` or `rules` must be specified",
        ));
    }
    if !spec["defaultBackend"].is_null() {
        backend("spec.defaultBackend", &spec["defaultBackend"], causes);
    }
    for (path, rule) in elements("spec.rules", &spec["rules"]) {
        host(&format!("{path}.host"), rule["host"].as_str().unwrap_or_default(), causes);
        if rule["http"].is_object() && rule["http"]["paths"].is_null() {
            causes.add(Cause::required(format!("{path}.http.paths"), ""));
        }
        for (path, entry) in elements(&format!("{path}.http.paths"), &rule["http"]["paths"]) {
            http_path(&path, entry, causes);
            backend(&format!("{path}.backend"), &entry["backend"], causes);
        }
    }
    for (path, tls) in elements("spec.tls", &spec["tls"]) {
        for (path, name) in elements(&format!("{path}.hosts"), &tls["hosts"]) {
            host(&path, name.as_str().unwrap_or_default(), causes);
        }
    }
}

fn host(path: &str, host: &str, causes: &mut Causes) {
    if host.parse::<IpAddr>().is_ok() {
        let why = "must be a DNS name, not an IP address";
        causes.add(Cause::invalid(path, &host.into(), why));
    } else if host.contains('*') {
        causes.check(path, host, names::wildcard_host);
    } else if !host.is_empty() {
        causes.check(path, host, names::subdomain);
    }
}

fn http_path(path: &str, entry: &Value, causes: &mut Causes) {
    let kind = entry["pathType"].as_str();
    let text = entry["path"].as_str().unwrap_or_default();
    let mut bad = |why: &str| {
        causes.add(Cause::invalid(format!("{path}.path"), &text.into(), why));
    };
    match kind {
        None => {
            let why = "pathType must be specified";
            causes.add(Cause::required(format!("{path}.pathType"), why));
        }
        Some("Exact" | "Prefix") => {
            if !text.starts_with('/') {
                bad("must be an absolute path");
            }
            for part in ["//", "/./", "/../", "%2f", "%2F"] {
                if text.contains(part) {
                    bad(&format!("must not contain '{part}'"));
                }
            }
            for end in ["/..", "/."] {
                if text.ends_with(end) {
                    bad(&format!("cannot end with '{end}'"));
                }
            }
        }
        Some("ImplementationSpecific") => {
            if !text.is_empty() && !text.starts_with('/') {
                bad("must be an absolute path");
            }
        }
        Some(other) => {
            let allowed = ["Exact", "ImplementationSpecific", "Prefix"];
            causes.add(Cause::not_supported(format!("{path}.pathType"), other, &allowed));
        }
    }
}

fn backend(path: &str, backend: &Value, causes: &mut Causes) {
    let (service, resource) = (&backend["service"], &backend["resource"]);
    match (service.is_null(), resource.is_null()) {
        (true, true) => {
            let why = "exactly one of `service` or `resource` must be specified";
            causes.add(Cause::required(path, why));
        }
        (false, false) => {
            let why = "cannot set both resource and service backends";
            causes.add(Cause::invalid(path, &"".into(), why));
        }
        (true, false) => {}
        (false, true) => {
            match service["name"].as_str().unwrap_or_default() {
                "" => causes.add(Cause::required(format!("{path}.service.name"), "")),
                name => causes.check(&format!("{path}.service.name"), name, names::label_1035),
            }
            let empty = Map::new();
            let port = service["port"].as_object().unwrap_or(&empty);
            let name = port.get("name").and_then(Value::as_str).unwrap_or_default();
            let number = port.get("number").and_then(Value::as_i64).unwrap_or_default();
            match (name, number) {
                ("", 0) => causes.add(Cause::required(path, "port name or number is required")),
                (_, 0) => {
                    causes.check(&format!("{path}.service.port.name"), name, names::port_name);
                }
                ("", number) => {
                    causes.port(&format!("{path}.service.port.number"), &number.into(), false);
                }
                _ => {
                    let why = "cannot set both port name & port number";
                    causes.add(Cause::invalid(path, &"".into(), why));
                }
            }
        }
    }
}

pub(crate) fn ingress_class(object: &Value, old: Option<&Value>, causes: &mut Causes) {
    let controller = &object["spec"]["controller"];
    if causes.required("spec.controller", controller) {
        let domain = controller.as_str().and_then(|text| text.split_once('/'));
        if domain
            .is_none_or(|(domain, path)| path.is_empty() || !names::subdomain(domain).is_empty())
        {
            let why = "must be a domain-prefixed path (such as \"acme.io/foo\")";
            causes.add(Cause::invalid("spec.controller", controller, why));
        }
    }
    causes.immutable("spec.controller", object, old);
    let parameters = &object["spec"]["parameters"];
    if !parameters.is_null() {
        causes.required("spec.parameters.kind", &parameters["kind"]);
        causes.required("spec.parameters.name", &parameters["name"]);
        causes.one_of("spec.parameters.scope", &parameters["scope"], &["Cluster", "Namespace"]);
        if parameters["scope"] == "Namespace" {
            causes.required("spec.parameters.namespace", &parameters["namespace"]);
        }
    }
}
