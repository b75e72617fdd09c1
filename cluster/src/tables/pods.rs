//! Pods.

use jiff::Timestamp;
use serde_json::Value;

use super::{AGE, Column, NAME, Table, age, field, list, name, number, or, since, text};
use crate::meta;

const SPEC: &str = "io.k8s.api.core.v1.PodSpec";
const STATUS: &str = "io.k8s.api.core.v1.PodStatus";
const COLUMNS: [Column; 9] = [
    NAME,
    text("Ready", "The aggregate readiness state of this pod for accepting traffic."),
    text("Status", "The aggregate status of the containers in this pod."),
    text(
        "Restarts",
        "The number of times the containers in this pod have been restarted and when the last container \
         in this pod has restarted.",
    ),
    AGE,
    field("IP", STATUS, "podIP").wide(),
    field("Node", SPEC, "nodeName").wide(),
    field("Nominated Node", STATUS, "nominatedNodeName").wide(),
    field("Readiness Gates", SPEC, "readinessGates").wide(),
];

pub(crate) static POD: Table = Table { columns: &COLUMNS, cells };

fn cells(pod: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&pod["spec"], &pod["status"]);
    let containers = list(&spec["containers"]).count();
    let ready = list(&status["containerStatuses"]).filter(|c| c["ready"] == true).count();
    vec![
        name(pod),
        format!("{ready}/{containers}").into(),
        state(pod).into(),
        restarts(pod, now).into(),
        age(pod, now),
        or(&status["podIP"], "<none>").into(),
        or(&spec["nodeName"], "<none>").into(),
        or(&status["nominatedNodeName"], "<none>").into(),
        gates(pod).into(),
    ]
}

/// The reason of what keeps the pod from running, else its phase.
fn state(pod: &Value) -> String {
    let status = &pod["status"];
    let mut shown = or(&status["reason"], or(&status["phase"], "")).to_owned();
    if let Some(waits) = initializing(pod) {
        shown = waits;
    } else {
        let mut running = false;
        for container in list(&status["containerStatuses"]).collect::<Vec<_>>().into_iter().rev() {
            let state = &container["state"];
            match (reason(&state["waiting"]), &state["terminated"]) {
                (Some(reason), _) => shown = reason,
                (None, Value::Object(_)) => shown = ended(&state["terminated"]),
                _ if container["ready"] == true && state["running"].is_object() => running = true,
                _ => {}
            }
        }
        if shown == "Completed" && running {
            let ready = list(&status["conditions"])
                .any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
            shown = if ready { "Running" } else { "NotReady" }.to_owned();
        }
    }
    if meta::is_deleting(pod) {
        let lost = status["reason"] == "NodeLost";
        let over = matches!(shown.as_str(), "Succeeded" | "Failed" | "Completed");
        if lost {
            shown = "Unknown".to_owned();
        } else if !over {
            shown = "Terminating".to_owned();
        }
    }
    shown
}

/// What the first init container that has not succeeded does.
fn initializing(pod: &Value) -> Option<String> {
    let total = list(&pod["spec"]["initContainers"]).count();
    for (index, container) in list(&pod["status"]["initContainerStatuses"]).enumerate() {
        let state = &container["state"];
        let ended_well =
            state["terminated"].is_object() && number(&state["terminated"]["exitCode"]) == 0;
        if ended_well {
            continue;
        }
        if state["terminated"].is_object() {
            return Some(format!("Init:{}", ended(&state["terminated"])));
        }
        return Some(match reason(&state["waiting"]) {
            Some(reason) if reason != "PodInitializing" => format!("Init:{reason}"),
            _ => format!("Init:{index}/{total}"),
        });
    }
    None
}

fn reason(state: &Value) -> Option<String> {
    state["reason"].as_str().filter(|reason| !reason.is_empty()).map(str::to_owned)
}

fn ended(terminated: &Value) -> String {
    reason(terminated).unwrap_or_else(|| match number(&terminated["signal"]) {
        0 => format!("ExitCode:{}", number(&terminated["exitCode"])),
        signal => format!("Signal:{signal}"),
    })
}

/// How often containers were restarted, and how long ago the last time was.
fn restarts(pod: &Value, now: Timestamp) -> String {
    let containers = || list(&pod["status"]["containerStatuses"]);
    let count: i64 = containers().map(|container| number(&container["restartCount"])).sum();
    let last = containers()
        .filter_map(|container| container["lastState"]["terminated"]["finishedAt"].as_str())
        .max();
    match last {
        Some(last) if count > 0 => format!("{count} ({} ago)", since(Some(last), now)),
        _ => count.to_string(),
    }
}

fn gates(pod: &Value) -> String {
    let gates: Vec<&Value> = list(&pod["spec"]["readinessGates"]).collect();
    if gates.is_empty() {
        return "<none>".to_owned();
    }
    let holds = |gate: &Value| {
        list(&pod["status"]["conditions"])
            .any(|c| c["type"] == gate["conditionType"] && c["status"] == "True")
    };
    let held = gates.iter().filter(|gate| holds(gate)).count();
    format!("{held}/{}", gates.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_state_tells_what_keeps_a_pod_from_running() {
        let running = json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}});
        for (pod, expected) in [
            (json!({"status": {"phase": "Pending"}}), "Pending"),
            (
                json!({"status": {"phase": "Running", "containerStatuses": [
                    {"ready": false, "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
                    {"ready": true, "state": running},
                ]}}),
                "CrashLoopBackOff",
            ),
            (
                json!({"status": {"phase": "Failed", "containerStatuses": [
                    {"state": {"terminated": {"exitCode": 3}}},
                ]}}),
                "ExitCode:3",
            ),
            (
                json!({
                    "spec": {"initContainers": [{}, {}]},
                    "status": {"phase": "Pending", "initContainerStatuses": [
                        {"state": {"terminated": {"exitCode": 0}}}, {"state": running},
                    ]},
                }),
                "Init:1/2",
            ),
            (
                json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "status": {"phase": "Running"}}),
                "Terminating",
            ),
        ] {
            assert_eq!(state(&pod), expected, "{pod}");
        }
    }
}
