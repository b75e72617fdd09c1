//! Job.

use serde_json::{Value, json};

use super::{fill, made, pod, spec};
use crate::meta;

pub(crate) fn job(object: &mut Value) {
    let labels = object.pointer("/spec/template/metadata/labels").cloned();
    if let Some(labels) = labels.filter(|_| meta::get(object, "labels").is_none()) {
        meta::set(object, "labels", Some(labels));
    }
    let spec = spec(object);
    if !spec.contains_key("completions") && !spec.contains_key("parallelism") {
        fill(spec, "completions", 1);
    }
    fill(spec, "parallelism", 1);
    fill(spec, "backoffLimit", 6);
    fill(spec, "completionMode", "NonIndexed");
    fill(spec, "suspend", false);
    fill(spec, "manualSelector", false);
    fill(spec, "podReplacementPolicy", "TerminatingOrFailed");
    pod::template(spec);
}

/// A new Job finds its pods by its own uid.
pub(crate) fn new_job(object: &mut Value) {
    object["status"] = json!({});
    if object["spec"]["manualSelector"] == true {
        return;
    }
    let (uid, name) = (meta::uid(object).to_owned(), meta::name(object).to_owned());
    let pairs = [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("job-name", &name),
    ];
    let bare = meta::get(object, "labels").is_none();
    let spec = spec(object);
    let labels = made(made(made(spec, "template"), "metadata"), "labels");
    for (key, value) in pairs {
        labels.insert(key.to_owned(), value.as_str().into());
    }
    let labels = Value::Object(labels.clone());
    spec.insert("selector".to_owned(), json!({ "matchLabels": { pairs[0].0: uid } }));
    if bare {
        meta::set(object, "labels", Some(labels));
    }
}
