//! Connections to receivers.

mod stream;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::{AlertDescription, ClientConfig};
use rustls_pki_types::ServerName;
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

pub use stream::Stream;

use crate::open::OpenError;
use crate::target::{Endpoint, Host, Target, Transport};
use crate::witness::tell;
use crate::{Credentials, Failure, FailureKind, Network, Stage};

/// Addresses of a name that are tried, at most.
const ADDRESSES: usize = 8;

/// Bytes that the system keeps for a receiver before they are on their way, at most: what it takes in
/// between is sent without us, and what it does not take stays where it is in memory once.
const UNSENT: u32 = 128 << 10;

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
        let end = Instant::now() + self.network.timeouts.connect;
        let tcp = self.connect(&addresses, end).await?;
        let secured = timeout_at(end, self.secure(tcp)).await;
        let secured = secured.unwrap_or_else(|_| Err(self.late("is not connected to")));
        secured.map_err(|failure| failure.at(Stage::Reached))
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
                Err(error) => failed = Some(self.failure(&error).at(Stage::Unreached)),
            }
        }
        Err(failed.unwrap_or_else(|| self.nobody()))
    }

    /// All addresses, each of them allowed.
    async fn addresses(&self) -> Result<Vec<SocketAddr>, Failure> {
        let addresses = match &self.endpoint.host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => self.ask(name).await?.map_err(|error| {
                let message = format!("{}: no address: {error}", self.endpoint);
                Failure::new(FailureKind::Resolve, message).at(Stage::Unreached)
            })?,
        };
        // Who may not lead there is not told what is there.
        for address in &addresses {
            self.network.guard.check(*address).map_err(|forbidden| {
                tracing::debug!(to = %self.endpoint, %forbidden, "a drain leads where it may not");
                let message = format!(
                    "{}: leads into the cluster or to an address that is not public, where drains \
                     of this namespace may not lead",
                    self.endpoint
                );
                Failure::new(FailureKind::Forbidden, message).at(Stage::Own)
            })?;
        }
        tell(|| {
            let all: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            format!("{}: the addresses are {}", self.endpoint, all.join(", "))
        });
        if addresses.is_empty() {
            return Err(self.nobody());
        }
        let port = self.endpoint.port;
        Ok(addresses.into_iter().take(ADDRESSES).map(|it| (it, port).into()).collect())
    }

    /// Asks for a name's addresses, once there are not too many questions of the same owner. Who
    /// leaves before there is an answer leaves the question behind.
    async fn ask(&self, name: &str) -> Result<io::Result<Vec<IpAddr>>, Failure> {
        let limit = self.network.timeouts.connect;
        let Network { resolve, questions, .. } = &self.network;
        let turn = timeout(limit, questions.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            let text = "other names of this namespace's drains are asked for, and nobody answers";
            let message = format!("{}: no address so far: {text}", self.endpoint);
            return Err(Failure::new(FailureKind::Resolve, message).at(Stage::Own));
        };
        let (resolve, name) = (resolve.clone(), name.to_owned());
        let question = tokio::spawn(async move {
            let _turn = turn;
            resolve.resolve(&name).await
        });
        let answer = timeout(limit, question).await;
        let late = |_| self.late("has no address so far").at(Stage::Unreached);
        Ok(answer.map_err(late)?.map_err(io::Error::other).flatten())
    }

    /// The first address that can be connected to.
    async fn connect(&self, addresses: &[SocketAddr], end: Instant) -> Result<TcpStream, Failure> {
        let mut failed = None;
        for (at, address) in addresses.iter().enumerate() {
            // What is silent leaves time for those behind it.
            let share = end.saturating_duration_since(Instant::now())
                / u32::try_from(addresses.len() - at).unwrap_or(1);
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(tcp)) => {
                    tell(|| format!("connected to {address}"));
                    return Ok(tcp);
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
        Err(failed.unwrap_or_else(|| self.nobody()).at(Stage::Unreached))
    }

    async fn secure(&self, tcp: TcpStream) -> Result<Stream, Failure> {
        // Batches are written whole: waiting for more of them to fill a packet helps nobody.
        tcp.set_nodelay(true).map_err(|error| self.failure(&error))?;
        prepare(&tcp).map_err(|error| self.failure(&error))?;
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

    fn late(&self, what: &str) -> Failure {
        let limit = self.network.timeouts.connect;
        let message = format!("{} {what} after {limit:?}", self.endpoint);
        Failure::new(FailureKind::Timeout, message)
    }

    fn nobody(&self) -> Failure {
        let message = format!("{}: no address", self.endpoint);
        Failure::new(FailureKind::Resolve, message).at(Stage::Unreached)
    }

    /// What an error of a connection means.
    #[must_use]
    pub fn failure(&self, error: &io::Error) -> Failure {
        Failure::new(kind(error), format!("{}: {error}", self.endpoint))
    }
}

/// A silent connection is looked after, so that a receiver that went away without a word is noticed, and
/// the system keeps little for one that takes nothing.
fn prepare(tcp: &TcpStream) -> io::Result<()> {
    let often = socket2::TcpKeepalive::new().with_time(Duration::from_secs(60));
    let tcp = socket2::SockRef::from(tcp);
    tcp.set_tcp_keepalive(&often)?;
    // It saves memory, and no more.
    if let Err(error) = tcp.set_tcp_notsent_lowat(UNSENT) {
        tracing::debug!(%error, "the system keeps what it likes for a receiver");
    }
    Ok(())
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
