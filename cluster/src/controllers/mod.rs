//! What turns objects into other objects: Deployment → ReplicaSets → Pods → EndpointSlices, and the
//! removal of what an object owned.
//!
//! Each controller is a pure function from objects to [`action::Action`]s, in a file of its own. The
//! shell around them follows watches, so that a change is answered at once, and reads the store
//! itself rather than a cache of its own, so that no controller acts on what it has changed already.

pub(crate) mod action;
mod claim;
mod daemon_set;
mod deployment;
mod endpoint_slice;
mod execute;
mod garbage;
mod hash;
mod job;
pub(crate) mod object;
mod pods;
mod queue;
mod replica_set;
mod revisions;
mod scheduler;
mod stateful_set;
#[cfg(test)]
mod tests;
mod triggers;

use std::time::Duration;

use futures::future::{FutureExt, select_all};
use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};

pub use scheduler::NODE;

use crate::events::Recorder;
use crate::kinds::{self, Kind};
use crate::registry::{Registry, Watch};
use crate::selector::Selector;
use crate::status::Status;
use action::Outcome;
use queue::{Controller, Key, Queue};
use triggers::Triggers;

/// User and field manager of the controllers' writes.
const USER: &str = "kube-controller-manager";

/// What the controllers follow.
static WATCHED: [&Kind; 9] = [
    &kinds::SERVICE,
    &kinds::POD,
    &kinds::REPLICA_SET,
    &kinds::DEPLOYMENT,
    &kinds::STATEFUL_SET,
    &kinds::DAEMON_SET,
    &kinds::JOB,
    &kinds::CONTROLLER_REVISION,
    &kinds::ENDPOINT_SLICE,
];

/// Why the last pass over an object could not do what it wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Failure {
    /// Something could not be created, rather than changed or deleted.
    creating: bool,
    message: String,
}

/// Runs all controllers until dropped.
///
/// `backoff` is what a Job waits before it replaces the first pod that failed.
pub(crate) async fn run(registry: Registry, recorder: Recorder, backoff: Duration) {
    let garbage = garbage::run(registry.clone());
    let shell = Shell::new(registry, &recorder, backoff);
    futures::future::join(garbage, shell.run()).await;
}

struct Shell {
    registry: Registry,
    recorder: Recorder,
    queue: Queue,
    triggers: Triggers,
    backoff: Duration,
}

impl Shell {
    fn new(registry: Registry, recorder: &Recorder, backoff: Duration) -> Self {
        Self {
            registry,
            recorder: recorder.for_component(USER),
            queue: Queue::default(),
            triggers: Triggers::default(),
            backoff,
        }
    }

    /// What there is, then what changes.
    fn watches(&self) -> Vec<(&'static Kind, Watch)> {
        let everything = Selector::everything();
        let watch = |kind| (kind, self.registry.list_watch(kind, None, &everything));
        WATCHED.into_iter().map(watch).collect()
    }

    async fn run(mut self) {
        loop {
            let mut watches = self.watches();
            while self.turn(&mut watches).await.is_ok() {}
            // A watch fell behind: starting over sees what it missed.
        }
    }

    /// Does what there is to do, then waits for more.
    async fn turn(&mut self, watches: &mut [(&'static Kind, Watch)]) -> Result<(), Status> {
        self.drain(watches)?;
        while self.step() {
            self.drain(watches)?;
            // Other tasks of this thread get their turn between two objects.
            tokio::task::yield_now().await;
        }
        let changed = watches.iter_mut().map(|(kind, watch)| {
            let kind: &'static Kind = kind;
            async move { (kind, watch.next().await) }.boxed()
        });
        let due = self.queue.next_due();
        tokio::select! {
            ((kind, event), _, _) = select_all(changed) => self.notice(kind, &event?),
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
        }
        Ok(())
    }

    /// Reconciles one object; false when none is due.
    fn step(&mut self) -> bool {
        let Some(key) = self.queue.pop(Instant::now()) else { return false };
        let outcome = self.reconcile(&key);
        self.execute(key, outcome);
        true
    }

    fn drain(&mut self, watches: &mut [(&'static Kind, Watch)]) -> Result<(), Status> {
        for (kind, watch) in watches {
            while let Some(event) = watch.ready()? {
                self.notice(kind, &event);
            }
        }
        Ok(())
    }

    fn notice(&mut self, kind: &'static Kind, event: &crate::registry::Event) {
        self.triggers.keys(kind, event, &self.registry, &mut |key| self.queue.push(key));
    }

    fn reconcile(&self, key: &Key) -> Outcome {
        let everything = Selector::everything();
        let namespace = Some(&*key.namespace);
        let all = |kind| self.registry.list(kind, namespace, &everything).items;
        let Ok(object) = self.registry.get(key.controller.kind(), namespace, &key.name) else {
            return Outcome::default();
        };
        let now = Timestamp::now();
        match key.controller {
            Controller::Scheduler => scheduler::reconcile(&object),
            Controller::EndpointSlice => {
                let slices = self.triggers.slices(&self.registry, &key.namespace, &key.name);
                endpoint_slice::reconcile(&object, &all(&kinds::POD), &slices)
            }
            Controller::ReplicaSet => {
                let failure = self.queue.failure(key);
                replica_set::reconcile(&object, &all(&kinds::POD), failure, now)
            }
            Controller::StatefulSet => stateful_set::reconcile(
                &object,
                &all(&kinds::POD),
                &all(&kinds::CONTROLLER_REVISION),
                now,
            ),
            Controller::DaemonSet => daemon_set::reconcile(
                &object,
                &all(&kinds::POD),
                &all(&kinds::CONTROLLER_REVISION),
                now,
            ),
            Controller::Job => job::reconcile(&object, &all(&kinds::POD), self.backoff, now),
            Controller::Deployment => deployment::reconcile(&deployment::Input {
                deployment: &object,
                replica_sets: &all(&kinds::REPLICA_SET),
                pods: &all(&kinds::POD),
                now,
            }),
        }
    }
}
