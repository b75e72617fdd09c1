//! Telling people what happened to an object, as Event objects that `kubectl describe` shows.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::kinds::{EVENT, Kind};
use crate::meta;
use crate::registry::{DeleteOptions, Registry, WriteOptions};

/// How many Events are kept; the oldest goes when another comes.
const MOST: usize = 1000;

/// Writes Events. One that repeats is counted, not written again. Clones share what is kept.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    registry: Registry,
    component: &'static str,
    kept: Arc<Mutex<Kept>>,
}

/// What tells Events apart: about whom, from whom, why, message.
type Key = (String, &'static str, &'static str, String);

#[derive(Debug, Default)]
struct Kept {
    names: HashMap<Key, (String, String)>,
    order: VecDeque<Key>,
}

/// What happened.
#[derive(Debug)]
pub(crate) struct Happening<'a> {
    /// `Warning` rather than `Normal`.
    pub(crate) warning: bool,
    /// Why, in CamelCase.
    pub(crate) reason: &'static str,
    /// For people.
    pub(crate) message: &'a str,
}

impl Recorder {
    pub(crate) fn new(registry: Registry, component: &'static str) -> Self {
        Self { registry, component, kept: Arc::default() }
    }

    /// The same Events, told by another component.
    pub(crate) fn for_component(&self, component: &'static str) -> Self {
        Self { component, ..self.clone() }
    }

    /// Records what happened to an object. Never fails: an Event that cannot be written (its
    /// namespace is being deleted) is logged.
    pub(crate) fn record(&self, kind: &Kind, about: &Value, happening: &Happening<'_>) {
        let Happening { warning, reason, message } = *happening;
        let key = (meta::uid(about).to_owned(), self.component, reason, message.to_owned());
        let options = WriteOptions::by(self.component);
        let now = Timestamp::now();
        let mut kept = self.kept.lock();
        if let Some((namespace, name)) = kept.names.get(&key) {
            let counted =
                self.registry.modify(&EVENT, Some(namespace), name, None, &options, |event| {
                    event["count"] = (event["count"].as_i64().unwrap_or(1) + 1).into();
                    event["lastTimestamp"] = meta::time(now).into();
                    Ok(())
                });
            if counted.is_ok() {
                return;
            }
        }
        let namespace = meta::namespace(about).unwrap_or("default").to_owned();
        let name = format!("{}.{:x}", meta::name(about), now.as_nanosecond());
        let event = json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": { "name": name, "namespace": namespace },
            "involvedObject": {
                "kind": kind.kind,
                "namespace": meta::namespace(about).unwrap_or_default(),
                "name": meta::name(about),
                "uid": meta::uid(about),
                "apiVersion": kind.api_version(),
                "resourceVersion": meta::resource_version(about),
            },
            "reason": reason,
            "message": message,
            "source": { "component": self.component },
            "firstTimestamp": meta::time(now),
            "lastTimestamp": meta::time(now),
            "count": 1,
            "type": if warning { "Warning" } else { "Normal" },
            "reportingComponent": self.component,
            "reportingInstance": "",
        });
        match self.registry.create(&EVENT, Some(&namespace), event, &options) {
            Ok(_) => kept.keep(key, namespace, name, &self.registry, &options),
            Err(status) => {
                tracing::debug!(%reason, %message, %status, "event not recorded");
            }
        }
    }
}

impl Kept {
    fn keep(
        &mut self,
        key: Key,
        namespace: String,
        name: String,
        registry: &Registry,
        options: &WriteOptions,
    ) {
        if self.names.insert(key.clone(), (namespace, name)).is_some() {
            // The known one was deleted by somebody: its place is taken by this one.
            return;
        }
        self.order.push_back(key);
        if self.order.len() <= MOST {
            return;
        }
        let oldest = self.order.pop_front().and_then(|key| self.names.remove(&key));
        if let Some((namespace, name)) = oldest {
            // Whoever deleted it before did the same.
            let _ = registry.delete(
                &EVENT,
                Some(&namespace),
                &name,
                &DeleteOptions::default(),
                options,
            );
        }
    }
}
