//! Fairlead's router, fed by the Kubernetes API.

use std::{io, path::Path, process::Command};

use super::Place;

/// One worker, no access log; all else is as in production.
pub(super) fn proxy(program: &Path, place: Place<'_>) -> io::Result<Command> {
    let mut command = Command::new(program);
    command
        .env("KUBECONFIG", place.kubeconfig)
        .args(["--workers", "1", "--access-log", "off", "--log", "error"])
        .args(["--shutdown-delay", "0", "--admin", "127.0.0.1:0"])
        .arg("--http")
        .arg(place.http.to_string())
        .arg("--https")
        .arg(place.https.to_string());
    Ok(command)
}
