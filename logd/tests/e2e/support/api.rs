//! A Kubernetes API, in which logds find each other and shippers find logds.

use std::net::SocketAddr;

use fairlead_cluster::{Cluster, ClusterOptions, DeleteOptions, WriteOptions, kinds, meta};
use fairlead_logd::Peers;
use fairlead_wire::{Members, members::Member};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::json;

/// logd's Service.
pub(crate) const SERVICE: &str = "service:fairlead/logd";
/// The node of all pods.
pub(crate) const NODE: &str = "node-1";

/// One that only stores objects.
pub(crate) struct Api {
    pub(crate) cluster: Cluster,
}

impl Api {
    pub(crate) async fn start() -> Self {
        let mut options = ClusterOptions::default();
        options.act = false;
        let api = Self { cluster: Cluster::start(options).await.unwrap() };
        for name in ["fairlead", "shop", "bank"] {
            let namespace = json!({"metadata": {"name": name}});
            let by = WriteOptions::by("test");
            api.cluster.registry().create(&kinds::NAMESPACE, None, namespace, &by).unwrap();
        }
        api
    }

    pub(crate) fn kubeconfig(&self) -> String {
        self.cluster.kubeconfig(&self.cluster.mint("test"))
    }

    pub(crate) async fn client(&self) -> Client {
        let config = Kubeconfig::from_yaml(&self.kubeconfig()).unwrap();
        let options = KubeConfigOptions::default();
        Client::try_from(Config::from_custom_kubeconfig(config, &options).await.unwrap()).unwrap()
    }

    /// The logds of the Service, as the one of this name sees them.
    pub(crate) async fn peers(&self, own: &str) -> Peers {
        Peers::follow(SERVICE.parse().unwrap(), own.to_owned(), self.client().await)
    }

    /// A ready endpoint of the Service.
    pub(crate) fn endpoint(&self, name: &str, http: SocketAddr, wire: SocketAddr) {
        let slice = json!({
            "metadata": {"name": name, "labels": {"kubernetes.io/service-name": "logd"}},
            "addressType": "IPv4",
            "ports": [
                {"name": "http", "port": http.port()},
                {"name": "wire", "port": wire.port()},
            ],
            "endpoints": [{
                "addresses": [http.ip().to_string()],
                "conditions": {"ready": true},
                "targetRef": {"kind": "Pod", "namespace": "fairlead", "name": name},
            }],
        });
        let by = WriteOptions::by("test");
        let registry = self.cluster.registry();
        registry.create(&kinds::ENDPOINT_SLICE, Some("fairlead"), slice, &by).unwrap();
    }

    /// It is gone.
    pub(crate) fn no_endpoint(&self, name: &str) {
        let (by, now) = (WriteOptions::by("test"), DeleteOptions::default());
        let registry = self.cluster.registry();
        registry.delete(&kinds::ENDPOINT_SLICE, Some("fairlead"), name, &now, &by).unwrap();
    }

    /// Creates a pod. Returns the name of its directory of logs.
    pub(crate) fn pod(&self, namespace: &str, name: &str, labels: serde_json::Value) -> String {
        let pod = json!({
            "metadata": {"name": name, "labels": labels},
            "spec": {"nodeName": NODE, "containers": [{"name": "web", "image": "web"}]},
        });
        let by = WriteOptions::by("test");
        let pod = self.cluster.registry().create(&kinds::POD, Some(namespace), pod, &by).unwrap();
        format!("{namespace}_{name}_{}", meta::uid(&pod))
    }
}

/// The name of one of so many logds.
pub(crate) fn logd_name(index: usize) -> String {
    format!("logd-{index}")
}

/// An app of `namespace` that belongs to the logd `owner` of so many.
pub(crate) fn app_of(namespace: &str, owner: usize, count: usize) -> String {
    let url = http::Uri::from_static("http://127.0.0.1:1");
    let member = |index| Member { name: logd_name(index), ..Member::at(url.clone()) };
    let members = Members::new((0..count).map(member).collect());
    let owner = logd_name(owner);
    let is_its = |app: &String| members.owner(app).is_some_and(|member| member.name == owner);
    (0..).map(|number| format!("{namespace}/app-{number}")).find(is_its).unwrap()
}
