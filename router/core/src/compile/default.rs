//! The catch-all: what is served where no host is found.

use std::{net::SocketAddr, sync::Arc};

use super::{Compiler, findings::Source};
use crate::{
    app::AppId,
    backend::BackendKey,
    diagnostic::{Diagnostic, Severity},
    dialect::service::{Claim, HostName, Options, main_port},
    host::HostPattern,
    object::{Key, Kind},
    settings::DefaultTarget,
    upstream::Protocol,
};

/// A claim on whatever no host is for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CatchAll {
    pub(super) claim: Arc<Claim>,
    /// The only endpoint, where it has no Service.
    address: Option<SocketAddr>,
}

impl Compiler {
    /// Makes the catch-all anew if it is the Service `key`.
    pub(super) fn default_may_have_changed(&mut self, key: &Key) {
        let target = self.table.settings.default_service.target();
        if matches!(target, Some(DefaultTarget::Service(service)) if service == key) {
            self.refresh_default();
        }
    }

    /// Makes the catch-all that the settings ask for.
    pub(super) fn refresh_default(&mut self) {
        let (new, finding) = match self.wanted() {
            Ok(wanted) => (wanted, None),
            Err(finding) => (None, Some(finding)),
        };
        self.findings.set(Source::Default, finding.into_iter().collect());
        if new == self.default {
            return;
        }
        if let Some(CatchAll { claim, address }) = &new {
            self.count_app(&claim.app);
            match address {
                Some(address) => self.backends.acquire_fixed(&claim.backend, *address),
                None => drop(self.backends.acquire(&claim.backend).clone()),
            }
        }
        if let Some(old) = std::mem::replace(&mut self.default, new) {
            self.release(&old.claim.app, &old.claim.backend);
        }
        self.dirty.insert(HostPattern::Any);
    }

    fn wanted(&self) -> Result<Option<CatchAll>, Diagnostic> {
        let default = &self.table.settings.default_service;
        let (service, port, address) = match default.target() {
            None => return Ok(None),
            Some(DefaultTarget::Address(address)) => {
                (Key::new("", address.to_string()), "".into(), Some(*address))
            }
            Some(DefaultTarget::Service(service)) => {
                let missing = |reason: &str| Diagnostic {
                    object: service.of(Kind::Service),
                    field: "spec.ports".into(),
                    severity: Severity::Error,
                    reason: format!("{reason}; it is to be served where no host is found").into(),
                };
                let ports = self
                    .ports
                    .get(service)
                    .ok_or_else(|| missing("this Service does not exist"))?;
                let port = main_port(ports).ok_or_else(|| {
                    missing("have a port 80, a single TCP port, or one named http")
                })?;
                (service.clone(), port.name.clone(), None)
            }
        };
        let app = match &default.app {
            Some(app) => AppId::new(&service.namespace, app),
            None => AppId::new(&service.namespace, &service.name),
        };
        let claim = Claim {
            app,
            created: 0,
            hosts: vec![HostName::Full(HostPattern::Any)],
            certificates: Default::default(),
            mount: None,
            protocol: Protocol::Http,
            server_name: Arc::default(),
            authorities: None,
            client_certificate: None,
            error_pages: None,
            options: Options::default(),
            backend: BackendKey { service: service.clone(), port },
            service,
        };
        Ok(Some(CatchAll { claim: Arc::new(claim), address }))
    }
}
