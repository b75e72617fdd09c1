//! From Kubernetes objects to what the router keeps of them.
//!
//! Pure and total: an object of any shape the API admits becomes something, and
//! what makes no sense is reported when it is compiled. Labels and annotations that
//! no dialect reads are left behind, so that a large object costs little memory.

use std::collections::BTreeMap;

use bytes::Bytes;
use fairlead_router_core::{
    dialect::PREFIXES,
    object::{EndpointSlice, Key, Secret, Service, ServicePort, SliceEndpoint},
};
use k8s_openapi::{
    api::{core::v1 as core, discovery::v1 as discovery},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

/// The label that names the app of a Service.
const APP: &str = "app";
/// The label that names the Service of an EndpointSlice.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Namespace and name; `None` for an object without them, which the API never returns.
pub(crate) fn key(metadata: &ObjectMeta) -> Option<Key> {
    Some(Key::new(metadata.namespace.as_deref()?, metadata.name.as_deref()?))
}

/// `metadata.resourceVersion` as the number that it is on every Kubernetes server.
pub(crate) fn version(metadata: &ObjectMeta) -> Option<u64> {
    metadata.resource_version.as_deref()?.parse().ok()
}

pub(crate) fn service(key: Key, service: core::Service) -> Service {
    let created = service.metadata.creation_timestamp.map_or(0, |time| time.0.as_second());
    let spec = service.spec.unwrap_or_default();
    let external = spec.type_.as_deref() == Some("ExternalName");
    Service {
        key,
        created,
        labels: keep(service.metadata.labels, |name| name == APP || is_dialect(name)),
        annotations: dialect_annotations(service.metadata.annotations),
        ports: spec.ports.into_iter().flatten().filter_map(service_port).collect(),
        external_name: external.then(|| spec.external_name.unwrap_or_default().into()),
    }
}

/// The annotations that a dialect reads.
pub(crate) fn dialect_annotations(
    annotations: Option<BTreeMap<String, String>>,
) -> BTreeMap<Box<str>, Box<str>> {
    keep(annotations, is_dialect)
}

fn service_port(port: core::ServicePort) -> Option<ServicePort> {
    let number = u16::try_from(port.port).ok()?;
    is_tcp(port.protocol.as_deref()).then(|| ServicePort {
        name: port.name.unwrap_or_default().into(),
        port: number,
        app_protocol: port.app_protocol.map(Into::into),
    })
}

/// `None` for a slice that belongs to no Service.
pub(crate) fn endpoint_slice(key: Key, slice: discovery::EndpointSlice) -> Option<EndpointSlice> {
    let service = slice.metadata.labels?.remove(SERVICE_NAME)?;
    let ports = slice.ports.into_iter().flatten();
    Some(EndpointSlice {
        key,
        service: service.into(),
        ports: ports
            .filter(|port| is_tcp(port.protocol.as_deref()))
            .map(|port| (port.name.unwrap_or_default().into(), port.port))
            .collect(),
        endpoints: slice.endpoints.into_iter().flatten().filter_map(slice_endpoint).collect(),
    })
}

fn slice_endpoint(endpoint: discovery::Endpoint) -> Option<SliceEndpoint> {
    let conditions = endpoint.conditions.unwrap_or_default();
    let ready = conditions.ready.unwrap_or(true);
    Some(SliceEndpoint {
        address: endpoint.addresses.into_iter().next()?.into(),
        ready,
        // Unset by servers and controllers that do not know it: then readiness is all there is.
        serving: conditions.serving.unwrap_or(ready),
        terminating: conditions.terminating.unwrap_or(false),
    })
}

pub(crate) fn secret(key: Key, secret: core::Secret) -> Secret {
    let mut data = secret.data.unwrap_or_default();
    let mut entry = |name| data.remove(name).map(|bytes| Bytes::from(bytes.0));
    Secret {
        key,
        certificate: entry("tls.crt"),
        private_key: entry("tls.key"),
        authorities: entry("ca.crt"),
    }
}

/// The entries of a ConfigMap, text or not.
pub(crate) fn entries(map: core::ConfigMap) -> BTreeMap<Box<str>, Bytes> {
    let text = map.data.into_iter().flatten().map(|(name, text)| (name, Bytes::from(text)));
    let bytes = map.binary_data.into_iter().flatten();
    let bytes = bytes.map(|(name, bytes)| (name, Bytes::from(bytes.0)));
    text.chain(bytes).map(|(name, body)| (name.into(), body)).collect()
}

fn is_dialect(name: &str) -> bool {
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn is_tcp(protocol: Option<&str>) -> bool {
    protocol.is_none_or(|protocol| protocol == "TCP")
}

fn keep(
    map: Option<BTreeMap<String, String>>,
    wanted: impl Fn(&str) -> bool,
) -> BTreeMap<Box<str>, Box<str>> {
    let entries = map.into_iter().flatten();
    entries
        .filter(|(name, _)| wanted(name))
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shop(name: &str) -> Key {
        Key::new("shop", name)
    }

    #[test]
    fn a_service_keeps_what_routing_reads() {
        let read = serde_json::from_value(json!({
            "metadata": {
                "namespace": "shop", "name": "web", "resourceVersion": "12",
                "creationTimestamp": "2026-01-01T00:00:10Z",
                "labels": {"app": "front", "team": "a", "router.deis.io/routable": "true"},
                "annotations": {
                    "router.fairlead.dev/domains": "web.example",
                    "kubectl.kubernetes.io/last-applied-configuration": "{}",
                },
            },
            "spec": {"ports": [
                {"name": "http", "port": 80, "appProtocol": "grpc"}, {"name": "dns", "port": 53, "protocol": "UDP"},
                {"name": "odd", "port": 70000}, {"name": "tls", "port": 443, "protocol": "TCP"},
            ]},
        }));
        let object: core::Service = read.unwrap();
        assert_eq!(
            (key(&object.metadata), version(&object.metadata)),
            (Some(shop("web")), Some(12))
        );
        let port = |name: &str, port| ServicePort::new(name, port);
        let expected = Service {
            key: shop("web"),
            created: 1_767_225_610,
            labels: [("app", "front"), ("router.deis.io/routable", "true")]
                .map(|(name, value)| (name.into(), value.into()))
                .into(),
            annotations: [("router.fairlead.dev/domains".into(), "web.example".into())].into(),
            ports: vec![
                ServicePort { app_protocol: Some("grpc".into()), ..port("http", 80) },
                port("tls", 443),
            ],
            external_name: None,
        };
        assert_eq!(service(shop("web"), object), expected);
    }

    #[test]
    fn an_external_name_is_kept_only_where_the_type_says_so() {
        let read = |spec| {
            let object = serde_json::from_value(json!({"metadata": {}, "spec": spec})).unwrap();
            service(shop("web"), object).external_name
        };
        let external = json!({"type": "ExternalName", "externalName": "db.example"});
        assert_eq!(read(external).as_deref(), Some("db.example"));
        assert_eq!(read(json!({"externalName": "db.example"})), None);
    }

    #[test]
    fn a_slice_has_its_service_and_the_conditions_with_their_defaults() {
        let read = serde_json::from_value(json!({
            "metadata": {"labels": {"kubernetes.io/service-name": "web"}},
            "addressType": "IPv4",
            "ports": [{"name": "", "port": 5000}, {"name": "udp", "port": 1, "protocol": "UDP"}],
            "endpoints": [
                {"addresses": ["10.0.0.1", "10.0.0.9"]},
                {"addresses": ["10.0.0.2"], "conditions": {"ready": false}},
                {"addresses": ["10.0.0.3"],
                 "conditions": {"ready": false, "serving": true, "terminating": true}},
                {"addresses": []},
            ],
        }));
        let endpoint = |address: &str, ready, serving, terminating| SliceEndpoint {
            address: address.into(),
            ready,
            serving,
            terminating,
        };
        let expected = EndpointSlice {
            key: shop("web-1"),
            service: "web".into(),
            ports: vec![("".into(), Some(5000))],
            endpoints: vec![
                endpoint("10.0.0.1", true, true, false),
                endpoint("10.0.0.2", false, false, false),
                endpoint("10.0.0.3", false, true, true),
            ],
        };
        assert_eq!(endpoint_slice(shop("web-1"), read.unwrap()), Some(expected));
        let orphan =
            serde_json::from_value(json!({"metadata": {}, "addressType": "IPv4", "endpoints": []}));
        assert_eq!(endpoint_slice(shop("orphan"), orphan.unwrap()), None);
    }

    #[test]
    fn a_secret_keeps_certificate_and_key() {
        let read = serde_json::from_value(json!({
            "metadata": {}, "data": {"tls.crt": "Y2VydA==", "other": "eA=="},
        }));
        let expected = Secret {
            key: shop("c"),
            certificate: Some("cert".into()),
            private_key: None,
            authorities: None,
        };
        assert_eq!(secret(shop("c"), read.unwrap()), expected);
    }
}
