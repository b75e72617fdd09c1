//! DaemonSet, StatefulSet and their revisions.

use serde_json::Value;

use super::{Causes, pod};
use crate::status::Cause;

pub(crate) fn daemon_set(object: &Value, old: Option<&Value>, causes: &mut Causes) {
    let spec = &object["spec"];
    causes.not_negative("spec.minReadySeconds", &spec["minReadySeconds"]);
    causes.not_negative("spec.revisionHistoryLimit", &spec["revisionHistoryLimit"]);
    let strategy = &spec["updateStrategy"]["type"];
    causes.one_of("spec.updateStrategy.type", strategy, &["OnDelete", "RollingUpdate"]);
    pod::template(object, causes);
    causes.immutable("spec.selector", object, old);
}

pub(crate) fn stateful_set(object: &Value, old: Option<&Value>, causes: &mut Causes) {
    let spec = &object["spec"];
    for field in ["replicas", "minReadySeconds", "revisionHistoryLimit"] {
        causes.not_negative(&format!("spec.{field}"), &spec[field]);
    }
    let policy = &spec["podManagementPolicy"];
    causes.one_of("spec.podManagementPolicy", policy, &["OrderedReady", "Parallel"]);
    let strategy = &spec["updateStrategy"];
    causes.one_of("spec.updateStrategy.type", &strategy["type"], &["OnDelete", "RollingUpdate"]);
    let partition = &strategy["rollingUpdate"]["partition"];
    causes.not_negative("spec.updateStrategy.rollingUpdate.partition", partition);
    pod::template(object, causes);
    if let Some(old) = old {
        frozen(spec, &old["spec"], causes);
    }
}

/// Only a few fields of a StatefulSet may change.
fn frozen(spec: &Value, old: &Value, causes: &mut Causes) {
    const FREE: [&str; 7] = [
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    ];
    let fixed = |spec: &Value| {
        let mut spec = spec.clone();
        if let Some(spec) = spec.as_object_mut() {
            spec.retain(|field, _| !FREE.contains(&field.as_str()));
        }
        spec
    };
    if fixed(spec) != fixed(old) {
        causes.add(Cause::forbidden(
            "spec",
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
             'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and \
             'minReadySeconds' are forbidden",
        ));
    }
}

pub(crate) fn controller_revision(object: &Value, old: Option<&Value>, causes: &mut Causes) {
    causes.not_negative("revision", &object["revision"]);
    causes.immutable("data", object, old);
}
