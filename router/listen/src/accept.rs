//! The accept loop of one listener on one worker.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use crate::caps::{Caps, Refusal};
use crate::connection::Serve;
use crate::drain::Drain;
use crate::establish::{Accepted, canonical, establish};
use crate::stream::Edge;
use crate::workers::Protocol;

/// Pause after the first failure for want of resources, doubled with each further one.
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What an accept loop does with a socket.
#[derive(Debug)]
pub(crate) struct Acceptor<S> {
    pub(crate) name: Arc<str>,
    pub(crate) protocol: Protocol,
    pub(crate) caps: Arc<Caps>,
    /// What holds for the next connection.
    pub(crate) edge: Arc<ArcSwap<Edge>>,
    pub(crate) serve: Arc<S>,
    pub(crate) connections: TaskTracker,
    pub(crate) drain: Drain,
}

impl<S: Serve> Acceptor<S> {
    /// Accepts until `stop` is sent or dropped, then what is queued already, and closes the socket. No error ends it earlier.
    pub(crate) async fn run(self, listener: TcpListener, mut stop: oneshot::Receiver<()>) {
        let mut failures = 0;
        loop {
            let accepted = tokio::select! {
                biased;
                _ = &mut stop => break,
                accepted = listener.accept() => accepted,
            };
            let pause = match accepted {
                Ok((tcp, peer)) => {
                    if failures > 0 {
                        tracing::info!(listener = %self.name, failures, "accepting again");
                        failures = 0;
                    }
                    self.take(tcp, peer);
                    continue;
                }
                Err(error) => self.failed(&error, &mut failures),
            };
            tokio::select! {
                biased;
                _ = &mut stop => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.take_queued(listener);
    }

    /// Counts a failure of `accept`, logs the first in a row, and says how long to pause.
    fn failed(&self, error: &io::Error, failures: &mut u32) -> Duration {
        self.edge.load().counters.accept_errors.increment();
        if is_of_one_connection(error) {
            return Duration::ZERO;
        }
        if *failures == 0 {
            tracing::warn!(listener = %self.name, %error, "cannot accept connections; trying again");
        }
        *failures = failures.saturating_add(1);
        pause_after(*failures)
    }

    fn take(&self, tcp: TcpStream, peer: SocketAddr) {
        let edge = self.edge.load_full();
        let counters = &edge.counters;
        counters.accepted.increment();
        let peer = canonical(peer);
        // Whoever is over a cap is closed without an answer: an answer would cost most when there is least to spare.
        // A proxy has a connection for each of its clients: they are counted when it has named them.
        let admitted = match edge.is_proxy(peer.ip()) {
            true => self.caps.admit_proxy(),
            false => self.caps.admit(peer.ip(), edge.is_trusted(peer.ip())),
        };
        let permit = match admitted {
            Ok(permit) => permit,
            Err(Refusal::Total) => return counters.refused_total.increment(),
            Err(Refusal::Client) => return counters.refused_client.increment(),
        };
        let accepted = Accepted { tcp, peer, permit, listener: Arc::clone(&self.name) };
        let protocol = self.protocol.clone();
        let (serve, drain) = (Arc::clone(&self.serve), self.drain.clone());
        self.connections.spawn(async move {
            match establish(accepted, &protocol, &edge, &drain).await {
                Ok(connection) => serve.serve(connection, drain).await,
                Err(failure) => tracing::debug!(%peer, %failure, "connection not established"),
            }
        });
    }

    /// The kernel resets what is in the queue of a socket that closes, so nothing may be left there.
    fn take_queued(&self, listener: TcpListener) {
        let Ok(listener) = listener.into_std() else { return };
        loop {
            match listener.accept() {
                Ok((tcp, peer)) => {
                    if tcp.set_nonblocking(true).is_ok()
                        && let Ok(tcp) = TcpStream::from_std(tcp)
                    {
                        self.take(tcp, peer);
                    }
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(_) => return,
            }
        }
    }
}

/// Whether an error of `accept` concerns the connection at the head of the queue only, which is then gone (accept(2), "Error handling").
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted,
        NetworkDown, NetworkUnreachable, PermissionDenied, TimedOut,
    };
    matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionRefused
            | ConnectionReset
            | HostUnreachable
            | Interrupted
            | NetworkDown
            | NetworkUnreachable
            | PermissionDenied
            | TimedOut
    )
}

/// The pause after so many failures in a row.
fn pause_after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(10);
    PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_from_10_ms_to_1_s() {
        let pauses: Vec<u128> = (1..=9).map(|n| pause_after(n).as_millis()).collect();
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        assert_eq!(pause_after(u32::MAX), LONGEST_PAUSE);
    }

    #[test]
    fn want_of_resources_is_told_from_a_lost_connection() {
        let lost = [103, 104, 4, 1].map(io::Error::from_raw_os_error); // ECONNABORTED, ECONNRESET, EINTR, EPERM
        assert!(lost.iter().all(is_of_one_connection));
        let want = [24, 23, 105, 12].map(io::Error::from_raw_os_error); // EMFILE, ENFILE, ENOBUFS, ENOMEM
        assert!(!want.iter().any(is_of_one_connection));
    }
}
