//! Roles and bindings.

use serde_json::Value;

use super::{Causes, elements};
use crate::status::Cause;

pub(crate) fn role(object: &Value, _: Option<&Value>, causes: &mut Causes) {
    for (path, rule) in elements("rules", &object["rules"]) {
        let urls = &rule["nonResourceURLs"];
        if urls.as_array().is_some_and(|urls| !urls.is_empty()) {
            let why = "namespaced rules cannot apply to non-resource URLs";
            causes.add(Cause::invalid(format!("{path}.nonResourceURLs"), urls, why));
        }
    }
    rules(object, causes);
}

pub(crate) fn cluster_role(object: &Value, _: Option<&Value>, causes: &mut Causes) {
    rules(object, causes);
    let aggregation = &object["aggregationRule"];
    let selectors = aggregation["clusterRoleSelectors"].as_array();
    if !aggregation.is_null() && selectors.is_none_or(Vec::is_empty) {
        let why = "at least one clusterRoleSelector required if aggregationRule is non-nil";
        causes.add(Cause::required("aggregationRule.clusterRoleSelectors", why));
    }
}

fn rules(object: &Value, causes: &mut Causes) {
    for (path, rule) in elements("rules", &object["rules"]) {
        let empty = |field: &str| rule[field].as_array().is_none_or(Vec::is_empty);
        if empty("verbs") {
            causes.add(Cause::required(
                format!("{path}.verbs"),
                "verbs must contain at least one value",
            ));
        }
        if empty("nonResourceURLs") && empty("apiGroups") {
            causes.add(Cause::required(
                format!("{path}.apiGroups"),
                "resource rules must supply at least one api group",
            ));
        }
        if empty("nonResourceURLs") && empty("resources") {
            causes.add(Cause::required(
                format!("{path}.resources"),
                "resource rules must supply at least one resource",
            ));
        }
    }
}

pub(crate) fn role_binding(object: &Value, old: Option<&Value>, causes: &mut Causes) {
    binding(object, old, &["Role", "ClusterRole"], causes);
}

pub(crate) fn cluster_role_binding(object: &Value, old: Option<&Value>, causes: &mut Causes) {
    binding(object, old, &["ClusterRole"], causes);
    for (path, subject) in elements("subjects", &object["subjects"]) {
        if subject["kind"] == "ServiceAccount" {
            causes.required(&format!("{path}.namespace"), &subject["namespace"]);
        }
    }
}

fn binding(object: &Value, old: Option<&Value>, roles: &[&str], causes: &mut Causes) {
    let role = &object["roleRef"];
    causes.one_of("roleRef.apiGroup", &role["apiGroup"], &["rbac.authorization.k8s.io"]);
    // Go reads a kind that is missing as an empty one.
    let kind = role["kind"].as_str().unwrap_or_default();
    if !roles.contains(&kind) {
        causes.add(Cause::not_supported("roleRef.kind", kind, roles));
    }
    causes.required("roleRef.name", &role["name"]);
    for (path, subject) in elements("subjects", &object["subjects"]) {
        causes.required(&format!("{path}.name"), &subject["name"]);
        let kinds = ["ServiceAccount", "User", "Group"];
        causes.one_of(&format!("{path}.kind"), &subject["kind"], &kinds);
    }
    if old.is_some_and(|old| old["roleRef"] != *role) {
        causes.add(Cause::invalid("roleRef", role, "cannot change roleRef"));
    }
}
