//! Connections to receivers.

mod stream;

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::{AlertDescription, ClientConfig};
use rustls_pki_types::ServerName;
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

pub use stream::Stream;

use crate::open::OpenError;
use crate::target::{Endpoint, Host, Target, Transport};
use crate::witness::tell;
use crate::{Credentials, Failure, FailureKind, Network};

/// Addresses of a name that are tried, at most.
const ADDRESSES: usize = 8;

/// Connects to one receiver. Each time its name is asked for again, all addresses are checked and
/// one of them is connected to: by its address, so that nobody is asked twice.
pub struct Dialer {
    endpoint: Endpoint,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    network: Network,
}

impl Dialer {
    /// For a receiver; over TLS it is offered these protocols by the names of RFC 7301.
    ///
    /// # Errors
    /// Where the Secret and the URL do not fit.
    pub fn new(
        target: &Target,
        credentials: &Credentials,
        network: &Network,
        protocols: &[&[u8]],
    ) -> Result<Self, OpenError> {
        let endpoint = target.endpoint().clone();
        let tls = match target.transport() {
            Transport::Tls => {
                let name = endpoint.host.server_name().ok_or(OpenError::ServerName)?;
                Some((credentials.tls(protocols)?, name))
            }
            Transport::Udp | Transport::Tcp if credentials.for_tls() => {
                return Err(OpenError::NoTls(target.scheme()));
            }
            Transport::Udp | Transport::Tcp => None,
        };
        Ok(Self { endpoint, tls, network: network.clone() })
    }

    /// How long is waited.
    #[must_use]
    pub fn timeouts(&self) -> crate::Timeouts {
        self.network.timeouts
    }

    /// A new connection over TCP, with TLS where the URL says so.
    ///
    /// # Errors
    /// Where there is none in time.
    pub async fn stream(&self) -> Result<Stream, Failure> {
        let addresses = self.addresses().await?;
        self.in_time("is not connected to", self.connect(&addresses)).await?
    }

    /// A new socket for datagrams.
    ///
    /// # Errors
    /// Where the receiver's name has no address, or none that is allowed.
    pub async fn datagrams(&self) -> Result<UdpSocket, Failure> {
        let addresses = self.addresses().await?;
        let mut failed = None;
        for address in addresses {
            let any: IpAddr = match address {
                SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            let connect = async {
                let socket = UdpSocket::bind((any, 0)).await?;
                socket.connect(address).await?;
                Ok(socket)
            };
            match connect.await {
                Ok(socket) => {
                    tell(|| format!("datagrams go to {address}"));
                    return Ok(socket);
                }
                Err(error) => failed = Some(self.failure(&error)),
            }
        }
        Err(failed.unwrap_or_else(|| self.nobody()))
    }

    /// All addresses, each of them allowed.
    async fn addresses(&self) -> Result<Vec<SocketAddr>, Failure> {
        let addresses = match &self.endpoint.host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => {
                let resolve = self.network.resolve.resolve(name);
                let answer = self.in_time("has no address so far", resolve).await?;
                answer.map_err(|error| {
                    let message = format!("{}: no address: {error}", self.endpoint);
                    Failure::new(FailureKind::Resolve, message)
                })?
            }
        };
        tell(|| {
            let all: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            format!("{}: the addresses are {}", self.endpoint, all.join(", "))
        });
        for address in &addresses {
            self.network.guard.check(*address).map_err(|forbidden| {
                let message = format!("{}: {forbidden}", self.endpoint);
                Failure::new(FailureKind::Forbidden, message)
            })?;
        }
        if addresses.is_empty() {
            return Err(self.nobody());
        }
        let port = self.endpoint.port;
        Ok(addresses.into_iter().take(ADDRESSES).map(|it| (it, port).into()).collect())
    }

    /// The first address that can be connected to, then TLS with it.
    async fn connect(&self, addresses: &[SocketAddr]) -> Result<Stream, Failure> {
        let end = Instant::now() + self.network.timeouts.connect;
        let mut failed = None;
        for (at, address) in addresses.iter().enumerate() {
            // What is silent leaves time for those behind it.
            let share = end.saturating_duration_since(Instant::now())
                / u32::try_from(addresses.len() - at).unwrap_or(1);
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(tcp)) => {
                    tell(|| format!("connected to {address}"));
                    return self.secure(tcp).await;
                }
                Ok(Err(error)) => {
                    tell(|| format!("{address}: {error}"));
                    failed = Some(self.failure(&error));
                }
                Err(_) => {
                    tell(|| format!("{address}: no answer"));
                    failed = Some(self.late("is not connected to"));
                }
            }
        }
        Err(failed.unwrap_or_else(|| self.nobody()))
    }

    async fn secure(&self, tcp: TcpStream) -> Result<Stream, Failure> {
        // Batches are written whole: waiting for more of them to fill a packet helps nobody.
        tcp.set_nodelay(true).map_err(|error| self.failure(&error))?;
        keep_alive(&tcp).map_err(|error| self.failure(&error))?;
        let Some((config, name)) = &self.tls else { return Ok(Stream::plain(tcp)) };
        let connector = TlsConnector::from(config.clone());
        let connected = connector.connect(name.clone(), stream::Counted::new(tcp)).await;
        let connected = connected.map_err(|error| self.failure(&error))?;
        tell(|| {
            let tls = connected.get_ref().1;
            let version = tls.protocol_version().and_then(|version| version.as_str());
            let name = name.to_str();
            format!("{}: the certificate is trusted for {name}", version.unwrap_or("TLS"))
        });
        Ok(Stream::secure(connected))
    }

    async fn in_time<F: Future>(&self, what: &str, future: F) -> Result<F::Output, Failure> {
        let limit = self.network.timeouts.connect;
        timeout(limit, future).await.map_err(|_| self.late(what))
    }

    fn late(&self, what: &str) -> Failure {
        let limit = self.network.timeouts.connect;
        let message = format!("{} {what} after {limit:?}", self.endpoint);
        Failure::new(FailureKind::Timeout, message)
    }

    fn nobody(&self) -> Failure {
        Failure::new(FailureKind::Resolve, format!("{}: no address", self.endpoint))
    }

    /// What an error of a connection means.
    #[must_use]
    pub fn failure(&self, error: &io::Error) -> Failure {
        Failure::new(kind(error), format!("{}: {error}", self.endpoint))
    }
}

/// A silent connection is looked after, so that a receiver that went away without a word is noticed.
fn keep_alive(tcp: &TcpStream) -> io::Result<()> {
    let often = socket2::TcpKeepalive::new().with_time(Duration::from_secs(60));
    socket2::SockRef::from(tcp).set_tcp_keepalive(&often)
}

fn kind(error: &io::Error) -> FailureKind {
    use AlertDescription as Alert;
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            FailureKind::Certificate
        }
        // What the receiver says of the certificate that it was shown.
        Some(rustls::Error::AlertReceived(
            Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::CertificateRequired
            | Alert::UnknownCA
            | Alert::AccessDenied,
        )) => FailureKind::Denied,
        Some(_) => FailureKind::Protocol,
        None if error.kind() == io::ErrorKind::TimedOut => FailureKind::Timeout,
        None => FailureKind::Connect,
    }
}

#[cfg(test)]
mod tests;
