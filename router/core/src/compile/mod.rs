//! Objects in, tables out.
//!
//! A [`Compiler`] keeps what it knows of every object and which hosts each one
//! touches. A change marks those hosts; [`Compiler::publish`] compiles just them.
//! The result depends on the objects alone, not on the order in which they came,
//! but for one thing: a Secret that turns bad leaves its last good certificate in use.

mod endpoints;
mod findings;
mod host;
mod rule;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use self::{
    endpoints::Slices,
    findings::{Findings, Source},
};
use crate::{
    app::{App, AppId},
    backend::{Backend, BackendKey, Endpoints},
    certificate::CertificateSlot,
    diagnostic::{Diagnostic, Severity},
    dialect::{
        router,
        service::{self, Claim},
    },
    host::HostPattern,
    object::{Change, EndpointSlice, Key, Kind, ObjectRef, Secret, Service},
    settings::Settings,
    table::Table,
};

/// Holds all objects and compiles the hosts that changes touch.
#[derive(Debug)]
pub struct Compiler {
    /// The settings that the flags make; an object may change them.
    flags: Arc<Settings>,
    table: Table,
    claims: HashMap<Key, Arc<Claim>>,
    backends: HashMap<Key, Arc<Backend>>,
    apps: HashMap<AppId, Members>,
    slices: HashMap<Key, Slices>,
    slice_services: HashMap<Key, Key>,
    secrets: HashMap<Key, SecretState>,
    endpoints: Endpoints,
    /// Who claims a host.
    claimants: HashMap<HostPattern, BTreeSet<Key>>,
    /// Who names a Secret.
    secret_users: HashMap<Key, BTreeSet<Key>>,
    dirty: BTreeSet<HostPattern>,
    /// The settings are not those of the table that was published last.
    resettled: bool,
    findings: Findings,
}

/// An app and how many claims are its.
#[derive(Debug)]
struct Members {
    app: Arc<App>,
    claims: usize,
}

#[derive(Debug, Default)]
struct SecretState {
    secret: Option<Secret>,
    slot: CertificateSlot,
}

/// What one call of [`Compiler::publish`] made.
#[derive(Debug)]
pub struct Publication {
    /// The new table.
    pub table: Arc<Table>,
    /// How many hosts were compiled for it.
    pub compiled: usize,
    /// Findings that were not there before.
    pub appeared: Vec<Diagnostic>,
}

impl Compiler {
    /// A compiler that knows no object yet. Where no object says otherwise, the settings are `flags`.
    pub fn new(flags: Arc<Settings>) -> Self {
        Self {
            table: Table::new(flags.clone()),
            flags,
            claims: HashMap::new(),
            backends: HashMap::new(),
            apps: HashMap::new(),
            slices: HashMap::new(),
            slice_services: HashMap::new(),
            secrets: HashMap::new(),
            endpoints: Endpoints::default(),
            claimants: HashMap::new(),
            secret_users: HashMap::new(),
            dirty: BTreeSet::new(),
            resettled: false,
            findings: Findings::default(),
        }
    }

    /// Takes one change. Endpoints take effect at once, everything else with
    /// the next [`Compiler::publish`].
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Service(key, service) => self.apply_service(key, service),
            Change::EndpointSlice(key, slice) => self.apply_slice(key, slice),
            Change::Secret(key, secret) => self.apply_secret(key, secret),
            Change::Settings(object, annotations) => self.apply_settings(&object, annotations),
        }
    }

    /// Whether a [`Compiler::publish`] would make a new table.
    pub fn is_dirty(&self) -> bool {
        self.resettled || !self.dirty.is_empty()
    }

    /// Compiles the hosts that changed since the last call. `None` when none did.
    pub fn publish(&mut self) -> Option<Publication> {
        if !self.is_dirty() {
            return None;
        }
        self.resettled = false;
        let dirty = std::mem::take(&mut self.dirty);
        for pattern in &dirty {
            let (host, findings) = self.compile(pattern);
            self.table.set(pattern, host);
            self.findings.set(Source::Host(pattern.clone()), findings);
        }
        self.table.generation += 1;
        Some(Publication {
            table: Arc::new(self.table.clone()),
            compiled: dirty.len(),
            appeared: self.findings.take_appeared(),
        })
    }

    /// All findings about objects as they are now, sorted.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        self.findings.all()
    }

    /// Findings about endpoints that came since the last call; those about
    /// hosts come with a [`Publication`].
    pub fn take_appeared(&mut self) -> Vec<Diagnostic> {
        self.findings.take_appeared()
    }

    /// Whether a routable Service names `secret`, be it there or not.
    pub fn references(&self, secret: &Key) -> bool {
        self.secret_users.contains_key(secret)
    }

    /// The Secrets that routable Services name, be they there or not.
    pub fn referenced_secrets(&self) -> impl Iterator<Item = &Key> {
        self.secret_users.keys()
    }

    /// The applications with at least one claim, in no particular order.
    pub fn apps(&self) -> impl Iterator<Item = &Arc<App>> {
        self.apps.values().map(|members| &members.app)
    }

    fn compile(&self, pattern: &HostPattern) -> (Option<Arc<crate::table::Host>>, Vec<Diagnostic>) {
        let claimants = self.claimants.get(pattern).into_iter().flatten();
        let claims = claimants.filter_map(|service| self.claims.get(service)).cloned();
        host::compile(pattern, claims.collect(), &Context { compiler: self })
    }

    fn apply_service(&mut self, key: Key, service: Option<Service>) {
        let reading = service.as_ref().map(service::read).unwrap_or_default();
        self.findings.set(Source::Object(key.of(Kind::Service)), reading.findings);
        let old = self.claims.remove(&key);
        if old.as_deref() == reading.claim.as_ref() {
            self.claims.extend(old.map(|old| (key, old)));
            return;
        }
        if let Some(old) = &old {
            self.forget(old);
        }
        match reading.claim {
            Some(claim) => self.remember(Arc::new(claim)),
            None => {
                self.backends.remove(&key);
            }
        }
        // After the new claim is counted, so that an edit keeps the app's counters.
        if let Some(old) = old {
            self.drop_app(&old.app);
        }
    }

    fn forget(&mut self, claim: &Claim) {
        self.unindex(claim);
        for secret in claim.certificates.values() {
            remove(&mut self.secret_users, secret, &claim.service);
        }
    }

    fn remember(&mut self, claim: Arc<Claim>) {
        for secret in claim.certificates.values() {
            self.secret_users.entry(secret.clone()).or_default().insert(claim.service.clone());
        }
        let workers = self.table.settings.workers;
        let new = || Members { app: Arc::new(App::new(claim.app.clone(), workers)), claims: 0 };
        self.apps.entry(claim.app.clone()).or_insert_with(new).claims += 1;
        self.ensure_backend(&claim.backend);
        self.index(&claim);
        self.claims.insert(claim.service.clone(), claim);
    }

    /// Notes which hosts `claim` names under the present settings.
    fn index(&mut self, claim: &Claim) {
        let mut findings = Vec::new();
        for name in &claim.hosts {
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
    fn unindex(&mut self, claim: &Claim) {
        for name in &claim.hosts {
            if let Ok(host) = name.resolve(&self.table.settings) {
                remove(&mut self.claimants, &host, &claim.service);
                self.dirty.insert(host);
            }
        }
        self.findings.set(Source::Names(claim.service.clone()), Vec::new());
    }

    fn apply_settings(
        &mut self,
        object: &ObjectRef,
        annotations: Option<BTreeMap<Box<str>, Box<str>>>,
    ) {
        let (settings, findings) = match annotations {
            Some(annotations) => router::read(object, &annotations, &self.flags),
            None => ((*self.flags).clone(), vec![no_settings(object)]),
        };
        self.findings.set(Source::Object(object.clone()), findings);
        if settings == *self.table.settings {
            return;
        }
        let claims: Vec<_> = self.claims.values().cloned().collect();
        claims.iter().for_each(|claim| self.unindex(claim));
        self.table.settings = Arc::new(settings);
        claims.iter().for_each(|claim| self.index(claim));
        self.resettled = true;
    }

    fn drop_app(&mut self, app: &AppId) {
        if let Some(members) = self.apps.get_mut(app) {
            members.claims -= 1;
            if members.claims == 0 {
                self.apps.remove(app);
            }
        }
    }

    fn ensure_backend(&mut self, key: &BackendKey) {
        if self.backends.get(&key.service).is_none_or(|backend| backend.key != *key) {
            self.backends.insert(key.service.clone(), Arc::new(Backend::new(key.clone())));
            self.refresh(&key.service);
        }
    }

    fn apply_slice(&mut self, key: Key, slice: Option<EndpointSlice>) {
        let findings = slice.as_ref().map(endpoints::findings).unwrap_or_default();
        self.findings.set(Source::Object(key.of(Kind::EndpointSlice)), findings);
        let service = slice
            .as_ref()
            .map(|s| Key { namespace: key.namespace.clone(), name: s.service.clone() });
        let old = match &service {
            Some(service) => self.slice_services.insert(key.clone(), service.clone()),
            None => self.slice_services.remove(&key),
        };
        if let Some(old) = old.filter(|old| service.as_ref() != Some(old)) {
            if let Some(slices) = self.slices.get_mut(&old) {
                slices.remove(&key.name);
                if slices.is_empty() {
                    self.slices.remove(&old);
                }
            }
            self.refresh(&old);
        }
        if let (Some(service), Some(slice)) = (service, slice) {
            self.slices.entry(service.clone()).or_default().insert(key.name, slice);
            self.refresh(&service);
        }
    }

    /// Gives the backend of `service` the addresses of its slices.
    fn refresh(&mut self, service: &Key) {
        if let Some(backend) = self.backends.get(service) {
            let slices = self.slices.get(service).into_iter().flat_map(BTreeMap::values);
            let addresses = endpoints::addresses(slices, &backend.key.port);
            backend.set(addresses.into_iter().map(|address| self.endpoints.get(address)).collect());
        }
    }

    fn apply_secret(&mut self, key: Key, secret: Option<Secret>) {
        match secret {
            None => {
                if self.secrets.remove(&key).is_none() {
                    return;
                }
            }
            Some(secret) => {
                let state = self.secrets.entry(key.clone()).or_default();
                if state.secret.as_ref() == Some(&secret) {
                    return;
                }
                state.slot.update(&secret);
                state.secret = Some(secret);
            }
        }
        for user in self.secret_users.get(&key).into_iter().flatten() {
            let certificates =
                self.claims.get(user).into_iter().flat_map(|claim| &claim.certificates);
            let names = certificates.filter(|(_, secret)| **secret == key).map(|(name, _)| name);
            self.dirty.extend(names.filter_map(|name| name.resolve(&self.table.settings).ok()));
        }
    }
}

/// What compiling a host may look up.
struct Context<'a> {
    compiler: &'a Compiler,
}

impl Context<'_> {
    fn settings(&self) -> &Settings {
        &self.compiler.table.settings
    }

    fn slot(&self, secret: &Key) -> Option<&CertificateSlot> {
        self.compiler.secrets.get(secret).map(|state| &state.slot)
    }

    fn backend(&self, claim: &Claim) -> Arc<Backend> {
        self.compiler
            .backends
            .get(&claim.service)
            .expect("made with the claim and removed with it")
            .clone()
    }

    fn app(&self, claim: &Claim) -> Arc<App> {
        self.compiler
            .apps
            .get(&claim.app)
            .expect("made with the claim and removed with its last")
            .app
            .clone()
    }
}

/// The object with the settings is not there.
fn no_settings(object: &ObjectRef) -> Diagnostic {
    Diagnostic {
        object: object.clone(),
        field: "metadata.annotations".into(),
        severity: Severity::Warning,
        reason: "this object, which is to hold the router's settings, does not exist; the flags alone hold"
            .into(),
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
