//! Pods, and the pod templates of workloads.

use serde_json::{Map, Value, json};

use super::{each, fill, made, map, spec};

pub(crate) fn pod(object: &mut Value) {
    let spec = spec(object);
    pod_spec(spec);
    fill(spec, "enableServiceLinks", true);
    for field in ["initContainers", "containers"] {
        for container in each(spec, field) {
            requests(container);
        }
    }
    // Go writes this one even where it is empty.
    for condition in map(crate::meta::object_at(object), "status")
        .into_iter()
        .flat_map(|s| each(s, "conditions"))
    {
        fill(condition, "lastProbeTime", Value::Null);
    }
}

/// A new pod waits to be run.
pub(crate) fn new_pod(object: &mut Value) {
    let class = quality_of_service(object);
    object["status"] = json!({ "phase": "Pending", "qosClass": class });
}

/// A limit without a request is also the request.
fn requests(container: &mut Map<String, Value>) {
    let resources = made(container, "resources");
    let Some(Value::Object(limits)) = resources.get("limits").cloned() else { return };
    let requests = made(resources, "requests");
    for (name, amount) in limits {
        fill(requests, &name, amount);
    }
}

/// `BestEffort` with no requests and limits at all, `Guaranteed` where every container limits cpu
/// and memory to what it requests, else `Burstable`.
fn quality_of_service(object: &Value) -> &'static str {
    let spec = &object["spec"];
    let containers = ["initContainers", "containers"].into_iter().flat_map(|field| {
        spec[field].as_array().into_iter().flatten().map(|container| &container["resources"])
    });
    let (mut any, mut guaranteed) = (false, true);
    for resources in containers {
        let (requests, limits) = (&resources["requests"], &resources["limits"]);
        any |= !requests.is_null() || !limits.is_null();
        guaranteed &= ["cpu", "memory"]
            .into_iter()
            .all(|name| !limits[name].is_null() && requests[name] == limits[name]);
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

pub(super) fn template(owner: &mut Map<String, Value>) {
    let template = made(owner, "template");
    made(template, "metadata");
    pod_spec(made(template, "spec"));
}

fn pod_spec(spec: &mut Map<String, Value>) {
    fill(spec, "restartPolicy", "Always");
    fill(spec, "terminationGracePeriodSeconds", 30);
    fill(spec, "dnsPolicy", "ClusterFirst");
    fill(spec, "securityContext", json!({}));
    fill(spec, "schedulerName", "default-scheduler");
    if let Some(account) = spec.get("serviceAccountName").cloned() {
        spec.insert("serviceAccount".to_owned(), account);
    }
    let host_network = spec.get("hostNetwork") == Some(&Value::Bool(true));
    for field in ["initContainers", "containers", "ephemeralContainers"] {
        for container in each(spec, field) {
            self::container(container, host_network);
        }
    }
    for volume in each(spec, "volumes") {
        self::volume(volume);
    }
}

fn container(container: &mut Map<String, Value>, host_network: bool) {
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    let policy = if is_latest(image) { "Always" } else { "IfNotPresent" };
    fill(container, "imagePullPolicy", policy);
    fill(container, "terminationMessagePath", "/dev/termination-log");
    fill(container, "terminationMessagePolicy", "File");
    made(container, "resources");
    for port in each(container, "ports") {
        fill(port, "protocol", "TCP");
        if host_network && let Some(number) = port.get("containerPort").cloned() {
            fill(port, "hostPort", number);
        }
    }
    for variable in each(container, "env") {
        if let Some(field) = map(variable, "valueFrom").and_then(|from| map(from, "fieldRef")) {
            fill(field, "apiVersion", "v1");
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = map(container, name) {
            self::probe(probe);
        }
    }
    if let Some(lifecycle) = map(container, "lifecycle") {
        for name in ["postStart", "preStop"] {
            if let Some(handler) = map(lifecycle, name) {
                http_get(handler);
            }
        }
    }
}

/// An image without a tag, or tagged `latest`, is fetched anew each time.
fn is_latest(image: &str) -> bool {
    let last = image.rsplit('/').next().unwrap_or_default();
    match last.split_once('@') {
        Some(_) => false,
        None => last.split_once(':').is_none_or(|(_, tag)| tag == "latest"),
    }
}

fn probe(probe: &mut Map<String, Value>) {
    fill(probe, "timeoutSeconds", 1);
    fill(probe, "periodSeconds", 10);
    fill(probe, "successThreshold", 1);
    fill(probe, "failureThreshold", 3);
    http_get(probe);
    if let Some(grpc) = map(probe, "grpc") {
        fill(grpc, "service", "");
    }
}

fn http_get(handler: &mut Map<String, Value>) {
    if let Some(get) = map(handler, "httpGet") {
        fill(get, "path", "/");
        fill(get, "scheme", "HTTP");
    }
}

fn volume(volume: &mut Map<String, Value>) {
    const MODE: i64 = 0o644;
    if volume.len() == 1 && volume.contains_key("name") {
        volume.insert("emptyDir".to_owned(), json!({}));
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(source) = map(volume, source) {
            fill(source, "defaultMode", MODE);
            for source in each(source, "sources") {
                if let Some(token) = map(source, "serviceAccountToken") {
                    fill(token, "expirationSeconds", 3600);
                }
            }
        }
    }
    if let Some(path) = map(volume, "hostPath") {
        fill(path, "type", "");
    }
}

#[cfg(test)]
mod tests {
    use super::is_latest;

    #[test]
    fn only_images_without_a_fixed_version_are_latest() {
        for image in ["web", "web:latest", "registry:5000/web", "a/b/web:latest"] {
            assert!(is_latest(image), "{image}");
        }
        for image in ["web:1", "registry:5000/web:1", "web@sha256:00", "web:latest@sha256:00"] {
            assert!(!is_latest(image), "{image}");
        }
    }
}
