//! `metadata` of every kind.

use serde_json::Value;

use super::{Causes, elements, names};
use crate::kinds::{Kind, NameRule};
use crate::meta;
use crate::status::Cause;

/// The most that keys and values of annotations may take together.
const ANNOTATIONS: usize = 256 * 1024;

pub(super) fn validate(kind: &Kind, object: &Value, old: Option<&Value>, causes: &mut Causes) {
    let rule = rule(kind);
    if let Some(base) = meta::text(object, "generateName").filter(|base| !base.is_empty()) {
        // What is appended to it ends in a letter or digit.
        let base = base.strip_suffix('-').unwrap_or(base);
        causes.check("metadata.generateName", base, rule);
    }
    causes.check("metadata.name", meta::name(object), rule);
    let metadata = &object["metadata"];
    for (key, value) in metadata["labels"].as_object().into_iter().flatten() {
        causes.check("metadata.labels", key, names::qualified);
        causes.check("metadata.labels", value.as_str().unwrap_or_default(), names::label_value);
    }
    annotations(&metadata["annotations"], causes);
    owners(&metadata["ownerReferences"], causes);
    finalizers(object, old, causes);
}

fn rule(kind: &Kind) -> fn(&str) -> Vec<String> {
    match kind.name_rule {
        NameRule::Subdomain => names::subdomain,
        NameRule::Label => names::label,
        NameRule::Label1035 => names::label_1035,
        NameRule::PathSegment => names::path_segment,
    }
}

fn annotations(annotations: &Value, causes: &mut Causes) {
    let mut size = 0;
    for (key, value) in annotations.as_object().into_iter().flatten() {
        causes.check("metadata.annotations", &key.to_lowercase(), names::qualified);
        size += key.len() + value.as_str().unwrap_or_default().len();
    }
    if size > ANNOTATIONS {
        causes.add(Cause::too_long("metadata.annotations", ANNOTATIONS as u64));
    }
}

fn owners(owners: &Value, causes: &mut Causes) {
    let mut controllers = 0;
    for (path, owner) in elements("metadata.ownerReferences", owners) {
        for field in ["apiVersion", "kind", "name", "uid"] {
            if owner[field].as_str().is_none_or(str::is_empty) {
                let why = "must not be empty";
                causes.add(Cause::invalid(format!("{path}.{field}"), &"".into(), why));
            }
        }
        controllers += usize::from(owner["controller"] == true);
    }
    if controllers > 1 {
        causes.add(Cause::invalid(
            "metadata.ownerReferences",
            owners,
            "Only one reference can have Controller set to true",
        ));
    }
}

fn finalizers(object: &Value, old: Option<&Value>, causes: &mut Causes) {
    for finalizer in meta::finalizers(object) {
        causes.check("metadata.finalizers", finalizer, names::qualified);
    }
    let Some(old) = old.filter(|old| meta::is_deleting(old)) else { return };
    let had: Vec<&str> = meta::finalizers(old).collect();
    let new: Vec<&str> = meta::finalizers(object).filter(|name| !had.contains(name)).collect();
    if !new.is_empty() {
        causes.add(Cause::forbidden(
            "metadata.finalizers",
            &format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers {new:?}"
            ),
        ));
    }
}
