//! Reading a Service: labels, annotations and ports become a [`Claim`].

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use super::{annotation::ANNOTATIONS, claim::Claim};
use crate::{
    app::AppId,
    backend::BackendKey,
    diagnostic::{Diagnostic, Severity},
    host::HostPattern,
    object::{Key, Kind, Service},
    policy::Policy,
    rule::Timeouts,
    settings::Settings,
};

/// Prefixes of labels and annotations; of two that are set the first one counts.
pub const PREFIXES: [&str; 2] = ["router.fairlead.dev/", "router.deis.io/"];

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
    pub(super) settings: &'a Settings,
    pub(super) namespace: Arc<str>,
    pub(super) hosts: Vec<HostPattern>,
    pub(super) certificates: BTreeMap<HostPattern, Key>,
    pub(super) policies: Vec<Policy>,
    pub(super) timeouts: Timeouts,
    service: &'a Service,
    field: Cow<'static, str>,
    findings: Vec<Diagnostic>,
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
}

/// Reads `service`. Depends on nothing else, so it is done once per change of it.
pub fn read(service: &Service, settings: &Settings) -> Reading {
    let routable = PREFIXES
        .iter()
        .find_map(|prefix| service.labels.get(format!("{prefix}{ROUTABLE}").as_str()));
    if routable.is_none_or(|value| !value.eq_ignore_ascii_case("true")) {
        return Reading::default();
    }
    let mut draft = Draft {
        settings,
        namespace: service.key.namespace.clone(),
        hosts: Vec::new(),
        certificates: BTreeMap::new(),
        policies: vec![Policy::RequireEndpoint],
        timeouts: Timeouts { connect: settings.connect_timeout, tcp: settings.tcp_timeout },
        service,
        field: Cow::Borrowed(""),
        findings: Vec::new(),
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
    draft.report_unknown();
    let backend = draft.backend();
    draft.policies.sort_unstable();
    let Draft { hosts, certificates, policies, timeouts, findings, .. } = draft;
    let claim = backend.filter(|_| !hosts.is_empty()).map(|backend| Claim {
        service: service.key.clone(),
        created: service.created,
        app: app_id(service),
        hosts,
        certificates,
        policies,
        timeouts,
        backend,
    });
    Reading { claim, findings }
}

fn app_id(service: &Service) -> AppId {
    AppId::new(
        &service.key.namespace,
        service.labels.get("app").map_or(&service.key.name, |name| name),
    )
}

impl Draft<'_> {
    fn report_unknown(&mut self) {
        for name in self.service.annotations.keys() {
            let known = |rest: &str| ANNOTATIONS.iter().any(|annotation| annotation.name == rest);
            if PREFIXES
                .iter()
                .filter_map(|prefix| name.strip_prefix(prefix))
                .any(|rest| !known(rest))
            {
                self.field = format!("metadata.annotations[{name}]").into();
                self.report(Severity::Warning, "this annotation is not known and does nothing");
            }
        }
    }

    /// Port 80, else the only one, else the one named `http`.
    fn backend(&mut self) -> Option<BackendKey> {
        if self.service.external_name.is_some() {
            self.field = "spec.type".into();
            self.report(
                Severity::Error,
                "a Service of type ExternalName is not served: its name could lead anywhere",
            );
            return None;
        }
        let ports = &self.service.ports;
        let port = match &ports[..] {
            [only] => Some(only),
            _ => ports
                .iter()
                .find(|p| p.port == 80)
                .or_else(|| ports.iter().find(|p| &*p.name == "http")),
        };
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
