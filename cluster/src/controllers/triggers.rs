//! Which objects have to be reconciled when one changes.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use super::endpoint_slice::{SERVICE_NAME, pod_selector};
use super::object::{Fields, workload_selector};
use super::queue::{Controller, Key};
use crate::kinds::{self, Kind};
use crate::meta;
use crate::registry::{Event, EventType, Registry};
use crate::selector::Selector;

/// What keeps pods.
const OF_PODS: [Controller; 4] =
    [Controller::ReplicaSet, Controller::StatefulSet, Controller::DaemonSet, Controller::Job];

/// Namespace and name.
type ServiceName = (Arc<str>, Arc<str>);

/// What is remembered to find the Services of a pod.
#[derive(Debug, Default)]
pub(super) struct Triggers {
    /// Namespace → Service → the pods that it selects.
    selectors: HashMap<Arc<str>, HashMap<Arc<str>, Selector>>,
    /// Pod's uid → the Services that selected it when it last changed.
    served: HashMap<String, HashSet<Arc<str>>>,
    /// Namespace and Service → the names of its slices.
    slices: HashMap<ServiceName, BTreeSet<Arc<str>>>,
}

impl Triggers {
    /// Calls `push` for every object that the event concerns.
    pub(super) fn keys(
        &mut self,
        kind: &'static Kind,
        event: &Event,
        registry: &Registry,
        push: &mut dyn FnMut(Key),
    ) {
        if event.event == EventType::Bookmark {
            return;
        }
        let object = &*event.object;
        let namespace: Arc<str> = meta::namespace(object).unwrap_or_default().into();
        let deleted = event.event == EventType::Deleted;
        let mut push = |controller, name: &str| {
            push(Key { controller, namespace: namespace.clone(), name: name.into() });
        };
        let name = meta::name(object);
        match kind.kind {
            "Service" => {
                self.remember(&namespace, object, deleted);
                push(Controller::EndpointSlice, name);
            }
            "EndpointSlice" => {
                if let Some(service) = meta::label(object, SERVICE_NAME) {
                    push(Controller::EndpointSlice, service);
                    self.remember_slice((namespace.clone(), service.into()), name, deleted);
                }
            }
            "Pod" => {
                push(Controller::Scheduler, name);
                for service in self.services(&namespace, object, deleted) {
                    push(Controller::EndpointSlice, &service);
                }
                for controller in OF_PODS {
                    owners(object, controller.kind(), registry, |name| push(controller, name));
                }
            }
            "ReplicaSet" => {
                push(Controller::ReplicaSet, name);
                owners(object, &kinds::DEPLOYMENT, registry, |deployment| {
                    push(Controller::Deployment, deployment);
                });
            }
            "ControllerRevision" => {
                for controller in [Controller::StatefulSet, Controller::DaemonSet] {
                    owners(object, controller.kind(), registry, |name| push(controller, name));
                }
            }
            "StatefulSet" => push(Controller::StatefulSet, name),
            "DaemonSet" => push(Controller::DaemonSet, name),
            "Job" => push(Controller::Job, name),
            "Deployment" => push(Controller::Deployment, name),
            _ => {}
        }
    }

    fn remember(&mut self, namespace: &Arc<str>, service: &Value, deleted: bool) {
        let name = meta::name(service);
        match pod_selector(service).filter(|_| !deleted) {
            Some(selector) => {
                self.selectors.entry(namespace.clone()).or_default().insert(name.into(), selector);
            }
            None => {
                if let Some(known) = self.selectors.get_mut(namespace) {
                    known.remove(name);
                    if known.is_empty() {
                        self.selectors.remove(namespace);
                    }
                }
            }
        }
    }

    /// A slice whose label changes stays remembered for both Services: each sees that it has gone.
    fn remember_slice(&mut self, of: ServiceName, name: &str, deleted: bool) {
        if !deleted {
            self.slices.entry(of).or_default().insert(name.into());
        } else if let Some(known) = self.slices.get_mut(&of) {
            known.remove(name);
            if known.is_empty() {
                self.slices.remove(&of);
            }
        }
    }

    /// The slices of a Service: a namespace may hold thousands of others.
    pub(super) fn slices(
        &self,
        registry: &Registry,
        namespace: &Arc<str>,
        service: &Arc<str>,
    ) -> Vec<Arc<Value>> {
        let known = self.slices.get(&(namespace.clone(), service.clone()));
        let get =
            |name: &Arc<str>| registry.get(&kinds::ENDPOINT_SLICE, Some(namespace), name).ok();
        known.into_iter().flatten().filter_map(get).collect()
    }

    /// Services that select the pod, and those that did before it changed.
    fn services(&mut self, namespace: &str, pod: &Value, deleted: bool) -> HashSet<Arc<str>> {
        let selectors = self.selectors.get(namespace);
        let selectors = selectors.into_iter().flatten();
        let now: HashSet<Arc<str>> = selectors
            .filter(|(_, selector)| selector.matches(pod))
            .map(|(name, _)| name.clone())
            .collect();
        let uid = meta::uid(pod);
        let before = if deleted || now.is_empty() {
            self.served.remove(uid)
        } else {
            self.served.insert(uid.to_owned(), now.clone())
        };
        now.into_iter().chain(before.into_iter().flatten()).collect()
    }
}

/// The owner of this kind; of an orphan, all that could adopt it.
fn owners(object: &Value, kind: &'static Kind, registry: &Registry, mut push: impl FnMut(&str)) {
    match meta::controller(object) {
        Some(owner) if owner["kind"] == kind.kind => push(owner.text("/name")),
        Some(_) => {}
        None => {
            let all = registry.list(kind, meta::namespace(object), &Selector::everything()).items;
            let selects = |owner: &&Arc<Value>| {
                workload_selector(owner).is_some_and(|selector| selector.matches(object))
            };
            all.iter().filter(selects).for_each(|owner| push(meta::name(owner)));
        }
    }
}
