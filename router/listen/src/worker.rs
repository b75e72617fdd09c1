//! One worker: a thread's whole life.

use std::collections::HashMap;
use std::io;
use std::net::TcpListener as StdListener;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use crate::accept::Acceptor;
use crate::caps::Caps;
use crate::connection::Serve;
use crate::drain::Drain;
use crate::stream::Edge;
use crate::workers::Protocol;

/// What a worker can be told. Each command is answered when it is done.
pub(crate) enum Command {
    Add { bound: Bound, done: oneshot::Sender<io::Result<()>> },
    Remove { name: Arc<str>, done: oneshot::Sender<()> },
    Drain { deadline: Instant, tell: oneshot::Sender<usize> },
}

/// One worker's share of a listener.
pub(crate) struct Bound {
    pub(crate) name: Arc<str>,
    pub(crate) protocol: Protocol,
    pub(crate) socket: StdListener,
}

/// A listener's accept loop.
struct Listening {
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

impl Listening {
    async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.ended.await;
    }
}

/// State of a worker, on its thread.
pub(crate) struct Worker<S> {
    serve: Arc<S>,
    caps: Arc<Caps>,
    edge: Arc<ArcSwap<Edge>>,
    listeners: HashMap<Arc<str>, Listening>,
    connections: TaskTracker,
    drain: watch::Sender<bool>,
}

impl<S: Serve> Worker<S> {
    pub(crate) fn new(serve: Arc<S>, caps: Arc<Caps>, edge: Arc<ArcSwap<Edge>>) -> Self {
        Self {
            serve,
            caps,
            edge,
            listeners: HashMap::new(),
            connections: TaskTracker::new(),
            drain: watch::Sender::new(false),
        }
    }

    /// Does as told until drained, then returns whom to tell how many connections were cut; `None` when nobody can tell it anything
    /// any more.
    pub(crate) async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
    ) -> Option<(oneshot::Sender<usize>, usize)> {
        loop {
            match commands.recv().await? {
                Command::Add { bound, done } => {
                    let _ = done.send(self.listen(bound));
                }
                Command::Remove { name, done } => {
                    if let Some(listening) = self.listeners.remove(&name) {
                        listening.stop().await;
                    }
                    let _ = done.send(());
                }
                Command::Drain { deadline, tell } => {
                    return Some((tell, self.drain(deadline).await));
                }
            }
        }
    }

    /// Begins to accept on a socket.
    pub(crate) fn listen(&mut self, bound: Bound) -> io::Result<()> {
        let Bound { name, protocol, socket } = bound;
        let listener = TcpListener::from_std(socket)?;
        let acceptor = Acceptor {
            name: Arc::clone(&name),
            protocol,
            caps: Arc::clone(&self.caps),
            edge: Arc::clone(&self.edge),
            serve: Arc::clone(&self.serve),
            connections: self.connections.clone(),
            drain: Drain::new(self.drain.subscribe()),
        };
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(acceptor.run(listener, stopped));
        self.listeners.insert(name, Listening { stop, ended });
        Ok(())
    }

    /// Stops accepting, asks connections to end, and returns how many had not by `deadline`.
    async fn drain(&mut self, deadline: Instant) -> usize {
        for (_, listening) in self.listeners.drain() {
            listening.stop().await;
        }
        self.drain.send_replace(true);
        self.connections.close();
        let _ = timeout_at(deadline, self.connections.wait()).await;
        self.connections.len()
    }
}
