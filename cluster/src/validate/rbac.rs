//! Roles and bindings.

use serde_json::Value;

use super::{Causes, elements};
use crate::status::Cause;

pub(crate) fn role(object: &Value, _: Option<&Value>, causes: &mut Causes) {
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

pub(crate) fn binding(object: &Value, old: Option<&Value>, causes: &mut Causes) {
    let role = &object["roleRef"];
    causes.one_of("roleRef.apiGroup", &role["apiGroup"], &["rbac.authorization.k8s.io"]);
    causes.one_of("roleRef.kind", &role["kind"], &["Role", "ClusterRole"]);
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
