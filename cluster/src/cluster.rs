//! A whole cluster: registry, HTTP server, and what acts on the objects.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::controllers;
use crate::definitions;
use crate::events::Recorder;
use crate::http::{Faults, Server, Tokens};
use crate::kinds;
use crate::kubelet::{self, Kubelet};
use crate::logs::{LogRotation, PodLogs};
use crate::namespaces;
use crate::registry::{Registry, WriteOptions};

/// Why a cluster could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The API's address could not be bound.
    #[error("cannot listen on 127.0.0.1 for the Kubernetes API: {0}")]
    Listen(#[from] io::Error),
    /// The directory for logs and volumes, or the supervisor of pods.
    #[error("cannot run pods: {0}")]
    Kubelet(io::Error),
}

/// What a cluster is made of.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClusterOptions {
    /// Where logs and volumes of pods go, under `pods/` and `run/`; what is there is removed first.
    /// Default: a temporary directory that goes with the cluster.
    pub state: Option<PathBuf>,
    /// Commands that stand for images, by image reference or the beginning of one up to a `/`, `:`
    /// or `@`. The longest that matches counts. Default: none, so that containers need a command.
    pub images: BTreeMap<String, Vec<String>>,
    /// A command that runs [`crate::supervise`] on its standard input: it ends the pods when this
    /// process is killed. Default: none, so that pods outlive a `kill -9`.
    pub supervisor: Vec<String>,
    /// Whether objects are acted on: Deployments make pods, pods run, Services get EndpointSlices.
    /// Without, the API only stores what it is given. Default: true.
    pub act: bool,
    /// Whether pods run. Without, they are bound to the node, and whoever uses the cluster reports
    /// their status. Default: true.
    pub kubelet: bool,
    /// What a container that keeps ending waits before it is started again; doubles up to 5 minutes.
    /// The same for a Job before it replaces a pod that failed, up to 10 minutes.
    /// Default: 10 s.
    pub restart_backoff: Duration,
    /// When container logs are rotated.
    pub log_rotation: LogRotation,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            state: None,
            images: BTreeMap::new(),
            supervisor: Vec::new(),
            act: true,
            kubelet: true,
            restart_backoff: Duration::from_secs(10),
            log_rotation: LogRotation::default(),
        }
    }
}

/// A running cluster. Dropping it stops it and kills its pods.
#[derive(Debug)]
pub struct Cluster {
    registry: Registry,
    tokens: Tokens,
    server: Server,
    state: PathBuf,
    logs: PodLogs,
    /// Controllers and kubelet.
    tasks: JoinSet<()>,
    _temporary: Option<TempDir>,
}

impl Cluster {
    /// Starts a cluster: an empty one but for the namespaces that every cluster has.
    ///
    /// # Errors
    /// Where the API's address cannot be bound, or the kubelet cannot work.
    pub async fn start(options: ClusterOptions) -> Result<Self, StartError> {
        let registry = Registry::new();
        let writer = WriteOptions::by("fairlead-cluster");
        for namespace in ["default", "kube-system", "kube-public", "kube-node-lease"] {
            let object = json!({ "metadata": { "name": namespace } });
            registry
                .create(&kinds::NAMESPACE, None, object, &writer)
                .expect("valid names in an empty registry");
        }
        let tokens = Tokens::default();
        let temporary = match options.state {
            Some(_) => None,
            None => Some(TempDir::new().map_err(StartError::Kubelet)?),
        };
        let state = temporary.as_ref().map(|directory| directory.path().to_owned());
        let state = options.state.or(state).unwrap_or_default();
        let logs = PodLogs::new(state.clone(), options.log_rotation);
        let server = Server::start(registry.clone(), tokens.clone(), Some(logs.clone())).await?;
        let mut tasks = JoinSet::new();
        let recorder = Recorder::new(registry.clone(), "fairlead-cluster");
        if options.act && options.kubelet {
            let (addr, certificate) = (server.addr(), server.certificate().to_owned());
            let kubelet = kubelet::Options {
                access: kubelet::Access {
                    tokens: tokens.clone(),
                    kubeconfig: Arc::new(move |token| kubeconfig(addr, &certificate, token)),
                },
                logs: logs.clone(),
                state: state.clone(),
                images: options.images,
                supervisor: options.supervisor,
                restart_backoff: options.restart_backoff,
            };
            let kubelet =
                Kubelet::new(registry.clone(), &recorder, kubelet).map_err(StartError::Kubelet)?;
            tasks.spawn(kubelet.run());
        }
        if options.act {
            tasks.spawn(controllers::run(registry.clone(), recorder, options.restart_backoff));
            tasks.spawn(definitions::run(registry.clone()));
            tasks.spawn(namespaces::run(registry.clone()));
        }
        Ok(Self { registry, tokens, server, state, logs, tasks, _temporary: temporary })
    }

    /// The address of the API, on a loopback address.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// The URL of the API, for clients in this process; the same port serves TLS.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr())
    }

    /// A new bearer token for a user.
    pub fn mint(&self, user: &str) -> String {
        self.tokens.mint(user)
    }

    /// Tokens, and the requests made with them.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The objects, without HTTP.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Faults of the API on demand. For tests of clients.
    pub fn faults(&self) -> &Faults {
        self.server.faults()
    }

    /// Ends every watch, as a restarted API server would. For tests of clients.
    pub fn drop_watches(&self) {
        self.server.drop_watches();
    }

    /// A kubeconfig for kubectl, helm and kube-rs. Holds the token: write it with mode 0600.
    pub fn kubeconfig(&self, token: &str) -> String {
        kubeconfig(self.addr(), self.server.certificate(), token)
    }

    /// The logs of pods.
    pub fn logs(&self) -> &PodLogs {
        &self.logs
    }

    /// Where logs (`pods/<namespace>_<pod>_<uid>/<container>/<run>.log`) and volumes of pods are.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Stops serving, ends every connection and kills every pod.
    pub async fn shutdown(mut self) {
        self.server.stop();
        self.tasks.shutdown().await;
    }
}

fn kubeconfig(addr: SocketAddr, certificate: &str, token: &str) -> String {
    format!(
        "apiVersion: v1\n\
         kind: Config\n\
         clusters:\n\
         - name: fairlead\n  cluster:\n    server: https://{}\n    certificate-authority-data: {}\n\
         users:\n\
         - name: fairlead\n  user:\n    token: {token}\n\
         contexts:\n\
         - name: fairlead\n  context:\n    cluster: fairlead\n    user: fairlead\n\
         current-context: fairlead\n",
        addr,
        STANDARD.encode(certificate),
    )
}
