//! Syslog in: messages of what is not a container, by UDP (RFC 5426), TCP (RFC 6587) and TLS
//! (RFC 5425). Rules say which app a message belongs to; one that none takes is dropped and counted.
//!
//! ```text
//! listen -> frame (messages in a stream) -> message (what one says) -> rule (whose it is) -> intake
//! ```

mod drops;
mod frame;
mod intake;
mod listen;
mod message;
mod rule;

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;

pub(crate) use self::listen::Listeners;
pub use self::{
    frame::{Frame, Framer},
    message::Message,
    rule::{Rule, RuleError},
};
use crate::store::{Store, counters::Counter};

/// How syslog is taken. By default it is not.
#[derive(Debug, Default)]
pub struct SyslogOptions {
    /// Where messages come by UDP and by TCP. Port 0 lets the system choose. None
    pub plain: Option<SocketAddr>,
    /// Where they come by TLS. None
    pub tls: Option<SyslogTls>,
    /// Whose messages are: the first rule that takes one says. One that none takes is dropped.
    pub rules: Vec<Rule>,
}

/// How syslog is taken by TLS.
#[derive(Debug)]
pub struct SyslogTls {
    /// Where.
    pub address: SocketAddr,
    /// As [`fairlead_wire::tls::server_config`] makes it.
    pub config: Arc<ServerConfig>,
    /// Clients have to show a certificate that `config` trusts.
    pub certificates: bool,
}

/// How a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Udp,
    Tcp,
    Tls,
}

/// What is counted of it.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    messages: [Counter; 3],
    /// No rule took them.
    pub(crate) unmatched: Counter,
    /// Taken as they came.
    pub(crate) without_header: Counter,
    /// Connections that came, and that went.
    pub(crate) came: Counter,
    pub(crate) went: Counter,
    /// Connections that were refused: handshakes that failed.
    pub(crate) refused: Counter,
    /// The socket for datagrams.
    socket: OnceLock<drops::Inode>,
}

impl Counters {
    pub(crate) fn messages(&self, transport: Transport) -> &Counter {
        &self.messages[transport as usize]
    }

    /// Datagrams that the system dropped, as far as it says.
    pub(crate) fn dropped(&self) -> u64 {
        self.socket.get().and_then(drops::Inode::dropped).unwrap_or_default()
    }
}

/// What all listeners share.
struct Shared {
    store: Store,
    rules: Vec<Rule>,
    counters: Arc<Counters>,
    tls: Option<TlsAcceptor>,
    /// A client has to show a certificate.
    certificates: bool,
}
