//! The sink that a URL asks for.

use thiserror::Error;

use crate::datagram_sink::DatagramSink;
use crate::dial::Dialer;
use crate::encode::Encode;
use crate::stream_sink::StreamSink;
use crate::target::{Target, Transport};
use crate::{Credentials, CredentialsError, Network, Sink, gelf, http, syslog};

/// Why there is no sink for a URL with these credentials.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OpenError {
    /// The Secret's keys cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// They are for TLS, and there is none.
    #[error("ca.crt, tls.crt and tls.key are for TLS, and {0} has none: use a URL with TLS")]
    NoTls(&'static str),
    /// The host's name is none that a certificate can have.
    #[error("the URL's host is no name that a certificate can be for")]
    ServerName,
    /// There are two ways to say who sends.
    #[error("user and password in the URL and token exclude each other: leave one of them out")]
    UserAndToken,
    /// The path cannot be asked for.
    #[error("the URL's host or path cannot be sent: write unusual characters as %XX")]
    Path,
    /// There is a token, and nowhere to put it.
    #[error("token is of no use for {0}: leave it out")]
    NoToken(&'static str),
    /// It has to be the name of an element of structured data.
    #[error("token has one of the characters = ] \" in it, which cannot stand in structured data")]
    TokenAsElement,
}

/// Opens the sink that a URL asks for. Connects to nothing before there is something to send.
///
/// # Errors
/// Where the Secret and the URL do not fit.
pub fn open(
    target: &Target,
    credentials: &Credentials,
    network: &Network,
) -> Result<Box<dyn Sink>, OpenError> {
    let token = credentials.token.as_ref();
    let dialer = |protocols| Dialer::new(target, credentials, network, protocols);
    let for_http = || dialer(&[b"http/1.1"]);
    match target {
        Target::Syslog(syslog) => {
            let encoder = syslog::Encoder::new(syslog, token)?;
            Ok(unconfirmed(target, encoder, dialer(&[])?))
        }
        Target::Gelf(_) if token.is_some() => Err(OpenError::NoToken(target.scheme())),
        Target::Gelf(gelf) => {
            Ok(unconfirmed(target, gelf::Encoder::new(gelf.transport), dialer(&[])?))
        }
        Target::Logplex(http) => http::logplex(http, for_http()?, token),
        Target::JsonLines(json) => http::json_lines(json, for_http()?, token),
        Target::Otlp(http) => http::otlp(http, for_http()?, token),
        Target::Elasticsearch(bulk) => http::elasticsearch(bulk, for_http()?, token),
    }
}

/// For receivers that confirm nothing.
fn unconfirmed(target: &Target, encoder: impl Encode + 'static, dialer: Dialer) -> Box<dyn Sink> {
    match target.transport() {
        Transport::Udp => Box::new(DatagramSink::new(encoder, dialer)),
        Transport::Tcp | Transport::Tls => Box::new(StreamSink::new(encoder, dialer)),
    }
}
