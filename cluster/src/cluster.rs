//! A whole cluster: registry, HTTP server, and what acts on the objects.

use std::io;
use std::net::SocketAddr;

use serde_json::json;

use crate::http::{Server, Tokens};
use crate::kinds;
use crate::registry::{Registry, WriteOptions};

/// Why a cluster could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The API's address could not be bound.
    #[error("cannot listen on 127.0.0.1 for the Kubernetes API: {0}")]
    Listen(#[from] io::Error),
}

/// What a cluster is made of.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ClusterOptions {}

/// A running cluster. Dropping it stops it.
#[derive(Debug)]
pub struct Cluster {
    registry: Registry,
    tokens: Tokens,
    server: Server,
}

impl Cluster {
    /// Starts a cluster: an empty one but for the namespaces that every cluster has.
    ///
    /// # Errors
    /// Where the API's address cannot be bound.
    pub async fn start(_options: ClusterOptions) -> Result<Self, StartError> {
        let registry = Registry::new();
        let options = WriteOptions::by("fairlead-cluster");
        for namespace in ["default", "kube-system", "kube-public", "kube-node-lease"] {
            let object = json!({ "metadata": { "name": namespace } });
            registry
                .create(&kinds::NAMESPACE, None, object, &options)
                .expect("valid names in an empty registry");
        }
        let tokens = Tokens::default();
        let server = Server::start(registry.clone(), tokens.clone()).await?;
        Ok(Self { registry, tokens, server })
    }

    /// The address of the API, on a loopback address.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// The URL of the API.
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

    /// Ends every watch, as a restarted API server would. For tests of clients.
    pub fn drop_watches(&self) {
        self.server.drop_watches();
    }

    /// A kubeconfig for kubectl, helm and kube-rs. Holds the token: write it with mode 0600.
    pub fn kubeconfig(&self, token: &str) -> String {
        format!(
            "apiVersion: v1\n\
             kind: Config\n\
             clusters:\n\
             - name: fairlead\n  cluster:\n    server: {}\n\
             users:\n\
             - name: fairlead\n  user:\n    token: {token}\n\
             contexts:\n\
             - name: fairlead\n  context:\n    cluster: fairlead\n    user: fairlead\n\
             current-context: fairlead\n",
            self.url(),
        )
    }

    /// Stops serving and ends every connection.
    pub async fn shutdown(self) {
        self.server.stop();
    }
}
