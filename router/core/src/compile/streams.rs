//! Compiling the TCP streams that the settings ask for.

use std::{sync::Arc, time::Duration};

use super::{Compiler, findings::Source};
use crate::{
    app::AppId,
    backend::BackendKey,
    diagnostic::{Diagnostic, Severity},
    dialect::{PREFIXES, value},
    object::{Key, Kind, Service},
    rule::Timeouts,
    stream::{Stream, StreamSpec},
};

/// The limits where a Service sets none: those of Deis's builder.
const CONNECT: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(1200);

/// What one stream uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StreamClaim {
    app: AppId,
    backend: BackendKey,
    timeouts: Timeouts,
}

impl Compiler {
    /// Makes the streams to `service` anew, which is there in a new state or gone.
    pub(super) fn refresh_streams(&mut self, key: &Key, service: Option<&Service>) {
        let settings = self.table.settings.clone();
        let mut findings = Vec::new();
        for spec in settings.streams.iter().filter(|spec| spec.service == *key) {
            let name = spec.name();
            let new = service.and_then(|service| claim(spec, service, &mut findings));
            let old = self.streams.get(&name).cloned();
            if new == old {
                continue;
            }
            if let Some(claim) = &new {
                self.count_app(&claim.app);
                let backend = self.backends.acquire(&claim.backend).clone();
                let stream = Stream {
                    address: spec.address,
                    app: self.app(&claim.app),
                    backend,
                    timeouts: claim.timeouts,
                    origin: key.of(Kind::Service),
                };
                self.table.set_stream(&name, Some(Arc::new(stream)));
                self.streams.insert(name, claim.clone());
            } else {
                self.table.set_stream(&name, None);
                self.streams.remove(&name);
            }
            if let Some(old) = old {
                self.release(&old.app, &old.backend);
            }
            self.resettled = true;
        }
        findings.dedup();
        self.findings.set(Source::Stream(key.clone()), findings);
    }
}

fn claim(
    spec: &StreamSpec,
    service: &Service,
    findings: &mut Vec<Diagnostic>,
) -> Option<StreamClaim> {
    let mut report = |field: String, severity, reason: String| {
        let object = service.key.of(Kind::Service);
        findings.push(Diagnostic { object, field: field.into(), severity, reason: reason.into() });
    };
    let port = service.ports.iter().find(|port| port.port == spec.port);
    let Some(port) = port.filter(|_| service.external_name.is_none()) else {
        let reason =
            format!("this Service has no TCP port {}, which the router is to lead to", spec.port);
        report("spec.ports".to_owned(), Severity::Error, reason);
        return None;
    };
    let mut timeout = |name: &str, default| {
        let names = [format!("nginx.{name}"), name.to_owned()];
        let mut names =
            PREFIXES.iter().flat_map(|prefix| names.iter().map(move |n| format!("{prefix}{n}")));
        let found = names.find_map(|name| Some((service.annotations.get(&*name)?, name)));
        let Some((text, name)) = found else { return default };
        value::duration(text).unwrap_or_else(|error| {
            let reason = format!("{error}. The default stands");
            report(format!("metadata.annotations[{name}]"), Severity::Warning, reason);
            default
        })
    };
    let timeouts =
        Timeouts { connect: timeout("connectTimeout", CONNECT), tcp: timeout("tcpTimeout", IDLE) };
    let app = service.labels.get("app").map_or(&*service.key.name, |name| name);
    Some(StreamClaim {
        app: AppId::new(&service.key.namespace, app),
        backend: BackendKey { service: service.key.clone(), port: port.name.clone() },
        timeouts,
    })
}
