//! What is served: read off the kinds.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::kinds::{self, Kind, Served};

/// The media type of [`aggregated`].
pub(super) const AGGREGATED: &str =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// `/version`: the release of Kubernetes whose API is served.
pub(super) fn version() -> Value {
    // Architectures as Go names them.
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    json!({
        "major": "1", "minor": "36", "emulationMajor": "1", "emulationMinor": "36",
        "minCompatibilityMajor": "1", "minCompatibilityMinor": "35",
        "gitVersion": "v1.36.2+fairlead",
        "gitCommit": "", "gitTreeState": "", "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "", "compiler": "rustc",
        "platform": format!("{}/{architecture}", std::env::consts::OS),
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
pub(super) fn groups(served: &Served) -> Value {
    let names = group_names(served).into_iter().skip(1);
    let groups: Vec<Value> = names.map(|name| group_fields(served, name)).collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

/// `/apis/GROUP`
pub(super) fn group(served: &Served, name: &str) -> Value {
    let mut group = group_fields(served, name);
    group["kind"] = "APIGroup".into();
    group["apiVersion"] = "v1".into();
    group
}

/// `/api` (core group only) or `/apis` (all others) with everything below, in one document.
pub(super) fn aggregated(served: &Served, core: bool) -> Value {
    let names = group_names(served).into_iter().filter(|name| name.is_empty() == core);
    let items: Vec<Value> = names
        .map(|name| {
            let versions: Vec<Value> = versions(served, name)
                .into_iter()
                .map(|version| {
                    let resources: Vec<Value> =
                        kinds_of(served, name, version).map(aggregated_resource).collect();
                    json!({ "version": version, "resources": resources, "freshness": "Current" })
                })
                .collect();
            let metadata = if core { json!({}) } else { json!({ "name": name }) };
            json!({ "metadata": metadata, "versions": versions })
        })
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {},
        "items": items,
    })
}

/// `/api/v1`, `/apis/GROUP/VERSION`
pub(super) fn resources(served: &Served, group: &str, version: &str) -> Value {
    let resources: Vec<Value> = kinds_of(served, group, version).flat_map(resource).collect();
    let group_version = match group {
        "" => version.to_owned(),
        group => format!("{group}/{version}"),
    };
    let mut list = json!({
        "kind": "APIResourceList", "groupVersion": group_version, "resources": resources,
    });
    if !group.is_empty() {
        list["apiVersion"] = "v1".into();
    }
    list
}

/// The core group (an empty name) first.
fn group_names(served: &Served) -> Vec<&'static str> {
    let mut names: Vec<&str> = served.kinds().map(|kind| kind.group).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The best first.
fn versions(served: &Served, group: &str) -> Vec<&'static str> {
    let mut versions: Vec<&str> =
        served.kinds().filter(|kind| kind.group == group).map(|kind| kind.version).collect();
    versions.dedup();
    versions
}

fn kinds_of<'a>(
    served: &'a Served,
    group: &'a str,
    version: &'a str,
) -> impl Iterator<Item = &'static Kind> + use<'a> {
    served.kinds().filter(move |kind| kind.group == group && kind.version == version)
}

fn group_fields(served: &Served, name: &str) -> Value {
    let versions: Vec<Value> = versions(served, name)
        .into_iter()
        .map(|version| json!({ "groupVersion": format!("{name}/{version}"), "version": version }))
        .collect();
    json!({ "name": name, "versions": versions, "preferredVersion": versions[0] })
}

/// Verbs of a kind's main resource.
fn verbs(kind: &Kind) -> &'static [&'static str] {
    match kind {
        _ if !kind.stored => &["create"],
        _ if kind.is(&kinds::NAMESPACE) => {
            &["create", "delete", "get", "list", "patch", "update", "watch"]
        }
        _ => &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
    }
}

const CHANGE: &[&str] = &["get", "patch", "update"];

/// A path below objects.
struct Below {
    name: &'static str,
    /// Group, version and kind of what is exchanged there; empty for the object itself.
    of: (&'static str, &'static str, &'static str),
    verbs: &'static [&'static str],
}

fn below(kind: &Kind) -> Vec<Below> {
    let own = ("", "", kind.kind);
    let parts = kind.subresources().into_iter().map(|name| match name {
        "finalize" => Below { name, of: own, verbs: &["update"] },
        "log" => Below { name, of: own, verbs: &["get"] },
        "scale" => Below { name, of: ("autoscaling", "v1", "Scale"), verbs: CHANGE },
        _ => Below { name, of: own, verbs: CHANGE },
    });
    parts.collect()
}

fn resource(kind: &'static Kind) -> Vec<Value> {
    let mut main = json!({
        "name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced,
        "kind": kind.kind, "verbs": verbs(kind),
    });
    name_shortly(kind, &mut main);
    let mut resources = vec![main];
    for below in below(kind) {
        let (group, version, name) = below.of;
        let mut resource = json!({
            "name": format!("{}/{}", kind.plural, below.name), "singularName": "",
            "namespaced": kind.namespaced, "kind": name, "verbs": below.verbs,
        });
        if !group.is_empty() {
            resource["group"] = group.into();
            resource["version"] = version.into();
        }
        resources.push(resource);
    }
    resources
}

fn aggregated_resource(kind: &'static Kind) -> Value {
    let response = |(group, version, name): (&str, &str, &str)| {
        // Kubernetes states group and version of custom kinds only.
        let (group, version) = match kind.custom {
            Some(_) if group.is_empty() => (kind.group, kind.version),
            _ => (group, version),
        };
        json!({ "group": group, "version": version, "kind": name })
    };
    let mut resource = json!({
        "resource": kind.plural, "singularResource": kind.singular,
        "responseKind": response(("", "", kind.kind)),
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "verbs": verbs(kind),
    });
    name_shortly(kind, &mut resource);
    let below: Vec<Value> = below(kind)
        .into_iter()
        .map(|below| {
            json!({
                "subresource": below.name, "responseKind": response(below.of), "verbs": below.verbs,
            })
        })
        .collect();
    if !below.is_empty() {
        resource["subresources"] = below.into();
    }
    resource
}

fn name_shortly(kind: &Kind, resource: &mut Value) {
    if !kind.short_names.is_empty() {
        resource["shortNames"] = kind.short_names.into();
    }
    if !kind.categories.is_empty() {
        resource["categories"] = kind.categories.into();
    }
}
