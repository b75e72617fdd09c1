//! Label and field selectors: what a list or a watch is narrowed to.

use serde_json::Value;

use crate::kinds::{self, Kind};
use crate::status::Status;

mod labels;

use labels::Requirement;

/// Narrows a list or a watch. The default selects everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<FieldRequirement>,
}

#[derive(Debug, Clone, PartialEq)]
struct FieldRequirement {
    path: String,
    value: String,
    equal: bool,
}

impl Selector {
    /// Selects everything.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Parses `labelSelector` and `fieldSelector` of a request; empty strings select everything.
    ///
    /// # Errors
    /// 400 with Kubernetes' words: bad syntax, or a field that the kind cannot be selected by.
    pub fn parse(kind: &Kind, labels: &str, fields: &str) -> Result<Self, Status> {
        Ok(Self { labels: labels::parse(labels)?, fields: parse_fields(kind, fields)? })
    }

    /// A `meta/v1 LabelSelector` (`matchLabels`, `matchExpressions`), as in `spec.selector` of a Deployment.
    /// `None` where it is malformed; an empty selector selects everything.
    pub fn from_label_selector(selector: &Value) -> Option<Self> {
        Some(Self { labels: labels::from_label_selector(selector)?, fields: Vec::new() })
    }

    /// A plain map of labels that must all be equal, as in `spec.selector` of a Service.
    pub fn from_labels<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let labels = labels.into_iter().map(|(k, v)| Requirement::equal(k, v)).collect();
        Self { labels, fields: Vec::new() }
    }

    /// Narrows further to objects whose field (`spec.nodeName`) has this value.
    #[must_use]
    pub fn with_field(mut self, path: &str, value: &str) -> Self {
        let requirement =
            FieldRequirement { path: path.to_owned(), value: value.to_owned(), equal: true };
        self.fields.push(requirement);
        self
    }

    /// Whether nothing is narrowed.
    pub fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Whether the object is selected.
    pub fn matches(&self, object: &Value) -> bool {
        if self.is_everything() {
            return true;
        }
        let labels = object.pointer("/metadata/labels");
        self.labels.iter().all(|requirement| requirement.matches(labels))
            && self.fields.iter().all(|requirement| requirement.matches(object))
    }
}

/// A `meta/v1 LabelSelector` in the language of `labelSelector`; empty for one that selects everything.
pub fn text(selector: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let equal = selector["matchLabels"].as_object().into_iter().flatten();
    let mut terms: Vec<String> =
        equal.map(|(key, value)| format!("{key}={}", word(value))).collect();
    for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
        let key = word(&expression["key"]);
        let values = expression["values"].as_array().into_iter().flatten();
        let values = values.map(word).collect::<Vec<_>>().join(",");
        terms.push(match expression["operator"].as_str() {
            Some("In") => format!("{key} in ({values})"),
            Some("NotIn") => format!("{key} notin ({values})"),
            Some("DoesNotExist") => format!("!{key}"),
            _ => key,
        });
    }
    terms.join(",")
}

impl FieldRequirement {
    fn matches(&self, object: &Value) -> bool {
        let found = self.path.split('.').try_fold(object, |value, name| value.get(name));
        let equal = match found {
            Some(Value::String(text)) => *text == self.value,
            Some(Value::Number(number)) => number.to_string() == self.value,
            Some(Value::Bool(flag)) => flag.to_string() == self.value,
            _ => self.value.is_empty(),
        };
        equal == self.equal
    }
}

fn parse_fields(kind: &Kind, text: &str) -> Result<Vec<FieldRequirement>, Status> {
    text.split(',').filter(|term| !term.is_empty()).map(|term| parse_field(kind, term)).collect()
}

fn parse_field(kind: &Kind, term: &str) -> Result<FieldRequirement, Status> {
    let (path, value, equal) = if let Some((path, value)) = term.split_once("!=") {
        (path, value, false)
    } else if let Some((path, value)) = term.split_once("==") {
        (path, value, true)
    } else if let Some((path, value)) = term.split_once('=') {
        (path, value, true)
    } else {
        return Err(Status::bad_request(format!(
            "invalid selector: '{term}'; can't understand '{term}'"
        )));
    };
    let known = matches!(path, "metadata.name" | "metadata.namespace");
    if known || kind.selectable.contains(&path) {
        let path = selected_path(kind, path);
        return Ok(FieldRequirement { path, value: value.to_owned(), equal });
    }
    Err(Status::bad_request(match kind.selectable {
        [] => format!(
            "\"{path}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
        ),
        _ => format!("field label not supported: {path}"),
    }))
}

/// Where the value of a selectable field stands; a few have a name that is no path.
fn selected_path(kind: &Kind, path: &str) -> String {
    if kind.alias.is_some() {
        return kinds::selected_event_path(path);
    }
    match (kind.kind, path) {
        ("Namespace", "name") => "metadata.name",
        ("Pod", "spec.host") => "spec.nodeName",
        ("Event", "source") => "source.component",
        _ => path,
    }
    .to_owned()
}
