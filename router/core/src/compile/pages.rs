//! ConfigMaps with pages: an app's, and the platform's.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

use super::{Compiler, findings::Source};
use crate::{
    diagnostic::{Diagnostic, Severity},
    dialect::PREFIXES,
    object::{Key, Kind},
    pages::{LABEL, Pages},
};

impl Compiler {
    /// Takes the new content of a ConfigMap with pages.
    pub(super) fn apply_pages(&mut self, key: Key, entries: Option<BTreeMap<Box<str>, Bytes>>) {
        let (pages, errors) = entries.as_ref().map(Pages::read).unwrap_or_default();
        let findings = errors.into_iter().map(|error| Diagnostic {
            object: key.of(Kind::ConfigMap),
            field: "data".into(),
            severity: Severity::Warning,
            reason: error.to_string().into(),
        });
        self.findings.set(Source::Object(key.of(Kind::ConfigMap)), findings.collect());
        let pages = entries.is_some().then(|| Arc::new(pages));
        if self.pages.get(&key) == pages.as_ref() {
            return;
        }
        match pages {
            Some(pages) => drop(self.pages.insert(key.clone(), pages)),
            None => drop(self.pages.remove(&key)),
        }
        if self.table.settings.error_pages.as_ref() == Some(&key) {
            self.refresh_pages();
        }
        self.touch_users_of_map(&key);
    }

    /// Takes the platform's pages that there are now: every host may show them.
    pub(super) fn refresh_pages(&mut self) {
        let settings = self.table.settings.clone();
        let named = settings.error_pages.as_ref();
        let pages = named.and_then(|key| self.pages.get(key)).cloned();
        let missing = named.filter(|_| pages.is_none()).map(|key| Diagnostic {
            object: key.of(Kind::ConfigMap),
            field: "metadata.name".into(),
            severity: Severity::Warning,
            reason: absent(key).into(),
        });
        self.findings.set(Source::Pages, missing.into_iter().collect());
        if self.table.pages != pages {
            self.table.pages = pages;
            self.touch_all();
            self.resettled = true;
        }
    }
}

/// What is said of a ConfigMap that is named and not known.
pub(super) fn absent(key: &Key) -> String {
    format!(
        "ConfigMap {key} does not exist, or has not the label {}{LABEL}: \"true\"; until then the built-in \
         pages are shown",
        PREFIXES[0]
    )
}
