//! One shipper: its thread, and its end.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use fairlead_wire::members::{Port, WIRE};
use kube::Client;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};

use crate::admin::{self, Admin};
use crate::engine::{Engine, Inputs, QUEUE, Settings};
use crate::metrics::Metrics;
use crate::options::ShipperOptions;
use crate::{StartError, pods};

/// A running shipper. Several may run in one process. Dropping it ends it after a last checkpoint.
#[derive(Debug)]
pub struct Shipper {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
    admin: SocketAddr,
}

impl Shipper {
    /// Starts a shipper. Without a `client` pods are known by their logs' paths alone: an app is named
    /// like its pod.
    ///
    /// `client` belongs to the runtime that it was made on, which has to go on running.
    ///
    /// # Errors
    /// Where an address cannot be listened on, the thread cannot be started, or lines go to a Service
    /// and there is no `client`.
    pub fn start(options: ShipperOptions, client: Option<Client>) -> Result<Self, StartError> {
        let (listener, admin) = admin_listener(of_this_machine(options.admin))?;
        let metrics = Arc::new(Metrics::default());
        let runtime =
            Builder::new_current_thread().enable_all().build().map_err(StartError::Thread)?;
        let settings = Settings {
            pods: options.pods,
            state: options.state,
            node: options.node.clone(),
            pod_wait: if client.is_some() { options.pod_wait } else { Duration::ZERO },
            excluded_namespaces: options.excluded_namespaces.into_iter().collect(),
            rate: options.rate,
            window: options.window,
            held: options.held,
            clock: options.clock,
        };
        let wire = Port { name: WIRE, secure: options.credentials.tls.is_some() };
        // What is made of a runtime's reactor has to be made in it.
        let made = {
            let _in = runtime.enter();
            let members = options.logd.follow(wire, client.clone()).ok_or(StartError::NoApi);
            let engine = Engine::new(settings, options.credentials, metrics.clone());
            members.and_then(|members| Ok((engine.map_err(StartError::Thread)?, members)))
        };
        let (engine, members) = match made {
            Ok(made) => made,
            Err(error) => {
                // Dropping it would wait, which a thread of another runtime must not.
                runtime.shutdown_background();
                return Err(error);
            }
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let run = move || {
            runtime.block_on(async move {
                let (pods_in, pods) = mpsc::channel(QUEUE);
                if let Some(client) = client {
                    tokio::spawn(pods::watch(client, options.node, pods_in));
                }
                tokio::spawn(admin::serve(listener, Arc::new(Admin::new(metrics))));
                let stop = async {
                    let _ = stopped.await;
                };
                engine.run(Inputs { members, pods }, stop).await;
            });
        };
        let thread = thread::Builder::new().name("shipper".into()).spawn(run);
        Ok(Self { stop: Some(stop), thread: Some(thread.map_err(StartError::Thread)?), admin })
    }

    /// The address of the admin endpoints, with its real port.
    #[must_use]
    pub const fn admin_addr(&self) -> SocketAddr {
        self.admin
    }

    /// Ends the shipper: the last checkpoint is written, and logd can tell what it has of what was
    /// sent when the next one asks.
    pub async fn shutdown(mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in it was reported by the hook.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

impl Drop for Shipper {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
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

fn admin_listener(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let bind = || -> io::Result<_> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bind().map_err(|source| StartError::Bind { address, source })
}
