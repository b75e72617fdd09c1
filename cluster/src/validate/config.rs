//! ConfigMap, Secret, Lease.

use serde_json::Value;

use super::{Causes, names};
use crate::status::Cause;

/// The most that the values of a ConfigMap or Secret may take together.
const LARGEST: usize = 1024 * 1024;

pub(crate) fn config_map(object: &Value, old: Option<&Value>, causes: &mut Causes) {
    let binary = object["binaryData"].as_object();
    for key in object["data"].as_object().into_iter().flatten().map(|(key, _)| key) {
        causes.check(&format!("data[{key}]"), key, names::config_key);
        if binary.is_some_and(|binary| binary.contains_key(key)) {
            causes.add(Cause::invalid(
                format!("data[{key}]"),
                &key.as_str().into(),
                "duplicate of key present in binaryData",
            ));
        }
    }
    for (key, _) in binary.into_iter().flatten() {
        causes.check(&format!("binaryData[{key}]"), key, names::config_key);
    }
    size("", [&object["data"], &object["binaryData"]], causes);
    unchanged(object, old, &["data", "binaryData"], causes);
}

pub(crate) fn secret(object: &Value, old: Option<&Value>, causes: &mut Causes) {
    for (key, _) in object["data"].as_object().into_iter().flatten() {
        causes.check(&format!("data[{key}]"), key, names::config_key);
    }
    size("data", [&object["data"], &Value::Null], causes);
    let needed: &[&str] = match object["type"].as_str().unwrap_or_default() {
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/dockercfg" => &[".dockercfg"],
        "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
        _ => &[],
    };
    for key in needed {
        if object["data"][key].is_null() {
            causes.add(Cause::required(format!("data[{key}]"), ""));
        }
    }
    causes.immutable("type", object, old);
    unchanged(object, old, &["data"], causes);
}

/// Values of a Secret are counted as they are decoded.
fn size(field: &str, maps: [&Value; 2], causes: &mut Causes) {
    let texts = maps.into_iter().filter_map(Value::as_object).flatten();
    let size: usize = texts
        .map(|(_, value)| value.as_str().map_or(0, str::len))
        .map(|length| if field == "data" { length / 4 * 3 } else { length })
        .sum();
    if size > LARGEST {
        causes.add(Cause {
            reason: "FieldValueTooLong",
            message: format!("Too long: may not be more than {LARGEST} bytes"),
            field: field.to_owned(),
        });
    }
}

/// `immutable: true` holds for the values and for itself.
fn unchanged(object: &Value, old: Option<&Value>, fields: &[&str], causes: &mut Causes) {
    let Some(old) = old.filter(|old| old["immutable"] == true) else { return };
    for field in ["immutable"].iter().chain(fields) {
        if object[field] != old[field] {
            let why = "field is immutable when `immutable` is set";
            causes.add(Cause::forbidden(*field, why));
        }
    }
}

pub(crate) fn lease(object: &Value, _: Option<&Value>, causes: &mut Causes) {
    let spec = &object["spec"];
    let duration = &spec["leaseDurationSeconds"];
    if duration.as_i64().is_some_and(|seconds| seconds <= 0) {
        causes.add(Cause::invalid("spec.leaseDurationSeconds", duration, "must be greater than 0"));
    }
    causes.not_negative("spec.leaseTransitions", &spec["leaseTransitions"]);
}
