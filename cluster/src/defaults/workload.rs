//! Deployment, ReplicaSet, and what goes with them.

use serde_json::{Value, json};

use super::{fill, made, pod, spec};

pub(crate) fn deployment(object: &mut Value) {
    let spec = spec(object);
    fill(spec, "replicas", 1);
    let strategy = made(spec, "strategy");
    fill(strategy, "type", "RollingUpdate");
    if strategy["type"] == "RollingUpdate" {
        let rolling = made(strategy, "rollingUpdate");
        fill(rolling, "maxUnavailable", "25%");
        fill(rolling, "maxSurge", "25%");
    }
    fill(spec, "revisionHistoryLimit", 10);
    fill(spec, "progressDeadlineSeconds", 600);
    pod::template(spec);
}

pub(crate) fn replica_set(object: &mut Value) {
    let spec = spec(object);
    fill(spec, "replicas", 1);
    pod::template(spec);
}

pub(crate) fn new_replica_set(object: &mut Value) {
    object["status"] = json!({ "replicas": 0 });
}

pub(crate) fn horizontal_pod_autoscaler(object: &mut Value) {
    let spec = spec(object);
    fill(spec, "minReplicas", 1);
    let cpu = json!({ "type": "Utilization", "averageUtilization": 80 });
    let metric = json!({ "type": "Resource", "resource": { "name": "cpu", "target": cpu } });
    fill(spec, "metrics", json!([metric]));
}

pub(crate) fn new_disruption_budget(object: &mut Value) {
    object["status"] = json!({
        "disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0,
    });
}
