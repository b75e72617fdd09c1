//! From the Kubernetes API to a stream of changes.
//!
//! ```text
//! one task per kind and namespace -> gate -> Feed
//!                                    ^  |
//!                         Secrets read  which to read
//! ```

mod backoff;
mod convert;
mod gate;
mod kind;
mod known;
mod progress;
mod secrets;
mod settings;
mod state;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use fairlead_router_core::{Change, Key, object::Kind};
use k8s_openapi::api::{core::v1 as core, discovery::v1 as discovery};
use kube::{Api, core::PartialObjectMeta};
use tokio::{sync::mpsc, task::JoinSet};

pub use self::settings::SettingsSource;
pub(crate) use self::state::{Phase, WatchReport};
use self::{
    gate::{Gate, Step},
    kind::{Seen, Watched, follow},
    progress::Version,
    secrets::{Attempt, Problem, Reader},
    state::{Scope, WatchState},
};

/// How many changes may wait between two stages; a full queue slows down the watches.
pub(crate) const QUEUE: usize = 1024;

/// ConfigMaps with pages, and those with authorities: no others are read.
const PAGES: &str = "router.fairlead.dev/pages=true";
const AUTHORITIES: &str = "router.fairlead.dev/authorities=true";

/// What is always watched.
const WATCHED: [(Kind, Option<&str>); 5] = [
    (Kind::Service, None),
    (Kind::EndpointSlice, None),
    (Kind::Secret, None),
    (Kind::ConfigMap, Some(PAGES)),
    (Kind::ConfigMap, Some(AUTHORITIES)),
];

/// What the publishing loop is told.
#[derive(Debug)]
pub(crate) enum Feed {
    /// A change to compile.
    Change(Change),
    /// With what came so far, all objects of this kind are in effect up to this
    /// resourceVersion.
    Settled(Kind, Version),
    /// Everything there was at the start has been told. Sent once.
    Synced,
}

/// All watches, for those who report on them.
#[derive(Debug)]
pub(crate) struct Watches {
    watches: Vec<Arc<WatchState>>,
    /// The last watch is for them.
    settings: Option<SettingsSource>,
    /// A Secret that is read whether or not a Service names it.
    required: Option<Key>,
    secrets: Problem,
}

impl Watches {
    /// Watches in `namespaces`, or in all where none is named. They start with [`Watches::run`].
    /// `settings` are followed too, and the Secret `required` is read.
    pub(crate) fn new(
        namespaces: &[String],
        settings: Option<SettingsSource>,
        required: Option<Key>,
    ) -> Self {
        let scopes = WATCHED.into_iter().flat_map(|(kind, labels)| {
            let all = namespaces.is_empty().then_some(None);
            let some = namespaces.iter().cloned().map(Some);
            let scope = move |namespace| Scope { kind, namespace, name: None, labels };
            all.into_iter().chain(some).map(scope)
        });
        let scopes = scopes.chain(settings.as_ref().map(SettingsSource::scope));
        let watches = scopes.map(|scope| Arc::new(WatchState::new(scope))).collect();
        Self { watches, settings, required, secrets: Problem::default() }
    }

    /// The kinds that are watched.
    pub(crate) fn kinds(&self) -> BTreeSet<Kind> {
        self.watches.iter().map(|watch| watch.scope().kind).collect()
    }

    pub(crate) fn reports(&self) -> impl Iterator<Item = WatchReport> {
        self.watches.iter().map(|watch| watch.report())
    }

    /// How old what `kind` has shown may be, in the namespace where it is worst.
    pub(crate) fn age(&self, kind: Kind) -> Duration {
        let watches = self.watches.iter().filter(|watch| watch.scope().kind == kind);
        watches.map(|watch| watch.age()).max().unwrap_or_default()
    }

    /// What stands in the way of being ready, a line each.
    pub(crate) fn problems(&self) -> Vec<String> {
        // One absent kind is passed over; a server without any is the wrong server.
        let nothing = self.watches.iter().all(|watch| watch.phase() == Phase::Absent);
        let unlisted = self.watches.iter().filter_map(|watch| {
            let problem = match watch.phase() {
                Phase::Watching => match watch.report().problem {
                    Some(problem) if self.is_named(&watch.scope()) => problem,
                    _ => return None,
                },
                Phase::Absent if !nothing => return None,
                Phase::Listing => "the first list is under way".to_owned(),
                _ => watch.report().problem.unwrap_or_default(),
            };
            Some(format!("{}: {problem}", watch.scope()))
        });
        unlisted.chain(self.secrets.lock().clone()).collect()
    }

    /// Whether it is the object with the settings, named by a flag.
    fn is_named(&self, scope: &Scope) -> bool {
        let object = matches!(self.settings, Some(SettingsSource::Object(_)));
        object && scope.name.is_some()
    }

    /// Follows the server until `out` is closed.
    pub(crate) async fn run(&self, client: kube::Client, out: mpsc::Sender<Feed>) {
        // Dropped at the end, and with it all tasks.
        let mut tasks = JoinSet::new();
        let (seen_in, seen) = mpsc::channel(QUEUE);
        for (i, watch) in self.watches.iter().enumerate() {
            let (client, watch, seen) = (client.clone(), watch.clone(), seen_in.clone());
            let Scope { kind, namespace, labels, .. } = watch.scope();
            match kind {
                Kind::Service => {
                    let api = api::<core::Service>(client, namespace);
                    tasks.spawn(follow(api, None, i, watch, seen));
                }
                Kind::EndpointSlice => {
                    let api = api::<discovery::EndpointSlice>(client, namespace);
                    tasks.spawn(follow(api, None, i, watch, seen));
                }
                Kind::Secret => {
                    let api = api::<PartialObjectMeta<core::Secret>>(client, namespace);
                    tasks.spawn(follow(api, None, i, watch, seen));
                }
                // Without labels it is the object with the settings.
                Kind::ConfigMap if labels.is_some() => {
                    let api = api::<core::ConfigMap>(client, namespace);
                    tasks.spawn(follow(api, None, i, watch, seen));
                }
                _ => {
                    if let Some(source) = self.settings.clone() {
                        tasks.spawn(settings::run(client, source, i, watch, seen));
                    }
                }
            }
        }
        let (read_in, read) = mpsc::channel(QUEUE);
        let stage = Stage {
            gate: Gate::default(),
            reader: Reader::new(client, self.secrets.clone(), read_in),
            listed: vec![None; self.watches.len()],
            settings: match &self.settings {
                Some(SettingsSource::Object(_)) => Settings::Awaited,
                _ => Settings::Absent,
            },
            labels: self.watches.iter().map(|watch| watch.scope().labels).collect(),
            synced: false,
            out,
        };
        stage.run(self.required.as_ref(), seen, read).await;
    }
}

fn api<K>(client: kube::Client, namespace: Option<String>) -> Api<K>
where
    K: Watched + kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client, &namespace),
        None => Api::all(client),
    }
}

/// Whether the object with the settings was seen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Settings {
    /// Not as yet, and without it the router serves nothing.
    Awaited,
    /// Not as yet; the flags alone hold.
    Absent,
    /// What it said last holds, even when it is gone: without its access lists everyone is let in.
    Known,
}

/// The task around the [`Gate`].
struct Stage {
    gate: Gate,
    reader: Reader,
    /// For each watch: whether its kind is there, once that is known.
    listed: Vec<Option<bool>>,
    settings: Settings,
    /// For each watch: the labels that it asks for.
    labels: Vec<Option<&'static str>>,
    synced: bool,
    out: mpsc::Sender<Feed>,
}

impl Stage {
    async fn run(
        mut self,
        required: Option<&Key>,
        mut seen: mpsc::Receiver<(usize, Seen)>,
        mut read: mpsc::Receiver<Attempt>,
    ) {
        let mut steps = Vec::new();
        if let Some(secret) = required {
            self.gate.require(secret, &mut steps);
        }
        loop {
            for step in steps.drain(..) {
                let feed = match step {
                    Step::Forward(change) => Feed::Change(change),
                    Step::Settled(kind, version) => Feed::Settled(kind, version),
                    Step::Read(key) => {
                        self.reader.read(key);
                        continue;
                    }
                    Step::Forget(key) => {
                        self.reader.forget(&key);
                        continue;
                    }
                };
                if self.out.send(feed).await.is_err() {
                    return;
                }
            }
            if !self.synced && self.is_listed() && self.gate.is_settled() {
                self.synced = true;
                if self.out.send(Feed::Synced).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                Some((watch, seen)) = seen.recv() => self.see(watch, seen, &mut steps),
                Some(attempt) = read.recv() => self.attempted(attempt, &mut steps),
                () = self.out.closed() => return,
                else => return,
            }
        }
    }

    /// A server that lacks every kind is no Kubernetes server: the address is wrong.
    fn is_listed(&self) -> bool {
        self.listed.iter().all(Option::is_some)
            && self.listed.contains(&Some(true))
            && self.settings != Settings::Awaited
    }

    fn see(&mut self, watch: usize, seen: Seen, steps: &mut Vec<Step>) {
        match seen {
            Seen::Service(key, service, version) => self.gate.service(key, service, version, steps),
            Seen::EndpointSlice(key, slice, version) => {
                steps.push(Step::Forward(Change::EndpointSlice(key, slice)));
                steps.push(Step::Settled(Kind::EndpointSlice, version));
            }
            Seen::Secret(key, there, version) => {
                self.gate.secret_seen(&key, there, version, steps);
            }
            Seen::ConfigMap(key, entries, version) => {
                steps.push(Step::Forward(match self.labels[watch] {
                    Some(AUTHORITIES) => Change::Authorities(key, entries),
                    _ => Change::Pages(key, entries),
                }));
                steps.push(Step::Settled(Kind::ConfigMap, version));
            }
            Seen::Settings(object, None, version) if self.settings == Settings::Known => {
                tracing::warn!(%object, "the object with the settings is gone; what it said last holds");
                steps.push(Step::Settled(object.kind, version));
            }
            Seen::Settings(object, annotations, version) => {
                if annotations.is_some() {
                    self.settings = Settings::Known;
                }
                let kind = object.kind;
                steps.push(Step::Forward(Change::Settings(object, annotations)));
                steps.push(Step::Settled(kind, version));
            }
            Seen::Listed { present } => self.listed[watch] = Some(present),
        }
    }

    fn attempted(&mut self, attempt: Attempt, steps: &mut Vec<Step>) {
        match attempt {
            Attempt::Read(key, secret) => {
                self.reader.forget(&key);
                self.gate.secret_read(&key, secret, steps);
            }
            Attempt::Failed { key, refused } => self.gate.secret_failed(&key, refused, steps),
        }
    }
}
