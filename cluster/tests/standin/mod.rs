//! What plays the kubelet, as in the captures: reports pods in few steps and runs nothing.

use std::sync::Arc;

use fairlead_cluster::{DeleteOptions, Registry, Selector, Subresource, WriteOptions, kinds, meta};
use serde_json::{Value, json};

const MANAGER: &str = "standin";

/// Reports pods until dropped.
pub(crate) async fn run(registry: Registry) {
    let mut watch = registry.list_watch(&kinds::POD, None, &Selector::everything());
    let mut addresses = 1..;
    loop {
        for pod in registry.list(&kinds::POD, None, &Selector::everything()).items {
            let assigned = pod["spec"]["nodeName"].is_string();
            if meta::is_deleting(&pod) {
                remove(&registry, &pod);
            } else if assigned && pod["status"]["podIP"].is_null() {
                let address = format!("10.0.0.{}", addresses.next().expect("more"));
                report(&registry, &pod, |status| run_pod(&pod, &address, status));
            } else if pod["status"]["phase"] == "Running" && pod["spec"]["restartPolicy"] == "Never"
            {
                report(&registry, &pod, |status| end_pod(&pod, status));
            }
        }
        watch.next().await.expect("within the window");
    }
}

fn options() -> WriteOptions {
    WriteOptions::by(MANAGER)
}

fn report(registry: &Registry, pod: &Arc<Value>, edit: impl FnOnce(&mut Value)) {
    let edit = |pod: &mut Value| {
        edit(&mut pod["status"]);
        Ok(())
    };
    let (namespace, name) = (meta::namespace(pod), meta::name(pod));
    let status = Some(Subresource::Status);
    // It may be gone meanwhile.
    let _ = registry.modify(&kinds::POD, namespace, name, status, &options(), edit);
}

fn remove(registry: &Registry, pod: &Value) {
    let now = DeleteOptions { grace: Some(0), ..DeleteOptions::default() };
    let _ = registry.delete(&kinds::POD, meta::namespace(pod), meta::name(pod), &now, &options());
}

fn containers(pod: &Value, list: &str, state: &Value, ready: bool, started: bool) -> Value {
    let containers = pod["spec"][list].as_array().map_or(&[][..], Vec::as_slice).iter();
    let status = |container: &Value| {
        json!({
            "name": container["name"], "image": container["image"], "imageID": "standin://image",
            "containerID": "standin://container", "state": state, "lastState": {},
            "ready": ready, "restartCount": 0, "started": started,
        })
    };
    containers.map(status).collect()
}

fn terminated(code: i32, reason: &str) -> Value {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    json!({"terminated": {
        "exitCode": code, "reason": reason, "startedAt": now, "finishedAt": now,
        "containerID": "standin://container",
    }})
}

fn condition(kind: &str, ready: bool) -> Value {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let status = if ready { "True" } else { "False" };
    let mut condition =
        json!({"type": kind, "status": status, "lastProbeTime": null, "lastTransitionTime": now});
    if !ready {
        condition["reason"] = "PodCompleted".into();
    }
    condition
}

fn conditions(ready: bool) -> Value {
    json!([
        condition("PodReadyToStartContainers", true),
        condition("Initialized", true),
        condition("Ready", ready),
        condition("ContainersReady", ready),
        condition("PodScheduled", true),
    ])
}

fn run_pod(pod: &Value, address: &str, status: &mut Value) {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    status["phase"] = "Running".into();
    status["conditions"] = conditions(true);
    status["hostIP"] = "10.244.0.1".into();
    status["hostIPs"] = json!([{"ip": "10.244.0.1"}]);
    status["podIP"] = address.into();
    status["podIPs"] = json!([{"ip": address}]);
    status["startTime"] = now.as_str().into();
    if pod["spec"]["initContainers"].is_array() {
        let done = terminated(0, "Completed");
        status["initContainerStatuses"] = containers(pod, "initContainers", &done, true, false);
    }
    let running = json!({"running": {"startedAt": now}});
    status["containerStatuses"] = containers(pod, "containers", &running, true, true);
}

fn end_pod(pod: &Value, status: &mut Value) {
    let fails = pod["spec"]["containers"][0]["command"][2] == "exit 3";
    let (phase, code, reason) =
        if fails { ("Failed", 3, "Error") } else { ("Succeeded", 0, "Completed") };
    status["phase"] = phase.into();
    status["conditions"] = conditions(false);
    status["containerStatuses"] =
        containers(pod, "containers", &terminated(code, reason), false, false);
}
