//! Backends and their endpoints: the Service ports that requests go to, and the slices behind them.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::Arc,
};

use super::endpoints::{self, Slices};
use crate::{
    backend::{Backend, BackendKey, Endpoints},
    object::{EndpointSlice, Key},
};

/// Every backend in use, with the endpoints that its slices name.
#[derive(Debug, Default)]
pub(super) struct Backends {
    by_service: HashMap<Key, Vec<Used>>,
    slices: HashMap<Key, Slices>,
    slice_services: HashMap<Key, Key>,
    endpoints: Endpoints,
}

/// A backend and how many uses it has.
#[derive(Debug)]
struct Used {
    backend: Arc<Backend>,
    uses: usize,
}

impl Backends {
    /// Counts one more use of the backend `key`, which is made with the first.
    pub(super) fn acquire(&mut self, key: &BackendKey) -> &Arc<Backend> {
        let backends = self.by_service.entry(key.service.clone()).or_default();
        let at = backends.iter().position(|used| used.backend.key == *key).unwrap_or_else(|| {
            let backend = Arc::new(Backend::new(key.clone()));
            fill(&backend, self.slices.get(&key.service), &mut self.endpoints);
            backends.push(Used { backend, uses: 0 });
            backends.len() - 1
        });
        backends[at].uses += 1;
        &backends[at].backend
    }

    /// As [`Backends::acquire`], for a backend that is one address and has no slices.
    pub(super) fn acquire_fixed(&mut self, key: &BackendKey, address: SocketAddr) {
        let endpoint = self.endpoints.get(address);
        self.acquire(key).set(vec![endpoint]);
    }

    /// One use less; the last one takes the backend along.
    pub(super) fn release(&mut self, key: &BackendKey) {
        let Some(backends) = self.by_service.get_mut(&key.service) else { return };
        for used in &mut *backends {
            used.uses -= usize::from(used.backend.key == *key);
        }
        backends.retain(|used| used.uses > 0);
        if backends.is_empty() {
            self.by_service.remove(&key.service);
        }
    }

    /// The backend `key`, if it is in use.
    pub(super) fn get(&self, key: &BackendKey) -> Option<&Arc<Backend>> {
        let backends = self.by_service.get(&key.service)?;
        backends.iter().map(|used| &used.backend).find(|backend| backend.key == *key)
    }

    /// Takes the new state of the slice `key`.
    pub(super) fn apply(&mut self, key: Key, slice: Option<EndpointSlice>) {
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

    /// Gives the backends of `service` the addresses of its slices.
    fn refresh(&mut self, service: &Key) {
        for used in self.by_service.get(service).into_iter().flatten() {
            fill(&used.backend, self.slices.get(service), &mut self.endpoints);
        }
    }
}

fn fill(backend: &Backend, slices: Option<&Slices>, endpoints: &mut Endpoints) {
    let slices = slices.into_iter().flat_map(BTreeMap::values);
    let addresses = endpoints::addresses(slices, &backend.key.port);
    backend.set(addresses.into_iter().map(|address| endpoints.get(address)).collect());
}
