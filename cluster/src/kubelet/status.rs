//! The status of a pod, computed from the states of its containers.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::controllers::object::Fields;
use crate::meta;

/// How a run of a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    /// Exit status; 128 and the number of the signal where a signal ended it.
    pub(super) code: i32,
    /// `Completed`, `Error`, `StartError`.
    pub(super) reason: &'static str,
    /// For people; may be empty.
    pub(super) message: String,
    pub(super) started: Timestamp,
    pub(super) finished: Timestamp,
    /// The run's id.
    pub(super) id: String,
}

/// What a container is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    Waiting { reason: &'static str, message: String },
    Running { since: Timestamp, id: String },
    Ended(Ended),
}

/// A container as its status shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ContainerState {
    pub(super) phase: Phase,
    pub(super) last: Option<Ended>,
    pub(super) restarts: u32,
    /// Runs, and its readiness probe says so.
    pub(super) ready: bool,
    /// Runs, and its startup probe has succeeded.
    pub(super) started: bool,
}

impl ContainerState {
    /// Not started yet.
    pub(super) fn waiting(reason: &'static str) -> Self {
        Self {
            phase: Phase::Waiting { reason, message: String::new() },
            last: None,
            restarts: 0,
            ready: false,
            started: false,
        }
    }

    fn succeeded(&self) -> bool {
        matches!(&self.phase, Phase::Ended(ended) if ended.code == 0)
    }

    fn ended(&self) -> bool {
        matches!(self.phase, Phase::Ended(_))
    }
}

/// Everything that a pod's status is computed from.
#[derive(Debug)]
pub(super) struct PodState {
    pub(super) address: String,
    pub(super) since: Timestamp,
    pub(super) init: Vec<ContainerState>,
    pub(super) containers: Vec<ContainerState>,
}

/// Computes `status`. `pod` is the pod as it is now: times of transitions are kept from it.
pub(super) fn status(pod: &Value, state: &PodState, now: Timestamp) -> Value {
    let initialized = state.init.iter().all(ContainerState::succeeded);
    let phase = phase(pod, state, initialized);
    let init = statuses(pod.list("/spec/initContainers"), &state.init);
    let containers = statuses(pod.list("/spec/containers"), &state.containers);
    let mut status = json!({
        "phase": phase,
        "conditions": conditions(pod, state, initialized, phase, now),
        "hostIP": "127.0.0.1",
        "hostIPs": [{ "ip": "127.0.0.1" }],
        "podIP": state.address,
        "podIPs": [{ "ip": state.address }],
        "startTime": meta::time(state.since),
        "containerStatuses": containers,
        "qosClass": pod["status"]["qosClass"].as_str().unwrap_or("BestEffort"),
    });
    if !init.is_empty() {
        status["initContainerStatuses"] = init.into();
    }
    status
}

fn phase(pod: &Value, state: &PodState, initialized: bool) -> &'static str {
    let policy = pod["spec"]["restartPolicy"].as_str().unwrap_or("Always");
    let never_again = |container: &ContainerState| match policy {
        "Never" => container.ended(),
        "OnFailure" => container.succeeded(),
        _ => false,
    };
    if !initialized {
        let failed = |container: &ContainerState| container.ended() && !container.succeeded();
        let hopeless = policy == "Never" && state.init.iter().any(failed);
        return if hopeless { "Failed" } else { "Pending" };
    }
    let unstarted = |container: &ContainerState| {
        matches!(container.phase, Phase::Waiting { .. }) && container.last.is_none()
    };
    if state.containers.iter().any(unstarted) {
        return "Pending";
    }
    // A pod being deleted does not restart what has ended.
    let ending = meta::is_deleting(pod) && state.containers.iter().all(ContainerState::ended);
    if !ending && !state.containers.iter().all(never_again) {
        return "Running";
    }
    if state.containers.iter().all(ContainerState::succeeded) { "Succeeded" } else { "Failed" }
}

fn conditions(
    pod: &Value,
    state: &PodState,
    initialized: bool,
    phase: &str,
    now: Timestamp,
) -> Value {
    let unready: Vec<&str> = pod
        .list("/spec/containers")
        .iter()
        .zip(&state.containers)
        .filter(|(_, state)| !state.ready)
        .map(|(container, _)| container.text("/name"))
        .collect();
    let why_not_ready = match phase {
        "Succeeded" => ("PodCompleted", String::new()),
        "Failed" => ("PodFailed", String::new()),
        _ => {
            let names = unready.join(" ");
            ("ContainersNotReady", format!("containers with unready status: [{names}]"))
        }
    };
    let incomplete: Vec<&str> = pod
        .list("/spec/initContainers")
        .iter()
        .zip(&state.init)
        .filter(|(_, state)| !state.succeeded())
        .map(|(container, _)| container.text("/name"))
        .collect();
    let names = incomplete.join(" ");
    let why_not_initialized =
        ("ContainersNotInitialized", format!("containers with incomplete status: [{names}]"));
    let containers_ready = unready.is_empty() && initialized;
    let gate = closed_gate(pod).filter(|_| containers_ready);
    let why_not = gate.as_ref().map_or_else(|| why_not_ready.clone(), |why| why.clone());

    let own = [
        ("PodReadyToStartContainers", true, None),
        ("Initialized", initialized, Some(why_not_initialized)),
        ("Ready", containers_ready && gate.is_none(), Some(why_not)),
        ("ContainersReady", containers_ready, Some(why_not_ready)),
        ("PodScheduled", true, None),
    ];
    let of_others = pod
        .list("/status/conditions")
        .iter()
        .filter(|known| own.iter().all(|(kind, ..)| known["type"] != *kind))
        .cloned()
        .collect::<Vec<_>>();
    own.into_iter()
        .map(|(kind, holds, why_not)| condition(pod, kind, holds, why_not, now))
        .chain(of_others)
        .collect()
}

/// Why a pod whose containers are ready is not: a condition that its spec waits for and that others
/// set.
fn closed_gate(pod: &Value) -> Option<(&'static str, String)> {
    let gates = pod.list("/spec/readinessGates").iter().map(|gate| gate.text("/conditionType"));
    let open = |kind: &str| pod.condition(kind).is_some_and(|known| known["status"] == "True");
    let closed = gates.into_iter().find(|kind| !open(kind))?;
    Some((
        "ReadinessGatesNotReady",
        format!("the status of pod readiness gate \"{closed}\" is not \"True\""),
    ))
}

fn condition(
    pod: &Value,
    kind: &str,
    holds: bool,
    why_not: Option<(&str, String)>,
    now: Timestamp,
) -> Value {
    let status = if holds { "True" } else { "False" };
    let known = pod.condition(kind).filter(|known| known["status"] == status);
    let since = known.map(|known| known["lastTransitionTime"].clone());
    let mut condition = json!({
        "type": kind,
        "status": status,
        "lastProbeTime": null,
        "lastTransitionTime": since.unwrap_or_else(|| meta::time(now).into()),
    });
    if let Some((reason, message)) = why_not.filter(|_| !holds) {
        condition["reason"] = reason.into();
        if !message.is_empty() {
            condition["message"] = message.into();
        }
    }
    condition
}

fn statuses(specs: &[Value], states: &[ContainerState]) -> Vec<Value> {
    specs.iter().zip(states).map(|(spec, state)| container(spec, state)).collect()
}

fn container(spec: &Value, state: &ContainerState) -> Value {
    let mut status = json!({
        "name": spec["name"],
        "state": match &state.phase {
            Phase::Waiting { reason, message } => {
                let mut waiting = json!({ "reason": reason });
                if !message.is_empty() {
                    waiting["message"] = message.clone().into();
                }
                json!({ "waiting": waiting })
            }
            Phase::Running { since, .. } => {
                json!({ "running": { "startedAt": meta::time(*since) } })
            }
            Phase::Ended(ended) => json!({ "terminated": terminated(ended) }),
        },
        "lastState": match &state.last {
            Some(ended) => json!({ "terminated": terminated(ended) }),
            None => json!({}),
        },
        "ready": state.ready,
        "restartCount": state.restarts,
        "image": spec["image"].as_str().unwrap_or_default(),
        "imageID": "",
        "started": state.started,
    });
    let id = match &state.phase {
        Phase::Running { id, .. } | Phase::Ended(Ended { id, .. }) => Some(id),
        Phase::Waiting { .. } => state.last.as_ref().map(|ended| &ended.id),
    };
    if let Some(id) = id {
        status["containerID"] = id.as_str().into();
    }
    status
}

fn terminated(ended: &Ended) -> Value {
    let mut terminated = json!({
        "exitCode": ended.code,
        "reason": ended.reason,
        "startedAt": meta::time(ended.started),
        "finishedAt": meta::time(ended.finished),
        "containerID": ended.id,
    });
    if !ended.message.is_empty() {
        terminated["message"] = ended.message.clone().into();
    }
    terminated
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(policy: &str) -> Value {
        json!({
            "metadata": {"name": "web"},
            "spec": {
                "restartPolicy": policy,
                "containers": [{"name": "web", "image": "web:1"}, {"name": "side", "image": "side:1"}],
            },
        })
    }

    fn ended(code: i32) -> ContainerState {
        let at = Timestamp::UNIX_EPOCH;
        let reason = if code == 0 { "Completed" } else { "Error" };
        let ended = Ended {
            code,
            reason,
            message: String::new(),
            started: at,
            finished: at,
            id: "fairlead://1".to_owned(),
        };
        ContainerState { phase: Phase::Ended(ended), ..ContainerState::waiting("") }
    }

    fn running(ready: bool) -> ContainerState {
        let phase = Phase::Running { since: Timestamp::UNIX_EPOCH, id: "fairlead://1".to_owned() };
        ContainerState { phase, ready, started: true, ..ContainerState::waiting("") }
    }

    fn backing_off() -> ContainerState {
        let Phase::Ended(last) = ended(1).phase else { unreachable!("made so") };
        ContainerState { last: Some(last), ..ContainerState::waiting("CrashLoopBackOff") }
    }

    fn compute(policy: &str, containers: Vec<ContainerState>) -> Value {
        let state = PodState {
            address: "127.8.0.1".to_owned(),
            since: Timestamp::UNIX_EPOCH,
            init: Vec::new(),
            containers,
        };
        status(&pod(policy), &state, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn the_phase_follows_from_containers_and_restart_policy() {
        let new = || ContainerState::waiting("ContainerCreating");
        for (policy, containers, expected) in [
            ("Always", vec![new(), running(true)], "Pending"),
            ("Always", vec![running(false), running(true)], "Running"),
            ("Always", vec![backing_off(), running(true)], "Running"),
            ("Always", vec![ended(0), ended(0)], "Running"),
            ("OnFailure", vec![ended(0), ended(0)], "Succeeded"),
            ("OnFailure", vec![ended(0), ended(1)], "Running"),
            ("Never", vec![ended(0), running(true)], "Running"),
            ("Never", vec![ended(0), ended(3)], "Failed"),
            ("Never", vec![ended(0), ended(0)], "Succeeded"),
        ] {
            let shown = format!("{policy} {containers:?}");
            assert_eq!(compute(policy, containers)["phase"], expected, "{shown}");
        }
    }

    #[test]
    fn a_pod_is_ready_when_all_its_containers_are() {
        let ready = compute("Always", vec![running(true), running(true)]);
        assert_eq!(ready.list("/conditions")[2]["status"], "True");
        let not = compute("Always", vec![running(true), running(false)]);
        assert_eq!(
            not.list("/conditions")[2],
            json!({
                "type": "Ready",
                "status": "False",
                "lastProbeTime": null,
                "lastTransitionTime": "1970-01-01T00:00:00Z",
                "reason": "ContainersNotReady",
                "message": "containers with unready status: [side]",
            })
        );
    }

    #[test]
    fn readiness_gates_are_set_by_others_and_kept() {
        let state = PodState {
            address: "127.8.0.1".to_owned(),
            since: Timestamp::UNIX_EPOCH,
            init: Vec::new(),
            containers: vec![running(true), running(true)],
        };
        let mut pod = pod("Always");
        pod["spec"]["readinessGates"] = json!([{"conditionType": "example.com/in"}]);
        let closed = status(&pod, &state, Timestamp::UNIX_EPOCH);
        assert_eq!(closed["conditions"][2]["status"], "False");
        assert_eq!(closed["conditions"][2]["reason"], "ReadinessGatesNotReady");
        assert_eq!(closed["conditions"][3]["status"], "True");

        pod["status"]["conditions"] = json!([{"type": "example.com/in", "status": "True"}]);
        let open = status(&pod, &state, Timestamp::UNIX_EPOCH);
        assert_eq!(open["conditions"][2]["status"], "True");
        assert_eq!(open["conditions"][5], json!({"type": "example.com/in", "status": "True"}));
    }

    #[test]
    fn a_restarting_container_shows_how_it_ended_last() {
        let status = compute("Always", vec![backing_off(), running(true)]);
        assert_eq!(
            status.list("/containerStatuses")[0],
            json!({
                "name": "web",
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {
                    "exitCode": 1,
                    "reason": "Error",
                    "startedAt": "1970-01-01T00:00:00Z",
                    "finishedAt": "1970-01-01T00:00:00Z",
                    "containerID": "fairlead://1",
                }},
                "ready": false,
                "restartCount": 0,
                "image": "web:1",
                "imageID": "",
                "started": false,
                "containerID": "fairlead://1",
            })
        );
    }
}
