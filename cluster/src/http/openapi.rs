//! `/openapi/v3`: what `kubectl apply`, `explain` and `--validate` ask for. Made from the kinds that
//! are served, the published schema and definitions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use super::etag;
use crate::kinds::{self, KINDS, Kind, Served};
use crate::schema::Schema;

const PATCH: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
const STATUS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";

/// Languages of patches. Custom kinds do not take the last.
const PATCHES: [&str; 4] = [
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
];

/// A document, and the hash that stands for its content.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub(super) body: Bytes,
    pub(super) hash: String,
}

/// Documents by group and version: `apis/apps/v1`.
type Documents = BTreeMap<String, Document>;

/// The documents of what is served whatever is defined.
static ALWAYS: LazyLock<Documents> = LazyLock::new(|| documents(KINDS.iter().copied(), |_| true));

/// The documents of what is served: made when they are first asked for after a change.
#[derive(Debug, Default)]
pub(super) struct OpenApi(Mutex<Option<(Arc<Served>, Arc<Documents>)>>);

impl OpenApi {
    /// The document of a group and version.
    pub(super) fn group(&self, served: &Arc<Served>, path: &str) -> Option<Document> {
        self.documents(served).get(path).cloned()
    }

    /// Where the documents are. Their addresses change with their content, so that clients may keep
    /// them.
    pub(super) fn root(&self, served: &Arc<Served>) -> Value {
        let documents = self.documents(served);
        let paths = documents.iter().map(|(path, document)| {
            let url = format!("/openapi/v3/{path}?hash={}", document.hash);
            (path.clone(), json!({ "serverRelativeURL": url }))
        });
        json!({ "paths": paths.collect::<Map<_, _>>() })
    }

    fn documents(&self, served: &Arc<Served>) -> Arc<Documents> {
        let mut made = self.0.lock();
        if let Some((of, documents)) = &*made
            && Arc::ptr_eq(of, served)
        {
            return documents.clone();
        }
        let custom: BTreeSet<String> =
            served.kinds().filter(|kind| kind.custom.is_some()).map(path).collect();
        let mut all = ALWAYS.clone();
        all.extend(documents(served.kinds(), |path| custom.contains(path)));
        let all = Arc::new(all);
        *made = Some((served.clone(), all.clone()));
        all
    }
}

fn documents<'a>(
    kinds: impl Iterator<Item = &'a Kind>,
    wanted: impl Fn(&str) -> bool,
) -> Documents {
    let mut groups: BTreeMap<String, Vec<&Kind>> = BTreeMap::new();
    for kind in kinds {
        groups.entry(path(kind)).or_default().push(kind);
    }
    let groups = groups.into_iter().filter(|(path, _)| wanted(path));
    let documents = groups.map(|(path, kinds)| {
        let body = Bytes::from(document(&kinds).to_string());
        let hash = etag::of(&body);
        (path, Document { body, hash })
    });
    documents.collect()
}

fn path(kind: &Kind) -> String {
    kind.path()[1..].to_owned()
}

fn document(kinds: &[&Kind]) -> Value {
    let mut paths = Map::new();
    let mut wanted: Vec<String> = [PATCH, DELETE_OPTIONS, STATUS].map(str::to_owned).into();
    for kind in kinds {
        add_paths(kind, &mut paths);
        wanted.extend([kind.definition.to_owned(), format!("{}List", kind.definition)]);
    }
    let own = kinds.iter().filter_map(|kind| kind.custom).flat_map(|custom| &custom.published);
    let own: BTreeMap<&str, &Value> = own.map(|(name, schema)| (name.as_str(), schema)).collect();
    json!({
        "openapi": "3.0.0",
        "info": { "title": "Kubernetes", "version": "1.36" },
        "paths": paths,
        "components": { "schemas": closure(&own, wanted) },
    })
}

/// Types, and what they refer to. `own` are those that are not published.
fn closure(own: &BTreeMap<&str, &Value>, mut wanted: Vec<String>) -> Map<String, Value> {
    let published = Schema::kubernetes().document();
    let mut found = Map::new();
    while let Some(name) = wanted.pop() {
        if let Some(schema) = own.get(name.as_str()).copied().or_else(|| published.get(&name))
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
    if !kind.is(&kinds::NAMESPACE) {
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
            match kind.custom {
                Some(_) => &PATCHES[..3],
                None => &PATCHES,
            }
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
