//! Listening, and connections.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener as StdListener, UdpSocket as StdSocket},
    sync::Arc,
    time::Duration,
};

use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::{
    Counters, Shared, SyslogOptions, Transport,
    drops::Inode,
    frame::{Frame, Framer, without_line_end},
    intake::Intake,
};
use crate::{StartError, store::Store};

/// Connections of an address at a time; further ones wait to be accepted.
const CONNECTIONS: usize = 1_024;
/// A connection that is silent for so long is closed.
const IDLE: Duration = Duration::from_secs(3_600);
/// A silent one is looked after so often.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// Limit for a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// What is read of a connection at once.
const READ: usize = 16 * 1024;
/// A datagram is no longer than this (RFC 768 has 16 bits for its length).
const DATAGRAM: usize = 1 << 16;
/// Datagrams that are stored together.
const TOGETHER: usize = 64;
/// Bytes of datagrams that the system may keep until they are read. It may grant less.
const KEPT: usize = 4 << 20;
/// How often another port is tried where the system chose one that is free for TCP alone.
const TRIES: usize = 16;

/// Addresses that are listened on.
#[derive(Default)]
pub(crate) struct Listeners {
    plain: Option<(StdListener, StdSocket, SocketAddr)>,
    tls: Option<(StdListener, SocketAddr)>,
}

impl Listeners {
    /// Begins to listen.
    ///
    /// # Errors
    /// Where an address cannot be listened on.
    pub(crate) fn bind(options: &SyslogOptions) -> Result<Self, StartError> {
        let failed = |flag, address| move |source| StartError::Bind { flag, address, source };
        let plain = options.plain.map(|at| plain(at).map_err(failed("--syslog", at)));
        let tls = options.tls.as_ref().map(|tls| tls.address);
        let tls = tls.map(|at| tcp(at).map_err(failed("--syslog-tls", at)));
        Ok(Self { plain: plain.transpose()?, tls: tls.transpose()? })
    }

    /// The address for UDP and TCP, with its real port.
    pub(crate) fn plain_addr(&self) -> Option<SocketAddr> {
        self.plain.as_ref().map(|(.., address)| *address)
    }

    /// That for TLS.
    pub(crate) fn tls_addr(&self) -> Option<SocketAddr> {
        self.tls.as_ref().map(|(_, address)| *address)
    }

    /// Serves for ever, on the runtime that this is called on.
    ///
    /// # Errors
    /// Where the runtime cannot take a socket.
    pub(crate) fn serve(
        self,
        options: SyslogOptions,
        store: Store,
        counters: Arc<Counters>,
    ) -> io::Result<()> {
        let (tls, certificates) = match options.tls {
            Some(tls) => (Some(TlsAcceptor::from(tls.config)), tls.certificates),
            None => (None, false),
        };
        let shared = Arc::new(Shared { store, rules: options.rules, counters, tls, certificates });
        if let Some((listener, socket, _)) = self.plain {
            if let Some(inode) = Inode::of(&socket) {
                // This is the only one.
                let _ = shared.counters.socket.set(inode);
            }
            let listener = TcpListener::from_std(listener)?;
            tokio::spawn(accept(listener, shared.clone(), Transport::Tcp));
            tokio::spawn(datagrams(UdpSocket::from_std(socket)?, shared.clone()));
        }
        if let Some((listener, _)) = self.tls {
            tokio::spawn(accept(TcpListener::from_std(listener)?, shared, Transport::Tls));
        }
        Ok(())
    }
}

/// TCP and UDP, on the same port.
fn plain(address: SocketAddr) -> io::Result<(StdListener, StdSocket, SocketAddr)> {
    let mut tries = if address.port() == 0 { TRIES } else { 1 };
    loop {
        let (listener, address) = tcp(address)?;
        match StdSocket::bind(address) {
            Ok(socket) => {
                socket.set_nonblocking(true)?;
                // What it grants is enough.
                let _ = SockRef::from(&socket).set_recv_buffer_size(KEPT);
                return Ok((listener, socket, address));
            }
            Err(error) if tries == 1 => return Err(error),
            Err(_) => tries -= 1,
        }
    }
}

fn tcp(address: SocketAddr) -> io::Result<(StdListener, SocketAddr)> {
    let listener = StdListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

fn datagram(message: &[u8]) -> Frame<'_> {
    Frame { message: without_line_end(message), missing: 0, unfinished: false }
}

/// Takes datagrams until the store ends. A message each (RFC 5426, section 3.1).
async fn datagrams(socket: UdpSocket, shared: Arc<Shared>) {
    let mut intake = Intake::new(shared, Transport::Udp);
    let mut buffer = vec![0; DATAGRAM];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, peer)) => intake.take(datagram(&buffer[..length]), peer.ip()),
            Err(error) => {
                tracing::warn!(%error, "cannot receive on the address for syslog");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        for _ in 1..TOGETHER {
            let Ok((length, peer)) = socket.try_recv_from(&mut buffer) else { break };
            intake.take(datagram(&buffer[..length]), peer.ip());
        }
        if intake.flush().await.is_err() {
            return;
        }
    }
}

/// Serves connections for ever.
async fn accept(listener: TcpListener, shared: Arc<Shared>, transport: Transport) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else { return };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept on an address for syslog");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let shared = shared.clone();
        tokio::spawn(async move {
            shared.counters.came.add(1);
            connection(&shared, stream, peer.ip(), transport).await;
            shared.counters.went.add(1);
            drop(permit);
        });
    }
}

async fn connection(shared: &Arc<Shared>, stream: TcpStream, peer: IpAddr, transport: Transport) {
    // A sender that went away without a word makes room.
    let _ = SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE));
    let Some(tls) = shared.tls.as_ref().filter(|_| transport == Transport::Tls) else {
        return messages(shared, stream, peer, transport).await;
    };
    match timeout(HANDSHAKE, tls.accept(stream)).await {
        // The handshake has verified what it showed.
        Ok(Ok(stream))
            if !shared.certificates || stream.get_ref().1.peer_certificates().is_some() =>
        {
            messages(shared, stream, peer, transport).await;
        }
        _ => shared.counters.refused.add(1),
    }
}

/// Takes messages until the sender has gone, or the store ends.
async fn messages(
    shared: &Arc<Shared>,
    mut stream: impl AsyncRead + Unpin,
    peer: IpAddr,
    transport: Transport,
) {
    let mut intake = Intake::new(shared.clone(), transport);
    let mut framer = Framer::default();
    let mut buffer = vec![0; READ];
    while let Ok(Ok(length @ 1..)) = timeout(IDLE, stream.read(&mut buffer)).await {
        framer.push(&buffer[..length]);
        while let Some(frame) = framer.next() {
            intake.take(frame, peer);
        }
        if intake.flush().await.is_err() {
            return;
        }
    }
    if let Some(frame) = framer.finish() {
        intake.take(frame, peer);
    }
    // The store ends: so does everything.
    let _ = intake.finish().await;
}
