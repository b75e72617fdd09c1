//! The Kubernetes objects that the log pipeline reads: the node's pods, and where logd is.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use fairlead_cluster::{
    Cluster, ClusterOptions, DeleteOptions, Kind, StartError, Status, WriteOptions, kinds,
};
use serde_json::{Value, json};

use super::truth::ContainerName;

/// The node that the pods run on.
pub const NODE: &str = "node-1";
/// Name and namespace of logd's Service.
pub const LOGD: &str = "fairlead-logd";
const NAMESPACE: &str = "fairlead";

/// A Kubernetes API that stores objects and acts on none.
#[derive(Debug)]
pub struct Api {
    cluster: Cluster,
    by: WriteOptions,
}

impl Api {
    /// Starts one.
    ///
    /// # Errors
    /// Where it cannot listen.
    pub async fn start() -> Result<Self, StartError> {
        let mut options = ClusterOptions::default();
        options.act = false;
        let cluster = Cluster::start(options).await?;
        Ok(Self { cluster, by: WriteOptions::by("fairlead-benches") })
    }

    /// Fault switches and more.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Writes a kubeconfig into a folder.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn kubeconfig(&self, folder: &Path) -> io::Result<PathBuf> {
        let path = folder.join("kubeconfig");
        let token = self.cluster.mint("shipper");
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)?;
        io::Write::write_all(&mut file, self.cluster.kubeconfig(&token).as_bytes())?;
        Ok(path)
    }

    /// Creates a pod with one container, `web`, of an app.
    ///
    /// # Errors
    /// Where there is such a pod.
    pub fn pod(&self, namespace: &str, pod: &str, app: &str) -> Result<ContainerName, Status> {
        let object = self.create(
            &kinds::POD,
            namespace,
            json!({
                "metadata": {"name": pod, "labels": {"fairlead.dev/app": app}},
                "spec": {
                    "nodeName": NODE,
                    "containers": [{"name": "web", "image": "web"}],
                },
            }),
        )?;
        Ok(ContainerName {
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
            uid: object["metadata"]["uid"].as_str().unwrap_or_default().to_owned(),
            container: "web".to_owned(),
        })
    }

    /// Deletes a pod at once.
    ///
    /// # Errors
    /// Where there is none.
    pub fn delete(&self, name: &ContainerName) -> Result<(), Status> {
        let registry = self.cluster.registry();
        let (kind, namespace) = (&kinds::POD, Some(name.namespace.as_str()));
        let options = DeleteOptions { grace: Some(0), ..DeleteOptions::default() };
        registry.delete(kind, namespace, &name.pod, &options, &self.by).map(drop)
    }

    /// Says where logds are: HTTP and wire, and whether each is ready. Returns the name of the Service
    /// as `service:NAMESPACE/NAME`.
    ///
    /// # Errors
    /// Where the API refuses it.
    pub fn logds(&self, logds: &[(SocketAddr, SocketAddr, bool)]) -> Result<String, Status> {
        let service = json!({
            "metadata": {"name": LOGD},
            "spec": {"clusterIP": "None", "ports": [
                {"name": "http", "port": 8088}, {"name": "wire", "port": 8089},
            ]},
        });
        self.put(&kinds::SERVICE, service)?;
        // Ports belong to a slice, so each logd has its own.
        for (number, (http, wire, ready)) in logds.iter().enumerate() {
            let slice = json!({
                "metadata": {
                    "name": format!("{LOGD}-{number}"),
                    "labels": {"kubernetes.io/service-name": LOGD},
                },
                "addressType": "IPv4",
                "endpoints": [{
                    "addresses": [http.ip().to_string()],
                    "conditions": {"ready": ready, "serving": ready, "terminating": false},
                    "targetRef": {
                        "kind": "Pod", "namespace": NAMESPACE, "name": format!("{LOGD}-{number}"),
                    },
                }],
                "ports": [
                    {"name": "http", "port": http.port(), "protocol": "TCP"},
                    {"name": "wire", "port": wire.port(), "protocol": "TCP"},
                ],
            });
            self.put(&kinds::ENDPOINT_SLICE, slice)?;
        }
        Ok(format!("service:{NAMESPACE}/{LOGD}"))
    }

    fn put(&self, kind: &'static Kind, object: Value) -> Result<(), Status> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let registry = self.cluster.registry();
        if registry.get(kind, Some(NAMESPACE), &name).is_err() {
            return self.create(kind, NAMESPACE, object).map(drop);
        }
        registry.update(kind, Some(NAMESPACE), &name, None, object, &self.by).map(drop)
    }

    fn create(
        &self,
        kind: &'static Kind,
        namespace: &str,
        object: Value,
    ) -> Result<std::sync::Arc<Value>, Status> {
        let registry = self.cluster.registry();
        let space = json!({"metadata": {"name": namespace}});
        if registry.get(&kinds::NAMESPACE, None, namespace).is_err() {
            registry.create(&kinds::NAMESPACE, None, space, &self.by)?;
        }
        registry.create(kind, Some(namespace), object, &self.by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn objects_are_what_a_real_server_takes() {
        let api = Api::start().await.unwrap();
        let pod = api.pod("shop", "web-1", "web").unwrap();
        assert_eq!(pod.uid.len(), 36);
        let at = "127.0.0.1:1".parse().unwrap();
        for ready in [true, false] {
            assert_eq!(api.logds(&[(at, at, ready)]).unwrap(), "service:fairlead/fairlead-logd");
        }
        let slice = api.cluster().registry().get(
            &kinds::ENDPOINT_SLICE,
            Some(NAMESPACE),
            "fairlead-logd-0",
        );
        assert_eq!(slice.unwrap()["endpoints"][0]["conditions"]["ready"], false);
        api.delete(&pod).unwrap();
        api.pod("shop", "web-1", "web").unwrap();
    }
}
