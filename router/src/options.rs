//! How a router is set up.

use std::{
    net::{Ipv6Addr, SocketAddr},
    num::NonZeroUsize,
    path::PathBuf,
    sync::Arc,
    thread,
    time::Duration,
};

use fairlead_router_core::Settings;
use fairlead_router_listen::Limits;
use fairlead_wire::Logds;

use crate::{
    access_log::{AccessFormat, AccessOutput},
    watch::SettingsSource,
};

/// How a router is set up; [`crate::Flags`] has the same for the command line.
#[derive(Debug)]
pub struct RouterOptions {
    /// Where HTTP is served. Port 0 lets the system choose. `[::]:8080`
    pub http: SocketAddr,
    /// Where HTTPS is served. `[::]:8443`
    pub https: SocketAddr,
    /// Where the admin endpoints are served. `[::]:9090`
    pub admin: SocketAddr,
    /// Threads that serve requests. One per core that the process may use.
    pub workers: NonZeroUsize,
    /// Namespaces to watch. Empty: all.
    pub namespaces: Vec<String>,
    /// Settings that concern all apps; the workers are counted by the option above.
    pub settings: Settings,
    /// The object whose annotations change these settings. None
    pub settings_from: Option<SettingsSource>,
    /// Limit for a request head. 10 s
    pub head_timeout: Duration,
    /// Limit for a TLS handshake. 10 s
    pub handshake_timeout: Duration,
    /// Connections open at a time. 65,536
    pub max_connections: NonZeroUsize,
    /// Connections open at a time from one client. 16,384
    pub max_connections_per_client: NonZeroUsize,
    /// How requests are logged. JSON
    pub access_log: AccessFormat,
    /// Where they are logged. Standard output
    pub access_output: AccessOutput,
    /// Where the apps' logs are: requests are logged there too, each in its app's. None
    pub logd: Option<Logds>,
    /// A file with the token that is shown there. None
    pub logd_token: Option<PathBuf>,
    /// A file with the authorities that may sign its certificate, for https. None
    pub logd_ca: Option<PathBuf>,
    /// How many apps, the busiest, have metrics of their own. 2,000
    pub metrics_apps: usize,
    /// From the moment `/readyz` fails to the moment the listeners close. 5 s
    pub shutdown_delay: Duration,
    /// From there to the moment remaining requests are cut off. 30 s
    pub drain_timeout: Duration,
}

impl Default for RouterOptions {
    fn default() -> Self {
        let any = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        let limits = Limits::default();
        let bound = |n| NonZeroUsize::new(n).unwrap_or(NonZeroUsize::MAX);
        Self {
            http: any(8080),
            https: any(8443),
            admin: any(9090),
            workers: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            namespaces: Vec::new(),
            settings: Settings::default(),
            settings_from: None,
            head_timeout: limits.head,
            handshake_timeout: limits.handshake,
            max_connections: bound(limits.max_connections),
            max_connections_per_client: bound(limits.max_connections_per_client),
            access_log: AccessFormat::default(),
            access_output: AccessOutput::Stdout,
            logd: None,
            logd_token: None,
            logd_ca: None,
            metrics_apps: 2_000,
            shutdown_delay: Duration::from_secs(5),
            drain_timeout: Duration::from_secs(30),
        }
    }
}

impl RouterOptions {
    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::new(Settings { workers: self.workers.get(), ..self.settings.clone() })
    }

    /// The bounds on connections under `settings`.
    pub(crate) fn limits(&self, settings: &Settings) -> Limits {
        Limits {
            handshake: self.handshake_timeout,
            head: self.head_timeout,
            idle: settings.idle_timeout,
            max_connections: self.max_connections.get(),
            max_connections_per_client: self.max_connections_per_client.get(),
            ..Limits::default()
        }
    }
}
