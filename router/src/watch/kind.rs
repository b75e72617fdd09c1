//! Following one kind of object: list, watch, and list again when the watch breaks.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use fairlead_router_core::{EndpointSlice, Key, ObjectRef, Service};
use futures::StreamExt as _;
use k8s_openapi::api::{core::v1 as core, discovery::v1 as discovery};
use kube::{
    Api, Resource,
    core::PartialObjectMeta,
    runtime::watcher::{self, Event},
};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use super::{
    backoff::Backoff,
    convert,
    known::Known,
    progress::Version,
    state::{Failure, Phase, WatchState},
};

/// How long each page of a list may take.
const LIST: Duration = Duration::from_secs(30);

/// Annotations that the dialects read.
pub(crate) type Annotations = BTreeMap<Box<str>, Box<str>>;

/// What a watch has seen; `None` for an object that is gone, then with the version of that.
#[derive(Debug)]
pub(crate) enum Seen {
    Service(Key, Option<Service>, Version),
    EndpointSlice(Key, Option<EndpointSlice>, Version),
    /// The metadata of a Secret; `false` when it is gone.
    Secret(Key, bool, Version),
    /// What a ConfigMap holds.
    ConfigMap(Key, Option<BTreeMap<Box<str>, Bytes>>, Version),
    /// The annotations of the object with the settings.
    Settings(ObjectRef, Option<Annotations>, Version),
    /// This watch has told everything there is (`present`), or the server lacks the kind.
    /// Each is sent at most once.
    Listed {
        present: bool,
    },
}

/// A kind that is watched, in the shape in which the server is asked for it.
pub(crate) trait Watched:
    Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static
{
    /// This object, trimmed.
    fn there(self, key: Key) -> Seen;
    /// An object of this kind is gone.
    fn gone(key: Key, version: Version) -> Seen;
}

impl Watched for core::Service {
    fn there(self, key: Key) -> Seen {
        let version = convert::version(&self.metadata);
        Seen::Service(key.clone(), Some(convert::service(key, self)), version)
    }

    fn gone(key: Key, version: Version) -> Seen {
        Seen::Service(key, None, version)
    }
}

impl Watched for discovery::EndpointSlice {
    fn there(self, key: Key) -> Seen {
        let version = convert::version(&self.metadata);
        Seen::EndpointSlice(key.clone(), convert::endpoint_slice(key, self), version)
    }

    fn gone(key: Key, version: Version) -> Seen {
        Seen::EndpointSlice(key, None, version)
    }
}

impl Watched for PartialObjectMeta<core::Secret> {
    fn there(self, key: Key) -> Seen {
        let version = convert::version(&self.metadata);
        Seen::Secret(key, true, version)
    }

    fn gone(key: Key, version: Version) -> Seen {
        Seen::Secret(key, false, version)
    }
}

impl Watched for core::ConfigMap {
    fn there(self, key: Key) -> Seen {
        let version = convert::version(&self.metadata);
        Seen::ConfigMap(key, Some(convert::entries(self)), version)
    }

    fn gone(key: Key, version: Version) -> Seen {
        Seen::ConfigMap(key, None, version)
    }
}

/// Follows `api`, or the object `only` of it, until nobody listens any more.
pub(crate) async fn follow<K: Watched>(
    api: Api<K>,
    only: Option<Key>,
    watch: usize,
    state: Arc<WatchState>,
    out: mpsc::Sender<(usize, Seen)>,
) {
    let config = match &only {
        Some(key) => watcher::Config::default().fields(&format!("metadata.name={}", key.name)),
        None => watcher::Config::default(),
    };
    let config = match state.scope().labels {
        Some(labels) => config.labels(labels),
        None => config,
    };
    let mut follower =
        Follower { known: Known::default(), listing: true, only, watch, told: None, state, out };
    let mut backoff = Backoff::default();
    loop {
        let begun = Instant::now();
        // A new watcher after each failure: it begins with a list, which tells whether the
        // server answers again and brings what was missed. A server that merely ends a
        // watch in time is no failure; the watcher resumes by itself.
        let mut events = pin!(watcher::watcher(api.clone(), config.clone()));
        let failure = loop {
            let event = follower.patiently(events.next()).await;
            match event {
                Ok(Some(Ok(event))) => {
                    if follower.take(event).await.is_err() {
                        return;
                    }
                }
                Ok(Some(Err(error))) => break Failure::from(&error),
                Ok(None) => return,
                Err(failure) => break failure,
            }
        };
        if follower.fail(failure).await.is_err() {
            return;
        }
        if begun.elapsed() > Backoff::LONGEST {
            backoff.reset();
        }
        tokio::time::sleep(backoff.next()).await;
    }
}

struct Follower {
    known: Known,
    /// A list has begun and is not complete.
    listing: bool,
    /// The one object that is watched; that it is missing is told too.
    only: Option<Key>,
    /// Which of all watches this is.
    watch: usize,
    /// The last [`Seen::Listed`] that was sent.
    told: Option<bool>,
    state: Arc<WatchState>,
    out: mpsc::Sender<(usize, Seen)>,
}

/// Nobody listens any more.
struct Closed;

impl Follower {
    /// Waits for as long as `event` may take: a list has to go on, a watch may stay silent
    /// (kube-rs ends one that is silent for too long).
    async fn patiently<T>(&self, event: impl Future<Output = T>) -> Result<T, Failure> {
        if !self.listing {
            return Ok(event.await);
        }
        tokio::time::timeout(LIST, event).await.map_err(|_| Failure::silent())
    }

    async fn take<K: Watched>(&mut self, event: Event<K>) -> Result<(), Closed> {
        match event {
            Event::Init => {
                self.known.begin();
                self.listing = true;
                return Ok(());
            }
            Event::InitApply(object) => return self.note(object).await,
            Event::Apply(object) => self.note(object).await?,
            Event::Delete(object) => {
                let metadata = object.meta();
                if let Some(key) = convert::key(metadata).filter(|key| self.known.remove(key)) {
                    self.send(K::gone(key, convert::version(metadata))).await?;
                }
            }
            Event::InitDone => {
                self.listing = false;
                for key in self.known.finish() {
                    self.send(K::gone(key, None)).await?;
                }
                if let Some(key) = self.only.clone().filter(|_| self.known.len() == 0) {
                    self.send(K::gone(key, None)).await?;
                }
                self.tell_listed(true).await?;
            }
        }
        self.state.watching(self.known.len());
        Ok(())
    }

    async fn note<K: Watched>(&mut self, object: K) -> Result<(), Closed> {
        let metadata = object.meta();
        let Some(key) = convert::key(metadata) else { return Ok(()) };
        if self.known.note(&key, convert::version(metadata)) {
            self.send(object.there(key)).await?;
        }
        Ok(())
    }

    async fn fail(&mut self, failure: Failure) -> Result<(), Closed> {
        self.state.failed(failure);
        if self.state.phase() == Phase::Absent { self.tell_listed(false).await } else { Ok(()) }
    }

    async fn tell_listed(&mut self, present: bool) -> Result<(), Closed> {
        if self.told != Some(true) && self.told != Some(present) {
            self.told = Some(present);
            self.send(Seen::Listed { present }).await?;
        }
        Ok(())
    }

    async fn send(&self, seen: Seen) -> Result<(), Closed> {
        self.out.send((self.watch, seen)).await.map_err(|_| Closed)
    }
}
