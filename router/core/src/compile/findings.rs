//! The findings of the present state, and which of them are new.

use std::collections::HashMap;

use crate::{
    diagnostic::Diagnostic,
    host::HostPattern,
    object::{Key, ObjectRef},
};

/// Where a set of findings came from; reading it again replaces the set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Source {
    /// Reading one object by itself.
    Object(ObjectRef),
    /// Finding the hosts that a Service names.
    Names(Key),
    /// Finding the Service that is served where no host is found.
    Default,
    /// TCP streams to a Service.
    Stream(Key),
    /// The platform certificate.
    Platform,
    /// The platform's pages.
    Pages,
    /// Compiling one host.
    Host(HostPattern),
}

#[derive(Debug, Default)]
pub(super) struct Findings {
    by_source: HashMap<Source, Vec<Diagnostic>>,
    appeared: Vec<Diagnostic>,
}

impl Findings {
    /// Replaces the findings of `source`.
    pub(super) fn set(&mut self, source: Source, findings: Vec<Diagnostic>) {
        let old = self.by_source.remove(&source).unwrap_or_default();
        self.appeared.extend(findings.iter().filter(|finding| !old.contains(finding)).cloned());
        if !findings.is_empty() {
            self.by_source.insert(source, findings);
        }
    }

    /// All of them, sorted, each once.
    pub(super) fn all(&self) -> Vec<Diagnostic> {
        sorted(self.by_source.values().flatten().cloned().collect())
    }

    /// Those that came since the last call, sorted, each once.
    pub(super) fn take_appeared(&mut self) -> Vec<Diagnostic> {
        sorted(std::mem::take(&mut self.appeared))
    }
}

fn sorted(mut findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
    findings.sort_unstable();
    findings.dedup();
    findings
}
