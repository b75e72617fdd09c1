//! ConfigMap, Secret, Namespace, Event and the like.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{AGE, Column, NAME, Table, age, field, list, name, number, or, since, text};
use crate::meta;
use crate::schema::OBJECT_META;

const PLAIN_COLUMNS: [Column; 2] = [NAME, field("Created At", OBJECT_META, "creationTimestamp")];

/// Kinds that Kubernetes has no columns for.
pub(crate) static PLAIN: Table = Table { columns: &PLAIN_COLUMNS, cells: plain };

fn plain(object: &Value, _: Timestamp) -> Vec<Value> {
    vec![name(object), meta::text(object, "creationTimestamp").unwrap_or("<unknown>").into()]
}

const CONFIG_MAP_COLUMNS: [Column; 3] =
    [NAME, field("Data", "io.k8s.api.core.v1.ConfigMap", "data"), AGE];

pub(crate) static CONFIG_MAP: Table = Table { columns: &CONFIG_MAP_COLUMNS, cells: config_map };

fn config_map(object: &Value, now: Timestamp) -> Vec<Value> {
    let count = entries(&object["data"]) + entries(&object["binaryData"]);
    vec![name(object), count.into(), age(object, now)]
}

fn entries(map: &Value) -> usize {
    map.as_object().map_or(0, Map::len)
}

const SECRET_COLUMNS: [Column; 4] = [
    NAME,
    field("Type", "io.k8s.api.core.v1.Secret", "type"),
    field("Data", "io.k8s.api.core.v1.Secret", "data"),
    AGE,
];

pub(crate) static SECRET: Table = Table { columns: &SECRET_COLUMNS, cells: secret };

fn secret(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(object),
        or(&object["type"], "").into(),
        entries(&object["data"]).into(),
        age(object, now),
    ]
}

const NAMESPACE_COLUMNS: [Column; 3] = [NAME, text("Status", "The status of the namespace"), AGE];

pub(crate) static NAMESPACE: Table = Table { columns: &NAMESPACE_COLUMNS, cells: namespace };

fn namespace(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), or(&object["status"]["phase"], "").into(), age(object, now)]
}

const SERVICE_ACCOUNT_COLUMNS: [Column; 3] =
    [NAME, field("Secrets", "io.k8s.api.core.v1.ServiceAccount", "secrets"), AGE];

pub(crate) static SERVICE_ACCOUNT: Table =
    Table { columns: &SERVICE_ACCOUNT_COLUMNS, cells: service_account };

fn service_account(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), list(&object["secrets"]).count().into(), age(object, now)]
}

const LEASE_COLUMNS: [Column; 3] =
    [NAME, field("Holder", "io.k8s.api.coordination.v1.LeaseSpec", "holderIdentity"), AGE];

pub(crate) static LEASE: Table = Table { columns: &LEASE_COLUMNS, cells: lease };

fn lease(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), or(&object["spec"]["holderIdentity"], "").into(), age(object, now)]
}

const QUOTA_COLUMNS: [Column; 4] = [
    NAME,
    text(
        "Request",
        "Request represents a minimum amount of cpu/memory that a container may consume.",
    ),
    text(
        "Limit",
        "Limits control the maximum amount of cpu/memory that a container may use independent of contention on the node.",
    ),
    AGE,
];

pub(crate) static RESOURCE_QUOTA: Table = Table { columns: &QUOTA_COLUMNS, cells: resource_quota };

fn resource_quota(object: &Value, now: Timestamp) -> Vec<Value> {
    let (status, hard) = (&object["status"], &object["spec"]["hard"]);
    let amounts = |limits: bool| -> String {
        let amounts = hard.as_object().into_iter().flatten();
        let amounts = amounts.filter(|(name, _)| name.starts_with("limits.") == limits);
        let shown: Vec<String> = amounts
            .map(|(name, amount)| {
                format!("{name}: {}/{}", or(&status["used"][name], "0"), or(amount, "0"))
            })
            .collect();
        shown.join(", ")
    };
    vec![name(object), amounts(false).into(), amounts(true).into(), age(object, now)]
}

const BINDING_COLUMNS: [Column; 6] = [
    NAME,
    field("Role", "io.k8s.api.rbac.v1.RoleBinding", "roleRef"),
    AGE,
    text("Users", "Users in the roleBinding").wide(),
    text("Groups", "Groups in the roleBinding").wide(),
    text("ServiceAccounts", "ServiceAccounts in the roleBinding").wide(),
];

pub(crate) static BINDING: Table = Table { columns: &BINDING_COLUMNS, cells: binding };

fn binding(object: &Value, now: Timestamp) -> Vec<Value> {
    let role = &object["roleRef"];
    let subjects = |kind: &str| -> Value {
        let found = list(&object["subjects"]).filter(|subject| subject["kind"] == kind);
        let names: Vec<String> = found
            .map(|subject| match subject["namespace"].as_str() {
                Some(namespace) if kind == "ServiceAccount" => {
                    format!("{namespace}/{}", or(&subject["name"], ""))
                }
                _ => or(&subject["name"], "").to_owned(),
            })
            .collect();
        names.join(", ").into()
    };
    vec![
        name(object),
        format!("{}/{}", or(&role["kind"], ""), or(&role["name"], "")).into(),
        age(object, now),
        subjects("User"),
        subjects("Group"),
        subjects("ServiceAccount"),
    ]
}

const EVENT_TYPE: &str = "io.k8s.api.core.v1.Event";
const EVENT_COLUMNS: [Column; 10] = [
    field("Last Seen", EVENT_TYPE, "lastTimestamp"),
    field("Type", EVENT_TYPE, "type"),
    field("Reason", EVENT_TYPE, "reason"),
    field("Object", EVENT_TYPE, "involvedObject"),
    field("Subobject", "io.k8s.api.core.v1.ObjectReference", "fieldPath").wide(),
    field("Source", EVENT_TYPE, "source").wide(),
    field("Message", EVENT_TYPE, "message"),
    field("First Seen", EVENT_TYPE, "firstTimestamp").wide(),
    field("Count", EVENT_TYPE, "count").wide(),
    NAME.wide(),
];

pub(crate) static EVENT: Table = Table { columns: &EVENT_COLUMNS, cells: event };

fn event(object: &Value, now: Timestamp) -> Vec<Value> {
    let about = &object["involvedObject"];
    let happened = object["eventTime"].as_str();
    let first = object["firstTimestamp"].as_str().or(happened);
    let last = object["series"]["lastObservedTime"]
        .as_str()
        .or_else(|| object["lastTimestamp"].as_str())
        .or(first);
    let count = object["series"]["count"].as_i64().unwrap_or_else(|| number(&object["count"]));
    let kind = or(&about["kind"], "").to_lowercase();
    let reporter = or(&object["source"]["component"], or(&object["reportingComponent"], ""));
    let host = or(&object["source"]["host"], or(&object["reportingInstance"], ""));
    let source = if host.is_empty() { reporter.to_owned() } else { format!("{reporter}, {host}") };
    vec![
        since(last, now).into(),
        or(&object["type"], "").into(),
        or(&object["reason"], "").into(),
        format!("{kind}/{}", or(&about["name"], "")).into(),
        or(&about["fieldPath"], "").into(),
        source.into(),
        or(&object["message"], "").trim().into(),
        since(first, now).into(),
        count.max(1).into(),
        name(object),
    ]
}
