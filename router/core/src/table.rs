//! The routing table: immutable, shared by all workers.

use std::sync::Arc;

use rustls::sign::CertifiedKey;

use crate::{host::HostPattern, path::PathIndex, rule::Rule, settings::Settings};

type Map = imbl::GenericHashMap<
    Arc<str>,
    Arc<Host>,
    foldhash::fast::RandomState,
    imbl::shared_ptr::DefaultSharedPtr,
>;

/// All hosts of one generation. Cloning shares everything; an insert copies only
/// the path to what it changes.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Counts publications; 0 before the first.
    pub generation: u64,
    /// Settings that concern all hosts.
    pub settings: Arc<Settings>,
    exact: Map,
    wildcard: Map,
}

/// One host: its rules and its certificate.
#[derive(Clone, Debug)]
pub struct Host {
    /// The name or wildcard it was claimed by.
    pub pattern: HostPattern,
    /// Its rules by path.
    pub rules: PathIndex,
    /// Its certificate; without one the host is not served over TLS.
    pub certificate: Option<Arc<CertifiedKey>>,
}

impl Host {
    /// The rule for `path` (without query).
    pub fn route(&self, path: &str) -> Option<&Arc<Rule>> {
        self.rules.find(path)
    }
}

impl Table {
    /// An empty table with `settings`.
    pub fn new(settings: Arc<Settings>) -> Self {
        Self { settings, ..Self::default() }
    }

    /// The host for `name`, as [`crate::normalise_host`] gives it: the exact
    /// one, else the wildcard with the longest suffix.
    pub fn host(&self, name: &str) -> Option<&Arc<Host>> {
        if let Some(host) = self.exact.get(name) {
            return Some(host);
        }
        if self.wildcard.is_empty() {
            return None;
        }
        let mut rest = name;
        while let Some((_, suffix)) = rest.split_once('.') {
            if let Some(host) = self.wildcard.get(suffix) {
                return Some(host);
            }
            rest = suffix;
        }
        None
    }

    /// All hosts, in no particular order.
    pub fn hosts(&self) -> impl Iterator<Item = &Arc<Host>> {
        self.exact.values().chain(self.wildcard.values())
    }

    /// How many hosts there are.
    pub fn len(&self) -> usize {
        self.exact.len() + self.wildcard.len()
    }

    /// Whether there is no host at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts `host` in, or takes out what stands under `pattern`; gives back what stood there.
    pub(crate) fn set(
        &mut self,
        pattern: &HostPattern,
        host: Option<Arc<Host>>,
    ) -> Option<Arc<Host>> {
        let (map, name) = match pattern {
            HostPattern::Exact(name) => (&mut self.exact, name),
            HostPattern::Wildcard(suffix) => (&mut self.wildcard, suffix),
        };
        match host {
            Some(host) => map.insert(name.clone(), host),
            None => map.remove(name),
        }
    }
}
