//! A router: real listeners, workers and engines on a table compiled from objects.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use fairlead_router_core::{
    Change, Compiler, EndpointSlice, Key, Secret, Service, Settings,
    app::Counts,
    object::{ServicePort, SliceEndpoint},
};
use fairlead_router_engine::{
    AccessEntry, AccessLog, Engine, EngineLimits, EngineMetrics, Shared, Snapshot,
};
use fairlead_router_listen::{
    Limits, ListenerSpec, Protocol, Workers, start,
    tls::{Tls, install_default_provider},
};
use ipnet::IpNet;
use tokio::net::TcpStream;

use super::{Client, eventually, tls};

/// What differs from the defaults.
pub(crate) struct Setup {
    pub(crate) workers: usize,
    pub(crate) settings: Settings,
    pub(crate) limits: EngineLimits,
    pub(crate) edge: Limits,
    /// Who has to speak the PROXY protocol.
    pub(crate) proxies: Vec<IpNet>,
}

/// Longer than any test.
const NEVER: Duration = Duration::from_secs(24 * 3600);

impl Setup {
    /// Without the rules and bounds of the router, so that what is left is Pingora's. Its own are the
    /// list of 64 KiB, the 100 streams and what of an answer waits in them.
    pub(crate) fn bare() -> Self {
        let limits = EngineLimits {
            body_read: NEVER,
            body_grace: NEVER,
            body_write: NEVER,
            requests: u32::MAX,
            age: NEVER,
            h2_streams: 100,
            h2_header_list: 64 * 1024,
            h2_send_buffer: 400 * 1024,
            strict: false,
            ..EngineLimits::default()
        };
        let edge = Limits {
            handshake: NEVER,
            first_byte: NEVER,
            head: NEVER,
            head_bytes: usize::MAX,
            idle: NEVER,
            write: NEVER,
            max_connections: usize::MAX,
            max_connections_per_client: usize::MAX,
        };
        Self { limits, edge, ..Self::default() }
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            workers: 2,
            settings: Settings::default(),
            limits: EngineLimits::default(),
            edge: Limits::default(),
            proxies: Vec::new(),
        }
    }
}

pub(crate) struct Router {
    pub(crate) http: SocketAddr,
    pub(crate) https: SocketAddr,
    workers: Workers,
    compiler: Compiler,
    table: Arc<ArcSwap<fairlead_router_core::Table>>,
    metrics: Arc<EngineMetrics>,
    log: Arc<Log>,
}

/// An access entry, copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) app: Option<String>,
    pub(crate) pattern: Option<String>,
    pub(crate) client: IpAddr,
    pub(crate) scheme: &'static str,
    pub(crate) line: String,
    pub(crate) host: String,
    pub(crate) status: u16,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) referer: Option<String>,
    pub(crate) user_agent: Option<String>,
    pub(crate) upstream: Option<SocketAddr>,
    pub(crate) timed: bool,
    pub(crate) retries: u32,
}

#[derive(Default)]
struct Log(parking_lot::Mutex<Vec<Record>>);

impl AccessLog for Log {
    fn record(&self, _worker: usize, entry: &AccessEntry<'_>) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(entry.upstream_time.is_none_or(|time| time <= entry.request_time));
        self.0.lock().push(Record {
            app: entry.app.map(ToString::to_string),
            pattern: entry.host_pattern.map(ToString::to_string),
            client: entry.client,
            scheme: entry.scheme,
            line: format!("{} {} {:?}", entry.method, entry.target, entry.version),
            host: text(entry.host),
            status: entry.status,
            received: entry.received,
            sent: entry.sent,
            referer: entry.referer.map(text),
            user_agent: entry.user_agent.map(text),
            upstream: entry.upstream,
            timed: entry.upstream_time.is_some(),
            retries: entry.retries,
        });
    }
}

impl Router {
    /// A router with an empty table.
    pub(crate) fn start(setup: Setup) -> Self {
        install_default_provider();
        let settings = Arc::new(Settings { workers: setup.workers, ..setup.settings });
        let compiler = Compiler::new(settings.clone());
        let table = Arc::new(ArcSwap::from_pointee(fairlead_router_core::Table::new(settings)));
        let metrics = Arc::new(EngineMetrics::new(setup.workers));
        let log = Arc::<Log>::default();
        let shared = Arc::new(Shared {
            table: table.clone(),
            access: log.clone(),
            metrics: metrics.clone(),
            limits: setup.limits,
            started: Instant::now(),
        });
        let tls = Tls::new(tls::resolver()).unwrap();
        let edge = setup.edge.clone();
        let spec = |name: &str, protocol| ListenerSpec {
            name: name.into(),
            addr: ([127, 0, 0, 1], 0).into(),
            protocol,
        };
        let specs = vec![spec("http", Protocol::Http), spec("https", Protocol::Https(tls))];
        let workers =
            start(setup.workers, specs, setup.edge, move |id| Engine::new(id.0, shared.clone()))
                .unwrap();
        workers.configure(edge, &setup.proxies, !setup.proxies.is_empty());
        let [http, https] = ["http", "https"].map(|name| workers.addr(name).unwrap());
        Self { http, https, workers, compiler, table, metrics, log }
    }

    /// Takes changes and publishes the table.
    pub(crate) fn apply(&mut self, changes: impl IntoIterator<Item = Change>) {
        for change in changes {
            self.compiler.apply(change);
        }
        if let Some(publication) = self.compiler.publish() {
            self.table.store(publication.table);
        }
        assert_eq!(self.compiler.diagnostics(), []);
    }

    /// The Service `shop/<name>` at `<name>.example` with `endpoints`.
    pub(crate) fn app(
        &mut self,
        name: &str,
        annotations: &[(&str, &str)],
        endpoints: &[SocketAddr],
    ) {
        let domain = format!("{name}.example");
        let mut all = vec![("router.deis.io/domains", domain.as_str())];
        all.extend_from_slice(annotations);
        let key = Key::new("shop", name);
        let service = Service {
            key: key.clone(),
            created: 0,
            labels: [("router.deis.io/routable".into(), "true".into())].into(),
            annotations: all.iter().map(|&(k, v)| (k.into(), v.into())).collect(),
            ports: vec![ServicePort::new("", 80)],
            external_name: None,
        };
        self.apply([Change::Service(key, Some(service))]);
        self.endpoints(name, endpoints);
    }

    /// Gives the app `name` these endpoints and no others.
    pub(crate) fn endpoints(&mut self, name: &str, endpoints: &[SocketAddr]) {
        // A slice has one port for all its addresses, so each endpoint has a slice of its own.
        let slots = endpoints.len().max(8);
        let changes = (0..slots).map(|slot| {
            let key = Key::new("shop", format!("{name}-{slot}"));
            let slice = endpoints.get(slot).map(|endpoint| EndpointSlice {
                key: key.clone(),
                service: name.into(),
                ports: vec![("".into(), Some(endpoint.port().into()))],
                endpoints: vec![SliceEndpoint {
                    address: endpoint.ip().to_string().into(),
                    ready: true,
                    serving: true,
                    terminating: false,
                }],
            });
            Change::EndpointSlice(key, slice)
        });
        let changes: Vec<_> = changes.collect();
        self.apply(changes);
    }

    /// Gives `<name>.example` a certificate of its own.
    pub(crate) fn certificate(&mut self, name: &str) {
        let pair = rcgen::generate_simple_self_signed([format!("{name}.example")]).unwrap();
        let key = Key::new("shop", format!("{name}-cert"));
        let secret = Secret {
            key: key.clone(),
            certificate: Some(pair.cert.pem().into()),
            private_key: Some(pair.signing_key.serialize_pem().into()),
            authorities: None,
        };
        self.apply([Change::Secret(key, Some(secret))]);
    }

    /// The counters of `app` once `n` of its requests have been answered and none is under way.
    pub(crate) async fn counts(&self, app: &str, n: u64) -> Counts {
        let id = format!("shop/{app}");
        let app = self.compiler.apps().find(|app| app.id.as_str() == id).unwrap();
        let settled =
            |counts: Counts| counts.classes.iter().sum::<u64>() == n && counts.in_flight == 0;
        eventually("all answered", || settled(app.counts())).await;
        app.counts()
    }

    pub(crate) fn metrics(&self) -> Snapshot {
        self.metrics.snapshot()
    }

    /// The first `n` records, as soon as there are so many.
    pub(crate) async fn records(&self, n: usize) -> Vec<Record> {
        eventually("enough records", || self.log.0.lock().len() >= n).await;
        self.log.0.lock().clone()
    }

    pub(crate) async fn connect(&self) -> Client<TcpStream> {
        Client::connect(self.http).await
    }

    /// The answer to `request` on a connection of its own.
    pub(crate) async fn ask(&self, request: &str) -> String {
        self.connect().await.ask(request).await.text()
    }

    /// Drains with `deadline`; gives the number of connections that were cut.
    pub(crate) async fn drain(&self, deadline: Duration) -> usize {
        self.workers.drain(deadline).await
    }
}
