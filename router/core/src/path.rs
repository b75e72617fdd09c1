//! Path matching: exact, then the longest prefix of whole segments.

use std::{collections::HashMap, fmt, sync::Arc};

use serde::Serialize;

use crate::rule::Rule;

/// How a rule matches the path of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PathMatch {
    /// The whole path, byte for byte.
    Exact(Arc<str>),
    /// Whole segments from the start: `/a` matches `/a` and `/a/b`, not `/ab`.
    /// Starts with `/`; a trailing slash is not kept except for `/` itself.
    Prefix(Arc<str>),
}

impl fmt::Display for PathMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => write!(f, "= {path}"),
            Self::Prefix(path) => f.write_str(path),
        }
    }
}

/// The rules of one host, indexed by path. Look-up costs one hash per segment
/// of the request's path, however many rules there are.
#[derive(Clone, Debug, Default)]
pub struct PathIndex {
    root: Option<Arc<Rule>>,
    exact: HashMap<Arc<str>, Arc<Rule>>,
    prefix: HashMap<Arc<str>, Arc<Rule>>,
    longest: usize,
}

impl PathIndex {
    /// Indexes `rules`, best first: of two rules with the same match the earlier one stands.
    pub fn new(rules: impl IntoIterator<Item = Arc<Rule>>) -> Self {
        let mut index = Self::default();
        for rule in rules {
            match &rule.path {
                PathMatch::Prefix(path) if &**path == "/" => {
                    index.root.get_or_insert(rule);
                }
                PathMatch::Prefix(path) => {
                    index.longest = index.longest.max(path.len());
                    index.prefix.entry(path.clone()).or_insert(rule);
                }
                PathMatch::Exact(path) => {
                    index.exact.entry(path.clone()).or_insert(rule);
                }
            }
        }
        index
    }

    /// The rule for `path` (without query): the exact one, else the longest prefix.
    pub fn find(&self, path: &str) -> Option<&Arc<Rule>> {
        if !self.exact.is_empty()
            && let Some(rule) = self.exact.get(path)
        {
            return Some(rule);
        }
        if self.prefix.is_empty() {
            return self.root.as_ref();
        }
        let mut end = path.len();
        loop {
            let prefix = path.get(..end)?.trim_end_matches('/');
            if prefix.is_empty() {
                return self.root.as_ref();
            }
            if prefix.len() <= self.longest
                && let Some(rule) = self.prefix.get(prefix)
            {
                return Some(rule);
            }
            end = prefix.rfind('/')?;
        }
    }

    /// All rules, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.root.iter().chain(self.exact.values()).chain(self.prefix.values())
    }
}
