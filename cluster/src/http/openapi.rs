//! `/openapi/v3`: what `kubectl apply`, `explain` and `--validate` ask for. Made once from the table
//! of kinds and the published schema.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::etag;
use crate::kinds::{KINDS, Kind};
use crate::schema::Schema;

const PATCH: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
const STATUS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";

/// A document, and the hash that stands for its content.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) body: Bytes,
    pub(super) hash: String,
}

static DOCUMENTS: LazyLock<BTreeMap<String, Document>> = LazyLock::new(|| {
    let mut groups: BTreeMap<String, Vec<&Kind>> = BTreeMap::new();
    for kind in KINDS {
        groups.entry(kind.path()[1..].to_owned()).or_default().push(kind);
    }
    let documents = groups.into_iter().map(|(path, kinds)| {
        let body = Bytes::from(document(&kinds).to_string());
        let hash = etag::of(&body);
        (path, Document { body, hash })
    });
    documents.collect()
});

/// The document of a group and version: `apis/apps/v1`.
pub(super) fn group(path: &str) -> Option<&'static Document> {
    DOCUMENTS.get(path)
}

/// Where the documents are. Their addresses change with their content, so that clients may keep them.
pub(super) fn root() -> Value {
    let paths: Map<String, Value> = DOCUMENTS
        .iter()
        .map(|(path, document)| {
            let url = format!("/openapi/v3/{path}?hash={}", document.hash);
            (path.clone(), json!({ "serverRelativeURL": url }))
        })
        .collect();
    json!({ "paths": paths })
}

fn document(kinds: &[&Kind]) -> Value {
    let mut paths = Map::new();
    let mut wanted: Vec<String> = [PATCH, DELETE_OPTIONS, STATUS].map(str::to_owned).into();
    for kind in kinds {
        add_paths(kind, &mut paths);
        wanted.extend([kind.definition.to_owned(), format!("{}List", kind.definition)]);
    }
    json!({
        "openapi": "3.0.0",
        "info": { "title": "Kubernetes", "version": "1.36" },
        "paths": paths,
        "components": { "schemas": closure(wanted) },
    })
}

/// Types, and what they refer to.
fn closure(mut wanted: Vec<String>) -> Map<String, Value> {
    let published = Schema::kubernetes().document();
    let mut found = Map::new();
    while let Some(name) = wanted.pop() {
        if let Some(schema) = published.get(&name)
            && !found.contains_key(&name)
        {
            references(schema, &mut wanted);
            found.insert(name, schema.clone());
        }
    }
    found
}

fn references(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => {
            for (name, value) in fields {
                match (name.as_str(), value) {
                    ("$ref", Value::String(target)) => {
                        found.extend(target.rsplit('/').next().map(str::to_owned));
                    }
                    _ => references(value, found),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

fn add_paths(kind: &Kind, paths: &mut Map<String, Value>) {
    let base = kind.path();
    let collection = match kind.namespaced {
        true => format!("{base}/namespaces/{{namespace}}/{}", kind.plural),
        false => format!("{base}/{}", kind.plural),
    };
    if !kind.stored {
        paths.insert(collection, json!({ "post": write(kind, "post", Some(kind.definition)) }));
        return;
    }
    let list = || read(kind, "list", &format!("{}List", kind.definition));
    if kind.namespaced {
        paths.insert(format!("{base}/{}", kind.plural), json!({ "get": list() }));
    }
    let namespace = kind.namespaced.then(|| parameter("namespace", "path", "string"));
    let mut of_collection = json!({
        "get": list(), "post": write(kind, "post", Some(kind.definition)),
        "parameters": namespace.iter().collect::<Vec<_>>(),
    });
    if kind.kind != "Namespace" {
        of_collection["delete"] = operation(kind, "deletecollection", Vec::new(), STATUS);
    }
    paths.insert(collection.clone(), of_collection);
    let named: Vec<Value> =
        std::iter::once(parameter("name", "path", "string")).chain(namespace).collect();
    paths.insert(
        format!("{collection}/{{name}}"),
        json!({
            "get": read(kind, "get", kind.definition),
            "put": write(kind, "put", Some(kind.definition)),
            "patch": write(kind, "patch", None),
            "delete": delete(kind),
            "parameters": named,
        }),
    );
    if kind.status {
        paths.insert(
            format!("{collection}/{{name}}/status"),
            json!({
                "get": read(kind, "get", kind.definition),
                "put": write(kind, "put", Some(kind.definition)),
                "patch": write(kind, "patch", None),
                "parameters": named,
            }),
        );
    }
}

fn read(kind: &Kind, action: &str, definition: &str) -> Value {
    let parameters = match action {
        "list" => [
            ("allowWatchBookmarks", "boolean"),
            ("continue", "string"),
            ("fieldSelector", "string"),
            ("labelSelector", "string"),
            ("limit", "integer"),
            ("resourceVersion", "string"),
            ("resourceVersionMatch", "string"),
            ("sendInitialEvents", "boolean"),
            ("timeoutSeconds", "integer"),
            ("watch", "boolean"),
        ]
        .map(|(name, of)| parameter(name, "query", of))
        .into(),
        _ => Vec::new(),
    };
    operation(kind, action, parameters, definition)
}

/// A write with a body of a type, or with a patch. kubectl looks for `fieldValidation` here.
fn write(kind: &Kind, action: &str, body: Option<&str>) -> Value {
    let mut parameters: Vec<Value> = ["dryRun", "fieldManager", "fieldValidation"]
        .map(|name| parameter(name, "query", "string"))
        .into();
    let types: &[&str] = match body {
        Some(_) => &["application/json", "application/yaml"],
        None => {
            parameters.push(parameter("force", "query", "boolean"));
            &[
                "application/apply-patch+yaml",
                "application/json-patch+json",
                "application/merge-patch+json",
                "application/strategic-merge-patch+json",
            ]
        }
    };
    let mut operation = operation(kind, action, parameters, kind.definition);
    operation["requestBody"] = json!({
        "content": content(types, body.unwrap_or(PATCH)), "required": true,
    });
    operation
}

fn delete(kind: &Kind) -> Value {
    let parameters = [
        ("dryRun", "string"),
        ("gracePeriodSeconds", "integer"),
        ("orphanDependents", "boolean"),
        ("propagationPolicy", "string"),
    ];
    let parameters = parameters.map(|(name, of)| parameter(name, "query", of)).into();
    let mut operation = operation(kind, "delete", parameters, STATUS);
    operation["requestBody"] = json!({ "content": content(&["application/json"], DELETE_OPTIONS) });
    operation
}

fn operation(kind: &Kind, action: &str, parameters: Vec<Value>, answer: &str) -> Value {
    json!({
        "parameters": parameters,
        "responses": {
            "200": { "description": "OK", "content": content(&["application/json"], answer) },
        },
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": {
            "group": kind.group, "kind": kind.kind, "version": kind.version,
        },
    })
}

fn content(types: &[&str], definition: &str) -> Value {
    let schema = json!({ "$ref": format!("#/components/schemas/{definition}") });
    types.iter().map(|name| ((*name).to_owned(), json!({ "schema": schema }))).collect()
}

fn parameter(name: &str, place: &str, of: &str) -> Value {
    let mut parameter =
        json!({ "name": name, "in": place, "schema": { "type": of, "uniqueItems": true } });
    if place == "path" {
        parameter["required"] = true.into();
    }
    parameter
}
