//! Writing objects, lists and watch events in the form that the client asked for.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

use super::negotiate::View;
use super::protobuf;
use crate::kinds::Kind;
use crate::meta;
use crate::registry::{Event, EventType, Stored};
use crate::status::Status;

/// How objects of a kind are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub(super) kind: &'static Kind,
    pub(super) view: View,
    /// What the rows of a table carry besides their cells.
    pub(super) include: Include,
    /// Whether the columns of a table are told. A watch tells them once.
    pub(super) columns: bool,
}

/// `includeObject` of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Include {
    Nothing,
    Metadata,
    Object,
}

/// `metadata` of a list.
#[derive(Debug, Default)]
pub(super) struct ListMeta {
    pub(super) revision: u64,
    pub(super) next: Option<String>,
    pub(super) remaining: Option<usize>,
}

impl Form {
    /// The media type of what is written.
    pub(super) fn media_type(self) -> &'static str {
        match self.view {
            View::Protobuf => protobuf::MEDIA_TYPE,
            View::Full | View::Metadata | View::Table => "application/json",
        }
    }

    /// An object.
    pub(super) fn object(self, object: &Value) -> Vec<u8> {
        let object = &*self.shown(object);
        if self.view == View::Protobuf {
            return self.protobuf(object);
        }
        json_bytes(&Shown { form: self, object })
    }

    /// A list.
    pub(super) fn list(self, items: &[Stored], meta: &ListMeta) -> Vec<u8> {
        match self.view {
            View::Protobuf => {
                let items: Vec<&Value> = items.iter().map(|item| &**item.object()).collect();
                let mut list = self.list_head(meta);
                list["items"] = json!(items);
                self.protobuf(&list)
            }
            View::Full if self.kind.alias.is_some() => {
                let shown = items.iter().map(|item| self.shown(item.object()).into_owned());
                let items: Vec<Stored> =
                    shown.map(|object| Stored::new(Arc::new(object))).collect();
                self.full_list(&items, meta)
            }
            View::Full => self.full_list(items, meta),
            View::Metadata | View::Table => json_bytes(&List { form: self, items, meta }),
        }
    }

    fn list_head(self, meta: &ListMeta) -> Value {
        let mut meta = meta.body();
        if self.kind.custom.is_some() && meta["continue"].is_null() {
            meta["continue"] = "".into();
        }
        json!({
            "kind": self.kind.list_kind(), "apiVersion": self.kind.api_version(), "metadata": meta,
        })
    }

    /// Put together from the JSON that the objects keep.
    fn full_list(self, items: &[Stored], meta: &ListMeta) -> Vec<u8> {
        // As in Kubernetes, items of custom kinds name their kind, and others do not.
        let start = if self.kind.custom.is_some() { self.start() } else { "{".to_owned() };
        let mut list = json_bytes(&self.list_head(meta));
        list.pop();
        let size: usize = items.iter().map(|item| start.len() + item.fields().len() + 2).sum();
        list.reserve(size + 16);
        list.extend_from_slice(b",\"items\":[");
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                list.push(b',');
            }
            list.extend_from_slice(start.as_bytes());
            list.extend_from_slice(item.fields().as_bytes());
            list.push(b'}');
        }
        list.extend_from_slice(b"]}");
        list
    }

    /// An object up to its fields. What kinds are called needs no escapes.
    fn start(self) -> String {
        format!(r#"{{"kind":"{}","apiVersion":"{}","#, self.kind.kind, self.kind.api_version())
    }

    /// The object in the form that its kind shows it in. The cells of a table are made from the form
    /// that is kept.
    fn shown(self, object: &Value) -> Cow<'_, Value> {
        match (self.kind.alias, self.kind.custom) {
            (Some(alias), _) if self.view == View::Full => {
                let mut shown = object.clone();
                (alias.outward)(&mut shown);
                Cow::Owned(shown)
            }
            // Kept as another version.
            (_, Some(custom)) if object["apiVersion"] != custom.api_version => {
                let mut shown = object.clone();
                shown["apiVersion"] = custom.api_version.as_str().into();
                Cow::Owned(shown)
            }
            _ => Cow::Borrowed(object),
        }
    }

    fn protobuf(self, object: &Value) -> Vec<u8> {
        protobuf::encode(self.kind, object).expect("chosen only for kinds that speak it")
    }

    /// A line of a watch.
    pub(super) fn event(self, event: &Event) -> Vec<u8> {
        let name = match event.event {
            EventType::Added => "ADDED",
            EventType::Modified => "MODIFIED",
            EventType::Deleted => "DELETED",
            EventType::Bookmark => "BOOKMARK",
        };
        if self.view == View::Full && self.kind.alias.is_none() {
            let (start, fields) = (self.start(), event.stored.fields());
            return format!("{{\"type\":\"{name}\",\"object\":{start}{fields}}}}}\n").into_bytes();
        }
        line(name, &Shown { form: self, object: &self.shown(&event.object) })
    }
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
    form: Form,
    object: &'a Value,
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.form.view {
            View::Full | View::Protobuf => self.object.serialize(serializer),
            View::Metadata => Metadata(self.object).serialize(serializer),
            View::Table => {
                let meta = json!({ "resourceVersion": meta::resource_version(self.object) });
                let rows = [self.object];
                table(self.form, &meta, rows.into_iter(), serializer)
            }
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

/// A sequence that is made while it is written.
struct Sequence<F>(F);

impl<I: Iterator<Item: Serialize>, F: Fn() -> I> Serialize for Sequence<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// A list of metadata, or a table.
struct List<'a> {
    form: Form,
    items: &'a [Stored],
    meta: &'a ListMeta,
}

impl Serialize for List<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { form, items, meta } = self;
        let objects = items.iter().map(|item| &**item.object());
        let meta = meta.body();
        if form.view == View::Table {
            return table(*form, &meta, objects, serializer);
        }
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("kind", "PartialObjectMetadataList")?;
        map.serialize_entry("apiVersion", "meta.k8s.io/v1")?;
        map.serialize_entry("metadata", &meta)?;
        map.serialize_entry("items", &Sequence(|| objects.clone().map(Metadata)))?;
        map.end()
    }
}

impl ListMeta {
    fn body(&self) -> Value {
        let mut meta = json!({ "resourceVersion": self.revision.to_string() });
        if let Some(next) = &self.next {
            meta["continue"] = next.as_str().into();
        }
        if let Some(remaining) = self.remaining {
            meta["remainingItemCount"] = remaining.into();
        }
        meta
    }
}

fn table<'a, S: Serializer>(
    form: Form,
    meta: &Value,
    objects: impl Iterator<Item = &'a Value> + Clone,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let now = Timestamp::now();
    let columns = if form.columns { form.kind.columns() } else { Value::Null };
    // A bookmark has no row.
    let rows = objects.filter(|object| !meta::name(object).is_empty());
    let rows = Sequence(|| {
        rows.clone().map(|object| Row { cells: form.kind.cells(object, now), object, form })
    });
    let mut map = serializer.serialize_map(Some(5))?;
    map.serialize_entry("kind", "Table")?;
    map.serialize_entry("apiVersion", "meta.k8s.io/v1")?;
    map.serialize_entry("metadata", meta)?;
    map.serialize_entry("columnDefinitions", &columns)?;
    map.serialize_entry("rows", &rows)?;
    map.end()
}

struct Row<'a> {
    cells: Vec<Value>,
    object: &'a Value,
    form: Form,
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("cells", &self.cells)?;
        match self.form.include {
            Include::Nothing => map.serialize_entry("object", &Value::Null)?,
            Include::Metadata => map.serialize_entry("object", &Metadata(self.object))?,
            Include::Object => {
                let full = Form { view: View::Full, ..self.form };
                map.serialize_entry("object", &*full.shown(self.object))?;
            }
        }
        map.end()
    }
}
