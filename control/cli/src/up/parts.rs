//! How the parts are set up for one machine.

use std::{
    net::{IpAddr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use fairlead_cluster::{Cluster, ClusterOptions, Selector, kinds};
use fairlead_router::{AccessFormat, Router, RouterOptions, Settings, StartError};
use fairlead_wire::Logds;
use kube::{Client, Config, config::AuthInfo};
use serde_json::Value;

use super::{
    args::{Part, UpArgs},
    error::UpError,
};

/// Nobody waits for a load balancer to notice here.
const DRAIN: Duration = Duration::from_secs(2);

/// A client of the embedded API with a token of its own, so that what it does shows as its own.
pub(crate) fn client(cluster: &Cluster, user: &str) -> Result<Client, UpError> {
    let url = cluster.url().parse().expect("made of a socket address");
    let mut config = Config::new(url);
    config.auth_info = AuthInfo { token: Some(cluster.mint(user).into()), ..AuthInfo::default() };
    // Watches are silent for as long as nothing happens.
    config.read_timeout = None;
    Client::try_from(config).map_err(|error| UpError::Client(error.into()))
}

/// The router, listening where `args` say. It logs requests to the logd of `sender` too, with the token
/// in that file.
pub(crate) fn router(
    args: &UpArgs,
    client: Client,
    sender: Option<(Logds, PathBuf)>,
) -> Result<Router, UpError> {
    let (logd, logd_token) = sender.unzip();
    let https = match args.https_port {
        // Redirects name the port, so it has to be known before the listener has it.
        0 => free_port(args.bind)?,
        port => port,
    };
    let defaults = RouterOptions::default();
    let options = RouterOptions {
        http: SocketAddr::new(args.bind, args.http_port),
        https: SocketAddr::new(args.bind, https),
        admin: SocketAddr::new(args.bind, args.admin_port),
        workers: args.workers.unwrap_or(defaults.workers),
        settings: Settings {
            public_http_port: if args.http_port == 0 { 80 } else { args.http_port },
            public_https_port: https,
            ..Settings::default()
        },
        access_log: if args.access_log { AccessFormat::Json } else { AccessFormat::Off },
        shutdown_delay: Duration::ZERO,
        drain_timeout: DRAIN,
        logd,
        logd_token,
        ..defaults
    };
    Router::start(options, client).map_err(|error| match error {
        StartError::Bind { flag, address, source } => {
            UpError::Port { address, source, flag: port_flag(flag) }
        }
        error => UpError::Router(error),
    })
}

/// The flag of `up` that stands for one of the router's own.
fn port_flag(flag: &str) -> &'static str {
    match flag {
        "--http" => "--http-port",
        "--https" => "--https-port",
        _ => "--admin-port",
    }
}

fn free_port(address: IpAddr) -> std::io::Result<u16> {
    Ok(TcpListener::bind((address, 0))?.local_addr()?.port())
}

/// How many pods are ready, and how many there are.
pub(crate) fn pods(cluster: &Cluster) -> (usize, usize) {
    let pods = cluster.registry().list(&kinds::POD, None, &Selector::default()).items;
    (pods.iter().filter(|pod| is_ready(pod)).count(), pods.len())
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

/// The cluster. Its pods run this very program where they name the demo's image, and are ended by it.
pub(crate) fn cluster(args: &UpArgs, state: &Path) -> Result<ClusterOptions, UpError> {
    let own = std::env::current_exe()?.to_string_lossy().into_owned();
    let mut options = ClusterOptions::default();
    options.state = Some(state.to_owned());
    options.supervisor = vec![own.clone(), "__supervise".to_owned()];
    options.images = [("fairlead/demo".to_owned(), vec![own, "demo".to_owned()])].into();
    options.act = args.only != Some(Part::Router);
    Ok(options)
}
