//! Which Secrets to read, and what waits for them.
//!
//! Secrets are watched by their metadata alone; the content is read only of those that
//! a routable Service names, when one names it first and when it changes. A Service is
//! held back until the Secrets that it names have been read or found missing, so that no
//! host is published for a moment without the certificate that it has, whichever of the
//! two watches is faster. A state machine without I/O: events in, [`Step`]s out.

use std::collections::{BTreeSet, HashMap};

use fairlead_router_core::{
    Change, Key, Secret, Service, dialect::service as dialect, object::Kind,
};

use super::progress::{Progress, Version};

/// What is to be done next, in this order.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Compile this.
    Forward(Change),
    /// All objects of the kind are in effect up to this version.
    Settled(Kind, Version),
    /// Read this Secret, again and again until that works.
    Read(Key),
    /// Stop reading this Secret.
    Forget(Key),
}

#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// Secrets whose content was read, and in which version.
    read: HashMap<Key, Version>,
    reading: HashMap<Key, Reading>,
    /// The Secrets that a forwarded Service names.
    names: HashMap<Key, Vec<Key>>,
    /// How many Services, forwarded or held, name a Secret.
    users: HashMap<Key, usize>,
    held: HashMap<Key, Held>,
    /// The Services that are held for a Secret.
    waiters: HashMap<Key, BTreeSet<Key>>,
    /// Some Secret was read or found missing: Secrets can be read.
    readable: bool,
    /// Needed whether or not a Service names it.
    required: Option<Key>,
    services: Progress,
    secrets: Progress,
    /// What was told of the two.
    told: [Version; 2],
}

/// A Secret that is being read.
#[derive(Debug, Default)]
struct Reading {
    /// The version in which the watch has shown it meanwhile.
    meanwhile: Option<Version>,
    /// An attempt did not work: whoever names the Secret goes on without it.
    failed: bool,
    /// The server refused it: to wait will not help.
    refused: bool,
}

#[derive(Debug)]
struct Held {
    service: Service,
    names: Vec<Key>,
    waiting: BTreeSet<Key>,
}

impl Gate {
    /// Whether every Secret that is named has been read, found missing, or refused while others
    /// could be read: what is wrong with one Service is not to keep all others from being served.
    pub(crate) fn is_settled(&self) -> bool {
        let required = self.required.as_ref().is_some_and(|key| self.reading.contains_key(key));
        let refused =
            self.readable && !required && self.reading.values().all(|reading| reading.refused);
        (self.reading.is_empty() || refused) && self.held.is_empty()
    }

    /// This Secret is named by no Service and needed all the same.
    pub(crate) fn require(&mut self, secret: &Key, steps: &mut Vec<Step>) {
        self.users.insert(secret.clone(), 1);
        self.required = Some(secret.clone());
        self.start(secret, steps);
    }

    /// A Service is there in a new version, or gone.
    pub(crate) fn service(
        &mut self,
        key: Key,
        service: Option<Service>,
        version: Version,
        steps: &mut Vec<Step>,
    ) {
        self.services.take(version);
        let names = service.as_ref().map(names_of).unwrap_or_default();
        for secret in &names {
            let users = self.users.entry(secret.clone()).or_default();
            *users += 1;
            if *users == 1 {
                self.start(secret, steps);
            }
        }
        // What was held is overtaken.
        let overtaken = self.held.remove(&key);
        for secret in overtaken.iter().flat_map(|held| &held.waiting) {
            if let Some(waiters) = self.waiters.get_mut(secret) {
                waiters.remove(&key);
            }
        }
        let waiting: BTreeSet<_> = names.iter().filter(|s| self.is_awaited(s)).cloned().collect();
        match service {
            Some(service) if !waiting.is_empty() => {
                for secret in &waiting {
                    self.waiters.entry(secret.clone()).or_default().insert(key.clone());
                }
                self.services.hold(&key, version);
                self.held.insert(key, Held { service, names, waiting });
            }
            service => self.forward(key, service, names, steps),
        }
        for secret in overtaken.into_iter().flat_map(|held| held.names) {
            self.release(&secret, steps);
        }
        self.tell(steps);
    }

    /// A Secret is there in a new version, or gone with it.
    pub(crate) fn secret_seen(
        &mut self,
        key: &Key,
        there: bool,
        version: Version,
        steps: &mut Vec<Step>,
    ) {
        self.secrets.take(version);
        // A read may have been faster than the watch.
        let news = self.read.get(key).is_none_or(|read| *read < version);
        if news && !there {
            self.drop_content(key, steps);
            self.unhold(key, steps);
        } else if news && self.users.contains_key(key) {
            self.secrets.hold(key, version);
            match self.reading.get_mut(key) {
                Some(reading) => reading.meanwhile = Some(version),
                None => self.start(key, steps),
            }
        }
        self.tell(steps);
    }

    /// A Secret was read; `None` when it is not there.
    pub(crate) fn secret_read(
        &mut self,
        key: &Key,
        secret: Option<(Secret, Version)>,
        steps: &mut Vec<Step>,
    ) {
        let Some(Reading { meanwhile, .. }) = self.reading.remove(key) else { return };
        self.readable = true;
        let version = secret.as_ref().map(|(_, version)| *version);
        if let Some((secret, version)) = secret {
            self.read.insert(key.clone(), version);
            steps.push(Step::Forward(Change::Secret(key.clone(), Some(secret))));
        } else {
            self.drop_content(key, steps);
        }
        self.unhold(key, steps);
        if meanwhile > version {
            self.secrets.hold(key, meanwhile.flatten());
            self.start(key, steps);
        } else {
            self.secrets.release(key);
        }
        self.tell(steps);
    }

    /// A Secret could not be read, or was `refused`, and will be tried again: nothing waits any
    /// longer, nor does anything that names it from now on.
    pub(crate) fn secret_failed(&mut self, key: &Key, refused: bool, steps: &mut Vec<Step>) {
        if let Some(reading) = self.reading.get_mut(key) {
            (reading.failed, reading.refused) = (true, refused);
        }
        self.unhold(key, steps);
        self.tell(steps);
    }

    fn tell(&mut self, steps: &mut Vec<Step>) {
        let settled = [self.services.settled(), self.secrets.settled()];
        for ((kind, told), settled) in
            [Kind::Service, Kind::Secret].into_iter().zip(&mut self.told).zip(settled)
        {
            if settled > *told {
                *told = settled;
                steps.push(Step::Settled(kind, settled));
            }
        }
    }

    /// One that is read anew has its last content in use meanwhile.
    fn is_awaited(&self, secret: &Key) -> bool {
        self.reading.get(secret).is_some_and(|reading| !reading.failed)
            && !self.read.contains_key(secret)
    }

    fn start(&mut self, key: &Key, steps: &mut Vec<Step>) {
        self.reading.insert(key.clone(), Reading::default());
        steps.push(Step::Read(key.clone()));
    }

    fn forward(
        &mut self,
        key: Key,
        service: Option<Service>,
        names: Vec<Key>,
        steps: &mut Vec<Step>,
    ) {
        self.services.release(&key);
        steps.push(Step::Forward(Change::Service(key.clone(), service)));
        let old =
            if names.is_empty() { self.names.remove(&key) } else { self.names.insert(key, names) };
        // Only now: until here the compiler needed them.
        for secret in old.into_iter().flatten() {
            self.release(&secret, steps);
        }
    }

    /// Forwards the Services that waited for nothing but `secret`.
    fn unhold(&mut self, secret: &Key, steps: &mut Vec<Step>) {
        for key in self.waiters.remove(secret).into_iter().flatten() {
            let Some(held) = self.held.get_mut(&key) else { continue };
            held.waiting.remove(secret);
            if held.waiting.is_empty()
                && let Some(Held { service, names, .. }) = self.held.remove(&key)
            {
                self.forward(key, Some(service), names, steps);
            }
        }
    }

    fn release(&mut self, secret: &Key, steps: &mut Vec<Step>) {
        let Some(users) = self.users.get_mut(secret) else { return };
        *users -= 1;
        if *users == 0 {
            self.users.remove(secret);
            self.waiters.remove(secret);
            self.drop_content(secret, steps);
        }
    }

    fn drop_content(&mut self, secret: &Key, steps: &mut Vec<Step>) {
        self.secrets.release(secret);
        if self.reading.remove(secret).is_some() {
            steps.push(Step::Forget(secret.clone()));
        }
        if self.read.remove(secret).is_some() {
            steps.push(Step::Forward(Change::Secret(secret.clone(), None)));
        }
    }
}

/// The Secrets that `service` names, sorted.
fn names_of(service: &Service) -> Vec<Key> {
    let claim = dialect::read(service).claim;
    let mut names: Vec<_> = claim.iter().flat_map(|claim| claim.secrets()).cloned().collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests;
