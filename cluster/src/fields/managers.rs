//! `metadata.managedFields`: who owns which fields.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::set::FieldSet;
use crate::kinds::Subresource;
use crate::meta;

/// Owners of an object's fields.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Managers(Vec<Entry>);

/// An owner, and what it owns.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) manager: Manager,
    pub(crate) time: Option<String>,
    pub(crate) fields: FieldSet,
}

/// An owner.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Manager {
    pub(crate) name: String,
    pub(crate) operation: Operation,
    pub(crate) api_version: String,
    /// Empty for the main resource.
    pub(crate) subresource: String,
}

/// How an owner came to own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Apply,
    Update,
}

impl Manager {
    /// Whether two entries are about the same owner. An applier is the same in all versions.
    fn is(&self, other: &Self) -> bool {
        self.name == other.name
            && self.operation == other.operation
            && self.subresource == other.subresource
            && (self.operation == Operation::Apply || self.api_version == other.api_version)
    }

    /// As Kubernetes names it in conflicts.
    pub(crate) fn shown(&self, time: Option<&str>) -> String {
        let mut shown = format!("{:?}", self.name);
        if !self.subresource.is_empty() {
            shown.push_str(&format!(" with subresource {:?}", self.subresource));
        }
        if self.operation == Operation::Update {
            shown.push_str(&format!(" using {}", self.api_version));
            if let Some(time) = time {
                shown.push_str(&format!(" at {time}"));
            }
        }
        shown
    }
}

impl Managers {
    /// Reads them off an object. An entry that cannot be read owns nothing.
    pub(crate) fn of(object: &Value) -> Self {
        let list = meta::get(object, "managedFields").and_then(Value::as_array);
        Self(list.into_iter().flatten().filter_map(read).collect())
    }

    /// Writes them to an object, in Kubernetes' order.
    pub(crate) fn write(mut self, object: &mut Value) {
        self.0.retain(|entry| !entry.fields.is_empty());
        self.0.sort_by(|a, b| {
            let order = |entry: &Entry| {
                (
                    entry.manager.operation,
                    entry.time.clone(),
                    entry.manager.name.clone(),
                    entry.manager.api_version.clone(),
                    entry.manager.subresource.clone(),
                )
            };
            order(a).cmp(&order(b))
        });
        let entries: Vec<Value> = self.0.iter().map(Entry::to_json).collect();
        meta::set(object, "managedFields", (!entries.is_empty()).then(|| entries.into()));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.0.iter_mut()
    }

    /// Takes an owner out.
    pub(crate) fn take(&mut self, manager: &Manager) -> Option<Entry> {
        let at = self.0.iter().position(|entry| entry.manager.is(manager))?;
        Some(self.0.remove(at))
    }

    /// Puts an owner in, as of now.
    pub(crate) fn put(&mut self, manager: Manager, fields: FieldSet) {
        self.take(&manager);
        // Kubernetes does not tell when something was scaled.
        let timed = manager.subresource != Subresource::Scale.name();
        let time = timed.then(|| meta::time(Timestamp::now()));
        self.0.push(Entry { manager, time, fields });
    }

    /// Puts an owner that was taken back as it was.
    pub(crate) fn restore(&mut self, entry: Entry) {
        self.0.push(entry);
    }
}

impl Entry {
    fn to_json(&self) -> Value {
        let mut entry = json!({
            "manager": self.manager.name,
            "operation": match self.manager.operation {
                Operation::Apply => "Apply",
                Operation::Update => "Update",
            },
            "apiVersion": self.manager.api_version,
            "fieldsType": "FieldsV1",
            "fieldsV1": self.fields.to_json(),
        });
        if let Some(time) = &self.time {
            entry["time"] = time.as_str().into();
        }
        if !self.manager.subresource.is_empty() {
            entry["subresource"] = self.manager.subresource.as_str().into();
        }
        entry
    }
}

fn read(entry: &Value) -> Option<Entry> {
    let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
    let operation = match text("operation").as_str() {
        "Apply" => Operation::Apply,
        "Update" => Operation::Update,
        _ => return None,
    };
    let manager = Manager {
        name: text("manager"),
        operation,
        api_version: text("apiVersion"),
        subresource: text("subresource"),
    };
    let time = entry["time"].as_str().map(str::to_owned);
    Some(Entry { manager, time, fields: FieldSet::from_json(&entry["fieldsV1"])? })
}
