//! The command line: one flag for each option, and one environment variable for each flag.

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::Parser;
use fairlead_wire::{
    Logds,
    tls::{self, Identity, TlsError},
};
use ipnet::IpNet;

use crate::{
    AppLimits, Auth, DrainOptions, Keys, KeysError, LogdOptions, PlatformDrain,
    read::query,
    syslog::{Rule, SyslogOptions, SyslogTls},
};

/// Fairlead's logger: keeps the newest log lines of every app in memory, to be read and followed.
///
/// Durations are a whole number with ms, s, m, h or d, such as 30s; sizes one with Ki, Mi or Gi.
#[derive(Debug, Parser)]
#[command(name = "fairlead-logd", version)]
pub struct Flags {
    /// Where logs are read; [::] takes IPv4 as well, port 0 lets the system choose
    #[arg(long, env = "FAIRLEAD_LOGD_HTTP", default_value = "[::]:8088", value_name = "ADDRESS")]
    http: SocketAddr,

    /// Where senders connect
    #[arg(long, env = "FAIRLEAD_LOGD_WIRE", default_value = "[::]:8089", value_name = "ADDRESS")]
    wire: SocketAddr,

    /// File with the certificate that senders are shown, PEM; without one they are served in plain
    #[arg(long, env = "FAIRLEAD_LOGD_WIRE_CERT", requires = "wire_key", value_name = "FILE")]
    wire_cert: Option<PathBuf>,

    /// File with its key, PEM
    #[arg(long, env = "FAIRLEAD_LOGD_WIRE_KEY", requires = "wire_cert", value_name = "FILE")]
    wire_key: Option<PathBuf>,

    /// File with the authorities, PEM, whose certificates let senders in without a token
    #[arg(long, env = "FAIRLEAD_LOGD_WIRE_CLIENT_CA", requires = "wire_cert", value_name = "FILE")]
    wire_client_ca: Option<PathBuf>,

    /// File with the keys that sign tokens: a line `ID SECRET` each, two at most
    #[arg(
        long,
        env = "FAIRLEAD_LOGD_TOKEN_KEYS",
        required_unless_present = "no_auth",
        conflicts_with = "no_auth",
        value_name = "FILE"
    )]
    token_keys: Option<PathBuf>,

    /// Ask nobody for a token; all addresses have to be loopback ones
    #[arg(long, env = "FAIRLEAD_LOGD_NO_AUTH")]
    no_auth: bool,

    /// logd's own Service, service:NAMESPACE/NAME, where there are several: what is asked of an app
    /// that another of its ready endpoints has is asked there [default: this logd has all apps]
    #[arg(long, env = "FAIRLEAD_LOGD_PEERS", conflicts_with_all = ["syslog", "syslog_tls"], value_parser = service, value_name = "SERVICE")]
    peers: Option<Logds>,

    /// What this logd is called among them: the name of its pod, or its address where the endpoints
    /// name no pods [default: POD_NAME, else the name of the host]
    #[arg(long, env = "FAIRLEAD_LOGD_NAME", requires = "peers", value_name = "NAME")]
    name: Option<String>,

    /// Threads that write logs [default: one per core that the process may use]
    #[arg(long, env = "FAIRLEAD_LOGD_SHARDS", value_name = "N")]
    shards: Option<NonZeroUsize>,

    /// Memory for the logs of all apps; where it is short, the app that holds the most gives back
    /// first
    #[arg(long, env = "FAIRLEAD_LOGD_MEMORY", default_value = "256Mi", value_parser = size, value_name = "SIZE")]
    memory: u64,

    /// What an app may hold where its pods do not say: bytes of its lines
    #[arg(long, env = "FAIRLEAD_LOGD_APP_BYTES", default_value = "16Mi", value_parser = size, value_name = "SIZE")]
    app_bytes: u64,

    /// Lines that an app may hold [default: not limited, or NUMBER_OF_LINES where it is set]
    #[arg(long, env = "FAIRLEAD_LOGD_APP_LINES", value_name = "N")]
    app_lines: Option<u64>,

    /// How old an app's lines may be
    #[arg(long, env = "FAIRLEAD_LOGD_APP_AGE", default_value = "7d", value_parser = duration, value_name = "DURATION")]
    app_age: Duration,

    /// Where syslog comes by UDP and TCP, such as [::]:1514 [default: not taken]
    #[arg(long, env = "FAIRLEAD_LOGD_SYSLOG", requires = "syslog_apps", value_name = "ADDRESS")]
    syslog: Option<SocketAddr>,

    /// Where syslog comes by TLS, such as [::]:6514 [default: not taken]
    #[arg(
        long,
        env = "FAIRLEAD_LOGD_SYSLOG_TLS",
        requires_all = ["syslog_apps", "syslog_cert"],
        value_name = "ADDRESS"
    )]
    syslog_tls: Option<SocketAddr>,

    /// File with the certificate that its senders are shown, PEM
    #[arg(long, env = "FAIRLEAD_LOGD_SYSLOG_CERT", requires_all = ["syslog_tls", "syslog_key"], value_name = "FILE")]
    syslog_cert: Option<PathBuf>,

    /// File with its key, PEM
    #[arg(long, env = "FAIRLEAD_LOGD_SYSLOG_KEY", requires = "syslog_cert", value_name = "FILE")]
    syslog_key: Option<PathBuf>,

    /// File with the authorities, PEM, of which senders have to show a certificate
    #[arg(
        long,
        env = "FAIRLEAD_LOGD_SYSLOG_CLIENT_CA",
        requires = "syslog_cert",
        value_name = "FILE"
    )]
    syslog_client_ca: Option<PathBuf>,

    /// Whose messages are: HOSTNAME=NAMESPACE/APP or HOSTNAME/APP-NAME=NAMESPACE/APP, `*` for any
    /// host. Given several times, or separated by commas; the first that fits says, and messages
    /// that none fits are dropped
    #[arg(
        long = "syslog-app",
        env = "FAIRLEAD_LOGD_SYSLOG_APP",
        value_delimiter = ',',
        value_name = "RULE"
    )]
    syslog_apps: Vec<Rule>,

    /// Where lines of all apps are sent on to, as a drain's URL. Given several times, or separated by
    /// commas; one that has secrets is better declared by a Secret
    #[arg(
        long = "drain",
        env = "FAIRLEAD_LOGD_DRAIN",
        value_delimiter = ',',
        hide_env_values = true,
        value_name = "URL"
    )]
    drains: Vec<String>,

    /// logd's own namespace: Secrets in it that are labelled fairlead.dev/drain=true declare drains
    /// for any app, or for all [default: POD_NAMESPACE; without one no Secret is read]
    #[arg(long, env = "FAIRLEAD_LOGD_NAMESPACE", value_name = "NAMESPACE")]
    namespace: Option<String>,

    /// Namespaces whose Secrets declare drains for their own apps. Given several times, or separated
    /// by commas
    #[arg(
        long,
        env = "FAIRLEAD_LOGD_DRAIN_NAMESPACES",
        value_delimiter = ',',
        value_name = "NAMESPACE"
    )]
    drain_namespaces: Vec<String>,

    /// The cluster's networks, of pods, Services and nodes, where drains of --drain-namespaces may not
    /// lead, as those that are not of the Internet. Given several times, or separated by commas
    #[arg(
        long = "cluster-cidr",
        env = "FAIRLEAD_LOGD_CLUSTER_CIDR",
        value_delimiter = ',',
        value_name = "CIDR"
    )]
    cluster: Vec<IpNet>,

    /// Networks where they may lead all the same
    #[arg(
        long = "drain-allow-cidr",
        env = "FAIRLEAD_LOGD_DRAIN_ALLOW_CIDR",
        value_delimiter = ',',
        value_name = "CIDR"
    )]
    allowed: Vec<IpNet>,

    /// On SIGTERM, how long drains have after --shutdown-delay to send what is there
    #[arg(long, env = "FAIRLEAD_LOGD_DRAIN_SHUTDOWN", default_value = "5s", value_parser = duration, value_name = "DURATION")]
    drain_shutdown: Duration,

    /// What to tell on standard error: error, warn, info, debug or trace; also by module, as in
    /// info,fairlead_logd=debug
    #[arg(long, env = "FAIRLEAD_LOGD_LOG", default_value = "info", value_name = "FILTER")]
    log: String,

    /// On SIGTERM, how long to go on after /readyz has failed
    #[arg(long, env = "FAIRLEAD_LOGD_SHUTDOWN_DELAY", default_value = "5s", value_parser = duration, value_name = "DURATION")]
    shutdown_delay: Duration,
}

/// Flags that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FlagsError {
    /// The keys cannot be read.
    #[error("--token-keys {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// They cannot be used.
    #[error("--token-keys {path}: {source}", path = path.display())]
    Keys {
        /// The file.
        path: PathBuf,
        /// Why.
        source: KeysError,
    },
    /// It does not know its own name.
    #[error("--peers: which of them this logd is has to be told with --name, POD_NAME or HOSTNAME")]
    Name,
    /// Senders cannot be served with TLS.
    #[error("--wire-cert, --wire-key, --wire-client-ca: {0}")]
    Tls(#[source] TlsError),
    /// Nor senders of syslog.
    #[error("--syslog-cert, --syslog-key, --syslog-client-ca: {0}")]
    SyslogTls(#[source] TlsError),
}

impl Flags {
    /// What to tell on standard error, in the syntax of `tracing_subscriber::EnvFilter`.
    #[must_use]
    pub fn log(&self) -> &str {
        &self.log
    }

    /// From the moment `/readyz` fails to the end.
    #[must_use]
    pub fn shutdown_delay(&self) -> Duration {
        self.shutdown_delay
    }

    /// logd's own Service and what this logd is called among its endpoints, where there are several.
    ///
    /// # Errors
    /// Where nothing says its name.
    pub fn peers(&self) -> Result<Option<(Logds, String)>, FlagsError> {
        let Some(service) = self.peers.clone() else { return Ok(None) };
        let name = self.name.clone().or_else(|| var("POD_NAME")).or_else(|| var("HOSTNAME"));
        Ok(Some((service, name.ok_or(FlagsError::Name)?)))
    }

    /// What the flags say, but for [`LogdOptions::peers`] and [`DrainOptions::client`]. `lines` is the number that Deis's logger took from `NUMBER_OF_LINES`.
    ///
    /// # Errors
    /// Where a file cannot be read or used.
    pub fn options(self, lines: Option<u64>) -> Result<LogdOptions, FlagsError> {
        let auth = match self.token_keys {
            Some(path) => Auth::Tokens(keys(path)?),
            None => Auth::Off,
        };
        let wire_tls = match (self.wire_cert, self.wire_key) {
            (Some(certificate), Some(key)) => {
                let identity = Identity { certificate, key };
                let trusted = self.wire_client_ca.as_deref();
                Some(tls::server_config(&identity, trusted).map_err(FlagsError::Tls)?)
            }
            _ => None,
        };
        let syslog_tls = match (self.syslog_tls, self.syslog_cert, self.syslog_key) {
            (Some(address), Some(certificate), Some(key)) => {
                let identity = Identity { certificate, key };
                let trusted = self.syslog_client_ca.as_deref();
                let config =
                    tls::server_config(&identity, trusted).map_err(FlagsError::SyslogTls)?;
                Some(SyslogTls { address, config, certificates: trusted.is_some() })
            }
            _ => None,
        };
        let default = LogdOptions::new(Auth::Off);
        Ok(LogdOptions {
            http: self.http,
            wire: self.wire,
            wire_tls,
            auth,
            peers: None,
            shards: self.shards.unwrap_or(default.shards),
            memory: usize::try_from(self.memory).unwrap_or(usize::MAX),
            limits: AppLimits {
                bytes: self.app_bytes,
                lines: self.app_lines.or(lines).unwrap_or(default.limits.lines),
                age: self.app_age,
            },
            syslog: SyslogOptions { plain: self.syslog, tls: syslog_tls, rules: self.syslog_apps },
            drains: DrainOptions {
                namespace: self.namespace.or_else(|| var("POD_NAMESPACE")),
                namespaces: self.drain_namespaces,
                platform: (1..).zip(self.drains).map(numbered).collect(),
                cluster: self.cluster,
                allowed: self.allowed,
                shutdown: self.drain_shutdown,
                ..DrainOptions::default()
            },
        })
    }
}

fn var(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn numbered((number, url): (usize, String)) -> PlatformDrain {
    PlatformDrain { name: number.to_string(), url }
}

fn keys(path: PathBuf) -> Result<Keys, FlagsError> {
    match std::fs::read_to_string(&path) {
        Ok(text) => Keys::parse(&text).map_err(|source| FlagsError::Keys { path, source }),
        Err(source) => Err(FlagsError::Read { path, source }),
    }
}

fn service(text: &str) -> Result<Logds, String> {
    match text.parse::<Logds>() {
        Ok(service @ Logds::Service { .. }) => Ok(service),
        _ => Err("write service:NAMESPACE/NAME".to_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    query::duration(text).ok_or("write a whole number with ms, s, m, h or d, such as 30s")
}

fn size(text: &str) -> Result<u64, &'static str> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit {
        "" => 0,
        "Ki" => 10,
        "Mi" => 20,
        "Gi" => 30,
        _ => return Err("write a number of bytes, or one with Ki, Mi or Gi, such as 256Mi"),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(1 << shift))
        .filter(|size| *size > 0)
        .ok_or("write a number of bytes, or one with Ki, Mi or Gi, such as 256Mi")
}

#[cfg(test)]
mod tests;
