//! A receiver of syslog over TCP or TLS, with octet counting (RFC 6587).

use std::{net::SocketAddr, sync::Arc, time::Duration};

use fairlead_wire::tls::{Identity, server_config};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::{PATIENCE, within};

/// How fast a receiver reads what has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Not at all.
    Never,
    /// So many bytes, and after a while again so many.
    Slowly(usize, Duration),
    /// All of it.
    All,
}

/// Takes messages until it is dropped.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    scheme: &'static str,
    messages: mpsc::UnboundedReceiver<(usize, String)>,
    connections: Arc<Mutex<Vec<JoinHandle<()>>>>,
    accept: JoinHandle<()>,
    pace: watch::Sender<Pace>,
    certificate: Arc<Mutex<Option<TlsAcceptor>>>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        Self::at("127.0.0.1:0".parse().unwrap()).await
    }

    pub(crate) async fn at(address: SocketAddr) -> Self {
        Self::on(TcpListener::bind(address).await.unwrap(), None)
    }

    /// One that reads at this pace, whose system takes little that is not read.
    pub(crate) fn narrow(pace: Pace) -> Self {
        let receiver = Self::on(narrow(), None);
        receiver.reads(pace);
        receiver
    }

    /// One with TLS that shows this certificate.
    pub(crate) async fn secure(identity: &Identity) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), Some(identity))
    }

    fn on(listener: TcpListener, identity: Option<&Identity>) -> Self {
        let address = listener.local_addr().unwrap();
        let (taken, messages) = mpsc::unbounded_channel();
        let (pace, paced) = watch::channel(Pace::All);
        let connections = Arc::<Mutex<Vec<JoinHandle<()>>>>::default();
        let certificate = Arc::new(Mutex::new(identity.map(acceptor)));
        let (accepted, shown) = (connections.clone(), certificate.clone());
        let accept = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut accepted = accepted.lock();
                let number = accepted.len();
                let (paced, taken, shown) = (paced.clone(), taken.clone(), shown.lock().clone());
                accepted.push(tokio::spawn(take(number, stream, shown, paced, taken)));
            }
        });
        let scheme = if identity.is_some() { "syslog+tls" } else { "syslog+tcp" };
        Self { address, scheme, messages, connections, accept, pace, certificate }
    }

    /// Where a drain leads here.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// It reads at this pace from now on.
    pub(crate) fn reads(&self, pace: Pace) {
        self.pace.send_replace(pace);
    }

    /// It shows this certificate to whoever connects from now on.
    pub(crate) fn shows(&self, identity: &Identity) {
        *self.certificate.lock() = Some(acceptor(identity));
    }

    /// Breaks all connections off.
    pub(crate) fn breaks_off(&self) {
        // Their numbers are not given again.
        self.connections.lock().iter().for_each(JoinHandle::abort);
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

    /// The same, where there is one so far.
    pub(crate) fn try_numbered(&mut self) -> Option<(usize, String)> {
        let (number, message) = self.messages.try_recv().ok()?;
        Some((number, text(&message)))
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
            let _ = timeout(PATIENCE, task).await.unwrap();
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accept.abort();
        self.connections.lock().iter().for_each(JoinHandle::abort);
    }
}

/// A listener whose system takes little that nobody reads.
fn narrow() -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    socket.listen(1_024).unwrap()
}

fn acceptor(identity: &Identity) -> TlsAcceptor {
    TlsAcceptor::from(server_config(identity, None).unwrap())
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

type Taken = mpsc::UnboundedSender<(usize, String)>;

async fn take(
    number: usize,
    stream: TcpStream,
    certificate: Option<TlsAcceptor>,
    pace: watch::Receiver<Pace>,
    taken: Taken,
) {
    let Some(acceptor) = certificate else { return read(number, stream, pace, taken).await };
    // Who does not trust it ends the handshake.
    if let Ok(stream) = acceptor.accept(stream).await {
        read(number, stream, pace, taken).await;
    }
}

async fn read(
    number: usize,
    mut stream: impl AsyncRead + Unpin,
    mut pace: watch::Receiver<Pace>,
    taken: Taken,
) {
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        let now = *pace.borrow_and_update();
        let most = match now {
            Pace::Never if pace.changed().await.is_err() => return,
            Pace::Never => continue,
            Pace::Slowly(bytes, _) => bytes,
            Pace::All => buffer.len(),
        };
        match stream.read(&mut buffer[..most]).await {
            Ok(length @ 1..) => bytes.extend_from_slice(&buffer[..length]),
            _ => return,
        }
        let mut rest = bytes.as_slice();
        while let Some((message, behind)) = message(rest) {
            let _ = taken.send((number, String::from_utf8(message.to_vec()).unwrap()));
            rest = behind;
        }
        bytes.drain(..bytes.len() - rest.len());
        if let Pace::Slowly(_, pause) = now {
            let _ = timeout(pause, pace.changed()).await;
        }
    }
}

/// The first message, and what is behind it.
fn message(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = bytes.iter().position(|byte| !byte.is_ascii_digit())?;
    assert!(space > 0 && bytes[space] == b' ', "{:?} is no length", &bytes[..=space]);
    let length: usize = std::str::from_utf8(&bytes[..space]).unwrap().parse().unwrap();
    bytes[space + 1..].split_at_checked(length)
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
