//! The command line: one flag for each option, and one environment variable for each flag.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use fairlead_wire::client::Endpoint;

use crate::options::{Logd, ShipperOptions};

/// Fairlead's node agent: tails the logs of a node's containers and sends them to logd.
///
/// The Kubernetes API is found as by kubectl: the service account of the pod, else the kubeconfig.
#[derive(Debug, Parser)]
#[command(name = "fairlead-shipper", version)]
pub struct Flags {
    /// Where lines are sent to: http://HOST:PORT
    #[arg(long, env = "FAIRLEAD_SHIPPER_LOGD", value_parser = logd, value_name = "URL")]
    logd: Logd,

    /// Name of the node: the pods on it are asked for [default: all pods]
    #[arg(
        long,
        env = "FAIRLEAD_SHIPPER_NODE",
        default_value = "",
        hide_default_value = true,
        value_name = "NAME"
    )]
    node: String,

    /// Directory with the logs of pods
    #[arg(
        long,
        env = "FAIRLEAD_SHIPPER_PODS",
        default_value = "/var/log/pods",
        value_name = "DIRECTORY"
    )]
    pods: PathBuf,

    /// Directory for the checkpoint; it has to outlive the process
    #[arg(
        long,
        env = "FAIRLEAD_SHIPPER_STATE",
        default_value = "/var/lib/fairlead/shipper",
        value_name = "DIRECTORY"
    )]
    state: PathBuf,

    /// Namespaces whose containers are not shipped, separated by commas; Fairlead's own is among
    /// them in the chart [default: none]
    #[arg(
        long,
        env = "FAIRLEAD_SHIPPER_EXCLUDE_NAMESPACES",
        value_delimiter = ',',
        value_name = "NAMES"
    )]
    exclude_namespaces: Vec<String>,

    /// Lines a second that a container may write, in bursts of ten seconds' worth; what is more is
    /// dropped and counted [default: no limit]
    #[arg(long, env = "FAIRLEAD_SHIPPER_RATE", value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    rate: Option<u32>,

    /// MiB of log files that are sent to a logd before it has reported them as stored
    #[arg(long, env = "FAIRLEAD_SHIPPER_WINDOW", default_value = "8", value_parser = clap::value_parser!(u64).range(1..=1024), value_name = "MIB")]
    window: u64,

    /// MiB of deleted log files that are kept open until they are read; what is more is given up and
    /// reported as a gap
    #[arg(long, env = "FAIRLEAD_SHIPPER_HELD", default_value = "256", value_parser = clap::value_parser!(u64).range(0..=1_048_576), value_name = "MIB")]
    held: u64,

    /// Where to serve health and metrics; port 0 lets the system choose
    #[arg(
        long,
        env = "FAIRLEAD_SHIPPER_ADMIN",
        default_value = "[::]:9091",
        value_name = "ADDRESS"
    )]
    admin: SocketAddr,

    /// Ask no Kubernetes API: apps are named like their pods
    #[arg(long, env = "FAIRLEAD_SHIPPER_NO_API", value_parser = clap::value_parser!(bool), default_value = "false", default_missing_value = "true", num_args = 0..=1, require_equals = true, value_name = "BOOL")]
    no_api: bool,

    /// What to tell on standard error: error, warn, info, debug or trace; also by module, as in
    /// info,fairlead_shipper=debug
    #[arg(long, env = "FAIRLEAD_SHIPPER_LOG", default_value = "info", value_name = "FILTER")]
    log: String,
}

impl Flags {
    /// What to tell on standard error, in the syntax of `tracing_subscriber::EnvFilter`.
    #[must_use]
    pub fn log(&self) -> &str {
        &self.log
    }

    /// Whether the Kubernetes API is asked.
    #[must_use]
    pub const fn asks_api(&self) -> bool {
        !self.no_api
    }

    /// What the flags say.
    #[must_use]
    pub fn options(self) -> ShipperOptions {
        ShipperOptions {
            pods: self.pods,
            state: self.state,
            node: self.node,
            logd: self.logd,
            excluded_namespaces: self.exclude_namespaces,
            rate: self.rate,
            window: self.window << 20,
            held: self.held << 20,
            admin: self.admin,
        }
    }
}

fn logd(text: &str) -> Result<Logd, String> {
    let url: http::Uri = text.parse().map_err(|error| format!("{error}"))?;
    if url.scheme_str() != Some("http") || url.port().is_none() {
        return Err("write http://HOST:PORT".to_owned());
    }
    Ok(Logd::At(Endpoint { url, tls: None, token: None }))
}
