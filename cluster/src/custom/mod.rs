//! Custom kinds: what CustomResourceDefinitions make.
//!
//! A kind is a row of a table that lives as long as the program, and so is one that is made at run
//! time: it is leaked. [`crate::registry`] bounds how much.

mod columns;
mod formats;
mod json_path;
pub(crate) mod names;
pub(crate) mod pattern;
mod published;
mod rules;
mod shape;
mod structural;
mod types;

use jiff::Timestamp;
use serde_json::Value;

pub(crate) use json_path::JsonPath;
pub(crate) use rules::check;
pub(crate) use shape::{fill, prune};
pub(crate) use structural::Structural;

use crate::kinds::{Generation, Kind, NameRule, PLAIN, ScalePaths};
use crate::schema::{Schema, TypeId};
use columns::Columns;

/// What a custom kind has beyond other kinds.
#[derive(Debug)]
pub(crate) struct Custom {
    /// Kind of lists.
    pub(crate) list_kind: String,
    /// `apiVersion` of objects.
    pub(crate) api_version: String,
    /// What objects must be like.
    pub(crate) structural: Structural,
    /// The same as types, and the type of objects.
    pub(crate) types: (Schema, TypeId),
    /// The kind's types for `/openapi/v3`, by name.
    pub(crate) published: Vec<(String, Value)>,
    columns: Columns,
}

impl Custom {
    /// `columnDefinitions` of a table.
    pub(crate) fn columns(&self) -> Value {
        self.columns.definitions()
    }

    /// The cells of an object's row.
    pub(crate) fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        self.columns.cells(object, now)
    }
}

/// A version of a definition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Version {
    pub(crate) kind: &'static Kind,
    /// Whether clients see it.
    pub(crate) served: bool,
    /// Whether objects are kept as it.
    pub(crate) storage: bool,
}

/// Makes the kinds of a definition, from its spec and the names that it got. What is made stays.
pub(crate) fn versions(spec: &Value, names: &Value) -> Vec<Version> {
    let versions = spec["versions"].as_array().into_iter().flatten();
    versions
        .map(|version| Version {
            kind: Box::leak(Box::new(kind(spec, names, version))),
            served: version["served"] == true,
            storage: version["storage"] == true,
        })
        .collect()
}

fn kind(spec: &Value, names: &Value, version: &Value) -> Kind {
    let name = |field: &str| leaked(&names[field]);
    let (group, version_name) = (leaked(&spec["group"]), leaked(&version["name"]));
    let schema = &version["schema"]["openAPIV3Schema"];
    let structural = Structural::of(schema);
    let status = version["subresources"]["status"].is_object();
    let api_version = format!("{group}/{version_name}");
    let list_kind = name("listKind");
    let definition = published::name(group, version_name, name("kind"));
    let kind = Kind {
        group,
        version: version_name,
        kind: name("kind"),
        plural: name("plural"),
        singular: name("singular"),
        short_names: leaked_list(&names["shortNames"]),
        categories: leaked_list(&names["categories"]),
        namespaced: spec["scope"] == "Namespaced",
        status,
        scale: scale(&version["subresources"]["scale"]),
        generation: Some(if status { Generation::Content } else { Generation::Everything }),
        name_rule: NameRule::Subdomain,
        selectable: selectable(&version["selectableFields"]),
        definition: String::leak(definition),
        ..PLAIN
    };
    let custom = Custom {
        list_kind: list_kind.to_owned(),
        api_version,
        types: types::of(&structural, kind.kind),
        published: published::types(&kind, list_kind, schema),
        columns: Columns::of(version),
        structural,
    };
    Kind { custom: Some(Box::leak(Box::new(custom))), ..kind }
}

fn scale(scale: &Value) -> Option<&'static ScalePaths> {
    let pointer = |field: &str| pointer(scale[field].as_str()?);
    Some(Box::leak(Box::new(ScalePaths {
        wanted: pointer("specReplicasPath")?,
        found: pointer("statusReplicasPath")?,
        selector: pointer("labelSelectorPath").unwrap_or_default(),
    })))
}

/// `.spec.replicas` as a JSON pointer.
fn pointer(path: &str) -> Option<&'static str> {
    path.starts_with('.').then(|| &*String::leak(path.replace('.', "/")))
}

fn selectable(fields: &Value) -> &'static [&'static str] {
    let fields = fields.as_array().into_iter().flatten();
    let paths = fields.filter_map(|field| field["jsonPath"].as_str()?.strip_prefix('.'));
    Vec::leak(paths.map(|path| &*String::leak(path.to_owned())).collect())
}

fn leaked(text: &Value) -> &'static str {
    String::leak(text.as_str().unwrap_or_default().to_owned())
}

fn leaked_list(list: &Value) -> &'static [&'static str] {
    Vec::leak(list.as_array().into_iter().flatten().map(leaked).collect())
}
