//! Custom kinds come and go with their definitions.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::table::{Phase, Table};
use super::{Catalog, Registry, WriteOptions};
use crate::custom::names::{self, is_true, set_condition};
use crate::custom::{self, Version};
use crate::kinds::{self, KINDS, Served, Subresource};
use crate::meta;
use crate::selector::Selector;

/// The most bytes of definitions, in JSON, that kinds are made of while a registry lives: what is
/// made stays in memory. Definitions beyond it are not established.
const MOST: usize = 64 * 1024 * 1024;

/// Kinds that were made, by what they were made of: made once, however often it comes and goes.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    made: HashMap<String, Arc<[Version]>>,
    size: usize,
}

impl Definitions {
    /// `None`: there is no room for more.
    fn versions(&mut self, definition: &Value) -> Option<Arc<[Version]>> {
        let (spec, names) = (&definition["spec"], &definition["status"]["acceptedNames"]);
        let text = json!([spec, names]).to_string();
        if let Some(known) = self.made.get(&text) {
            return Some(known.clone());
        }
        if self.size + text.len() > MOST {
            return None;
        }
        self.size += text.len();
        let versions: Arc<[Version]> = custom::versions(spec, names).into();
        self.made.insert(text, versions.clone());
        Some(versions)
    }
}

impl Registry {
    /// Brings what is served, and the status of definitions, in line with the definitions.
    pub(super) fn define(&self) {
        let mut known = self.shared.definitions.lock();
        let kind = &kinds::CUSTOM_RESOURCE_DEFINITION;
        let list = || self.list(kind, None, &Selector::everything()).items;
        let mut versions = Vec::new();
        let mut emptying = Vec::new();
        for definition in list() {
            let name = meta::name(&definition);
            let Some((definition, of)) = self.establish(&mut known, name, &list()) else {
                continue;
            };
            if meta::is_deleting(&definition) {
                emptying.extend(of.first().map(|version| version.kind));
            }
            versions.extend(of.iter().copied());
        }
        let before = self.shared.catalog.borrow().clone();
        let served = Served::with(versions);
        let tables = served.stored().map(|kind| {
            let key = (kind.group, kind.plural);
            let open = || Arc::new(Table::new(self.shared.revision.clone(), Phase::Open));
            (key, before.tables.get(&key).cloned().unwrap_or_else(open))
        });
        let tables: HashMap<_, _> = tables.collect();
        for kind in emptying {
            if let Some(table) = tables.get(&(kind.group, kind.plural)) {
                table.set_phase(Phase::Emptying);
            }
        }
        let gone = before.tables.iter().filter(|(key, _)| !tables.contains_key(*key));
        for (_, table) in gone {
            table.set_phase(Phase::Closed);
        }
        if !before.served.is(&served) {
            let served = Arc::new(served);
            self.shared.catalog.send_replace(Arc::new(Catalog { served, tables }));
        }
    }

    /// Writes a definition's status, and makes its kinds; `None` where it is not established.
    fn establish(
        &self,
        known: &mut Definitions,
        name: &str,
        all: &[Arc<Value>],
    ) -> Option<(Arc<Value>, Arc<[Version]>)> {
        let (kind, part) = (&kinds::CUSTOM_RESOURCE_DEFINITION, Some(Subresource::Status));
        let options = WriteOptions::by("kube-apiserver");
        let mut versions = None;
        let written = self.change(kind, None, name, part, &options, |current| {
            let now = meta::time(Timestamp::now());
            let mut definition = Value::clone(current);
            definition["status"] = names::status(current, all, KINDS, &now);
            if is_true(&definition["status"], "Established") {
                versions = known.versions(&definition);
                if versions.is_none() {
                    let full =
                        ("False", "TooManyDefinitions", "there is no room for more definitions");
                    set_condition(&mut definition["status"], "Established", full, &now);
                }
            }
            Ok(definition)
        });
        // Deleted meanwhile: that deletion leads here again.
        Some((written.ok()?, versions?))
    }
}
