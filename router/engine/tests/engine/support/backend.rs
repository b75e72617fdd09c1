//! Backends that do to a connection what a test says.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::{Shared, client::head_end};

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A listener on 127.0.0.1 with a script for each connection.
pub(crate) struct Backend {
    pub(crate) addr: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Shared<Vec<String>>,
    task: JoinHandle<()>,
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Backend {
    /// Runs `script` on each connection; it is given the number of the connection, from 0.
    pub(crate) async fn start<F, Fut>(script: F) -> Self
    where
        F: Fn(Conn, usize) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Option<()>> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let connections = Arc::<AtomicUsize>::default();
        let requests = Shared::<Vec<String>>::default();
        let (count, log) = (connections.clone(), requests.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let conn = Conn { stream, buffer: Vec::new(), log: log.clone() };
                tokio::spawn(script(conn, count.fetch_add(1, Relaxed)));
            }
        });
        Self { addr, connections, requests, task }
    }

    /// Answers every request with `answer`, and closes when the client does.
    pub(crate) async fn answering(answer: &'static str) -> Self {
        Self::start(move |mut conn, _| async move {
            loop {
                conn.request().await?;
                conn.write(answer).await?;
            }
        })
        .await
    }

    /// How many connections were accepted.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Relaxed)
    }

    /// Head and body of every request read so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().clone()
    }
}

/// The backend's side of a connection. `None` means that the other side has closed.
pub(crate) struct Conn {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
    log: Shared<Vec<String>>,
}

impl Conn {
    /// Reads a request head.
    pub(crate) async fn head(&mut self) -> Option<String> {
        loop {
            if let Some(end) = head_end(&self.buffer) {
                let rest = self.buffer.split_off(end);
                let head = std::mem::replace(&mut self.buffer, rest);
                return Some(String::from_utf8(head).unwrap());
            }
            self.fill().await?;
        }
    }

    /// Waits for the first byte of a request.
    pub(crate) async fn begun(&mut self) -> Option<()> {
        if self.buffer.is_empty() { self.fill().await } else { Some(()) }
    }

    /// Reads a request with its body, be it of known length or chunked; the body as it came.
    pub(crate) async fn request(&mut self) -> Option<String> {
        let mut request = self.head().await?;
        let lower = request.to_ascii_lowercase();
        if lower.contains("transfer-encoding: chunked") {
            request.push_str(&self.until("0\r\n\r\n").await?);
        } else if let Some((_, rest)) = lower.split_once("content-length: ") {
            let length = rest.split("\r\n").next().unwrap().parse().unwrap();
            request.push_str(&self.exactly(length).await?);
        }
        self.log.lock().push(request.clone());
        Some(request)
    }

    /// Reads `n` bytes.
    pub(crate) async fn exactly(&mut self, n: usize) -> Option<String> {
        while self.buffer.len() < n {
            self.fill().await?;
        }
        let rest = self.buffer.split_off(n);
        Some(String::from_utf8(std::mem::replace(&mut self.buffer, rest)).unwrap())
    }

    /// Reads up to and including `end`.
    pub(crate) async fn until(&mut self, end: &str) -> Option<String> {
        loop {
            let text = String::from_utf8_lossy(&self.buffer);
            if let Some(at) = text.find(end) {
                return self.exactly(at + end.len()).await;
            }
            self.fill().await?;
        }
    }

    pub(crate) async fn write(&mut self, text: impl AsRef<[u8]>) -> Option<()> {
        self.stream.write_all(text.as_ref()).await.ok()
    }

    /// Waits for the other side to close.
    pub(crate) async fn closed(&mut self) {
        while self.fill().await.is_some() {}
    }

    async fn fill(&mut self) -> Option<()> {
        let n = self.stream.read_buf(&mut self.buffer).await.ok()?;
        (n > 0).then_some(())
    }
}
