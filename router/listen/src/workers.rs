//! All workers, seen from outside.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use ipnet::IpNet;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::bind::bind;
use crate::caps::Caps;
use crate::connection::Serve;
use crate::counters::Counters;
use crate::error::ListenError;
use crate::limits::Limits;
use crate::stream::Edge;
use crate::tls::Tls;
use crate::worker::{Bound, Command, Worker};

/// Number of a worker, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkerId(pub usize);

/// What to listen on.
#[derive(Debug, Clone)]
pub struct ListenerSpec {
    /// Its name, unique among the listeners of some workers.
    pub name: Arc<str>,
    /// Where; port 0 lets the system choose, see [`Workers::addr`]. `[::]` takes IPv4 as well.
    pub addr: SocketAddr,
    /// What is spoken there.
    pub protocol: Protocol,
}

/// What is spoken on a listener.
#[derive(Debug, Clone)]
pub enum Protocol {
    /// HTTP/1, or HTTP/2 with prior knowledge, in the clear.
    Http,
    /// HTTP over TLS; the version is agreed by ALPN, and is HTTP/1 without.
    Https(Tls),
    /// Anything: the bytes are handed on as they come, and no limit but the caps applies.
    Tcp,
}

/// Threads that accept and serve connections. Dropping it ends them at once; [`drain`](Self::drain) ends them in peace.
pub struct Workers {
    /// `None` once drained. Held over a change, so that changes follow one another.
    commands: tokio::sync::Mutex<Option<Vec<mpsc::Sender<Command>>>>,
    addrs: Mutex<HashMap<Arc<str>, SocketAddr>>,
    edge: Arc<ArcSwap<Edge>>,
    counters: Arc<Counters>,
}

/// Starts `n` workers (at least one) that listen on `specs`.
///
/// Each is a thread with a tokio runtime of its own, a socket of its own per listener, and a [`Serve`] of its own that `factory` makes
/// on that thread, inside the runtime. Blocks until all of them stand.
///
/// # Errors
/// An address that cannot be listened on, a name given twice, a thread or runtime that cannot be started. Nothing runs then.
pub fn start<S, F>(
    n: usize,
    specs: Vec<ListenerSpec>,
    limits: Limits,
    factory: F,
) -> Result<Workers, ListenError>
where
    S: Serve,
    F: Fn(WorkerId) -> Arc<S> + Send + Sync + 'static,
{
    let n = n.max(1);
    let mut addrs = HashMap::new();
    let mut shares: Vec<Vec<Bound>> = (0..n).map(|_| Vec::new()).collect();
    for spec in specs {
        if addrs.contains_key(&spec.name) {
            return Err(ListenError::Duplicate(spec.name));
        }
        let (addr, bound) = bind_spec(&spec, n)?;
        for (share, bound) in shares.iter_mut().zip(bound) {
            share.push(bound);
        }
        addrs.insert(spec.name, addr);
    }
    let counters = Arc::<Counters>::default();
    let caps =
        Caps::new(limits.max_connections, limits.max_connections_per_client, Arc::clone(&counters));
    let caps = Arc::new(caps);
    let trusted = Box::default();
    let edge = Edge { limits, trusted, proxy_protocol: false, counters: Arc::clone(&counters) };
    let edge = Arc::new(ArcSwap::from_pointee(edge));
    let of_workers = Arc::clone(&edge);
    let factory = Arc::new(factory);

    let mut commands = Vec::new();
    let mut starting = Vec::new();
    for (id, bound) in shares.into_iter().enumerate() {
        let (sender, receiver) = mpsc::channel(1);
        let (ready, started) = std::sync::mpsc::channel();
        let (caps, edge, factory) = (Arc::clone(&caps), Arc::clone(&edge), Arc::clone(&factory));
        let make = move || Worker::new(factory(WorkerId(id)), caps, edge);
        std::thread::Builder::new()
            .name(format!("router-{id}"))
            .spawn(move || work(make, bound, &ready, receiver))
            .map_err(|source| ListenError::Worker { worker: id, source })?;
        commands.push(sender);
        starting.push(started);
    }
    for (worker, started) in starting.into_iter().enumerate() {
        let result = started
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("its thread ended while starting")));
        result.map_err(|source| ListenError::Worker { worker, source })?;
    }
    Ok(Workers {
        commands: tokio::sync::Mutex::new(Some(commands)),
        addrs: Mutex::new(addrs),
        edge: of_workers,
        counters,
    })
}

/// The body of a worker's thread.
fn work<S: Serve>(
    make: impl FnOnce() -> Worker<S>,
    bound: Vec<Bound>,
    ready: &std::sync::mpsc::Sender<io::Result<()>>,
    commands: mpsc::Receiver<Command>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    let drained = runtime.block_on(async {
        let mut worker = make();
        let listening = bound.into_iter().try_for_each(|bound| worker.listen(bound));
        let _ = ready.send(listening);
        worker.run(commands).await
    });
    // Drops the tasks of connections that are left; does not wait for blocking calls, such as name look-ups.
    runtime.shutdown_background();
    if let Some((tell, cut)) = drained {
        let _ = tell.send(cut);
    }
}

fn bind_spec(
    spec: &ListenerSpec,
    n: usize,
) -> Result<(SocketAddr, impl Iterator<Item = Bound>), ListenError> {
    let (addr, sockets) = bind(spec.addr, n).map_err(|source| ListenError::Bind {
        name: Arc::clone(&spec.name),
        addr: spec.addr,
        source,
    })?;
    let (name, protocol) = (Arc::clone(&spec.name), spec.protocol.clone());
    let bound = sockets.into_iter().map(move |socket| Bound {
        name: Arc::clone(&name),
        protocol: protocol.clone(),
        socket,
    });
    Ok((addr, bound))
}

impl Workers {
    /// The address of a listener, with its real port.
    pub fn addr(&self, name: &str) -> Option<SocketAddr> {
        self.addrs.lock().get(name).copied()
    }

    /// What the listeners have seen.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Sets the bounds for connections to come, but for those on their number, which hold from the start. Peers in `trusted` speak for
    /// others, so that they may have [`Limits::max_connections_per_client`] however few places are left. With `proxy_protocol` they have to
    /// begin each connection with a header of the PROXY protocol, version 1 or 2, and are believed; of others none is read.
    pub fn configure(&self, limits: Limits, trusted: &[IpNet], proxy_protocol: bool) {
        let (trusted, counters) = (trusted.into(), Arc::clone(&self.counters));
        self.edge.store(Arc::new(Edge { limits, trusted, proxy_protocol, counters }));
    }

    /// Begins to listen on a further address, and returns it with its real port once every worker accepts there. Not to be abandoned
    /// halfway.
    ///
    /// # Errors
    /// An address that cannot be listened on, a name in use, workers that have stopped. Nothing has changed then.
    pub async fn add_listener(&self, spec: ListenerSpec) -> Result<SocketAddr, ListenError> {
        let commands = self.commands.lock().await;
        let commands = commands.as_ref().ok_or(ListenError::Stopped)?;
        if self.addr(&spec.name).is_some() {
            return Err(ListenError::Duplicate(spec.name));
        }
        let (addr, bound) = bind_spec(&spec, commands.len())?;
        for (worker, bound) in commands.iter().zip(bound) {
            let (done, added) = oneshot::channel();
            let added = match worker.send(Command::Add { bound, done }).await {
                Ok(()) => added.await.map_err(|_| ListenError::Stopped),
                Err(_) => Err(ListenError::Stopped),
            };
            let name = Arc::clone(&spec.name);
            let added =
                added.and_then(|r| r.map_err(|source| ListenError::Bind { name, addr, source }));
            if let Err(error) = added {
                remove(commands, &spec.name).await;
                return Err(error);
            }
        }
        self.addrs.lock().insert(spec.name, addr);
        Ok(addr)
    }

    /// Stops listening: serves the connections that the kernel has queued, then closes the sockets. Established connections live on.
    ///
    /// # Errors
    /// A name that is not in use, workers that have stopped.
    pub async fn remove_listener(&self, name: &str) -> Result<(), ListenError> {
        let commands = self.commands.lock().await;
        let commands = commands.as_ref().ok_or(ListenError::Stopped)?;
        if self.addrs.lock().remove(name).is_none() {
            return Err(ListenError::Unknown(name.into()));
        }
        remove(commands, name).await;
        Ok(())
    }

    /// Stops listening, signals [`Drain`](crate::Drain) to every connection, and waits until all have ended or `deadline` has passed.
    /// Cuts those that are left, ends the threads, and returns how many were cut. A second call returns 0 at once.
    pub async fn drain(&self, deadline: Duration) -> usize {
        let Some(commands) = self.commands.lock().await.take() else { return 0 };
        self.addrs.lock().clear();
        let deadline = Instant::now() + deadline;
        let mut answers = Vec::new();
        for worker in &commands {
            let (tell, cut) = oneshot::channel();
            if worker.send(Command::Drain { deadline, tell }).await.is_ok() {
                answers.push(cut);
            }
        }
        let mut total = 0;
        for cut in answers {
            total += cut.await.unwrap_or(0);
        }
        total
    }
}

async fn remove(commands: &[mpsc::Sender<Command>], name: &str) {
    for worker in commands {
        let (done, removed) = oneshot::channel();
        if worker.send(Command::Remove { name: name.into(), done }).await.is_ok() {
            let _ = removed.await;
        }
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("listeners", &*self.addrs.lock()).finish_non_exhaustive()
    }
}
