//! The routing table: immutable, shared by all workers.

use std::{collections::BTreeMap, sync::Arc};

use rustls::sign::CertifiedKey;

use crate::{
    host::{HostMatcher, HostPattern, HostRegex},
    pages::Pages,
    path::PathIndex,
    rule::Rule,
    settings::Settings,
    stream::Stream,
};

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
    /// The platform certificate: for names without a host, and for hosts that it is valid for.
    pub platform: Option<Arc<CertifiedKey>>,
    /// The platform's pages, for what no rule is for.
    pub pages: Option<Arc<Pages>>,
    exact: Map,
    wildcard: Map,
    any_suffix: Map,
    /// Sorted by expression, so that the order of events does not matter. There are few.
    regex: Arc<Vec<(HostRegex, HostMatcher, Arc<Host>)>>,
    any: Option<Arc<Host>>,
    streams: Arc<BTreeMap<Arc<str>, Arc<Stream>>>,
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
    /// one, else the wildcard with the longest suffix, else one for any suffix,
    /// else the first regular expression.
    pub fn host(&self, name: &str) -> Option<&Arc<Host>> {
        self.exact
            .get(name)
            .or_else(|| self.wildcard(name))
            .or_else(|| self.any_suffix(name))
            .or_else(|| self.regex(name))
    }

    /// The host for what no other is for.
    pub fn catch_all(&self) -> Option<&Arc<Host>> {
        self.any.as_ref()
    }

    /// The TCP streams by the names of their listeners.
    pub const fn streams(&self) -> &Arc<BTreeMap<Arc<str>, Arc<Stream>>> {
        &self.streams
    }

    pub(crate) fn set_stream(&mut self, name: &Arc<str>, stream: Option<Arc<Stream>>) {
        let streams = Arc::make_mut(&mut self.streams);
        match stream {
            Some(stream) => streams.insert(name.clone(), stream),
            None => streams.remove(name),
        };
    }

    fn wildcard(&self, name: &str) -> Option<&Arc<Host>> {
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

    fn any_suffix(&self, name: &str) -> Option<&Arc<Host>> {
        if self.any_suffix.is_empty() {
            return None;
        }
        self.any_suffix.get(name.split_once('.')?.0)
    }

    fn regex(&self, name: &str) -> Option<&Arc<Host>> {
        let mut hosts = self.regex.iter();
        hosts.find(|(_, regex, _)| regex.is_match(name)).map(|(_, _, host)| host)
    }

    /// All hosts, in no particular order.
    pub fn hosts(&self) -> impl Iterator<Item = &Arc<Host>> {
        let regex = self.regex.iter().map(|(_, _, host)| host);
        [&self.exact, &self.wildcard, &self.any_suffix]
            .into_iter()
            .flat_map(|map| map.values())
            .chain(regex)
            .chain(&self.any)
    }

    /// How many hosts there are.
    pub fn len(&self) -> usize {
        self.exact.len()
            + self.wildcard.len()
            + self.any_suffix.len()
            + self.regex.len()
            + usize::from(self.any.is_some())
    }

    /// Whether there is no host at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts `host` in, or takes out what stands under `pattern`.
    pub(crate) fn set(&mut self, pattern: &HostPattern, host: Option<Arc<Host>>) {
        let (map, name) = match pattern {
            HostPattern::Exact(name) => (&mut self.exact, name),
            HostPattern::Wildcard(suffix) => (&mut self.wildcard, suffix),
            HostPattern::AnySuffix(label) => (&mut self.any_suffix, label),
            HostPattern::Regex(regex) => return self.set_regex(regex, host),
            HostPattern::Any => {
                self.any = host;
                return;
            }
        };
        match host {
            Some(host) => map.insert(name.clone(), host),
            None => map.remove(name),
        };
    }

    fn set_regex(&mut self, regex: &HostRegex, host: Option<Arc<Host>>) {
        let all = Arc::make_mut(&mut self.regex);
        let found = all.binary_search_by(|(known, ..)| known.cmp(regex));
        match (found, host) {
            (Ok(at), Some(host)) => all[at].2 = host,
            (Ok(at), None) => drop(all.remove(at)),
            (Err(at), Some(host)) => {
                // One that cannot be compiled is never claimed.
                if let Ok(compiled) = regex.compile() {
                    all.insert(at, (regex.clone(), compiled, host));
                }
            }
            (Err(_), None) => {}
        }
    }
}
