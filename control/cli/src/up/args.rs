//! The flags of `fairlead up`.

use std::{net::IpAddr, num::NonZeroUsize, path::PathBuf};

use clap::{Args, ValueEnum};

/// Runs a cluster, a router and a log pipeline in one process, on this machine.
#[derive(Args, Debug)]
pub(crate) struct UpArgs {
    /// Folder of manifests (*.yaml, *.yml, *.json) to load and follow.
    #[arg(long, env = "FAIRLEAD_MANIFESTS", default_value = "examples/hello")]
    pub(crate) manifests: PathBuf,
    /// Run only this part. `router`: no pods are run; EndpointSlices come from the
    /// manifests, and no logs are kept.
    #[arg(long, env = "FAIRLEAD_ONLY", value_enum)]
    pub(crate) only: Option<Part>,
    /// Address to listen on. Whoever reaches it reaches the applications.
    #[arg(long, env = "FAIRLEAD_BIND", default_value = "127.0.0.1")]
    pub(crate) bind: IpAddr,
    /// Port for http; 0 picks one.
    #[arg(long, env = "FAIRLEAD_HTTP_PORT", default_value_t = 8080)]
    pub(crate) http_port: u16,
    /// Port for https; 0 picks one.
    #[arg(long, env = "FAIRLEAD_HTTPS_PORT", default_value_t = 8443)]
    pub(crate) https_port: u16,
    /// Port of the router's admin endpoints; 0 picks one.
    #[arg(long, env = "FAIRLEAD_ADMIN_PORT", default_value_t = 9090)]
    pub(crate) admin_port: u16,
    /// Port where logs are read; 0 picks one.
    #[arg(long, env = "FAIRLEAD_LOGS_PORT", default_value_t = 8088)]
    pub(crate) logs_port: u16,
    /// Folder for the lock, the kubeconfig and the pods' files [default: $XDG_STATE_HOME/fairlead].
    #[arg(long, env = "FAIRLEAD_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Data-plane threads of the router [default: one per core].
    #[arg(long, env = "FAIRLEAD_WORKERS")]
    pub(crate) workers: Option<NonZeroUsize>,
    /// Write a JSON line per request to standard output.
    #[arg(long, env = "FAIRLEAD_ACCESS_LOG")]
    pub(crate) access_log: bool,
}

/// A part that can run by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// The router, with the Kubernetes API that feeds it and nothing else.
    Router,
}
