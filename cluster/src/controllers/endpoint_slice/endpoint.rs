//! What one pod contributes to a Service: an endpoint, and the ports that it is reached on.

use serde_json::{Value, json};

use crate::controllers::object::{Fields, pod_finished, pod_ready};
use crate::meta;
use crate::port_map::PortMap;

/// A pod as an endpoint of a Service.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Endpoint {
    /// `ports` of the slice that it belongs to.
    pub(super) ports: Value,
    /// The element of `endpoints`.
    pub(super) value: Value,
}

impl Endpoint {
    /// `None` for a pod that has no address yet, or has ended.
    pub(super) fn of(service: &Value, pod: &Value) -> Option<Self> {
        let address = pod.text("/status/podIP");
        if address.is_empty() || pod_finished(pod) {
            return None;
        }
        let terminating = meta::is_deleting(pod);
        let serving = pod_ready(pod);
        let unready_too = service["spec"]["publishNotReadyAddresses"] == true;
        let mut value = json!({
            "addresses": [address],
            "conditions": {
                "ready": unready_too || (serving && !terminating),
                "serving": serving,
                "terminating": terminating,
            },
            "targetRef": {
                "kind": "Pod",
                "namespace": meta::namespace(pod),
                "name": meta::name(pod),
                "uid": meta::uid(pod),
            },
            "nodeName": pod["spec"]["nodeName"],
        });
        let hostname = &pod["spec"]["hostname"];
        if hostname.is_string() && pod.text("/spec/subdomain") == meta::name(service) {
            value["hostname"] = hostname.clone();
        }
        Some(Self { ports: ports(service, pod), value })
    }

    /// What identifies the pod.
    pub(super) fn uid(value: &Value) -> &str {
        value.text("/targetRef/uid")
    }
}

/// The Service's ports as this pod serves them. A named port that the pod does not have is left out.
fn ports(service: &Value, pod: &Value) -> Value {
    let map = PortMap::of(pod);
    let ports = service.list("/spec/ports").iter().filter_map(|port| {
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        let declared = declared(port, protocol, pod)?;
        let mut entry = json!({
            "name": port["name"].as_str().unwrap_or_default(),
            "protocol": protocol,
            "port": map.actual(declared),
        });
        if port["appProtocol"].is_string() {
            entry["appProtocol"] = port["appProtocol"].clone();
        }
        Some(entry)
    });
    ports.collect()
}

/// The container port that a Service port leads to.
fn declared(port: &Value, protocol: &str, pod: &Value) -> Option<u16> {
    match &port["targetPort"] {
        Value::String(name) => named(name, protocol, pod),
        Value::Number(number) => u16::try_from(number.as_u64()?).ok(),
        _ => u16::try_from(port.int("/port")?).ok(),
    }
}

fn named(name: &str, protocol: &str, pod: &Value) -> Option<u16> {
    let containers = pod.list("/spec/containers").iter();
    let mut ports = containers.flat_map(|container| container.list("/ports"));
    let port = ports.find(|port| {
        port["name"] == name && port["protocol"].as_str().unwrap_or("TCP") == protocol
    })?;
    u16::try_from(port.int("/containerPort")?).ok()
}
