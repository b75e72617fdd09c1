//! DaemonSet and StatefulSet.

use serde_json::{Value, json};

use super::{fill, made, pod, spec};
use crate::meta;

pub(crate) fn daemon_set(object: &mut Value) {
    let annotations = made(meta::metadata_mut(object), "annotations");
    fill(annotations, "deprecated.daemonset.template.generation", "1");
    let spec = spec(object);
    let strategy = made(spec, "updateStrategy");
    fill(strategy, "type", "RollingUpdate");
    if strategy["type"] == "RollingUpdate" {
        let rolling = made(strategy, "rollingUpdate");
        fill(rolling, "maxUnavailable", 1);
        fill(rolling, "maxSurge", 0);
    }
    fill(spec, "revisionHistoryLimit", 10);
    pod::template(spec);
}

pub(crate) fn new_daemon_set(object: &mut Value) {
    object["status"] = json!({
        "currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0,
        "numberReady": 0,
    });
}

pub(crate) fn stateful_set(object: &mut Value) {
    let spec = spec(object);
    fill(spec, "replicas", 1);
    fill(spec, "podManagementPolicy", "OrderedReady");
    let strategy = made(spec, "updateStrategy");
    fill(strategy, "type", "RollingUpdate");
    if strategy["type"] == "RollingUpdate" {
        fill(made(strategy, "rollingUpdate"), "partition", 0);
    }
    fill(spec, "revisionHistoryLimit", 10);
    let retention = made(spec, "persistentVolumeClaimRetentionPolicy");
    fill(retention, "whenDeleted", "Retain");
    fill(retention, "whenScaled", "Retain");
    pod::template(spec);
}

pub(crate) fn new_stateful_set(object: &mut Value) {
    object["status"] = json!({ "replicas": 0, "availableReplicas": 0 });
}
