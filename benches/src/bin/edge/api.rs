//! The Kubernetes API that Fairlead reads its routes from: in this process, on a thread of its own.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    thread::{self, JoinHandle},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use fairlead_cluster::{Cluster, ClusterOptions, Kind, Registry, Status, WriteOptions, kinds};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::certificate::Certificate;

/// Where all objects are.
const NAMESPACE: &str = "bench";

/// Why it does not do as told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("the Kubernetes API does not start: {0}")]
    Start(#[from] fairlead_cluster::StartError),
    #[error("the Kubernetes API does not start: {0}")]
    Io(#[from] io::Error),
    #[error("the Kubernetes API ended")]
    Ended,
    #[error("the Kubernetes API refuses {name}: {status:?}")]
    Refused { name: String, status: Status },
}

/// A running API.
pub(crate) struct Api {
    /// How Fairlead reaches it.
    pub(crate) kubeconfig: PathBuf,
    registry: Registry,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Api {
    /// An API with nothing in it, on the cores of this thread. Its kubeconfig is in `folder`.
    pub(crate) fn start(folder: &Path) -> Result<Self, ApiError> {
        let (stop, stopped) = oneshot::channel();
        let (started, start) = std::sync::mpsc::channel();
        let serve = async move {
            let options = {
                let mut options = ClusterOptions::default();
                options.act = false;
                options
            };
            match Cluster::start(options).await {
                Ok(cluster) => {
                    let kubeconfig = cluster.kubeconfig(&cluster.mint("fairlead-router"));
                    let _ = started.send(Ok((cluster.registry().clone(), kubeconfig)));
                    let _ = stopped.await;
                    cluster.shutdown().await;
                }
                Err(error) => {
                    let _ = started.send(Err(error));
                }
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread =
            thread::Builder::new().name("api".to_owned()).spawn(move || runtime.block_on(serve))?;
        let (registry, text) = start.recv().map_err(|_| ApiError::Ended)??;
        fs::create_dir_all(folder)?;
        let kubeconfig = folder.join("kubeconfig");
        fs::write(&kubeconfig, text)?;
        let (stop, thread) = (Some(stop), Some(thread));
        let api = Self { kubeconfig, registry, stop, thread };
        api.create(&kinds::NAMESPACE, json!({"metadata": {"name": NAMESPACE}}))?;
        Ok(api)
    }

    /// Writes a new object.
    fn create(&self, kind: &'static Kind, object: Value) -> Result<(), ApiError> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let namespace = kind.namespaced.then_some(NAMESPACE);
        let by = WriteOptions::by("bench");
        let created = self.registry.create(kind, namespace, object, &by);
        created.map(|_| ()).map_err(|status| ApiError::Refused { name, status })
    }

    /// Replaces an object.
    fn update(&self, kind: &'static Kind, name: &str, object: Value) -> Result<(), ApiError> {
        let by = WriteOptions::by("bench");
        let updated = self.registry.update(kind, Some(NAMESPACE), name, None, object, &by);
        let refused = |status| ApiError::Refused { name: name.to_owned(), status };
        updated.map(|_| ()).map_err(refused)
    }

    /// A Service for `app`, and its endpoint.
    pub(crate) fn add(&self, app: &App<'_>, endpoint: SocketAddr) -> Result<(), ApiError> {
        self.create(&kinds::ENDPOINT_SLICE, slice(app.name, endpoint))?;
        self.create(&kinds::SERVICE, app.service())
    }

    /// The Service of `app` as it is now.
    pub(crate) fn edit(&self, app: &App<'_>) -> Result<(), ApiError> {
        self.update(&kinds::SERVICE, app.name, app.service())
    }

    /// Another endpoint for the app `name`.
    pub(crate) fn move_to(&self, name: &str, endpoint: SocketAddr) -> Result<(), ApiError> {
        self.update(&kinds::ENDPOINT_SLICE, &format!("{name}-1"), slice(name, endpoint))
    }

    /// Removes the Service of the app `name`.
    pub(crate) fn remove(&self, name: &str) -> Result<(), ApiError> {
        let by = WriteOptions::by("bench");
        let (delete, namespace) = (Default::default(), Some(NAMESPACE));
        let deleted = self.registry.delete(&kinds::SERVICE, namespace, name, &delete, &by);
        let refused = |status| ApiError::Refused { name: name.to_owned(), status };
        deleted.map(|_| ()).map_err(refused)
    }

    /// The certificate called `name`.
    pub(crate) fn certify(&self, name: &str, pair: &Certificate) -> Result<(), ApiError> {
        self.create(&kinds::SECRET, secret(name, pair))
    }

    /// Another certificate in place of the one called `name`.
    pub(crate) fn renew(&self, name: &str, pair: &Certificate) -> Result<(), ApiError> {
        self.update(&kinds::SECRET, &format!("{name}-cert"), secret(name, pair))
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        drop(self.stop.take());
        // A panic there has been told already.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// An application that is served.
pub(crate) struct App<'a> {
    pub(crate) name: &'a str,
    /// Its domains, separated by commas.
    pub(crate) domains: String,
    /// Names of certificates by domain, as the annotation has it.
    pub(crate) certificates: Option<String>,
}

impl App<'_> {
    fn service(&self) -> Value {
        let mut annotations = json!({"router.fairlead.dev/domains": self.domains});
        if let Some(certificates) = &self.certificates {
            annotations["router.fairlead.dev/certificates"] = certificates.as_str().into();
        }
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {
                "name": self.name, "namespace": NAMESPACE,
                "labels": {"router.fairlead.dev/routable": "true"},
                "annotations": annotations,
            },
            "spec": {"ports": [{"name": "http", "port": 80}]},
        })
    }
}

fn slice(app: &str, endpoint: SocketAddr) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "name": format!("{app}-1"), "namespace": NAMESPACE,
            "labels": {"kubernetes.io/service-name": app},
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": endpoint.port()}],
        "endpoints": [{"addresses": [endpoint.ip()], "conditions": {"ready": true}}],
    })
}

fn secret(name: &str, pair: &Certificate) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": format!("{name}-cert"), "namespace": NAMESPACE},
        "data": {
            "tls.crt": BASE64_STANDARD.encode(&pair.chain),
            "tls.key": BASE64_STANDARD.encode(&pair.key),
        },
    })
}
