//! What sinks are given of the network, and how long they wait for it.

use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::Guard;

/// What a sink is given of the network.
#[derive(Clone)]
pub struct Network {
    /// Who tells names' addresses.
    pub resolve: Arc<dyn Resolve>,
    /// How many names are asked for at a time, by all drains of an owner together. A question that
    /// nobody answers counts until it is given up, also when its drain has gone.
    pub questions: Arc<Semaphore>,
    /// Which addresses may be connected to.
    pub guard: Arc<Guard>,
    /// How long it waits.
    pub timeouts: Timeouts,
}

impl Network {
    /// Asks the system for names, so many at a time, and waits as long as is usual.
    #[must_use]
    pub fn new(guard: Guard, questions: usize) -> Self {
        Self {
            resolve: Arc::new(System),
            questions: Arc::new(Semaphore::new(questions)),
            guard: Arc::new(guard),
            timeouts: Timeouts::default(),
        }
    }
}

/// How long sinks wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a name's addresses, and as long again for a connection with its TLS; 5 s.
    pub connect: Duration,
    /// For a receiver that takes or answers nothing; 30 s.
    pub stall: Duration,
    /// Before a connection is replaced by a new one, so that receivers behind names that move are
    /// found and those behind balancers get their share; 2 h. A sink may add some.
    pub age: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            stall: Duration::from_secs(30),
            age: Duration::from_secs(2 * 60 * 60),
        }
    }
}

/// Tells names' addresses.
#[async_trait]
pub trait Resolve: Send + Sync {
    /// All addresses of a host, in the order in which they are to be tried.
    ///
    /// # Errors
    /// Where the name is unknown, or nobody knows.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// Asks as all programs of the system do: files and name servers. A question that nobody answers keeps
/// its thread.
pub struct System;

#[async_trait]
impl Resolve for System {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let host = host.to_owned();
        let ask = move || {
            let addresses = (host.as_str(), 0).to_socket_addrs()?;
            Ok(addresses.map(|address| address.ip()).collect())
        };
        spawn_blocking(ask).await.map_err(io::Error::other)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_system_knows_itself() {
        let addresses = System.resolve("localhost").await.unwrap();
        assert!(!addresses.is_empty() && addresses.iter().all(IpAddr::is_loopback));
        assert!(System.resolve("no-such-host.invalid").await.is_err());
    }
}
