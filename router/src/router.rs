//! One router: its workers, its control thread, and its end.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    sync::Arc,
    time::{Duration, Instant},
};

use fairlead_router_core::{Diagnostic, Table};
use fairlead_router_engine::{AccessLog, Engine, EngineLimits, EngineMetrics, Shared};
use fairlead_router_listen::{ListenerSpec, Protocol, WorkerId, Workers, tls};
use fairlead_wire::{Source, source::Credentials, tls::client_config};
use kube::Client;
use tokio::sync::watch;

use crate::{
    RouterOptions, StartError, access_log,
    access_log::{Dropped, ToLogd},
    admin::Admin,
    control::{Control, Handle},
    edge::Edge,
    health::Health,
    metrics,
    publish::State,
    tls::Certificates,
    watch::Watches,
};

/// The name of the listener for HTTP.
pub const HTTP: &str = "http";
/// The name of the listener for HTTPS.
pub const HTTPS: &str = "https";

/// A running router. Several may run in one process. Dropping it ends it at once;
/// [`Router::shutdown`] ends it in peace.
pub struct Router {
    workers: Arc<Workers>,
    control: Handle,
    health: Arc<Health>,
    engine: Arc<EngineMetrics>,
    /// Dropped last, so that the last lines are written.
    access: Arc<dyn AccessLog>,
    addresses: [(&'static str, SocketAddr); 2],
    admin: SocketAddr,
    delay: Duration,
    deadline: Duration,
}

impl Router {
    /// Starts a router that reads its routes from the API behind `client`. It listens
    /// from here on, and answers 404 until it is [ready](Self::ready).
    ///
    /// `client` belongs to the runtime that it was made on, which has to go on running.
    ///
    /// # Errors
    /// When an address cannot be listened on or a thread cannot be started.
    pub fn start(mut options: RouterOptions, client: Client) -> Result<Self, StartError> {
        tls::install_default_provider();
        for address in [&mut options.http, &mut options.https, &mut options.admin] {
            *address = of_this_machine(*address);
        }
        let settings = options.settings();
        let state = Arc::new(State::new(&settings));
        let watches = Arc::new(Watches::new(
            &options.namespaces,
            options.settings_from.clone(),
            settings.platform_certificate.as_ref().map(|platform| platform.secret.clone()),
        ));
        let health = Arc::new(Health::new(state.clone(), watches.clone()));
        let certificates =
            Certificates::new(state.table.clone()).map_err(|e| StartError::Tls(e.into()))?;
        let tls = tls::Tls::new(Arc::new(certificates)).map_err(|e| StartError::Tls(e.into()))?;

        // Before the workers: a taken port is found before any request is accepted.
        let (listener, admin) = admin_listener(options.admin)?;
        let limits = options.limits(&settings);
        let workers = options.workers.get();
        let dropped = Arc::new(Dropped::default());
        let logd_tls = options.logd_ca.map(|ca| client_config(&ca, None)).transpose();
        let logd_tls = logd_tls.map_err(|error| StartError::LogdCa(error.into()))?;
        let to_logd = options.logd.map(|logds| ToLogd {
            source: Source::new(workers),
            logds,
            credentials: Credentials { token: options.logd_token, tls: logd_tls },
        });
        let source = to_logd.as_ref().map(|to_logd| to_logd.source.clone());
        let access = access_log::start(
            options.access_log,
            options.access_output,
            workers,
            dropped.clone(),
            source.clone(),
        )
        .map_err(|error| StartError::Thread("access-log", error))?;
        let engine = Arc::new(EngineMetrics::new(workers));
        let shared = Arc::new(Shared {
            table: state.table.clone(),
            access: access.clone(),
            metrics: engine.clone(),
            limits: EngineLimits::default(),
            started: Instant::now(),
        });
        let specs = vec![
            ListenerSpec { name: HTTP.into(), addr: options.http, protocol: Protocol::Http },
            ListenerSpec {
                name: HTTPS.into(),
                addr: options.https,
                protocol: Protocol::Https(tls.clone()),
            },
        ];
        let engines = move |worker: WorkerId| Engine::new(worker.0, shared.clone());
        let workers = fairlead_router_listen::start(workers, specs, limits.clone(), engines)?;
        let workers = Arc::new(workers);
        let streams = watch::Sender::default();
        let edge = Edge { workers: workers.clone(), tls, limits, streams };
        edge.configure(&settings);
        let addresses = [(HTTP, options.http), (HTTPS, options.https)]
            .map(|(name, asked)| (name, workers.addr(name).unwrap_or(asked)));

        let connections = workers.counters();
        let apps = options.metrics_apps;
        let sources = metrics::Sources {
            state,
            watches,
            engine: engine.clone(),
            connections,
            dropped,
            source,
            apps,
        };
        let registry = metrics::registry(sources);
        let started = Instant::now();
        let control = Control {
            client,
            edge,
            admin: Arc::new(Admin { health: health.clone(), registry, started }),
            listener,
            to_logd,
        };
        let control = control.start()?;
        let (delay, deadline) = (options.shutdown_delay, options.drain_timeout);
        Ok(Self { workers, control, health, engine, access, addresses, admin, delay, deadline })
    }

    /// The address of the listener [`HTTP`], [`HTTPS`] or a
    /// [TCP stream](fairlead_router_core::StreamSpec::name), with its real port.
    pub fn addr(&self, listener: &str) -> Option<SocketAddr> {
        let known = self.addresses.iter().find(|(name, _)| *name == listener);
        known.map(|(_, address)| *address).or_else(|| self.workers.addr(listener))
    }

    /// The address of the admin endpoints, with its real port.
    pub const fn admin_addr(&self) -> SocketAddr {
        self.admin
    }

    /// The table in use.
    pub fn table(&self) -> Arc<Table> {
        self.health.state.table.load_full()
    }

    /// What is wrong with objects as they are now, sorted.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        self.health.state.compiler.lock().diagnostics()
    }

    /// How many requests have been answered since the start; upgraded connections are left out.
    pub fn requests(&self) -> u64 {
        self.engine.snapshot().latency.iter().sum()
    }

    /// Waits until the first complete state is served.
    pub async fn ready(&self) {
        self.health.state.synced().await;
    }

    /// Ends the router: `/readyz` fails; after the shutdown delay no connection is accepted
    /// any more; requests and WebSockets get until the drain timeout. Changes are taken and
    /// the admin endpoints answer until then. Returns how many connections were cut.
    pub async fn shutdown(self) -> usize {
        self.health.stop();
        tokio::time::sleep(self.delay).await;
        let cut = self.workers.drain(self.deadline).await;
        drop(self.control);
        drop(self.workers);
        drop(self.access);
        cut
    }
}

/// `[::]` where the system has no IPv6 becomes `0.0.0.0`.
pub(crate) fn of_this_machine(address: SocketAddr) -> SocketAddr {
    let any = Ipv6Addr::UNSPECIFIED;
    if address.ip() == any && TcpListener::bind((any, 0)).is_err() {
        SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()))
    } else {
        address
    }
}

fn admin_listener(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let bind = || -> io::Result<_> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bind().map_err(|source| StartError::Bind { flag: "--admin", address, source })
}
