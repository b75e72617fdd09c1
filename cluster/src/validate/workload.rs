//! Deployment, ReplicaSet, and what goes with them.

use serde_json::Value;

use super::{Causes, pod};
use crate::status::Cause;

pub(crate) fn deployment(object: &Value, old: Option<&Value>, causes: &mut Causes) {
    replica_set(object, old, causes);
    let spec = &object["spec"];
    let strategy = &spec["strategy"];
    causes.one_of("spec.strategy.type", &strategy["type"], &["Recreate", "RollingUpdate"]);
    let rolling = &strategy["rollingUpdate"];
    if strategy["type"] == "Recreate" && !rolling.is_null() {
        causes.add(Cause::forbidden(
            "spec.strategy.rollingUpdate",
            "may not be specified when strategy `type` is 'Recreate'",
        ));
    }
    for field in ["maxUnavailable", "maxSurge"] {
        amount(&format!("spec.strategy.rollingUpdate.{field}"), &rolling[field], causes);
    }
    let zero = |value: &Value| *value == 0 || *value == "0%";
    if zero(&rolling["maxUnavailable"]) && zero(&rolling["maxSurge"]) {
        causes.add(Cause::invalid(
            "spec.strategy.rollingUpdate.maxUnavailable",
            &rolling["maxUnavailable"],
            "may not be 0 when `maxSurge` is 0",
        ));
    }
    causes.not_negative("spec.revisionHistoryLimit", &spec["revisionHistoryLimit"]);
    let deadline = &spec["progressDeadlineSeconds"];
    causes.not_negative("spec.progressDeadlineSeconds", deadline);
    let ready = spec["minReadySeconds"].as_i64().unwrap_or_default();
    if deadline.as_i64().is_some_and(|deadline| deadline <= ready) {
        causes.add(Cause::invalid(
            "spec.progressDeadlineSeconds",
            deadline,
            "must be greater than minReadySeconds",
        ));
    }
}

pub(crate) fn replica_set(object: &Value, old: Option<&Value>, causes: &mut Causes) {
    let spec = &object["spec"];
    causes.not_negative("spec.replicas", &spec["replicas"]);
    causes.not_negative("spec.minReadySeconds", &spec["minReadySeconds"]);
    pod::template(object, causes);
    causes.immutable("spec.selector", object, old);
}

/// A number that is not negative, or a percentage.
fn amount(field: &str, value: &Value, causes: &mut Causes) {
    match value {
        Value::String(text) => {
            let digits = text.strip_suffix('%').unwrap_or_default();
            if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                let why = "a valid percent string must be a numeric string followed by an ending '%' \
                           (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
                causes.add(Cause::invalid(field, value, why));
            }
        }
        _ => causes.not_negative(field, value),
    }
}

pub(crate) fn horizontal_pod_autoscaler(object: &Value, _: Option<&Value>, causes: &mut Causes) {
    let spec = &object["spec"];
    causes.required("spec.scaleTargetRef.kind", &spec["scaleTargetRef"]["kind"]);
    causes.required("spec.scaleTargetRef.name", &spec["scaleTargetRef"]["name"]);
    let (least, most) = (spec["minReplicas"].as_i64(), spec["maxReplicas"].as_i64());
    let most = most.unwrap_or_default();
    if let Some(least) = least.filter(|least| *least < 1) {
        let why = "must be greater than or equal to 1";
        causes.add(Cause::invalid("spec.minReplicas", &least.into(), why));
    }
    if most < 1 {
        let why = "must be greater than 0";
        causes.add(Cause::invalid("spec.maxReplicas", &most.into(), why));
    } else if least.is_some_and(|least| least > most) {
        let why = "must be greater than or equal to `minReplicas`";
        causes.add(Cause::invalid("spec.maxReplicas", &most.into(), why));
    }
}

pub(crate) fn disruption_budget(object: &Value, _: Option<&Value>, causes: &mut Causes) {
    let spec = &object["spec"];
    if !spec["minAvailable"].is_null() && !spec["maxUnavailable"].is_null() {
        let why = "minAvailable and maxUnavailable cannot be both set";
        causes.add(Cause::invalid("spec", spec, why));
    }
    for field in ["minAvailable", "maxUnavailable"] {
        let path = format!("spec.{field}");
        amount(&path, &spec[field], causes);
        let percent = spec[field].as_str().and_then(|text| text.strip_suffix('%'));
        if percent.and_then(|digits| digits.parse::<u64>().ok()).is_some_and(|part| part > 100) {
            causes.add(Cause::invalid(path, &spec[field], "must not be greater than 100%"));
        }
    }
    let policies = ["AlwaysAllow", "IfHealthyBudget"];
    let policy = &spec["unhealthyPodEvictionPolicy"];
    causes.one_of_or_none("spec.unhealthyPodEvictionPolicy", policy, &policies);
}
