//! One pod, from its assignment to the node until nothing of it is left.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::access::Credentials;
use super::container::{Intent, Report};
use super::network::Lease;
use super::objects::Changes;
use super::prepare::{Blocked, Prepared};
use super::status::{ContainerState, Phase, PodState, status};
use super::{Node, seconds, volumes};
use crate::controllers::object::{Fields, set_annotation};
use crate::events::Happening;
use crate::kinds::{POD, Subresource};
use crate::meta;
use crate::port_map;
use crate::registry::{DeleteOptions, Preconditions};
use crate::status::Status;

/// Reports of containers that may wait for the pod.
const REPORTS: usize = 64;

/// What the kubelet tells a pod's worker.
#[derive(Debug, Clone)]
pub(super) enum Signal {
    /// The pod as it is now.
    Current(Arc<Value>),
    /// The pod was removed from the store.
    Gone,
}

/// The containers of a pod's spec: they run after another, or side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    Init,
    Main,
}

impl Group {
    fn pointer(self) -> &'static str {
        match self {
            Self::Init => "/spec/initContainers",
            Self::Main => "/spec/containers",
        }
    }
}

/// Works for one pod.
pub(super) struct Worker {
    pub(super) node: Arc<Node>,
    pub(super) pod: Arc<Value>,
    pub(super) lease: Lease,
    pub(super) intent: watch::Sender<Intent>,
    signals: watch::Receiver<Signal>,
    state: PodState,
    reports: mpsc::Receiver<(usize, Report)>,
    pub(super) reporter: mpsc::Sender<(usize, Report)>,
    containers: JoinSet<()>,
    pub(super) credentials: Option<Credentials>,
    /// Which list the reports are about.
    group: Group,
    /// Containers that wait for an object, and why.
    blocked: Vec<(usize, Blocked)>,
    changes: Changes,
}

impl Worker {
    /// `signals` holds the pod already.
    pub(super) fn new(node: Arc<Node>, pod: Arc<Value>, signals: watch::Receiver<Signal>) -> Self {
        let lease = node.lease(&pod);
        let init = pod.list("/spec/initContainers").len();
        let waiting = if init > 0 { "PodInitializing" } else { "ContainerCreating" };
        let states = |count| vec![ContainerState::waiting(waiting); count];
        let state = PodState {
            address: lease.address().to_string(),
            since: Timestamp::now(),
            init: states(init),
            containers: states(pod.list("/spec/containers").len()),
        };
        let (reporter, reports) = mpsc::channel(REPORTS);
        let changes = Changes::new(&node.registry, &pod);
        Self {
            node,
            pod,
            lease,
            intent: watch::Sender::new(Intent::Run),
            signals,
            state,
            reports,
            reporter,
            containers: JoinSet::new(),
            credentials: None,
            group: Group::Init,
            blocked: Vec::new(),
            changes,
        }
    }

    /// Runs the pod until it is gone, then clears away what it left.
    pub(super) async fn run(mut self) {
        self.look();
        self.record_ports();
        self.publish();
        self.grant_access();
        if self.make_volumes().await && self.initialize().await {
            self.group = Group::Main;
            for index in 0..self.state.containers.len() {
                self.start(index);
            }
            self.publish();
            self.drive(|worker| worker.ended(Group::Main)).await;
        }
        self.finish().await;
    }

    /// Where the pod's volumes and working directories are.
    pub(super) fn directory(&self) -> PathBuf {
        self.node.state.join("run").join(meta::uid(&self.pod))
    }

    fn stopping(&self) -> bool {
        *self.intent.borrow() != Intent::Run
    }

    /// Whether every container of a list has ended for good, or will never start.
    fn ended(&self, group: Group) -> bool {
        let states = match group {
            Group::Init => &self.state.init,
            Group::Main => &self.state.containers,
        };
        let gone = |state: &ContainerState| matches!(state.phase, Phase::Ended(_));
        // While it is stopped, what never started has nothing to end.
        let never = |index| self.stopping() && self.blocked.iter().any(|(at, _)| *at == index);
        self.containers.is_empty()
            && states.iter().enumerate().all(|(index, state)| gone(state) || never(index))
    }

    /// Records the ports in the pod's annotation before anybody can see its address.
    fn record_ports(&mut self) {
        let map = self.lease.port_map(self.pod.list("/spec/containers"));
        if map.is_empty() {
            return;
        }
        let edit = |pod: &mut Value| {
            set_annotation(pod, port_map::ANNOTATION, &map.annotation());
            Ok(())
        };
        let (namespace, name) = (meta::namespace(&self.pod), meta::name(&self.pod));
        let options = &self.node.options;
        match self.node.registry.modify(&POD, namespace, name, None, options, edit) {
            Ok(pod) => self.pod = pod,
            Err(status) => tracing::debug!(%name, %status, "the pod is gone already"),
        }
    }

    fn grant_access(&mut self) {
        match self.node.access.grant(&self.pod, &self.directory()) {
            Ok(credentials) => self.credentials = credentials,
            Err(error) => self.event(true, "FailedMount", &format!("no kubeconfig: {error}")),
        }
    }

    /// Makes the volumes; waits for objects that are not there yet. False when it was stopped.
    async fn make_volumes(&mut self) -> bool {
        loop {
            if self.stopping() {
                return false;
            }
            let directory = self.directory().join("volumes");
            let Err(error) = volumes::prepare(&self.pod, &directory, &self.node.source(&self.pod))
            else {
                return true;
            };
            self.event(true, "FailedMount", &format!("MountVolume.SetUp failed: {error}"));
            tokio::select! {
                () = self.changes.next() => {}
                _ = self.signals.changed() => self.look(),
            }
        }
    }

    /// Runs the init containers one after another. False when the pod goes no further.
    async fn initialize(&mut self) -> bool {
        for index in 0..self.state.init.len() {
            self.start(index);
            self.publish();
            self.drive(|worker| {
                let state = &worker.state.init[index];
                worker.containers.is_empty()
                    && (matches!(state.phase, Phase::Ended(_)) || worker.stopping())
            })
            .await;
            let succeeded = matches!(&self.state.init[index].phase, Phase::Ended(e) if e.code == 0);
            if !succeeded || self.stopping() {
                return false;
            }
        }
        true
    }

    /// Starts a container, or notes what it waits for.
    fn start(&mut self, index: usize) {
        self.blocked.retain(|(at, _)| *at != index);
        let spec = &self.pod.list(self.group.pointer())[index];
        match Prepared::of(self, self.group, index, spec) {
            Ok(prepared) => {
                self.containers.spawn(prepared.container.run());
            }
            Err(blocked) => {
                let (reason, message) = (blocked.reason(), blocked.to_string());
                self.event(true, "Failed", &format!("Error: {message}"));
                let states = self.states();
                states[index].phase = Phase::Waiting { reason, message };
                self.blocked.push((index, blocked));
            }
        }
    }

    fn states(&mut self) -> &mut Vec<ContainerState> {
        match self.group {
            Group::Init => &mut self.state.init,
            Group::Main => &mut self.state.containers,
        }
    }

    /// Follows containers and pod until the condition holds.
    async fn drive(&mut self, done: impl Fn(&Self) -> bool) {
        while !done(self) {
            tokio::select! {
                biased;
                Some((index, report)) = self.reports.recv() => self.take(index, report),
                Some(_) = self.containers.join_next() => {}
                _ = self.signals.changed() => self.look(),
                () = self.changes.next() => self.refresh(),
            }
        }
    }

    fn take(&mut self, index: usize, report: Report) {
        match report {
            Report::State(state) => {
                self.states()[index] = state;
                self.publish();
            }
            Report::Event { warning, reason, message } => self.event(warning, reason, &message),
        }
    }

    /// An object of the namespace has changed: volumes follow, and waiting containers may start.
    fn refresh(&mut self) {
        let directory = self.directory().join("volumes");
        let source = self.node.source(&self.pod);
        if let Err(error) = volumes::prepare(&self.pod, &directory, &source) {
            // What is mounted stays as it was.
            self.event(true, "FailedMount", &format!("cannot refresh: {error}"));
        }
        if self.stopping() {
            return;
        }
        let waiting: Vec<usize> = self
            .blocked
            .iter()
            .filter(|(_, blocked)| blocked.may_pass())
            .map(|(index, _)| *index)
            .collect();
        for index in waiting {
            self.start(index);
        }
        self.publish();
    }

    /// Takes note of what the kubelet says of the pod.
    fn look(&mut self) {
        let signal = self.signals.borrow_and_update().clone();
        let by = match signal {
            Signal::Gone => Instant::now(),
            Signal::Current(pod) => {
                self.pod = pod;
                if !meta::is_deleting(&self.pod) {
                    if !self.pod.list("/spec/readinessGates").is_empty() {
                        // Others say through it whether the pod is ready.
                        self.publish();
                    }
                    return;
                }
                self.deadline()
            }
        };
        let first = !self.stopping();
        self.intent.send_if_modified(|intent| {
            let sooner = !matches!(intent, Intent::Stop { by: known } if *known <= by);
            if sooner {
                *intent = Intent::Stop { by };
            }
            sooner
        });
        if first {
            for container in self.pod.list("/spec/containers") {
                let message = format!("Stopping container {}", container.text("/name"));
                self.event(false, "Killing", &message);
            }
        }
    }

    /// When the grace period of a pod being deleted is over.
    fn deadline(&self) -> Instant {
        let grace = meta::get(&self.pod, "deletionGracePeriodSeconds").and_then(Value::as_i64);
        let end = self.pod.time("/metadata/deletionTimestamp");
        let left =
            end.and_then(|end| Duration::try_from(end.duration_since(Timestamp::now())).ok());
        let grace = seconds(grace.unwrap_or_default());
        // `deletionTimestamp` has whole seconds: up to half a second may be missing or too much.
        let half = Duration::from_millis(500);
        Instant::now() + left.map_or(grace, |left| grace.min(left + half))
    }

    fn publish(&self) {
        let uid = meta::uid(&self.pod);
        let (namespace, name) = (meta::namespace(&self.pod), meta::name(&self.pod));
        let edit = |pod: &mut Value| {
            if meta::uid(pod) != uid {
                return Err(Status::not_found(&POD, name));
            }
            pod["status"] = status(pod, &self.state, Timestamp::now());
            Ok(())
        };
        let part = Some(Subresource::Status);
        let options = &self.node.options;
        if let Err(status) = self.node.registry.modify(&POD, namespace, name, part, options, edit) {
            tracing::debug!(%name, %status, "the pod is gone already");
        }
    }

    pub(super) fn event(&self, warning: bool, reason: &'static str, message: &str) {
        self.node.recorder.record(&POD, &self.pod, &Happening { warning, reason, message });
    }

    /// Waits until the pod is to go, confirms that it has ended, and removes its directories.
    async fn finish(mut self) {
        self.publish();
        while !self.stopping() {
            if self.signals.changed().await.is_err() {
                return;
            }
            self.look();
        }
        let delete = DeleteOptions {
            grace: Some(0),
            preconditions: Preconditions {
                uid: Some(meta::uid(&self.pod).to_owned()),
                ..Preconditions::default()
            },
            ..DeleteOptions::default()
        };
        let (namespace, name) = (meta::namespace(&self.pod), meta::name(&self.pod));
        let options = &self.node.options;
        if let Err(status) = self.node.registry.delete(&POD, namespace, name, &delete, options) {
            tracing::debug!(%name, %status, "the pod is gone already");
        }
        let directory = self.directory();
        self.node.remove_later(&self.pod, directory);
    }
}
