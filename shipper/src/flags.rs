//! The command line: one flag for each option, and one environment variable for each flag.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use fairlead_wire::Logds;
use fairlead_wire::tls::{Identity, TlsError, client_config};

use crate::Clock;
use crate::options::{Credentials, ShipperOptions, Token};

/// Fairlead's node agent: tails the logs of a node's containers and sends them to logd.
///
/// The Kubernetes API is found as by kubectl: the service account of the pod, else the kubeconfig.
#[derive(Debug, Parser)]
#[command(name = "fairlead-shipper", version)]
pub struct Flags {
    /// Where lines are sent to: service:NAMESPACE/NAME, an app's to the endpoint that has it;
    /// or http://HOST:PORT or https://HOST:PORT
    #[arg(long, env = "FAIRLEAD_SHIPPER_LOGD", value_name = "LOGD")]
    logd: Logds,

    /// File with the token that logd is shown; it may be replaced at any time [default: none]
    #[arg(long, env = "FAIRLEAD_SHIPPER_LOGD_TOKEN_FILE", value_name = "FILE")]
    logd_token_file: Option<PathBuf>,

    /// File with the certificates, in PEM, that logd's has to be signed with; needed for https. The
    /// endpoints of a Service are spoken to by TLS then, and theirs has to be for NAME.NAMESPACE.svc
    /// [default: none]
    #[arg(long, env = "FAIRLEAD_SHIPPER_LOGD_CA", value_name = "FILE")]
    logd_ca: Option<PathBuf>,

    /// File with a certificate, in PEM, that logd is shown [default: none]
    #[arg(long, env = "FAIRLEAD_SHIPPER_LOGD_CERTIFICATE", requires_all = ["logd_ca", "logd_key"], value_name = "FILE")]
    logd_certificate: Option<PathBuf>,

    /// File with its key [default: none]
    #[arg(
        long,
        env = "FAIRLEAD_SHIPPER_LOGD_KEY",
        requires = "logd_certificate",
        value_name = "FILE"
    )]
    logd_key: Option<PathBuf>,

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

    /// How long lines wait for what the API knows of their pod; then their app is named like the pod
    #[arg(long, env = "FAIRLEAD_SHIPPER_POD_WAIT", default_value = "30s", value_parser = duration, value_name = "DURATION")]
    pod_wait: Duration,

    /// Namespaces whose containers are not shipped, separated by commas, beside Fairlead's own
    /// [default: none]
    #[arg(
        long,
        env = "FAIRLEAD_SHIPPER_EXCLUDE_NAMESPACES",
        value_delimiter = ',',
        value_name = "NAMES"
    )]
    exclude_namespaces: Vec<String>,

    /// Ship the containers of Fairlead's own namespaces, too: that of POD_NAMESPACE or of the service
    /// account, and that of the Service in --logd
    #[arg(long, env = "FAIRLEAD_SHIPPER_SHIP_OWN_NAMESPACE", value_parser = clap::value_parser!(bool), default_value = "false", default_missing_value = "true", num_args = 0..=1, require_equals = true, value_name = "BOOL")]
    ship_own_namespace: bool,

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

    /// What the flags say, in a pod of the namespace `own` as [`own_namespace`] tells it.
    ///
    /// # Errors
    /// Where a file for TLS cannot be used.
    pub fn options(self, own: Option<String>) -> Result<ShipperOptions, TlsError> {
        let mut excluded_namespaces = self.exclude_namespaces;
        if !self.ship_own_namespace {
            excluded_namespaces.extend(own);
            if let Logds::Service { namespace, .. } = &self.logd {
                excluded_namespaces.push(namespace.clone());
            }
        }
        let identity = self.logd_certificate.zip(self.logd_key);
        let identity = identity.map(|(certificate, key)| Identity { certificate, key });
        let tls = self.logd_ca.map(|ca| client_config(&ca, identity.as_ref())).transpose()?;
        Ok(ShipperOptions {
            pods: self.pods,
            state: self.state,
            node: self.node,
            pod_wait: self.pod_wait,
            logd: self.logd,
            credentials: Credentials { token: self.logd_token_file.map(Token::File), tls },
            excluded_namespaces,
            rate: self.rate,
            window: self.window << 20,
            held: self.held << 20,
            clock: Clock::default(),
            admin: self.admin,
        })
    }
}

/// The namespace of the pod that this process runs in: `POD_NAMESPACE`, else that of its service
/// account; none outside of pods.
#[must_use]
pub fn own_namespace() -> Option<String> {
    const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
    let told = std::env::var("POD_NAMESPACE").ok().filter(|namespace| !namespace.is_empty());
    let namespace = told.or_else(|| std::fs::read_to_string(SERVICE_ACCOUNT).ok())?;
    Some(namespace.trim().to_owned())
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => 0,
    };
    let number = number.parse::<u64>().ok().and_then(|n| n.checked_mul(milliseconds));
    let number =
        number.filter(|n| *n > 0).ok_or("write a whole number with ms, s, m or h, such as 30s")?;
    Ok(Duration::from_millis(number))
}

#[cfg(test)]
mod tests;
