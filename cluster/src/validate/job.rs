//! Job.

use serde_json::Value;

use super::{Causes, pod};
use crate::status::Cause;

pub(crate) fn job(object: &Value, old: Option<&Value>, causes: &mut Causes) {
    let spec = &object["spec"];
    for field in [
        "parallelism",
        "completions",
        "backoffLimit",
        "activeDeadlineSeconds",
        "ttlSecondsAfterFinished",
    ] {
        causes.not_negative(&format!("spec.{field}"), &spec[field]);
    }
    causes.one_of("spec.completionMode", &spec["completionMode"], &["NonIndexed", "Indexed"]);
    if spec["completionMode"] == "Indexed" && spec["completions"].is_null() {
        let why = "when completion mode is Indexed";
        causes.add(Cause::required("spec.completions", why));
    }
    pod::spec("spec.template.spec", &spec["template"]["spec"], causes);
    let policy = &spec["template"]["spec"]["restartPolicy"];
    causes.one_of("spec.template.spec.restartPolicy", policy, &["OnFailure", "Never"]);
    for field in ["spec.selector", "spec.template", "spec.completionMode"] {
        // The template of a suspended Job that has not started may still change.
        let free = field == "spec.template"
            && old.is_some_and(|old| {
                old["spec"]["suspend"] == true && old["status"]["startTime"].is_null()
            });
        if !free {
            causes.immutable(field, object, old);
        }
    }
}
