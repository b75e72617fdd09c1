//! A custom kind's types for `/openapi/v3`, which `kubectl explain` shows.

use serde_json::{Value, json};

use crate::kinds::Kind;
use crate::schema::OBJECT_META;

const LIST_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";

/// The name of a kind's type: the group backwards, then version and kind.
pub(super) fn name(group: &str, version: &str, kind: &str) -> String {
    let backwards: Vec<&str> = group.rsplit('.').collect();
    format!("{}.{version}.{kind}", backwards.join("."))
}

/// The types of objects and of lists, by name.
pub(super) fn types(kind: &Kind, list_kind: &str, schema: &Value) -> Vec<(String, Value)> {
    let mut object = schema.clone();
    let stated =
        |name: &str| json!([{ "group": kind.group, "version": kind.version, "kind": name }]);
    let described = |text: &str| json!({ "type": "string", "description": text });
    let (version, name) = (described(API_VERSION), described(KIND));
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    object["properties"]["apiVersion"] = version.clone();
    object["properties"]["kind"] = name.clone();
    object["properties"]["metadata"] = json!({
        "allOf": [reference(OBJECT_META)],
        "description": "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
    });
    let mut list = json!({
        "type": "object",
        "description": format!("{list_kind} is a list of {}", kind.kind),
        "required": ["items"],
        "properties": {
            "apiVersion": version,
            "kind": name,
            "metadata": { "allOf": [reference(LIST_META)] },
            "items": { "type": "array", "items": reference(kind.definition) },
        },
    });
    object["x-kubernetes-group-version-kind"] = stated(kind.kind);
    list["x-kubernetes-group-version-kind"] = stated(list_kind);
    vec![(kind.definition.to_owned(), object), (format!("{}List", kind.definition), list)]
}

const API_VERSION: &str = "APIVersion defines the versioned schema of this representation of an object. \
    Servers should convert recognized schemas to the latest internal value, and may reject unrecognized \
    values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources";

const KIND: &str = "Kind is a string value representing the REST resource this object represents. Servers \
    may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More \
    info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds";
