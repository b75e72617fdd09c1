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

/// Findings that are kept of one object by itself. Its annotations have room for tens of thousands of entries
/// that cannot be read.
const MOST: usize = 100;

#[derive(Debug, Default)]
pub(super) struct Findings {
    by_source: HashMap<Source, Vec<Diagnostic>>,
    appeared: Vec<Diagnostic>,
}

impl Findings {
    /// Replaces the findings of `source`.
    pub(super) fn set(&mut self, source: Source, mut findings: Vec<Diagnostic>) {
        if let Source::Object(_) | Source::Names(_) = source {
            shorten(&mut findings);
        }
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

/// Keeps the first of the findings about one object, and how many others there were.
fn shorten(findings: &mut Vec<Diagnostic>) {
    let Some(mut last) = findings.get(MOST - 1).filter(|_| findings.len() > MOST).cloned() else {
        return;
    };
    let rest = findings.drain(MOST - 1..);
    last.reason = format!("{} findings more, which are not shown", rest.len()).into();
    last.severity = rest.map(|finding| finding.severity).max().unwrap_or(last.severity);
    findings.push(last);
}

fn sorted(mut findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
    findings.sort_unstable();
    findings.dedup();
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{diagnostic::Severity, object::Kind};

    #[test]
    fn of_many_findings_about_an_object_the_first_are_kept_and_the_others_counted() {
        let object = Key::new("shop", "web").of(Kind::Service);
        let finding = |n: usize| Diagnostic {
            object: object.clone(),
            field: "metadata.annotations[a]".into(),
            severity: if n == 5_000 { Severity::Error } else { Severity::Warning },
            reason: n.to_string().into(),
        };
        for (told, kept) in [(3, 3), (100, 100), (101, 100), (10_000, 100)] {
            let mut findings = Findings::default();
            findings.set(Source::Object(object.clone()), (0..told).map(finding).collect());
            assert_eq!(findings.all().len(), kept);
            let more = format!("{} findings more, which are not shown", told + 1 - kept);
            let summary = findings.all().into_iter().find(|finding| finding.reason == more);
            assert_eq!(summary.is_some(), told > kept);
            if told == 10_000 {
                assert_eq!(summary.unwrap().severity, Severity::Error);
            }
            assert_eq!(findings.take_appeared().len(), kept);
        }
    }
}
