//! Pods, and the pod templates of workloads.

use serde_json::Value;

use super::{Causes, elements, names, unique};
use crate::meta;
use crate::status::Cause;

pub(crate) fn pod(object: &Value, old: Option<&Value>, causes: &mut Causes) {
    spec("spec", &object["spec"], causes);
    if let Some(old) = old {
        unchanged(&object["spec"], &old["spec"], causes);
    }
}

/// Of a pod that exists only images, deadlines, tolerations and, once, the node may change.
fn unchanged(new: &Value, old: &Value, causes: &mut Causes) {
    let rest = |spec: &Value| {
        let mut spec = spec.clone();
        let fields = meta::object_at(&mut spec);
        for field in ["activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"] {
            fields.remove(field);
        }
        if old["nodeName"].as_str().is_none_or(str::is_empty) {
            fields.remove("nodeName");
        }
        for list in ["containers", "initContainers"] {
            for container in
                fields.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten()
            {
                meta::object_at(container).remove("image");
            }
        }
        spec
    };
    if rest(new) != rest(old) {
        causes.add(Cause::forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,\
             `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only \
             additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be \
             set to 1 if it was previously negative)",
        ));
    }
}

/// A template in a workload whose pods run for ever, and the selector that must find them.
pub(super) fn template(object: &Value, causes: &mut Causes) {
    let (owner, path) = (&object["spec"], "spec.template");
    let labels = &owner["template"]["metadata"]["labels"];
    let selector = &owner["selector"];
    if selector.is_null() {
        causes.add(Cause::required("spec.selector", ""));
    } else if let Some(parsed) = crate::selector::Selector::from_label_selector(selector) {
        if parsed.is_everything() {
            let why = "empty selector is invalid for deployment";
            causes.add(Cause::invalid("spec.selector", selector, why));
        } else if !parsed.matches(&owner["template"]) {
            causes.add(Cause::invalid(
                format!("{path}.metadata.labels"),
                labels,
                "`selector` does not match template `labels`",
            ));
        }
    } else {
        causes.add(Cause::invalid("spec.selector", selector, "invalid label selector"));
    }
    for (key, value) in labels.as_object().into_iter().flatten() {
        let field = format!("{path}.metadata.labels");
        causes.check(&field, key, names::qualified);
        causes.check(&field, value.as_str().unwrap_or_default(), names::label_value);
    }
    spec(&format!("{path}.spec"), &owner["template"]["spec"], causes);
    let policy = &owner["template"]["spec"]["restartPolicy"];
    causes.one_of(&format!("{path}.spec.restartPolicy"), policy, &["Always"]);
}

pub(super) fn spec(path: &str, spec: &Value, causes: &mut Causes) {
    let volumes: Vec<&str> = spec["volumes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|v| v["name"].as_str())
        .collect();
    for (path, volume) in elements(&format!("{path}.volumes"), &spec["volumes"]) {
        named(&path, volume, causes);
    }
    unique(causes, &format!("{path}.volumes"), &spec["volumes"], "name");
    if spec["containers"].as_array().is_none_or(Vec::is_empty) {
        causes.add(Cause::required(format!("{path}.containers"), ""));
    }
    for list in ["containers", "initContainers"] {
        let path = format!("{path}.{list}");
        for (path, container) in elements(&path, &spec[list]) {
            self::container(&path, container, &volumes, causes);
        }
        unique(causes, &path, &spec[list], "name");
    }
    let policies = ["Always", "Never", "OnFailure"];
    causes.one_of(&format!("{path}.restartPolicy"), &spec["restartPolicy"], &policies);
    let grace = &spec["terminationGracePeriodSeconds"];
    causes.not_negative(&format!("{path}.terminationGracePeriodSeconds"), grace);
}

fn named(path: &str, value: &Value, causes: &mut Causes) {
    let field = format!("{path}.name");
    if causes.required(&field, &value["name"]) {
        causes.check(&field, value["name"].as_str().unwrap_or_default(), names::label);
    }
}

fn container(path: &str, container: &Value, volumes: &[&str], causes: &mut Causes) {
    named(path, container, causes);
    causes.required(&format!("{path}.image"), &container["image"]);
    let policies = ["Always", "IfNotPresent", "Never"];
    causes.one_of_or_none(
        &format!("{path}.imagePullPolicy"),
        &container["imagePullPolicy"],
        &policies,
    );
    for (path, port) in elements(&format!("{path}.ports"), &container["ports"]) {
        if let Some(name) = port["name"].as_str().filter(|name| !name.is_empty()) {
            causes.check(&format!("{path}.name"), name, names::port_name);
        }
        let number = &port["containerPort"];
        if number.is_null() || *number == 0 {
            causes.add(Cause::required(format!("{path}.containerPort"), ""));
        } else {
            causes.port(&format!("{path}.containerPort"), number, false);
        }
        causes.one_of(&format!("{path}.protocol"), &port["protocol"], &["SCTP", "TCP", "UDP"]);
    }
    unique(causes, &format!("{path}.ports"), &container["ports"], "name");
    for (path, variable) in elements(&format!("{path}.env"), &container["env"]) {
        let field = format!("{path}.name");
        if causes.required(&field, &variable["name"]) {
            let name = variable["name"].as_str().unwrap_or_default();
            causes.check(&field, name, names::variable);
        }
        let value = variable["value"].as_str().unwrap_or_default();
        if !value.is_empty() && !variable["valueFrom"].is_null() {
            let why = "may not be specified when `value` is not empty";
            causes.add(Cause::invalid(format!("{path}.valueFrom"), &"".into(), why));
        }
    }
    for (path, mount) in elements(&format!("{path}.volumeMounts"), &container["volumeMounts"]) {
        let field = format!("{path}.name");
        if causes.required(&field, &mount["name"])
            && !mount["name"].as_str().is_some_and(|name| volumes.contains(&name))
        {
            causes.add(Cause {
                reason: "FieldValueNotFound",
                message: format!("Not found: {}", mount["name"]),
                field,
            });
        }
        causes.required(&format!("{path}.mountPath"), &mount["mountPath"]);
        for field in ["subPath", "subPathExpr"] {
            let sub_path = mount[field].as_str().unwrap_or_default();
            causes.check(&format!("{path}.{field}"), sub_path, names::descending_path);
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        probe(&format!("{path}.{name}"), &container[name], causes);
    }
}

fn probe(path: &str, probe: &Value, causes: &mut Causes) {
    if probe.is_null() {
        return;
    }
    let handlers = ["exec", "httpGet", "tcpSocket", "grpc"];
    match handlers.iter().filter(|handler| !probe[**handler].is_null()).count() {
        0 => causes.add(Cause::required(path, "must specify a handler type")),
        1 => {}
        _ => causes.add(Cause::forbidden(path, "may not specify more than 1 handler type")),
    }
    for handler in ["httpGet", "tcpSocket"] {
        if !probe[handler].is_null() {
            causes.port(&format!("{path}.{handler}.port"), &probe[handler]["port"], true);
        }
    }
    for field in [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ] {
        causes.not_negative(&format!("{path}.{field}"), &probe[field]);
    }
}
