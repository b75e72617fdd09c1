//! A receiver of syslog over TCP, with octet counting (RFC 6587).

use std::{net::SocketAddr, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
};

use super::{PATIENCE, within};

/// Takes messages until it is dropped.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    messages: mpsc::UnboundedReceiver<(usize, String)>,
    connections: Arc<Mutex<Vec<JoinHandle<()>>>>,
    accept: JoinHandle<()>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        Self::at("127.0.0.1:0".parse().unwrap()).await
    }

    pub(crate) async fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (taken, messages) = mpsc::unbounded_channel();
        let connections = Arc::<Mutex<Vec<JoinHandle<()>>>>::default();
        let accepted = connections.clone();
        let accept = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut accepted = accepted.lock();
                let number = accepted.len();
                accepted.push(tokio::spawn(take(number, stream, taken.clone())));
            }
        });
        Self { address, messages, connections, accept }
    }

    /// Where a drain leads here.
    pub(crate) fn url(&self) -> String {
        format!("syslog+tcp://{}", self.address)
    }

    /// What the next message says: its text.
    pub(crate) async fn text(&mut self) -> String {
        self.numbered().await.1
    }

    /// The same, with the number of its connection.
    pub(crate) async fn numbered(&mut self) -> (usize, String) {
        let (number, message) = within("a message", self.messages.recv()).await.unwrap();
        (number, text(&message))
    }

    pub(crate) async fn texts(&mut self, count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        while texts.len() < count {
            texts.push(self.text().await);
        }
        texts
    }

    /// Whether nothing more has come.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.messages.try_recv().is_err()
    }

    /// Waits until the drain has ended its connections.
    pub(crate) async fn left(&self) {
        let tasks = std::mem::take(&mut *self.connections.lock());
        for task in tasks {
            let _ = tokio::time::timeout(PATIENCE, task).await.unwrap();
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accept.abort();
        self.connections.lock().iter().for_each(JoinHandle::abort);
    }
}

/// The text of a message without structured data, or with it.
fn text(message: &str) -> String {
    let mut parts = message.splitn(7, ' ').skip(6);
    let rest = parts.next().unwrap_or_else(|| panic!("not RFC 5424: {message}"));
    match rest.strip_prefix("- ") {
        Some(text) => text.to_owned(),
        None => rest.split_once("] ").unwrap_or_else(|| panic!("{message}")).1.to_owned(),
    }
}

async fn take(number: usize, stream: TcpStream, taken: mpsc::UnboundedSender<(usize, String)>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            match stream.read_u8().await {
                Ok(b' ') => break,
                Ok(digit @ b'0'..=b'9') => length = length * 10 + usize::from(digit - b'0'),
                Ok(other) => panic!("{other} in a length"),
                Err(_) => return,
            }
        }
        let mut message = vec![0; length];
        if stream.read_exact(&mut message).await.is_err() {
            return;
        }
        let _ = taken.send((number, String::from_utf8(message).unwrap()));
    }
}

/// An address of this machine where nobody listens.
pub(crate) async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    // Its port is not given to others at once.
    tokio::time::sleep(Duration::ZERO).await;
    address
}
