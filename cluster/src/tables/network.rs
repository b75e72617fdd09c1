//! Service, EndpointSlice, Ingress, IngressClass, NetworkPolicy.

use jiff::Timestamp;
use serde_json::Value;

use super::{AGE, Column, NAME, Table, age, field, labels, list, name, number, or, selector, text};

const SERVICE_SPEC: &str = "io.k8s.api.core.v1.ServiceSpec";
const SERVICE_COLUMNS: [Column; 7] = [
    NAME,
    field("Type", SERVICE_SPEC, "type"),
    field("Cluster-IP", SERVICE_SPEC, "clusterIP"),
    field("External-IP", SERVICE_SPEC, "externalIPs"),
    field("Port(s)", SERVICE_SPEC, "ports"),
    AGE,
    field("Selector", SERVICE_SPEC, "selector").wide(),
];

pub(crate) static SERVICE: Table = Table { columns: &SERVICE_COLUMNS, cells: service };

fn service(object: &Value, now: Timestamp) -> Vec<Value> {
    let spec = &object["spec"];
    let ports: Vec<String> = list(&spec["ports"])
        .map(|port| {
            let (number, protocol) = (number(&port["port"]), or(&port["protocol"], "TCP"));
            match port["nodePort"].as_i64() {
                Some(node) if node > 0 => format!("{number}:{node}/{protocol}"),
                _ => format!("{number}/{protocol}"),
            }
        })
        .collect();
    vec![
        name(object),
        or(&spec["type"], "").into(),
        or(&spec["clusterIP"], "<none>").into(),
        external(object).into(),
        if ports.is_empty() { "<none>".to_owned() } else { ports.join(",") }.into(),
        age(object, now),
        labels(&spec["selector"]).into(),
    ]
}

fn external(object: &Value) -> String {
    let spec = &object["spec"];
    let given: Vec<&str> = list(&spec["externalIPs"]).filter_map(Value::as_str).collect();
    match or(&spec["type"], "") {
        "ExternalName" => or(&spec["externalName"], "<none>").to_owned(),
        "LoadBalancer" => match (addresses(object), given.as_slice()) {
            (address, []) if address.is_empty() => "<pending>".to_owned(),
            (address, []) => address,
            (address, given) if address.is_empty() => given.join(","),
            (address, given) => format!("{address},{}", given.join(",")),
        },
        _ if given.is_empty() => "<none>".to_owned(),
        _ => given.join(","),
    }
}

fn addresses(object: &Value) -> String {
    let ingress = list(&object["status"]["loadBalancer"]["ingress"]);
    let found: Vec<&str> =
        ingress.map(|entry| or(&entry["ip"], or(&entry["hostname"], ""))).collect();
    found.join(",")
}

const SLICE: &str = "io.k8s.api.discovery.v1.EndpointSlice";
const SLICE_COLUMNS: [Column; 5] = [
    NAME,
    field("AddressType", SLICE, "addressType"),
    field("Ports", SLICE, "ports"),
    field("Endpoints", SLICE, "endpoints"),
    AGE,
];

pub(crate) static ENDPOINT_SLICE: Table = Table { columns: &SLICE_COLUMNS, cells: endpoint_slice };

fn endpoint_slice(object: &Value, now: Timestamp) -> Vec<Value> {
    let ports = list(&object["ports"]).map(|port| {
        port["port"].as_i64().map_or_else(|| "*".to_owned(), |number| number.to_string())
    });
    let addresses = list(&object["endpoints"])
        .flat_map(|endpoint| list(&endpoint["addresses"]).filter_map(Value::as_str))
        .map(str::to_owned);
    vec![
        name(object),
        or(&object["addressType"], "").into(),
        short(ports.collect(), "<unset>").into(),
        short(addresses.collect(), "<unset>").into(),
        age(object, now),
    ]
}

/// The first three, and how many more there are.
fn short(all: Vec<String>, none: &str) -> String {
    match all.len() {
        0 => none.to_owned(),
        1..=3 => all.join(","),
        count => format!("{} + {} more...", all[..3].join(","), count - 3),
    }
}

const INGRESS_COLUMNS: [Column; 6] = [
    NAME,
    text(
        "Class",
        "The name of the IngressClass resource that should be used for additional configuration",
    ),
    text("Hosts", "Hosts that incoming requests are matched against before the ingress rule"),
    text("Address", "Address is a list containing ingress points for the load-balancer"),
    text("Ports", "Ports of TLS configurations that open"),
    AGE,
];

pub(crate) static INGRESS: Table = Table { columns: &INGRESS_COLUMNS, cells: ingress };

fn ingress(object: &Value, now: Timestamp) -> Vec<Value> {
    let spec = &object["spec"];
    let hosts: Vec<String> = list(&spec["rules"])
        .filter_map(|rule| rule["host"].as_str().filter(|host| !host.is_empty()))
        .map(str::to_owned)
        .collect();
    let tls = list(&spec["tls"]).next().is_some();
    vec![
        name(object),
        or(&spec["ingressClassName"], "<none>").into(),
        short(hosts, "*").into(),
        addresses(object).into(),
        if tls { "80, 443" } else { "80" }.into(),
        age(object, now),
    ]
}

const CLASS_SPEC: &str = "io.k8s.api.networking.v1.IngressClassSpec";
const CLASS_COLUMNS: [Column; 4] = [
    NAME,
    text("Controller", "Controller that is responsible for handling this class"),
    field("Parameters", CLASS_SPEC, "parameters"),
    AGE,
];

pub(crate) static INGRESS_CLASS: Table = Table { columns: &CLASS_COLUMNS, cells: ingress_class };

fn ingress_class(object: &Value, now: Timestamp) -> Vec<Value> {
    let spec = &object["spec"];
    let parameters = &spec["parameters"];
    let shown = match (parameters["kind"].as_str(), parameters["name"].as_str()) {
        (Some(kind), Some(name)) => match parameters["apiGroup"].as_str() {
            Some(group) => format!("{kind}.{group}/{name}"),
            None => format!("{kind}/{name}"),
        },
        _ => "<none>".to_owned(),
    };
    vec![name(object), or(&spec["controller"], "").into(), shown.into(), age(object, now)]
}

const POLICY_COLUMNS: [Column; 3] =
    [NAME, field("Pod-Selector", "io.k8s.api.networking.v1.NetworkPolicySpec", "podSelector"), AGE];

pub(crate) static NETWORK_POLICY: Table = Table { columns: &POLICY_COLUMNS, cells: network_policy };

fn network_policy(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), selector(&object["spec"]["podSelector"]).into(), age(object, now)]
}
