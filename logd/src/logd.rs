//! One logd: its shards, its listeners, and its end.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use fairlead_wire::message::{LogdHello, VERSION};
use parking_lot::Mutex;
use tokio::{
    runtime::{Builder, Runtime},
    time::Instant,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    LogdOptions, StartError,
    auth::Auth,
    drain::{Drains, Feeds},
    http as interface,
    ingest::Senders,
    metrics,
    store::Store,
    syslog,
};

/// How long the end may take.
const END: Duration = Duration::from_secs(1);
/// What senders are told last is on its way after so long.
const TOLD: Duration = Duration::from_millis(50);

/// A running logd. Several may run in one process. It has threads of its own; dropping it ends it
/// at once, and its addresses are free again.
pub struct Logd {
    /// Taken at the end.
    runtime: Option<Runtime>,
    api: Arc<interface::Api>,
    drains: Drains,
    drain_shutdown: Duration,
    http: SocketAddr,
    wire: SocketAddr,
    syslog: Option<SocketAddr>,
    syslog_tls: Option<SocketAddr>,
}

impl Logd {
    /// Starts a logd. It listens from here on.
    ///
    /// # Errors
    /// When an address cannot be listened on, or may not be without tokens, or a thread cannot be
    /// started.
    pub fn start(mut options: LogdOptions) -> Result<Self, StartError> {
        let syslog_tls = options.syslog.tls.as_mut().map(|tls| &mut tls.address);
        let addresses = [
            ("--http", Some(&mut options.http)),
            ("--wire", Some(&mut options.wire)),
            ("--syslog", options.syslog.plain.as_mut()),
            ("--syslog-tls", syslog_tls),
        ];
        for (flag, address) in addresses {
            let Some(address) = address else { continue };
            *address = of_this_machine(*address);
            if matches!(options.auth, Auth::Off) && !address.ip().to_canonical().is_loopback() {
                return Err(StartError::NoAuth { flag, address: *address });
            }
        }
        let (http_listener, http) = bind("--http", options.http)?;
        let (wire_listener, wire) = bind("--wire", options.wire)?;
        let listeners = syslog::Listeners::bind(&options.syslog)?;
        let (syslog, syslog_tls) = (listeners.plain_addr(), listeners.tls_addr());
        let shards = options.shards.get();
        let sources = options.drains.sources();
        let feeds = Feeds::none(sources == 0);
        let (store, tell) = Store::start(shards, options.memory, options.limits, feeds)
            .map_err(|error| StartError::Thread("shard", error))?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(options.shards.max(NonZeroUsize::MIN).get())
            .thread_name("logd")
            .enable_all()
            .build()
            .map_err(|error| StartError::Thread("logd", error))?;

        let drain_shutdown = options.drains.shutdown;
        let drains = {
            let _in_runtime = runtime.enter();
            options.drains.start(store.clone())?
        };
        let auth = Arc::new(options.auth);
        let reading = Arc::<interface::Reading>::default();
        let messages = Arc::<syslog::Counters>::default();
        let api = Arc::new(interface::Api {
            store: store.clone(),
            auth: auth.clone(),
            drains: drains.clone(),
            peers: options.peers,
            registry: metrics::registry(
                store.clone(),
                reading.clone(),
                messages.clone(),
                drains.clone(),
            ),
            reading,
            answers: Default::default(),
            looking: Mutex::default(),
            trials: Default::default(),
            ending: AtomicBool::new(false),
        });
        let hello = LogdHello {
            version: VERSION,
            instance: store.shared.instance.to_string(),
            history: options.limits.bytes,
        };
        let tls = options.wire_tls.map(TlsAcceptor::from);
        let routes = interface::routes(api.clone(), http);
        runtime.spawn(tell);
        let in_runtime = runtime.enter();
        let bound = |flag, address, listener| {
            tokio::net::TcpListener::from_std(listener).map_err(|source| StartError::Bind {
                flag,
                address,
                source,
            })
        };
        let http_listener = bound("--http", http, http_listener)?;
        let wire_listener = bound("--wire", wire, wire_listener)?;
        listeners
            .serve(options.syslog, store.clone(), messages)
            .map_err(|error| StartError::Thread("logd", error))?;
        drop(in_runtime);
        runtime.spawn(interface::serve(http_listener, routes));
        let senders = Arc::new(Senders { hello, auth, store, tls });
        runtime.spawn(senders.serve(wire_listener));
        Ok(Self {
            runtime: Some(runtime),
            api,
            drains,
            drain_shutdown,
            http,
            wire,
            syslog,
            syslog_tls,
        })
    }

    /// The address where logs are read, with its real port.
    #[must_use]
    pub const fn http_addr(&self) -> SocketAddr {
        self.http
    }

    /// The address where senders connect, with its real port.
    #[must_use]
    pub const fn wire_addr(&self) -> SocketAddr {
        self.wire
    }

    /// The address where syslog comes by UDP and TCP, with its real port.
    #[must_use]
    pub const fn syslog_addr(&self) -> Option<SocketAddr> {
        self.syslog
    }

    /// The address where it comes by TLS.
    #[must_use]
    pub const fn syslog_tls_addr(&self) -> Option<SocketAddr> {
        self.syslog_tls
    }

    /// Names this process to senders.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.api.store.shared.instance
    }

    /// Ends the logd: `/readyz` fails, and after `delay` drains get their
    /// [time](crate::DrainOptions::shutdown) to send what is there, and senders are told. Then all
    /// connections are closed. Senders keep what they have, readers come back to another logd.
    pub async fn shutdown(self, delay: Duration) {
        self.api.ending.store(true, Relaxed);
        tokio::time::sleep(delay).await;
        if !self.drains.seen().running.is_empty() {
            self.drains.flush(Instant::now() + self.drain_shutdown).await;
            tokio::time::sleep(TOLD).await;
        }
    }
}

impl Drop for Logd {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // On a thread of its own, since this one may be a runtime's, which must not wait.
            let end = thread::spawn(move || runtime.shutdown_timeout(END));
            let _ = end.join();
        }
    }
}

/// `[::]` where the system has no IPv6 becomes `0.0.0.0`.
fn of_this_machine(address: SocketAddr) -> SocketAddr {
    let any = Ipv6Addr::UNSPECIFIED;
    if address.ip() == any && TcpListener::bind((any, 0)).is_err() {
        SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()))
    } else {
        address
    }
}

fn bind(flag: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let bind = || -> io::Result<_> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bind().map_err(|source| StartError::Bind { flag, address, source })
}
