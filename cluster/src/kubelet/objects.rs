//! The ConfigMaps and Secrets of a pod's namespace.

use std::sync::Arc;

use serde_json::Value;

use super::env::Source;
use crate::kinds::{CONFIG_MAP, Kind, SECRET};
use crate::meta;
use crate::registry::{Registry, Watch};
use crate::selector::Selector;

/// Finds objects of one namespace.
pub(super) struct Namespace {
    registry: Registry,
    name: String,
}

impl Namespace {
    pub(super) fn of(registry: &Registry, pod: &Value) -> Self {
        let name = meta::namespace(pod).unwrap_or_default().to_owned();
        Self { registry: registry.clone(), name }
    }
}

impl Source for Namespace {
    fn find(&self, kind: &'static Kind, name: &str) -> Option<Arc<Value>> {
        self.registry.get(kind, Some(&self.name), name).ok()
    }
}

/// Tells when an object that a pod may use has changed.
pub(super) struct Changes {
    registry: Registry,
    namespace: String,
    watches: [Watch; 2],
}

impl Changes {
    /// Changes from now on.
    pub(super) fn new(registry: &Registry, pod: &Value) -> Self {
        let namespace = meta::namespace(pod).unwrap_or_default().to_owned();
        let watches = watches(registry, &namespace);
        Self { registry: registry.clone(), namespace, watches }
    }

    /// Waits for the next change. Cancel safe.
    pub(super) async fn next(&mut self) {
        let [configs, secrets] = &mut self.watches;
        let event = tokio::select! {
            event = configs.next() => event,
            event = secrets.next() => event,
        };
        if event.is_err() {
            // The watch fell behind: something has changed.
            self.watches = watches(&self.registry, &self.namespace);
        }
    }
}

fn watches(registry: &Registry, namespace: &str) -> [Watch; 2] {
    [&CONFIG_MAP, &SECRET].map(|kind| {
        loop {
            let everything = Selector::everything();
            let revision = registry.list(kind, Some(namespace), &everything).revision;
            if let Ok(watch) = registry.watch(kind, Some(namespace), &everything, revision) {
                break watch;
            }
        }
    })
}
