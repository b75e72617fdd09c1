//! Services: their claims, and the hosts that these name.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::{Compiler, Members, findings::Source};
use crate::{
    app::{App, AppId},
    backend::BackendKey,
    diagnostic::{Diagnostic, Severity},
    dialect::service::{self, Claim},
    object::{Key, Kind, Service},
};

impl Compiler {
    pub(super) fn apply_service(&mut self, key: Key, service: Option<Service>) {
        let reading = service.as_ref().map(service::read).unwrap_or_default();
        self.findings.set(Source::Object(key.of(Kind::Service)), reading.findings);
        self.refresh_streams(&key, service.as_ref());
        match service {
            // An ExternalName has none that could be served.
            Some(service) if service.external_name.is_none() => {
                self.ports.insert(key.clone(), service.ports.into());
            }
            _ => drop(self.ports.remove(&key)),
        }
        self.default_may_have_changed(&key);
        let old = self.claims.remove(&key);
        if old.as_deref() == reading.claim.as_ref() {
            self.claims.extend(old.map(|old| (key, old)));
            return;
        }
        if let Some(old) = &old {
            self.forget(old);
        }
        if let Some(claim) = reading.claim {
            self.remember(Arc::new(claim));
        }
        // After the new claim is counted, so that an edit keeps the app's counters and endpoints.
        if let Some(old) = old {
            self.release(&old.app, &old.backend);
        }
    }

    fn forget(&mut self, claim: &Claim) {
        self.unindex(claim);
        for map in claim.config_maps() {
            remove(&mut self.map_users, map, &claim.service);
        }
        for secret in claim.secrets() {
            remove(&mut self.secret_users, secret, &claim.service);
        }
    }

    fn remember(&mut self, claim: Arc<Claim>) {
        for map in claim.config_maps() {
            self.map_users.entry(map.clone()).or_default().insert(claim.service.clone());
        }
        for secret in claim.secrets() {
            self.secret_users.entry(secret.clone()).or_default().insert(claim.service.clone());
        }
        self.count_app(&claim.app);
        self.backends.acquire(&claim.backend);
        self.index(&claim);
        self.claims.insert(claim.service.clone(), claim);
    }

    /// Notes which hosts `claim` names under the present settings.
    pub(super) fn index(&mut self, claim: &Claim) {
        let mut findings = Vec::new();
        for name in claim.names() {
            match name.resolve(&self.table.settings) {
                Ok(host) => {
                    let claimants = self.claimants.entry(host.clone()).or_default();
                    claimants.insert(claim.service.clone());
                    self.dirty.insert(host);
                }
                Err(reason) => findings.push(Diagnostic {
                    object: claim.origin(),
                    field: reason.field().into(),
                    severity: Severity::Error,
                    reason: reason.to_string().into(),
                }),
            }
        }
        self.findings.set(Source::Names(claim.service.clone()), findings);
    }

    /// Forgets what [`Compiler::index`] noted.
    pub(super) fn unindex(&mut self, claim: &Claim) {
        for name in claim.names() {
            if let Ok(host) = name.resolve(&self.table.settings) {
                remove(&mut self.claimants, &host, &claim.service);
                self.dirty.insert(host);
            }
        }
        self.findings.set(Source::Names(claim.service.clone()), Vec::new());
    }

    /// Counts one more claim of `app`, which is made with the first.
    pub(super) fn count_app(&mut self, app: &AppId) {
        let workers = self.table.settings.workers;
        let clients = &self.clients;
        let app_of = || Arc::new(App::new(app.clone(), workers, clients.clone()));
        let new = || Members { app: app_of(), claims: 0 };
        self.apps.entry(app.clone()).or_insert_with(new).claims += 1;
    }

    /// The app of a claim.
    pub(super) fn app(&self, app: &AppId) -> Arc<App> {
        let members = self.apps.get(app).expect("made with the claim and removed with its last");
        members.app.clone()
    }

    /// One claim less on an app and a backend.
    pub(super) fn release(&mut self, app: &AppId, backend: &BackendKey) {
        self.backends.release(backend);
        if let Some(members) = self.apps.get_mut(app) {
            members.claims -= 1;
            if members.claims == 0 {
                self.apps.remove(app);
            }
        }
    }
}

fn remove<K: std::hash::Hash + Eq>(index: &mut HashMap<K, BTreeSet<Key>>, at: &K, member: &Key) {
    if let Some(members) = index.get_mut(at) {
        members.remove(member);
        if members.is_empty() {
            index.remove(at);
        }
    }
}
