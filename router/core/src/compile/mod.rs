//! Objects in, tables out.
//!
//! A [`Compiler`] keeps what it knows of every object and which hosts each one
//! touches. A change marks those hosts; [`Compiler::publish`] compiles just them.
//! The result depends on the objects alone, not on the order in which they came,
//! but for two things: a Secret that turns bad leaves its last good certificate in use, and a limit on clients
//! of the router's own settings that turns bad leaves the one in force.

mod authorities;
mod backends;
mod default;
mod endpoints;
mod findings;
mod host;
mod pages;
mod rule;
mod secrets;
mod services;
mod settings;
mod streams;

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use rustls::sign::CertifiedKey;

use self::{
    authorities::Authorities,
    backends::Backends,
    default::CatchAll,
    findings::{Findings, Source},
    secrets::SecretState,
    streams::StreamClaim,
};
use crate::{
    app::{App, AppId},
    backend::Backend,
    certificate::CertificateSlot,
    clients::Clients,
    diagnostic::Diagnostic,
    dialect::service::Claim,
    host::HostPattern,
    object::{Change, Key, Kind, ObjectRef, ServicePort},
    pages::Pages,
    settings::Settings,
    table::Table,
    upstream::{Identity, Upstream, Upstreams},
};

/// Holds all objects and compiles the hosts that changes touch.
#[derive(Debug)]
pub struct Compiler {
    /// The settings that the flags make; an object may change them.
    flags: Arc<Settings>,
    table: Table,
    claims: HashMap<Key, Arc<Claim>>,
    /// The ports of every Service, by which others may name it.
    ports: HashMap<Key, Box<[ServicePort]>>,
    /// What is served where no host is found.
    default: Option<CatchAll>,
    /// TCP streams by the names of their listeners.
    streams: HashMap<Arc<str>, StreamClaim>,
    backends: Backends,
    apps: HashMap<AppId, Members>,
    clients: Arc<Clients>,
    upstreams: RefCell<Upstreams>,
    /// What ConfigMaps with pages hold.
    pages: HashMap<Key, Arc<Pages>>,
    /// What ConfigMaps with authorities hold.
    authorities: HashMap<Key, Authorities>,
    /// Who names a ConfigMap.
    map_users: HashMap<Key, BTreeSet<Key>>,
    secrets: HashMap<Key, SecretState>,
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
        let mut compiler = Self {
            table: Table::new(flags.clone()),
            flags,
            claims: HashMap::new(),
            ports: HashMap::new(),
            default: None,
            streams: HashMap::new(),
            backends: Backends::default(),
            apps: HashMap::new(),
            clients: Arc::default(),
            upstreams: RefCell::default(),
            pages: HashMap::new(),
            authorities: HashMap::new(),
            map_users: HashMap::new(),
            secrets: HashMap::new(),
            claimants: HashMap::new(),
            secret_users: HashMap::new(),
            dirty: BTreeSet::new(),
            resettled: false,
            findings: Findings::default(),
        };
        compiler.refresh_default();
        compiler.refresh_platform();
        compiler.refresh_pages();
        compiler
    }

    /// Takes one change. Endpoints take effect at once, everything else with
    /// the next [`Compiler::publish`].
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Service(key, service) => self.apply_service(key, service),
            Change::EndpointSlice(key, slice) => {
                let findings = slice.as_ref().map(endpoints::findings).unwrap_or_default();
                self.findings.set(Source::Object(key.of(Kind::EndpointSlice)), findings);
                self.backends.apply(key, slice);
            }
            Change::Pages(key, entries) => self.apply_pages(key, entries),
            Change::Authorities(key, entries) => self.apply_authorities(key, entries),
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

    /// Every host may depend on what has changed.
    fn touch_all(&mut self) {
        self.dirty.extend(self.claimants.keys().cloned());
        self.dirty.extend(self.default.as_ref().map(|_| HostPattern::Any));
    }

    fn compile(&self, pattern: &HostPattern) -> (Option<Arc<crate::table::Host>>, Vec<Diagnostic>) {
        let claims = if *pattern == HostPattern::Any {
            self.default.iter().map(|default| default.claim.clone()).collect()
        } else {
            let claimants = self.claimants.get(pattern).into_iter().flatten();
            claimants.filter_map(|service| self.claims.get(service)).cloned().collect()
        };
        host::compile(pattern, claims, &Context { compiler: self })
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

    fn platform(&self) -> Option<&Arc<CertifiedKey>> {
        self.compiler.table.platform.as_ref()
    }

    /// The pages of `claim`, over the platform's.
    fn pages(&self, claim: &Claim) -> Option<Arc<Pages>> {
        let own = claim.error_pages.as_ref().and_then(|key| self.compiler.pages.get(key));
        match (own, &self.compiler.table.pages) {
            (Some(own), Some(platform)) => Some(Arc::new(own.over(platform))),
            (one, other) => one.or(other.as_ref()).cloned(),
        }
    }

    /// Whether a ConfigMap with pages is there.
    fn has_pages(&self, key: &Key) -> bool {
        self.compiler.pages.contains_key(key)
    }

    /// The authorities that `object` holds; `None` where there is no such object.
    fn authorities(&self, object: &ObjectRef) -> Option<&Authorities> {
        match object.kind {
            Kind::ConfigMap => self.compiler.authorities.get(&object.key),
            _ => self.compiler.secrets.get(&object.key).map(|state| &state.authorities),
        }
    }

    /// How the endpoints of `claim` are spoken to. Without its authorities, and without the certificate
    /// that they are to be shown, nobody is believed.
    fn upstream(&self, claim: &Claim) -> Option<Arc<Upstream>> {
        let authorities = claim.authorities.as_ref().and_then(|object| self.authorities(object));
        let authorities = authorities.and_then(|authorities| authorities.clone().ok());
        let slot = claim.client_certificate.as_ref().map(|key| self.slot(key));
        let certificate = slot.map(|slot| slot?.client().map(Arc::new));
        let authorities = authorities.filter(|_| certificate != Some(None));
        let server_name =
            if claim.protocol.is_secure() { claim.server_name.clone() } else { Arc::default() };
        self.compiler.upstreams.borrow_mut().get(Identity {
            protocol: claim.protocol,
            server_name,
            authorities: authorities.unwrap_or_default(),
            certificate: certificate.flatten(),
        })
    }

    fn backend(&self, claim: &Claim) -> Arc<Backend> {
        self.compiler
            .backends
            .get(&claim.backend)
            .expect("made with the claim and removed with it")
            .clone()
    }

    fn app(&self, claim: &Claim) -> Arc<App> {
        self.compiler.app(&claim.app)
    }
}
