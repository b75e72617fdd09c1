//! Reading and writing `metadata` of an object.

use jiff::Timestamp;
use serde_json::{Map, Value};

/// `metadata.name`; empty where there is none.
pub fn name(object: &Value) -> &str {
    text(object, "name").unwrap_or_default()
}

/// `metadata.namespace`.
pub fn namespace(object: &Value) -> Option<&str> {
    text(object, "namespace").filter(|namespace| !namespace.is_empty())
}

/// `metadata.uid`; empty where there is none.
pub fn uid(object: &Value) -> &str {
    text(object, "uid").unwrap_or_default()
}

/// `metadata.resourceVersion`; empty where there is none.
pub fn resource_version(object: &Value) -> &str {
    text(object, "resourceVersion").unwrap_or_default()
}

/// `metadata.resourceVersion` as a number; 0 where there is none.
pub fn revision(object: &Value) -> u64 {
    resource_version(object).parse().unwrap_or_default()
}

/// `metadata.generation`; 0 where there is none.
pub fn generation(object: &Value) -> i64 {
    get(object, "generation").and_then(Value::as_i64).unwrap_or_default()
}

/// A label.
pub fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    get(object, "labels")?.get(key)?.as_str()
}

/// An annotation.
pub fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    get(object, "annotations")?.get(key)?.as_str()
}

/// `metadata.finalizers`.
pub fn finalizers(object: &Value) -> impl Iterator<Item = &str> {
    get(object, "finalizers")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// Whether deletion was requested.
pub fn is_deleting(object: &Value) -> bool {
    get(object, "deletionTimestamp").is_some()
}

/// The owner reference marked `controller: true`.
pub fn controller(object: &Value) -> Option<&Value> {
    let owners = get(object, "ownerReferences")?.as_array()?;
    owners.iter().find(|owner| owner.get("controller") == Some(&Value::Bool(true)))
}

/// A field of `metadata` that is present and not null.
pub fn get<'a>(object: &'a Value, field: &str) -> Option<&'a Value> {
    object.get("metadata")?.get(field).filter(|value| !value.is_null())
}

/// A text field of `metadata`.
pub fn text<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    get(object, field)?.as_str()
}

/// `metadata` of an object, made if absent. An object that is no JSON object becomes one.
pub fn metadata_mut(object: &mut Value) -> &mut Map<String, Value> {
    object_at(object_map(object).entry("metadata").or_insert(Value::Null))
}

/// Sets a field of `metadata`; `None` removes it.
pub fn set(object: &mut Value, field: &str, value: Option<Value>) {
    let metadata = metadata_mut(object);
    match value {
        Some(value) => metadata.insert(field.to_owned(), value),
        None => metadata.remove(field),
    };
}

/// Sets `metadata.resourceVersion`.
pub fn set_resource_version(object: &mut Value, revision: u64) {
    set(object, "resourceVersion", Some(revision.to_string().into()));
}

/// Sets the field that a JSON pointer names, and makes what is above it; `None` removes it.
pub(crate) fn put_at(object: &mut Value, pointer: &str, value: Option<Value>) {
    let (above, field) = pointer.rsplit_once('/').unwrap_or(("", pointer));
    let steps = above.split('/').skip(1);
    let place =
        steps.fold(object, |value, step| object_at(value).entry(step).or_insert(Value::Null));
    match value {
        Some(value) => object_at(place).insert(field.to_owned(), value),
        None => object_at(place).remove(field),
    };
}

/// A time as `meta/v1 Time` writes it: UTC, whole seconds.
pub fn time(at: Timestamp) -> String {
    let whole = Timestamp::from_second(at.as_second()).unwrap_or(at);
    whole.to_string()
}

fn object_map(value: &mut Value) -> &mut Map<String, Value> {
    object_at(value)
}

/// The map inside a value, which becomes an empty map if it is none.
pub fn object_at(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("made an object above")
}
