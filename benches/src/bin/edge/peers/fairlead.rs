//! Fairlead's router, fed from manifests by `fairlead up --only router`.

use std::{fs, path::Path, process::Command};

use super::{HOST, Place};
use crate::process::{Process, ProcessError};

pub(super) fn start(program: &Path, place: Place<'_>) -> Result<Process, ProcessError> {
    let name = "Fairlead";
    let manifests = place.folder.join("manifests");
    let write = |()| fs::write(manifests.join("bench.yaml"), service(&place));
    fs::create_dir(&manifests)
        .and_then(write)
        .map_err(|source| ProcessError::Start { name, source })?;
    let mut command = Command::new(program);
    command
        .args([
            "up",
            "--only",
            "router",
            "--workers",
            "1",
            "--https-port",
            "0",
            "--admin-port",
            "0",
        ])
        .arg("--http-port")
        .arg(place.listen.port().to_string())
        .arg("--manifests")
        .arg(manifests)
        .arg("--state-dir")
        .arg(place.folder.join("state"));
    Process::start(name, &mut command, place.cores)
}

/// A Service without selector, and the one endpoint that it has.
fn service(place: &Place<'_>) -> String {
    let (address, port) = (place.upstream.ip(), place.upstream.port());
    format!(
        "apiVersion: v1
kind: Service
metadata:
  name: bench
  labels: {{router.fairlead.dev/routable: \"true\"}}
  annotations: {{router.fairlead.dev/domains: {HOST}}}
spec:
  ports: [{{name: http, port: 80}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: bench-1
  labels: {{kubernetes.io/service-name: bench}}
addressType: IPv4
ports: [{{name: http, port: {port}}}]
endpoints: [{{addresses: [\"{address}\"], conditions: {{ready: true}}}}]
"
    )
}
