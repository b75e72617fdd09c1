//! From a container's spec to what can be started.

use std::io;

use serde_json::Value;

use super::container::{Container, Restart};
use super::env::{ConfigError, Env};
use super::expand::expand;
use super::handler::{Handler, Target};
use super::probe::Probe;
use super::process::Program;
use super::volumes;
use super::worker::{Group, Worker};
use crate::controllers::object::Fields;
use crate::meta;

/// Why a container cannot be started yet, or at all.
#[derive(Debug, thiserror::Error)]
pub(super) enum Blocked {
    /// Nothing says what to run.
    #[error(
        "there are no images here, so {0:?} cannot be pulled: give the container a command, or have \
         the image mapped to one"
    )]
    Image(String),
    /// Its configuration is not complete.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A sidecar among the init containers.
    #[error(
        "an init container with restartPolicy Always is not supported here: make it a container"
    )]
    Sidecar,
    /// Its directory cannot be made.
    #[error("working directory: {0}")]
    Directory(#[from] io::Error),
}

impl Blocked {
    /// `reason` of the container's waiting state.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Image(_) => "ErrImagePull",
            Self::Config(_) => "CreateContainerConfigError",
            Self::Sidecar | Self::Directory(_) => "CreateContainerError",
        }
    }

    /// Whether another object can change it.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Config(_))
    }
}

/// A container that can be started.
pub(super) struct Prepared {
    pub(super) container: Container,
}

impl Prepared {
    pub(super) fn of(
        worker: &Worker,
        group: Group,
        index: usize,
        spec: &Value,
    ) -> Result<Self, Blocked> {
        let (node, pod) = (&worker.node, &worker.pod);
        if group == Group::Init && spec["restartPolicy"] == "Always" {
            return Err(Blocked::Sidecar);
        }
        let name = spec.text("/name").to_owned();
        let argv = node.images.command(spec);
        let argv = argv.ok_or_else(|| Blocked::Image(spec.text("/image").to_owned()))?;
        let directory = worker.directory();
        let mounts = volumes::mounts(pod, spec, &directory.join("volumes"));

        let mut env = environment(worker, spec)?;
        let real = |text: &str| mounts.replace(&expand(text, |name| env.get(name)));
        let argv = argv.iter().map(|argument| real(argument)).collect();
        let directory = match spec.text("/workingDir") {
            "" => {
                // An empty directory: many programs read, and some serve, the one they start in.
                let own = directory.join("cwd").join(&name);
                volumes::private_directory(&own)?;
                own
            }
            given => mounts.replace(given).into(),
        };
        env.map(|value| mounts.replace(value));

        let program = Program { argv, env, directory };
        let target = Target {
            address: worker.lease.address(),
            ports: &worker.lease.port_map(pod.list("/spec/containers")),
            container: spec,
            program: &program,
            mounts: &mounts,
        };
        // Init containers run to their end: nothing is to be probed.
        let probe = |field| Probe::of(&target, field).filter(|_| group == Group::Main);
        let (startup, readiness, liveness) =
            (probe("startupProbe"), probe("readinessProbe"), probe("livenessProbe"));
        let pre_stop = spec.pointer("/lifecycle/preStop").filter(|hook| hook.is_object());
        let pre_stop = pre_stop.map(|hook| Handler::of(&target, hook));
        let container = Container {
            index,
            name,
            restart: restart(pod, group),
            backoff: node.backoff,
            grace: pod.int("/spec/terminationGracePeriodSeconds").unwrap_or(30),
            startup,
            readiness,
            liveness,
            pre_stop,
            logs: node.logs.clone(),
            pod: pod.clone(),
            supervision: node.supervision.clone(),
            intent: worker.intent.subscribe(),
            reports: worker.reporter.clone(),
            program,
        };
        Ok(Self { container })
    }
}

fn restart(pod: &Value, group: Group) -> Restart {
    match (pod.text("/spec/restartPolicy"), group) {
        ("Never", _) => Restart::Never,
        ("OnFailure", _) | (_, Group::Init) => Restart::OnFailure,
        _ => Restart::Always,
    }
}

/// The environment: a little of this machine's, what the kubelet gives (`HOSTNAME`, `HOST`,
/// `KUBECONFIG`, and `PORT` where the container declares it), and what the spec says. Only `PORT` cannot be changed by
/// the spec: what it says there is the port that others know.
fn environment(worker: &Worker, spec: &Value) -> Result<Env, ConfigError> {
    let (node, pod) = (&worker.node, &worker.pod);
    // Field references read the address before the status shows it.
    let mut pod = Value::clone(pod);
    pod["status"]["podIP"] = worker.lease.address().to_string().into();
    pod["status"]["hostIP"] = "127.0.0.1".into();

    let mut env = Env::inherited();
    let hostname = pod["spec"]["hostname"].as_str().unwrap_or_else(|| meta::name(&pod));
    env.set("HOSTNAME", hostname.to_owned());
    env.set("HOST", worker.lease.address().to_string());
    if let Some(credentials) = &worker.credentials {
        env.set("KUBECONFIG", credentials.path().to_string_lossy().into_owned());
    }
    let mut fixed = Vec::new();
    if let Some(port) = worker.lease.port(spec.text("/name")) {
        env.set("PORT", port.to_string());
        fixed.push("PORT");
    }
    env.define(spec, &pod, &node.source(&pod), &fixed)?;
    Ok(env)
}
