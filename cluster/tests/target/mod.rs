//! The API server that a test speaks to: the embedded one, or the one that `TEST_KUBECONFIG` names.
#![allow(dead_code, reason = "every test file uses a part of it")]

use std::time::Duration;

use fairlead_cluster::{Cluster, ClusterOptions};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, ResourceExt};
use serde_json::json;

use super::real::kubeconfig;

/// A server, and a namespace of its own for the test.
pub(crate) struct Target {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    /// `None`: the server is a real one.
    pub(crate) embedded: Option<Cluster>,
}

impl Target {
    /// A cluster of its own, in which nothing acts but on namespaces and definitions.
    pub(crate) async fn embedded() -> Self {
        let cluster = Cluster::start(ClusterOptions::default()).await.expect("a loopback port");
        let mut config = Config::new(cluster.url().parse().expect("a URL"));
        config.auth_info.token = Some(cluster.mint("tester").into());
        let client = Client::try_from(config).expect("a client");
        let namespace = namespace(&client).await;
        Self { client, namespace, embedded: Some(cluster) }
    }

    /// The real server; `None` where there is none, which is recorded.
    pub(crate) async fn real() -> Option<Self> {
        let file = kubeconfig()?;
        let kubeconfig = Kubeconfig::read_from(file).expect("a kubeconfig");
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
        let client = Client::try_from(config.expect("a configuration")).expect("a client");
        let namespace = namespace(&client).await;
        Some(Self { client, namespace, embedded: None })
    }

    /// Objects of a kind in the test's namespace.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Leaves nothing behind. A test that fails leaves its namespace, to be looked at.
    pub(crate) async fn end(self) {
        let namespaces: Api<Namespace> = Api::all(self.client);
        namespaces.delete(&self.namespace, &DeleteParams::default()).await.expect("deleted");
    }
}

async fn namespace(client: &Client) -> String {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace: Namespace =
        serde_json::from_value(json!({"metadata": {"generateName": "fairlead-test-"}}))
            .expect("a namespace");
    let params = PostParams::default();
    let created = namespaces.create(&params, &namespace);
    let created = tokio::time::timeout(Duration::from_secs(30), created);
    created.await.expect("in time").expect("created").name_any()
}

/// Tests that hold for the embedded server and for a real one.
macro_rules! on_both {
    ($($test:ident),+ $(,)?) => {
        mod embedded {
            $(#[tokio::test]
            async fn $test() {
                let target = super::target::Target::embedded().await;
                super::$test(&target).await;
                target.end().await;
            })+
        }
        mod on_a_real_server {
            $(#[tokio::test]
            async fn $test() {
                let Some(target) = super::target::Target::real().await else { return };
                super::$test(&target).await;
                target.end().await;
            })+
        }
    };
}
pub(crate) use on_both;
