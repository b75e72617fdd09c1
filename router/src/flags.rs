//! The command line: one flag for each option, and one environment variable for each flag.

mod settings;

use std::{
    net::{Ipv6Addr, SocketAddr},
    num::NonZeroUsize,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use clap::Parser;
use fairlead_router_core::{Key, PlatformCertificate, Settings, StreamSpec, dialect::value};
use fairlead_wire::Logds;

use self::settings::SettingFlags;
use crate::{AccessFormat, AccessOutput, RouterOptions, SettingsSource};

/// Fairlead's edge router: watches the Kubernetes API and serves HTTP for annotated Services.
///
/// Durations are a whole number with ms, s, m, h or d, such as 30s. The Kubernetes API is found
/// as by kubectl: the service account of the pod, else the kubeconfig.
#[derive(Debug, Parser)]
#[command(name = "fairlead-router", version)]
pub struct Flags {
    /// Where to serve HTTP; [::] takes IPv4 as well, port 0 lets the system choose
    #[arg(long, env = "FAIRLEAD_ROUTER_HTTP", default_value = "[::]:8080", value_name = "ADDRESS")]
    http: SocketAddr,

    /// Where to serve HTTPS
    #[arg(
        long,
        env = "FAIRLEAD_ROUTER_HTTPS",
        default_value = "[::]:8443",
        value_name = "ADDRESS"
    )]
    https: SocketAddr,

    /// Where to serve health, metrics and status; not meant for the public
    #[arg(
        long,
        env = "FAIRLEAD_ROUTER_ADMIN",
        default_value = "[::]:9090",
        value_name = "ADDRESS"
    )]
    admin: SocketAddr,

    /// Threads that serve requests [default: one per core that the process may use]
    #[arg(long, env = "FAIRLEAD_ROUTER_WORKERS", value_name = "N")]
    workers: Option<NonZeroUsize>,

    /// Namespaces to watch, separated by commas [default: all]
    #[arg(
        long,
        env = "FAIRLEAD_ROUTER_NAMESPACES",
        value_delimiter = ',',
        value_parser = namespace,
        value_name = "NAMES"
    )]
    namespaces: Vec<String>,

    /// Object whose annotations are settings too, as KIND/NAMESPACE/NAME, such as
    /// deployment/deis/deis-router; none for none [default: the workload that owns this pod]
    #[arg(long, env = "FAIRLEAD_ROUTER_SETTINGS", value_parser = settings_object, value_name = "OBJECT")]
    settings: Option<SettingsFlag>,

    #[command(flatten)]
    setting: SettingFlags,

    /// Port that leads to a Service byte by byte, as PORT=NAMESPACE/NAME:PORT or with ADDRESS:PORT in
    /// front; several are separated by commas [default: none]
    #[arg(
        long,
        env = "FAIRLEAD_ROUTER_TCP",
        value_delimiter = ',',
        value_parser = stream,
        value_name = "STREAM"
    )]
    tcp: Vec<StreamSpec>,

    /// Service of a git builder that port 2222 leads to, as NAMESPACE/NAME; none for none
    /// [default: deis-builder in the namespace of the settings, if there is one]
    #[arg(long, env = "FAIRLEAD_ROUTER_BUILDER", value_parser = builder, value_name = "SERVICE")]
    builder: Option<BuilderFlag>,

    /// Secret with the platform certificate, as NAMESPACE/NAME, in a namespace that is watched
    /// [default: deis-router-platform-cert in the namespace of the settings, if there is one]
    #[arg(long, env = "FAIRLEAD_ROUTER_PLATFORM_CERTIFICATE", value_parser = object_name, value_name = "SECRET")]
    platform_certificate: Option<Key>,

    /// Limit for the head of a request, from its first byte
    #[arg(long, env = "FAIRLEAD_ROUTER_HEAD_TIMEOUT", default_value = "10s", value_parser = duration, value_name = "DURATION")]
    head_timeout: Duration,

    /// Limit for a TLS handshake
    #[arg(long, env = "FAIRLEAD_ROUTER_HANDSHAKE_TIMEOUT", default_value = "10s", value_parser = duration, value_name = "DURATION")]
    handshake_timeout: Duration,

    /// Connections open at a time
    #[arg(
        long,
        env = "FAIRLEAD_ROUTER_MAX_CONNECTIONS",
        default_value = "65536",
        value_name = "N"
    )]
    max_connections: NonZeroUsize,

    /// Connections open at a time from one IPv4 address or IPv6 /64
    #[arg(
        long,
        env = "FAIRLEAD_ROUTER_MAX_CONNECTIONS_PER_CLIENT",
        default_value = "16384",
        value_name = "N"
    )]
    max_connections_per_client: NonZeroUsize,

    /// A line on standard output for each request: json, deis (its 14 fields) or off
    #[arg(long, env = "FAIRLEAD_ROUTER_ACCESS_LOG", default_value = "json", value_name = "FORMAT")]
    access_log: AccessFormat,

    /// Where to log each request in its app's own log too, as the process router: http://HOST:PORT,
    /// https://HOST:PORT or service:NAMESPACE/NAME [default: nowhere]
    #[arg(long, env = "FAIRLEAD_ROUTER_LOGD", value_name = "LOGD")]
    logd: Option<Logds>,

    /// File with the token of role ingest that logd asks for; read for each connection
    /// [default: none]
    #[arg(long, env = "FAIRLEAD_ROUTER_LOGD_TOKEN_FILE", value_name = "FILE")]
    logd_token_file: Option<PathBuf>,

    /// File with the certificates, in PEM, of authorities that may sign logd's; for https. All
    /// endpoints of a Service are spoken to by TLS then, and theirs has to be for NAME.NAMESPACE.svc
    /// [default: none]
    #[arg(long, env = "FAIRLEAD_ROUTER_LOGD_CA", requires = "logd", value_name = "FILE")]
    logd_ca: Option<PathBuf>,

    /// What to tell on standard error: error, warn, info, debug or trace; also by module, as in
    /// info,fairlead_router=debug
    #[arg(long, env = "FAIRLEAD_ROUTER_LOG", default_value = "info", value_name = "FILTER")]
    log: String,

    /// How many apps, the busiest, have metrics of their own; the others are app="_other"
    #[arg(long, env = "FAIRLEAD_ROUTER_METRICS_APPS", default_value = "2000", value_name = "N")]
    metrics_apps: usize,

    /// On SIGTERM, how long to go on accepting connections after /readyz has failed
    #[arg(long, env = "FAIRLEAD_ROUTER_SHUTDOWN_DELAY", default_value = "5s", value_parser = duration_or_zero, value_name = "DURATION")]
    shutdown_delay: Duration,

    /// After that, how long requests and WebSockets may take to end
    #[arg(long, env = "FAIRLEAD_ROUTER_DRAIN_TIMEOUT", default_value = "30s", value_parser = duration_or_zero, value_name = "DURATION")]
    drain_timeout: Duration,
}

impl Flags {
    /// What to tell on standard error, in the syntax of `tracing_subscriber::EnvFilter`.
    pub fn log(&self) -> &str {
        &self.log
    }

    /// What the flags say.
    pub fn options(self) -> RouterOptions {
        let default = RouterOptions::default();
        let settings_from = match self.settings {
            Some(SettingsFlag(source)) => source,
            None => own_pod().map(SettingsSource::OwnerOf),
        };
        let home = home(settings_from.as_ref(), &self.namespaces);
        let certificate = match self.platform_certificate {
            Some(secret) => Some(PlatformCertificate { secret, optional: false }),
            None => home.clone().map(|namespace| PlatformCertificate {
                secret: Key::new(namespace, "deis-router-platform-cert"),
                optional: true,
            }),
        };
        let builder = match self.builder {
            Some(BuilderFlag(builder)) => builder,
            None => home.map(|namespace| Key::new(namespace, "deis-builder")),
        };
        let builder = builder.map(|service| StreamSpec {
            address: (Ipv6Addr::UNSPECIFIED, BUILDER_PORT).into(),
            service,
            port: BUILDER_PORT,
        });
        let streams = builder.into_iter().chain(self.tcp).collect();
        RouterOptions {
            http: self.http,
            https: self.https,
            admin: self.admin,
            workers: self.workers.unwrap_or(default.workers),
            namespaces: self.namespaces,
            settings: Settings { platform_certificate: certificate, streams, ..self.setting.0 },
            settings_from,
            head_timeout: self.head_timeout,
            handshake_timeout: self.handshake_timeout,
            max_connections: self.max_connections,
            max_connections_per_client: self.max_connections_per_client,
            access_log: self.access_log,
            access_output: AccessOutput::Stdout,
            logd: self.logd,
            logd_token: self.logd_token_file,
            logd_ca: self.logd_ca,
            metrics_apps: self.metrics_apps,
            shutdown_delay: self.shutdown_delay,
            drain_timeout: self.drain_timeout,
        }
    }
}

pub(crate) fn duration(text: &str) -> Result<Duration, value::ValueError> {
    value::duration(text)
}

fn duration_or_zero(text: &str) -> Result<Duration, value::ValueError> {
    if matches!(text.trim(), "0" | "0s") { Ok(Duration::ZERO) } else { value::duration(text) }
}

fn namespace(text: &str) -> Result<String, &'static str> {
    let name = text.trim();
    let valid = (1..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if valid { Ok(name.to_owned()) } else { Err("write names of namespaces, such as shop,blog") }
}

/// What `--settings` says.
#[derive(Clone, Debug)]
struct SettingsFlag(Option<SettingsSource>);

fn settings_object(text: &str) -> Result<SettingsFlag, &'static str> {
    if text.trim() == "none" {
        return Ok(SettingsFlag(None));
    }
    let parts: Vec<_> = text.trim().split('/').collect();
    let [kind, namespace, name] = parts[..] else {
        return Err("write it as KIND/NAMESPACE/NAME, such as deployment/deis/deis-router");
    };
    let kind = SettingsSource::KINDS
        .into_iter()
        .find(|known| known.to_string().eq_ignore_ascii_case(kind))
        .ok_or("the kind is Deployment, DaemonSet, StatefulSet or ConfigMap")?;
    Ok(SettingsFlag(Some(SettingsSource::Object(Key::new(namespace, name).of(kind)))))
}

/// The namespace of the settings, if it is watched: there Deis's router has what else it needs.
fn home(settings: Option<&SettingsSource>, namespaces: &[String]) -> Option<Arc<str>> {
    let namespace = match settings? {
        SettingsSource::Object(object) => &object.key.namespace,
        SettingsSource::OwnerOf(pod) => &pod.namespace,
    };
    let watched = namespaces.is_empty() || namespaces.iter().any(|name| **name == **namespace);
    watched.then(|| namespace.clone())
}

/// The port of Deis's builder, here and there.
const BUILDER_PORT: u16 = 2222;

/// What `--builder` says.
#[derive(Clone, Debug)]
struct BuilderFlag(Option<Key>);

fn builder(text: &str) -> Result<BuilderFlag, &'static str> {
    if text.trim() == "none" {
        Ok(BuilderFlag(None))
    } else {
        object_name(text).map(|key| BuilderFlag(Some(key)))
    }
}

fn stream(text: &str) -> Result<StreamSpec, &'static str> {
    let wrong = "write it as PORT=NAMESPACE/NAME:PORT, such as 5432=db/postgres:5432";
    let (address, service) = text.trim().split_once('=').ok_or(wrong)?;
    let any = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let address = address.parse().map(any).or_else(|_| address.parse()).map_err(|_| wrong)?;
    let (service, port) = service.rsplit_once(':').ok_or(wrong)?;
    let port = port.parse().ok().filter(|port| *port > 0).ok_or(wrong)?;
    Ok(StreamSpec { address, service: object_name(service).map_err(|_| wrong)?, port })
}

fn object_name(text: &str) -> Result<Key, &'static str> {
    match text.trim().split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
            Ok(Key::new(namespace, name))
        }
        _ => Err("write it as NAMESPACE/NAME"),
    }
}

/// The pod that this process runs in, as Kubernetes tells it: `POD_NAMESPACE`, else the namespace of
/// the service account; `POD_NAME`, else the name of the host.
fn own_pod() -> Option<Key> {
    const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
    let var = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let namespace =
        var("POD_NAMESPACE").or_else(|| std::fs::read_to_string(SERVICE_ACCOUNT).ok())?;
    let name = var("POD_NAME").or_else(|| var("HOSTNAME"))?;
    Some(Key::new(namespace.trim(), name))
}

#[cfg(test)]
mod tests;
