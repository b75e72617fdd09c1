//! A Kubernetes API with pods.

use std::collections::BTreeMap;

use fairlead_cluster::{
    Cluster, ClusterOptions, DeleteOptions, Subresource, WriteOptions, kinds, meta,
};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};

/// The node of all pods.
pub(crate) const NODE: &str = "local";

/// An API.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) cluster: Cluster,
}

impl Api {
    /// One that only stores objects.
    pub(crate) async fn start() -> Self {
        let mut options = ClusterOptions::default();
        options.act = false;
        Self::with(options).await
    }

    pub(crate) async fn with(options: ClusterOptions) -> Self {
        let cluster = Cluster::start(options).await.unwrap();
        let by = WriteOptions::by("test");
        let shop = json!({"metadata": {"name": "shop"}});
        cluster.registry().create(&kinds::NAMESPACE, None, shop, &by).unwrap();
        Self { cluster }
    }

    /// A client for the shipper.
    pub(crate) async fn client(&self) -> Client {
        let config = self.cluster.kubeconfig(&self.cluster.mint("shipper"));
        let config = Kubeconfig::from_yaml(&config).unwrap();
        let options = KubeConfigOptions::default();
        Client::try_from(Config::from_custom_kubeconfig(config, &options).await.unwrap()).unwrap()
    }

    /// Creates a pod in `shop` with a container `web`. Returns its directory.
    pub(crate) fn pod(&self, name: &str, metadata: Value) -> String {
        let mut pod = json!({
            "metadata": {"name": name},
            "spec": {"nodeName": NODE, "containers": [{"name": "web", "image": "web"}]},
        });
        let own = pod["metadata"].as_object_mut().unwrap();
        own.extend(metadata.as_object().unwrap().clone());
        let by = WriteOptions::by("test");
        let pod = self.cluster.registry().create(&kinds::POD, Some("shop"), pod, &by).unwrap();
        format!("shop_{name}_{}", meta::uid(&pod))
    }

    fn edit(&self, name: &str, part: Option<Subresource>, edit: impl FnOnce(&mut Value)) {
        let edit = |pod: &mut Value| {
            edit(pod);
            Ok(())
        };
        let by = WriteOptions::by("test");
        self.cluster.registry().modify(&kinds::POD, Some("shop"), name, part, &by, edit).unwrap();
    }

    /// Sets the annotations of a pod.
    pub(crate) fn annotate(&self, name: &str, annotations: &BTreeMap<&str, &str>) {
        self.edit(name, None, |pod| pod["metadata"]["annotations"] = json!(annotations));
    }

    /// Sets the status of a pod.
    pub(crate) fn report(&self, name: &str, status: Value) {
        self.edit(name, Some(Subresource::Status), |pod| pod["status"] = status);
    }

    /// Removes a pod at once.
    pub(crate) fn delete(&self, name: &str) {
        let by = WriteOptions::by("test");
        let at_once = DeleteOptions { grace: Some(0), ..DeleteOptions::default() };
        self.cluster.registry().delete(&kinds::POD, Some("shop"), name, &at_once, &by).unwrap();
    }

    /// A ready endpoint of the Service `shop/logd`, on this machine.
    pub(crate) fn endpoint(&self, name: &str, port: u16) {
        let slice = json!({
            "metadata": {"name": name, "labels": {"kubernetes.io/service-name": "logd"}},
            "addressType": "IPv4",
            "ports": [{"name": "wire", "port": port}],
            "endpoints": [{
                "addresses": ["127.0.0.1"],
                "conditions": {"ready": true},
                "targetRef": {"kind": "Pod", "namespace": "shop", "name": name},
            }],
        });
        let by = WriteOptions::by("test");
        let registry = self.cluster.registry();
        registry.create(&kinds::ENDPOINT_SLICE, Some("shop"), slice, &by).unwrap();
    }

    /// It is gone.
    pub(crate) fn no_endpoint(&self, name: &str) {
        let (by, now) = (WriteOptions::by("test"), DeleteOptions::default());
        let registry = self.cluster.registry();
        registry.delete(&kinds::ENDPOINT_SLICE, Some("shop"), name, &now, &by).unwrap();
    }
}
