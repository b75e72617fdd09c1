//! Objects written in a line, for tests of the compiler.

use std::sync::Arc;

use fairlead_router_core::{
    Change, Compiler, EndpointSlice, Key, Secret, Service, Settings, Table,
    object::{ServicePort, SliceEndpoint},
    view::{RouteView, routes},
};

pub(crate) const DOMAINS: &str = "router.deis.io/domains";
pub(crate) const CERTIFICATES: &str = "router.deis.io/certificates";

/// A routable Service with one unnamed port 80, created at second 0.
pub(crate) fn service(name: &str, annotations: &[(&str, &str)]) -> Service {
    Service {
        key: Key::new("shop", name),
        created: 0,
        labels: [("router.deis.io/routable".into(), "true".into())].into(),
        annotations: annotations.iter().map(|&(k, v)| (k.into(), v.into())).collect(),
        ports: vec![ServicePort::new("", 80)],
        external_name: None,
    }
}

/// A slice of `service` with ready addresses on port 8080.
pub(crate) fn slice(name: &str, service: &str, addresses: &[&str]) -> EndpointSlice {
    let endpoint = |&address: &&str| SliceEndpoint {
        address: address.into(),
        ready: true,
        serving: true,
        terminating: false,
    };
    EndpointSlice {
        key: Key::new("shop", name),
        service: service.into(),
        ports: vec![("".into(), Some(8080))],
        endpoints: addresses.iter().map(endpoint).collect(),
    }
}

pub(crate) fn secret(name: &str, certificate: &str, key: &str) -> Secret {
    Secret {
        key: Key::new("shop", name),
        certificate: Some(certificate.to_owned().into()),
        private_key: Some(key.to_owned().into()),
        authorities: None,
    }
}

/// A self-signed certificate and its key.
pub(crate) fn pair(name: &str) -> (String, String) {
    let pair = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    (pair.cert.pem(), pair.signing_key.serialize_pem())
}

pub(crate) fn set_service(service: Service) -> Change {
    Change::Service(service.key.clone(), Some(service))
}

pub(crate) fn set_slice(slice: EndpointSlice) -> Change {
    Change::EndpointSlice(slice.key.clone(), Some(slice))
}

pub(crate) fn set_secret(secret: Secret) -> Change {
    Change::Secret(secret.key.clone(), Some(secret))
}

/// A compiler that has taken `changes`, and its table.
pub(crate) fn compiled(changes: impl IntoIterator<Item = Change>) -> (Compiler, Arc<Table>) {
    let mut compiler = Compiler::new(Arc::new(Settings::default()));
    for change in changes {
        compiler.apply(change);
    }
    let table = compiler.publish().map(|publication| publication.table).unwrap_or_default();
    (compiler, table)
}

/// `host -> backend [endpoints]` of every route.
pub(crate) fn summary(table: &Table) -> Vec<String> {
    let line = |route: RouteView| {
        let endpoints: Vec<_> = route.endpoints.iter().map(ToString::to_string).collect();
        format!("{} -> {} [{}]", route.host, route.backend, endpoints.join(" "))
    };
    routes(table).into_iter().map(line).collect()
}

pub(crate) fn reasons(compiler: &Compiler) -> Vec<String> {
    compiler.diagnostics().iter().map(ToString::to_string).collect()
}
