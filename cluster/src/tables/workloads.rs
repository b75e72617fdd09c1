//! Deployments, ReplicaSets, and what goes with them.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    AGE, Column, NAME, Table, age, field, joined, labels, list, name, number, or, selector, since,
    text,
};

const DEPLOYMENT_SPEC: &str = "io.k8s.api.apps.v1.DeploymentSpec";
const DEPLOYMENT_COLUMNS: [Column; 8] = [
    NAME,
    text("Ready", "Number of the pod with ready state"),
    field("Up-to-date", "io.k8s.api.apps.v1.DeploymentStatus", "updatedReplicas"),
    field("Available", "io.k8s.api.apps.v1.DeploymentStatus", "availableReplicas"),
    AGE,
    text("Containers", "Names of each container in the template.").wide(),
    text("Images", "Images referenced by each container in the template.").wide(),
    field("Selector", DEPLOYMENT_SPEC, "selector").wide(),
];

pub(crate) static DEPLOYMENT: Table = Table { columns: &DEPLOYMENT_COLUMNS, cells: deployment };

fn deployment(object: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let ready = format!("{}/{}", number(&status["readyReplicas"]), number(&spec["replicas"]));
    let mut cells = vec![
        name(object),
        ready.into(),
        number(&status["updatedReplicas"]).into(),
        number(&status["availableReplicas"]).into(),
        age(object, now),
    ];
    cells.extend(template(spec));
    cells
}

/// Containers, images and selector.
fn template(spec: &Value) -> [Value; 3] {
    let containers = &spec["template"]["spec"]["containers"];
    [
        joined(containers, "name").into(),
        joined(containers, "image").into(),
        selector(&spec["selector"]).into(),
    ]
}

const REPLICA_SET_SPEC: &str = "io.k8s.api.apps.v1.ReplicaSetSpec";
const REPLICA_SET_STATUS: &str = "io.k8s.api.apps.v1.ReplicaSetStatus";
const REPLICA_SET_COLUMNS: [Column; 8] = [
    NAME,
    field("Desired", REPLICA_SET_SPEC, "replicas"),
    field("Current", REPLICA_SET_STATUS, "replicas"),
    field("Ready", REPLICA_SET_STATUS, "readyReplicas"),
    AGE,
    text("Containers", "Names of each container in the template.").wide(),
    text("Images", "Images referenced by each container in the template.").wide(),
    field("Selector", REPLICA_SET_SPEC, "selector").wide(),
];

pub(crate) static REPLICA_SET: Table = Table { columns: &REPLICA_SET_COLUMNS, cells: replica_set };

fn replica_set(object: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let mut cells = vec![
        name(object),
        number(&spec["replicas"]).into(),
        number(&status["replicas"]).into(),
        number(&status["readyReplicas"]).into(),
        age(object, now),
    ];
    cells.extend(template(spec));
    cells
}

const HPA_SPEC: &str = "io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerSpec";
const HPA_COLUMNS: [Column; 7] = [
    NAME,
    field("Reference", HPA_SPEC, "scaleTargetRef"),
    field("Targets", HPA_SPEC, "metrics"),
    field("MinPods", HPA_SPEC, "minReplicas"),
    field("MaxPods", HPA_SPEC, "maxReplicas"),
    field("Replicas", "io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerStatus", "currentReplicas"),
    AGE,
];

pub(crate) static HORIZONTAL_POD_AUTOSCALER: Table =
    Table { columns: &HPA_COLUMNS, cells: horizontal_pod_autoscaler };

fn horizontal_pod_autoscaler(object: &Value, now: Timestamp) -> Vec<Value> {
    let spec = &object["spec"];
    let target = &spec["scaleTargetRef"];
    let metrics: Vec<String> = list(&spec["metrics"]).map(metric).collect();
    vec![
        name(object),
        format!("{}/{}", or(&target["kind"], ""), or(&target["name"], "")).into(),
        if metrics.is_empty() { "<none>".to_owned() } else { metrics.join(", ") }.into(),
        spec["minReplicas"].as_i64().map_or_else(|| "<unset>".into(), |n| n.to_string().into()),
        number(&spec["maxReplicas"]).into(),
        number(&object["status"]["currentReplicas"]).into(),
        age(object, now),
    ]
}

/// Nothing measures here: only the wanted value is known.
fn metric(metric: &Value) -> String {
    let resource = &metric["resource"];
    match resource["target"]["averageUtilization"].as_i64() {
        Some(percent) => format!("{}: <unknown>/{percent}%", or(&resource["name"], "")),
        None => "<unknown>".to_owned(),
    }
}

const PDB_SPEC: &str = "io.k8s.api.policy.v1.PodDisruptionBudgetSpec";
const PDB_COLUMNS: [Column; 5] = [
    NAME,
    field("Min Available", PDB_SPEC, "minAvailable"),
    field("Max Unavailable", PDB_SPEC, "maxUnavailable"),
    text("Allowed Disruptions", "Calculated number of pods that may be disrupted at this time."),
    AGE,
];

pub(crate) static POD_DISRUPTION_BUDGET: Table =
    Table { columns: &PDB_COLUMNS, cells: pod_disruption_budget };

fn pod_disruption_budget(object: &Value, now: Timestamp) -> Vec<Value> {
    let amount = |value: &Value| match value {
        Value::Null => "N/A".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    vec![
        name(object),
        amount(&object["spec"]["minAvailable"]).into(),
        amount(&object["spec"]["maxUnavailable"]).into(),
        number(&object["status"]["disruptionsAllowed"]).into(),
        age(object, now),
    ]
}

const STATEFUL_SET_COLUMNS: [Column; 5] = [
    NAME,
    text("Ready", "Number of the pod with ready state"),
    AGE,
    text("Containers", "Names of each container in the template.").wide(),
    text("Images", "Images referenced by each container in the template.").wide(),
];

pub(crate) static STATEFUL_SET: Table =
    Table { columns: &STATEFUL_SET_COLUMNS, cells: stateful_set };

fn stateful_set(object: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let ready = format!("{}/{}", number(&status["readyReplicas"]), number(&spec["replicas"]));
    let [containers, images, _] = template(spec);
    vec![name(object), ready.into(), age(object, now), containers, images]
}

const DAEMON_SET_STATUS: &str = "io.k8s.api.apps.v1.DaemonSetStatus";
const DAEMON_SET_COLUMNS: [Column; 11] = [
    NAME,
    field("Desired", DAEMON_SET_STATUS, "desiredNumberScheduled"),
    field("Current", DAEMON_SET_STATUS, "currentNumberScheduled"),
    field("Ready", DAEMON_SET_STATUS, "numberReady"),
    field("Up-to-date", DAEMON_SET_STATUS, "updatedNumberScheduled"),
    field("Available", DAEMON_SET_STATUS, "numberAvailable"),
    field("Node Selector", "io.k8s.api.core.v1.PodSpec", "nodeSelector"),
    AGE,
    text("Containers", "Names of each container in the template.").wide(),
    text("Images", "Images referenced by each container in the template.").wide(),
    field("Selector", "io.k8s.api.apps.v1.DaemonSetSpec", "selector").wide(),
];

pub(crate) static DAEMON_SET: Table = Table { columns: &DAEMON_SET_COLUMNS, cells: daemon_set };

fn daemon_set(object: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let counts = [
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    ];
    let mut cells = vec![name(object)];
    cells.extend(counts.map(|count| Value::from(number(&status[count]))));
    cells.push(labels(&spec["template"]["spec"]["nodeSelector"]).into());
    cells.push(age(object, now));
    cells.extend(template(spec));
    cells
}

const JOB_SPEC: &str = "io.k8s.api.batch.v1.JobSpec";
const JOB_COLUMNS: [Column; 8] = [
    NAME,
    text("Status", "Status of the job."),
    field("Completions", JOB_SPEC, "completions"),
    text("Duration", "Time required to complete the job."),
    AGE,
    text("Containers", "Names of each container in the template.").wide(),
    text("Images", "Images referenced by each container in the template.").wide(),
    field("Selector", JOB_SPEC, "selector").wide(),
];

pub(crate) static JOB: Table = Table { columns: &JOB_COLUMNS, cells: job };

fn job(object: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let succeeded = number(&status["succeeded"]);
    let wanted = match (spec["completions"].as_i64(), number(&spec["parallelism"])) {
        (Some(completions), _) => completions.to_string(),
        (None, parallel) if parallel > 1 => format!("1 of {parallel}"),
        _ => "1".to_owned(),
    };
    let end = status["completionTime"].as_str().and_then(|time| time.parse().ok()).unwrap_or(now);
    let duration = match status["startTime"].as_str() {
        Some(start) => since(Some(start), end),
        None => String::new(),
    };
    let mut cells = vec![
        name(object),
        job_state(object).into(),
        format!("{succeeded}/{wanted}").into(),
        duration.into(),
        age(object, now),
    ];
    cells.extend(template(spec));
    cells
}

fn job_state(object: &Value) -> &'static str {
    let holds = |kind: &str| {
        list(&object["status"]["conditions"]).any(|c| c["type"] == kind && c["status"] == "True")
    };
    if holds("Complete") {
        "Complete"
    } else if holds("Failed") {
        "Failed"
    } else if crate::meta::is_deleting(object) {
        "Terminating"
    } else if holds("Suspended") {
        "Suspended"
    } else if holds("FailureTarget") {
        "FailureTarget"
    } else if holds("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    }
}
