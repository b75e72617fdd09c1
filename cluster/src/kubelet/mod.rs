//! The kubelet of the one node: runs pods as local processes.
//!
//! A container is a command in a process group of its own; a pod is an address of its own in
//! 127.0.0.0/8 and a directory. There are no images, no file systems and no limits: who runs a pod
//! here runs its command as the user of this process.

mod access;
mod backoff;
mod container;
mod env;
mod expand;
mod handler;
mod image;
mod listeners;
mod network;
mod objects;
mod paths;
mod prepare;
mod probe;
mod prober;
mod process;
mod state;
mod status;
mod supervision;
mod volumes;
mod worker;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::controllers::NODE;
use crate::controllers::object::{Fields, pod_finished};
use crate::events::Recorder;
use crate::kinds::POD;
use crate::logs::PodLogs;
use crate::meta;
use crate::registry::{Event, EventType, Registry, WriteOptions};
use crate::selector::Selector;
pub(crate) use access::Access;
use image::Images;
use network::{Lease, Network};
use objects::Namespace;
use supervision::Supervision;
use worker::{Signal, Worker};

/// Name of the kubelet as a user and field manager.
const USER: &str = "kubelet";

/// How long the logs of a removed pod stay, for whoever is still reading them.
const LOGS_STAY: Duration = Duration::from_secs(30);

/// Seconds of a spec. What is negative is none; what does not fit into 32 bits, and so is no valid
/// number of seconds, is as long as that.
fn seconds(number: i64) -> Duration {
    Duration::from_secs(number.clamp(0, i64::from(i32::MAX)).unsigned_abs())
}

/// What the kubelet is given.
pub(crate) struct Options {
    /// Logs and volumes go under this directory; what a former run left there is removed.
    pub(crate) state: PathBuf,
    /// The logs, under the same directory.
    pub(crate) logs: PodLogs,
    /// How pods reach the API.
    pub(crate) access: Access,
    /// See [`crate::ClusterOptions`].
    pub(crate) images: BTreeMap<String, Vec<String>>,
    /// See [`crate::ClusterOptions`].
    pub(crate) supervisor: Vec<String>,
    /// See [`crate::ClusterOptions`].
    pub(crate) restart_backoff: Duration,
}

/// What all pods of the node share.
struct Node {
    registry: Registry,
    recorder: Recorder,
    options: WriteOptions,
    state: PathBuf,
    logs: PodLogs,
    access: Access,
    images: Images,
    network: Network,
    supervision: Supervision,
    backoff: Duration,
}

impl Node {
    /// ConfigMaps and Secrets that a pod may use.
    fn source(&self, pod: &Value) -> Namespace {
        Namespace::of(&self.registry, pod)
    }

    /// An address for the pod, and a port for each container that declares `PORT`.
    fn lease(&self, pod: &Value) -> Lease {
        let containers = pod.list("/spec/containers").iter().filter(|container| {
            let argv = self.images.command(container).unwrap_or_default();
            network::declares_port(container, &argv)
        });
        self.network.lease(containers.map(|container| container.text("/name").to_owned()))
    }

    /// Removes a pod's volumes now and its logs after a while.
    fn remove_later(&self, pod: &Value, directory: PathBuf) {
        let logs = self.logs.directory(pod);
        tokio::spawn(async move {
            // Neither need be there: a pod may go before it has started anything.
            let _ = tokio::fs::remove_dir_all(directory).await;
            tokio::time::sleep(LOGS_STAY).await;
            let _ = tokio::fs::remove_dir_all(logs).await;
        });
    }
}

/// The kubelet, ready to run.
pub(crate) struct Kubelet {
    node: Arc<Node>,
    workers: HashMap<String, watch::Sender<Signal>>,
    tasks: JoinSet<String>,
}

impl Kubelet {
    /// Makes the directories and starts the supervisor.
    ///
    /// # Errors
    /// When either cannot be done.
    pub(crate) fn new(
        registry: Registry,
        recorder: &Recorder,
        options: Options,
    ) -> io::Result<Self> {
        state::take(&options.state)?;
        let node = Node {
            registry,
            recorder: recorder.for_component(USER),
            options: WriteOptions::by(USER),
            state: options.state,
            logs: options.logs,
            access: options.access,
            images: Images::new(options.images),
            network: Network::default(),
            supervision: Supervision::start(&options.supervisor)?,
            backoff: options.restart_backoff,
        };
        Ok(Self { node: Arc::new(node), workers: HashMap::new(), tasks: JoinSet::new() })
    }

    /// Runs until dropped; then every process of every pod is killed.
    pub(crate) async fn run(mut self) {
        let selector = Selector::everything().with_field("spec.nodeName", NODE);
        loop {
            let mut pods = self.node.registry.list_watch(&POD, None, &selector);
            // Pods seen in the list that begins a watch; those that went unseen meanwhile are not.
            let mut listed = Some(HashSet::new());
            loop {
                tokio::select! {
                    event = pods.next() => match event {
                        Ok(event) => self.take(&event, &mut listed),
                        // The watch fell behind: start over with a list.
                        Err(_) => break,
                    },
                    Some(ended) = self.tasks.join_next() => self.forget(ended),
                }
            }
        }
    }

    fn take(&mut self, event: &Event, listed: &mut Option<HashSet<String>>) {
        let uid = meta::uid(&event.object);
        match event.event {
            EventType::Bookmark => {
                if let Some(listed) = listed.take() {
                    for (uid, worker) in &self.workers {
                        if !listed.contains(uid) {
                            worker.send_replace(Signal::Gone);
                        }
                    }
                }
            }
            EventType::Deleted => {
                if let Some(worker) = self.workers.get(uid) {
                    worker.send_replace(Signal::Gone);
                }
            }
            EventType::Added | EventType::Modified => {
                if let Some(listed) = listed {
                    listed.insert(uid.to_owned());
                }
                self.update(uid, &event.object);
            }
        }
    }

    fn update(&mut self, uid: &str, pod: &Arc<Value>) {
        let signal = Signal::Current(pod.clone());
        if let Some(worker) = self.workers.get(uid) {
            worker.send_replace(signal);
        } else if !pod_finished(pod) {
            let (sender, signals) = watch::channel(signal);
            let worker = Worker::new(self.node.clone(), pod.clone(), signals);
            self.workers.insert(uid.to_owned(), sender);
            let uid = uid.to_owned();
            self.tasks.spawn(async move {
                worker.run().await;
                uid
            });
        }
    }

    fn forget(&mut self, ended: Result<String, tokio::task::JoinError>) {
        match ended {
            Ok(uid) => {
                self.workers.remove(&uid);
            }
            Err(error) => tracing::error!(%error, "a pod's worker failed"),
        }
    }
}
