//! A TCP server on a loopback address.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Takes connections until dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Server {
    /// Listens, and serves each connection.
    ///
    /// # Errors
    /// Where it cannot listen.
    pub async fn start<F, Fut>(serve: F) -> io::Result<Self>
    where
        F: Fn(TcpStream) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Self::on(TcpListener::bind("127.0.0.1:0").await?, serve)
    }

    /// Serves each connection that a listener gets.
    ///
    /// # Errors
    /// Where it does not listen.
    pub fn on<F, Fut>(listener: TcpListener, serve: F) -> io::Result<Self>
    where
        F: Fn(TcpStream) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let address = listener.local_addr()?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((connection, _)) = listener.accept().await {
                connections.spawn(serve(connection));
            }
        });
        Ok(Self { address, _tasks: tasks })
    }
}
