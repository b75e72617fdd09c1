//! What is served: read off the table of kinds.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::kinds::{KINDS, Kind};

/// `/version`: the release of Kubernetes whose API is served.
pub(super) fn version() -> Value {
    json!({
        "major": "1", "minor": "36", "gitVersion": "v1.36.2+fairlead",
        "gitCommit": "", "gitTreeState": "", "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "", "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    })
}

/// `/api`
pub(super) fn core_versions(bound: SocketAddr) -> Value {
    json!({
        "kind": "APIVersions", "versions": ["v1"],
        "serverAddressByClientCIDRs": [
            { "clientCIDR": "0.0.0.0/0", "serverAddress": bound.to_string() },
        ],
    })
}

/// `/apis`
pub(super) fn groups() -> Value {
    let mut names: Vec<&str> = KINDS.iter().map(|kind| kind.group).collect();
    names.dedup();
    let groups: Vec<Value> =
        names.into_iter().filter(|name| !name.is_empty()).map(group_fields).collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

/// `/apis/GROUP`
pub(super) fn group(name: &str) -> Value {
    let mut group = group_fields(name);
    group["kind"] = "APIGroup".into();
    group["apiVersion"] = "v1".into();
    group
}

fn group_fields(name: &str) -> Value {
    let kinds = KINDS.iter().filter(|kind| kind.group == name);
    let mut versions: Vec<&str> = kinds.map(|kind| kind.version).collect();
    versions.dedup();
    let versions: Vec<Value> = versions
        .into_iter()
        .map(|version| json!({ "groupVersion": format!("{name}/{version}"), "version": version }))
        .collect();
    json!({ "name": name, "versions": versions, "preferredVersion": versions[0] })
}

/// `/api/v1`, `/apis/GROUP/VERSION`
pub(super) fn resources(group: &str, version: &str) -> Value {
    let served = KINDS.iter().filter(|kind| kind.group == group && kind.version == version);
    let resources: Vec<Value> = served.clone().flat_map(|kind| resource(kind)).collect();
    let group_version = served.map(|kind| kind.api_version()).next().unwrap_or_default();
    let mut list = json!({
        "kind": "APIResourceList", "groupVersion": group_version, "resources": resources,
    });
    if !group.is_empty() {
        list["apiVersion"] = "v1".into();
    }
    list
}

/// Verbs of a kind's main resource.
pub(super) fn verbs(kind: &Kind) -> &'static [&'static str] {
    match kind.kind {
        "Namespace" => &["create", "delete", "get", "list", "patch", "update", "watch"],
        _ => &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
    }
}

fn resource(kind: &Kind) -> Vec<Value> {
    let mut main = json!({
        "name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced,
        "kind": kind.kind, "verbs": verbs(kind),
    });
    if !kind.short_names.is_empty() {
        main["shortNames"] = kind.short_names.into();
    }
    if !kind.categories.is_empty() {
        main["categories"] = kind.categories.into();
    }
    let mut resources = vec![main];
    if kind.kind == "Namespace" {
        resources.push(json!({
            "name": "namespaces/finalize", "singularName": "", "namespaced": false,
            "kind": "Namespace", "verbs": ["update"],
        }));
    }
    if kind.status {
        resources.push(json!({
            "name": format!("{}/status", kind.plural), "singularName": "",
            "namespaced": kind.namespaced, "kind": kind.kind, "verbs": ["get", "patch", "update"],
        }));
    }
    resources
}
