//! Jobs whose pods are numbered (`completionMode: Indexed`): one success per number.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::status::active;
use crate::controllers::object::Fields;
use crate::controllers::pods;
use crate::kinds::JOB;
use crate::meta;

const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// The number of a pod.
fn of(pod: &Value) -> Option<i64> {
    meta::annotation(pod, INDEX)?.parse().ok()
}

/// Numbers that have succeeded.
fn succeeded(pods: &[Arc<Value>]) -> BTreeSet<i64> {
    let done = pods.iter().filter(|pod| pod.text("/status/phase") == "Succeeded");
    done.filter_map(|pod| of(pod)).collect()
}

/// Numbers that need a pod, lowest first.
pub(super) fn free(job: &Value, pods: &[Arc<Value>]) -> impl Iterator<Item = i64> {
    let running = pods.iter().filter(|pod| active(pod) || meta::is_deleting(pod));
    let mut taken: BTreeSet<i64> = running.filter_map(|pod| of(pod)).collect();
    taken.extend(succeeded(pods));
    let completions = job.int("/spec/completions").unwrap_or_default();
    (0..completions).filter(move |number| !taken.contains(number))
}

/// The pod of a number: it finds it in `JOB_COMPLETION_INDEX`, in its labels and its name.
pub(super) fn pod(job: &Value, number: i64) -> Value {
    let mut pod = pods::from_template(&JOB, job);
    let name = format!("{}-{number}", meta::name(job));
    let text = number.to_string();
    pod["metadata"]["generateName"] = format!("{name}-").into();
    pod["metadata"]["labels"][INDEX] = text.clone().into();
    let annotations = meta::metadata_mut(&mut pod).entry("annotations").or_insert(Value::Null);
    meta::object_at(annotations).insert(INDEX.to_owned(), text.into());
    pod["spec"]["hostname"] = name.into();
    let variable = json!({
        "name": "JOB_COMPLETION_INDEX",
        "valueFrom": { "fieldRef": { "fieldPath": format!("metadata.annotations['{INDEX}']") } },
    });
    for list in ["containers", "initContainers"] {
        for container in pod["spec"][list].as_array_mut().into_iter().flatten() {
            match container["env"].as_array_mut() {
                Some(env) => env.push(variable.clone()),
                None => container["env"] = json!([variable]),
            }
        }
    }
    pod
}

/// How many numbers have succeeded, and which: `0-2,5`.
pub(super) fn completed(pods: &[Arc<Value>]) -> (i64, String) {
    let done = succeeded(pods);
    let mut spans: Vec<(i64, i64)> = Vec::new();
    for number in &done {
        match spans.last_mut() {
            Some((_, end)) if *end + 1 == *number => *end = *number,
            _ => spans.push((*number, *number)),
        }
    }
    let shown = spans.into_iter().map(|(start, end)| match end - start {
        0 => start.to_string(),
        1 => format!("{start},{end}"),
        _ => format!("{start}-{end}"),
    });
    let shown = shown.collect::<Vec<_>>().join(",");
    (i64::try_from(done.len()).unwrap_or(i64::MAX), shown)
}
