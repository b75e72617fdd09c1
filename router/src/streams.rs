//! Listeners of TCP streams: there while their Service is.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use fairlead_router_core::Stream;
use fairlead_router_listen::{ListenError, ListenerSpec, Protocol, Workers};
use tokio::sync::watch;

/// How long to wait before an address that is taken is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// The streams that there are to be, by the names of their listeners.
pub(crate) type Wanted = Arc<BTreeMap<Arc<str>, Arc<Stream>>>;

/// Opens and closes listeners as `wanted` says, until that ends.
pub(crate) async fn run(workers: Arc<Workers>, mut wanted: watch::Receiver<Wanted>) {
    let mut open: BTreeSet<Arc<str>> = BTreeSet::new();
    loop {
        let now = wanted.borrow_and_update().clone();
        for name in open.iter().filter(|name| !now.contains_key(*name)) {
            // It is there: it was opened here.
            let _ = workers.remove_listener(name).await;
            tracing::info!(stream = %name, "no longer listening");
        }
        open.retain(|name| now.contains_key(name));
        let mut failed = false;
        for (name, stream) in
            now.iter().filter(|(name, _)| !open.contains(*name)).collect::<Vec<_>>()
        {
            match listen(&workers, name, stream.address).await {
                Ok(address) => {
                    tracing::info!(stream = %name, %address, "listening");
                    open.insert(name.clone());
                }
                Err(error) => {
                    tracing::error!(%error, "a TCP stream is not served; trying again");
                    failed = true;
                }
            }
        }
        let changed = wanted.changed();
        let changed = match failed {
            true => tokio::time::timeout(AGAIN, changed).await.unwrap_or(Ok(())),
            false => changed.await,
        };
        if changed.is_err() {
            return;
        }
    }
}

async fn listen(
    workers: &Workers,
    name: &Arc<str>,
    address: SocketAddr,
) -> Result<SocketAddr, ListenError> {
    let addr = crate::router::of_this_machine(address);
    workers.add_listener(ListenerSpec { name: name.clone(), addr, protocol: Protocol::Tcp }).await
}
