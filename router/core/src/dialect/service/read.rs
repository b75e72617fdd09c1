//! Reading a Service: labels, annotations and ports become a [`Claim`].

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use super::{
    annotation::{ANNOTATIONS, VOID},
    claim::{Claim, Mount, Options},
    name::HostName,
};
use crate::{
    app::AppId,
    backend::BackendKey,
    diagnostic::{Diagnostic, Severity},
    dialect::{PREFIXES, value::ValueError},
    object::{Key, Kind, ObjectRef, Service, ServicePort},
    path::PathMatch,
    upstream::Protocol,
};

/// The label that makes a Service routable, behind a prefix.
const ROUTABLE: &str = "routable";

/// What reading one Service gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The claim; `None` when the Service is not routable, names no domain or cannot be served.
    pub claim: Option<Claim>,
    /// What is wrong with the Service.
    pub findings: Vec<Diagnostic>,
}

/// A claim in the making.
pub(super) struct Draft<'a> {
    pub(super) namespace: Arc<str>,
    pub(super) hosts: Vec<HostName>,
    pub(super) certificates: BTreeMap<HostName, Key>,
    pub(super) options: Options,
    pub(super) protocol: Option<Protocol>,
    pub(super) authorities: Option<ObjectRef>,
    pub(super) client_certificate: Option<Key>,
    pub(super) server_name: Option<Arc<str>>,
    pub(super) error_pages: Option<Key>,
    pub(super) proxy_domain: Option<HostName>,
    pub(super) proxy_locations: Vec<PathMatch>,
    service: &'a Service,
    field: Cow<'static, str>,
    findings: Vec<Diagnostic>,
    /// Something is wrong that is not to be guessed.
    refused: bool,
}

impl Draft<'_> {
    /// Notes a finding about the field being read.
    pub(super) fn report(&mut self, severity: Severity, reason: impl Into<Cow<'static, str>>) {
        let object = self.service.key.of(Kind::Service);
        self.findings.push(Diagnostic {
            object,
            field: self.field.clone(),
            severity,
            reason: reason.into(),
        });
    }

    /// Notes that the Service is not served, and why.
    pub(super) fn refuse(&mut self, reason: impl Into<String>) {
        self.refused = true;
        self.report(
            Severity::Error,
            format!("{}; until then the Service is not served", reason.into()),
        );
    }

    /// Sets what was read, or warns that the default stands.
    pub(super) fn take<T>(
        &mut self,
        value: Result<T, ValueError>,
        set: impl FnOnce(&mut Options, T),
    ) {
        match value {
            Ok(value) => set(&mut self.options, value),
            Err(error) => self.report(Severity::Warning, format!("{error}. The default stands")),
        }
    }

    /// Sets what was read; where a limit on clients cannot be, the strictest that there is, by which the
    /// app still answers.
    pub(super) fn take_strictly<T>(
        &mut self,
        value: Result<T, ValueError>,
        strictest: T,
        set: impl FnOnce(&mut Options, T),
    ) {
        let value = value.unwrap_or_else(|error| {
            let reason = format!("{error}. Until then the strictest value holds");
            self.report(Severity::Error, reason);
            strictest
        });
        set(&mut self.options, value);
    }
}

/// Reads `service`. Depends on nothing else, so it is done once per change of it.
pub fn read(service: &Service) -> Reading {
    let routable = PREFIXES
        .iter()
        .find_map(|prefix| service.labels.get(format!("{prefix}{ROUTABLE}").as_str()));
    if routable.is_none_or(|value| !value.eq_ignore_ascii_case("true")) {
        return Reading::default();
    }
    let mut draft = Draft {
        namespace: service.key.namespace.clone(),
        hosts: Vec::new(),
        certificates: BTreeMap::new(),
        options: Options::default(),
        protocol: None,
        authorities: None,
        client_certificate: None,
        server_name: None,
        error_pages: None,
        proxy_domain: None,
        proxy_locations: Vec::new(),
        service,
        field: Cow::Borrowed(""),
        findings: Vec::new(),
        refused: false,
    };
    for annotation in ANNOTATIONS {
        if let Some((name, text)) = PREFIXES.iter().find_map(|prefix| {
            let name = format!("{prefix}{}", annotation.name);
            service.annotations.get(name.as_str()).map(|text| (name, text))
        }) {
            draft.field = format!("metadata.annotations[{name}]").into();
            (annotation.apply)(&mut draft, text);
        }
    }
    draft.report_others();
    let backend = draft.backend();
    let protocol = draft.protocol();
    let mount = draft.mount();
    let Draft {
        mut hosts,
        certificates,
        options,
        findings,
        authorities,
        client_certificate,
        server_name,
        error_pages,
        refused,
        ..
    } = draft;
    hosts.sort_unstable();
    hosts.dedup();
    let named = !hosts.is_empty() || mount.is_some();
    let claim = backend.filter(|_| named && !refused).map(|backend| Claim {
        service: service.key.clone(),
        created: service.created,
        app: app_id(service),
        hosts,
        certificates,
        mount,
        protocol,
        server_name: server_name.unwrap_or_else(|| default_server_name(&service.key)),
        error_pages,
        authorities: authorities.filter(|_| protocol.is_secure()),
        client_certificate: client_certificate.filter(|_| protocol.is_secure()),
        options,
        backend,
    });
    Reading { claim, findings }
}

/// Port 80, else the only one, else the one named `http`.
pub fn main_port(ports: &[ServicePort]) -> Option<&ServicePort> {
    match ports {
        [only] => Some(only),
        _ => ports
            .iter()
            .find(|p| p.port == 80)
            .or_else(|| ports.iter().find(|p| &*p.name == "http")),
    }
}

/// What `appProtocol` says of a port, as far as it matters here.
fn app_protocol(name: &str) -> Protocol {
    match name {
        "kubernetes.io/h2c" | "grpc" => Protocol::H2c,
        "https" | "kubernetes.io/wss" => Protocol::Https,
        _ => Protocol::Http,
    }
}

/// The Service's name in the cluster's DNS.
fn default_server_name(service: &Key) -> Arc<str> {
    format!("{}.{}.svc", service.name, service.namespace).into()
}

fn app_id(service: &Service) -> AppId {
    AppId::new(
        &service.key.namespace,
        service.labels.get("app").map_or(&service.key.name, |name| name),
    )
}

impl Draft<'_> {
    /// Names the annotations that do nothing.
    fn report_others(&mut self) {
        for name in self.service.annotations.keys() {
            let Some(rest) = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)) else {
                continue;
            };
            if ANNOTATIONS.iter().any(|annotation| annotation.name == rest) {
                continue;
            }
            self.field = format!("metadata.annotations[{name}]").into();
            match VOID.iter().find(|void| void.name == rest) {
                Some(void) => self.report(Severity::Warning, void.reason()),
                None => self.report(Severity::Warning, crate::dialect::UNKNOWN),
            }
        }
    }

    /// Where the Service is mounted, if it says both the host and the paths.
    fn mount(&mut self) -> Option<Mount> {
        let mut paths = std::mem::take(&mut self.proxy_locations);
        paths.sort_unstable();
        paths.dedup();
        let (missing, present) = match (self.proxy_domain.take(), paths.is_empty()) {
            (Some(host), false) => return Some(Mount { host, paths }),
            (None, true) => return None,
            (Some(_), true) => ("proxyLocations", "proxyDomain"),
            (None, false) => ("proxyDomain", "proxyLocations"),
        };
        self.field = format!("metadata.annotations[{present}]").into();
        self.report(Severity::Warning, format!("this does nothing without {missing}; add it"));
        None
    }

    /// What the pods speak: what the annotation says, else what the port does.
    fn protocol(&mut self) -> Protocol {
        let of_port = main_port(&self.service.ports).and_then(|port| port.app_protocol.as_deref());
        let (protocol, field) = match self.protocol {
            Some(protocol) => (protocol, "metadata.annotations[upstreamProtocol]"),
            None => (of_port.map_or(Protocol::Http, app_protocol), "spec.ports"),
        };
        if protocol.is_secure() && self.authorities.is_none() {
            self.field = field.into();
            self.refuse(
                "the pods' certificates cannot be verified; name the Secret or ConfigMap with their authorities in upstreamCA",
            );
        }
        protocol
    }

    /// The port that requests go to.
    fn backend(&mut self) -> Option<BackendKey> {
        if self.service.external_name.is_some() {
            self.field = "spec.type".into();
            self.report(
                Severity::Error,
                "a Service of type ExternalName is not served: its name could lead anywhere",
            );
            return None;
        }
        let port = main_port(&self.service.ports);
        if port.is_none() {
            self.field = "spec.ports".into();
            self.report(
                Severity::Error,
                "which port to send requests to is not clear; have a port 80, a single TCP port, or one named http",
            );
        }
        port.map(|port| BackendKey { service: self.service.key.clone(), port: port.name.clone() })
    }
}
