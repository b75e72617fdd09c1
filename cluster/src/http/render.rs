//! Writing objects, lists and watch events in the form that the client asked for.

use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Value, json};

use super::negotiate::View;
use crate::kinds::Kind;
use crate::registry::{Event, EventType};
use crate::status::Status;

/// `metadata` of a list.
#[derive(Debug, Default)]
pub(super) struct ListMeta {
    pub(super) revision: u64,
    pub(super) next: Option<String>,
    pub(super) remaining: Option<usize>,
}

/// An object in the form asked for.
pub(super) fn object(view: View, object: &Value) -> Vec<u8> {
    match view {
        View::Full => json_bytes(object),
        View::Metadata => json_bytes(&Metadata(object)),
    }
}

/// A list in the form asked for.
pub(super) fn list(view: View, kind: &Kind, items: &[Arc<Value>], meta: &ListMeta) -> Vec<u8> {
    json_bytes(&List { view, kind, items, meta })
}

/// A line of a watch.
pub(super) fn event(view: View, event: &Event) -> Vec<u8> {
    let name = match event.event {
        EventType::Added => "ADDED",
        EventType::Modified => "MODIFIED",
        EventType::Deleted => "DELETED",
        EventType::Bookmark => "BOOKMARK",
    };
    line(name, &Shown { view, object: &event.object })
}

/// The last line of a watch that cannot go on.
pub(super) fn error_event(status: &Status) -> Vec<u8> {
    line("ERROR", &status.body())
}

fn line(name: &'static str, object: &impl Serialize) -> Vec<u8> {
    let mut line = json_bytes(&Line { name, object });
    line.push(b'\n');
    line
}

fn json_bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("values with text keys, written to memory")
}

struct Line<'a, T> {
    name: &'static str,
    object: &'a T,
}

impl<T: Serialize> Serialize for Line<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("type", self.name)?;
        map.serialize_entry("object", self.object)?;
        map.end()
    }
}

struct Shown<'a> {
    view: View,
    object: &'a Value,
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.view {
            View::Full => self.object.serialize(serializer),
            View::Metadata => Metadata(self.object).serialize(serializer),
        }
    }
}

struct Metadata<'a>(&'a Value);

impl Serialize for Metadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("kind", "PartialObjectMetadata")?;
        map.serialize_entry("apiVersion", "meta.k8s.io/v1")?;
        map.serialize_entry("metadata", &self.0["metadata"])?;
        map.end()
    }
}

/// Items of a list do not repeat `kind` and `apiVersion`.
struct Item<'a>(&'a Value);

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = self.0.as_object().into_iter().flatten();
        serializer
            .collect_map(fields.filter(|(name, _)| !matches!(name.as_str(), "kind" | "apiVersion")))
    }
}

struct List<'a> {
    view: View,
    kind: &'a Kind,
    items: &'a [Arc<Value>],
    meta: &'a ListMeta,
}

impl Serialize for List<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (kind, api_version) = match self.view {
            View::Full => (format!("{}List", self.kind.kind), self.kind.api_version()),
            View::Metadata => ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1".to_owned()),
        };
        let mut meta = json!({ "resourceVersion": self.meta.revision.to_string() });
        if let Some(next) = &self.meta.next {
            meta["continue"] = next.as_str().into();
        }
        if let Some(remaining) = self.meta.remaining {
            meta["remainingItemCount"] = remaining.into();
        }
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("kind", &kind)?;
        map.serialize_entry("apiVersion", &api_version)?;
        map.serialize_entry("metadata", &meta)?;
        map.serialize_entry("items", &Items { view: self.view, items: self.items })?;
        map.end()
    }
}

struct Items<'a> {
    view: View,
    items: &'a [Arc<Value>],
}

impl Serialize for Items<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut items = serializer.serialize_seq(Some(self.items.len()))?;
        for item in self.items {
            match self.view {
                View::Full => items.serialize_element(&Item(item))?,
                View::Metadata => items.serialize_element(&Metadata(item))?,
            }
        }
        items.end()
    }
}
