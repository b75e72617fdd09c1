//! Objects as rows of a table: what `kubectl get` prints. Columns are those of Kubernetes.

mod age;
mod network;
mod others;
mod pods;
mod workloads;

use jiff::Timestamp;
use serde_json::{Value, json};

pub(crate) use network::{ENDPOINT_SLICE, INGRESS, INGRESS_CLASS, NETWORK_POLICY, SERVICE};
pub(crate) use others::{
    BINDING, CONFIG_MAP, EVENT, LEASE, NAMESPACE, PLAIN, RESOURCE_QUOTA, SECRET, SERVICE_ACCOUNT,
};
pub(crate) use pods::POD;
pub(crate) use workloads::{
    DAEMON_SET, DEPLOYMENT, HORIZONTAL_POD_AUTOSCALER, JOB, POD_DISRUPTION_BUDGET, REPLICA_SET,
    STATEFUL_SET,
};

use crate::meta;
use crate::schema::{OBJECT_META, Schema};

/// How objects of a kind become rows.
#[derive(Debug)]
pub(crate) struct Table {
    columns: &'static [Column],
    /// One cell for each column.
    cells: fn(&Value, Timestamp) -> Vec<Value>,
}

/// A column.
#[derive(Debug)]
struct Column {
    name: &'static str,
    description: Description,
    /// 0: always shown; 1: with `-o wide`.
    priority: u8,
}

/// What a column means.
#[derive(Debug)]
enum Description {
    Text(&'static str),
    /// What the schema says about a field of a type.
    Field(&'static str, &'static str),
}

const NAME: Column = field("Name", OBJECT_META, "name");
const AGE: Column = field("Age", OBJECT_META, "creationTimestamp");

const fn text(name: &'static str, description: &'static str) -> Column {
    Column { name, description: Description::Text(description), priority: 0 }
}

const fn field(name: &'static str, owner: &'static str, field: &'static str) -> Column {
    Column { name, description: Description::Field(owner, field), priority: 0 }
}

impl Column {
    /// Shown with `-o wide` only.
    const fn wide(self) -> Self {
        Self { priority: 1, ..self }
    }

    fn definition(&self) -> Value {
        let description = match self.description {
            Description::Text(text) => text,
            Description::Field(owner, field) => Schema::kubernetes().description(owner, field),
        };
        json!({
            "name": self.name, "type": "string",
            "format": if self.name == "Name" { "name" } else { "" },
            "description": description, "priority": self.priority,
        })
    }
}

impl Table {
    /// `columnDefinitions`.
    pub(crate) fn columns(&self) -> Value {
        self.columns.iter().map(Column::definition).collect()
    }

    /// The cells of an object's row.
    pub(crate) fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        (self.cells)(object, now)
    }
}

/// The definition of the column of names.
pub(crate) fn name_column() -> Value {
    NAME.definition()
}

/// What is said about ages.
pub(crate) fn age_description() -> &'static str {
    Schema::kubernetes().description(OBJECT_META, "creationTimestamp")
}

/// The cell of a name.
pub(crate) fn name(object: &Value) -> Value {
    meta::name(object).into()
}

fn age(object: &Value, now: Timestamp) -> Value {
    since(meta::text(object, "creationTimestamp"), now).into()
}

/// How long ago a time was.
pub(crate) fn since(time: Option<&str>, now: Timestamp) -> String {
    match time.and_then(|time| time.parse::<Timestamp>().ok()) {
        Some(time) => age::human(now.duration_since(time).as_secs()),
        None => "<unknown>".to_owned(),
    }
}

/// A text, or what stands for none.
fn or<'a>(value: &'a Value, none: &'a str) -> &'a str {
    value.as_str().filter(|text| !text.is_empty()).unwrap_or(none)
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Texts of a field of every element, with commas.
fn joined(elements: &Value, field: &str) -> String {
    let texts: Vec<&str> = list(elements).filter_map(|element| element[field].as_str()).collect();
    texts.join(",")
}

/// Labels that must be equal, as `a=b,c=d`.
fn labels(labels: &Value) -> String {
    let pairs = labels.as_object().into_iter().flatten();
    let pairs: Vec<String> =
        pairs.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    if pairs.is_empty() { "<none>".to_owned() } else { pairs.join(",") }
}

/// A `meta/v1 LabelSelector`, as text.
fn selector(selector: &Value) -> String {
    let text = crate::selector::text(selector);
    if text.is_empty() { "<none>".to_owned() } else { text }
}
