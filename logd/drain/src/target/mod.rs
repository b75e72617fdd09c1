//! Where a drain leads: what its URL says.
//!
//! ```text
//! syslog://HOST[:514]  syslog+tcp://HOST:PORT  syslog+tls://HOST[:6514]
//!     ?format=rfc5424|rfc3164 &framing=octet-counting|lf &facility=user
//! papertrail://HOST:PORT
//! gelf://HOST[:12201]  gelf+tcp://…  gelf+tls://…
//! http[s]://[USER:PASSWORD@]HOST[:PORT]/PATH[?QUERY]          Logplex
//! json+http[s]://…                                            JSON lines
//!     ?gzip=true &sumo-name=TEXT &sumo-host=TEXT &sumo-category=TEXT &QUERY
//! otlp+http[s]://HOST[:4318][/v1/logs]                        OpenTelemetry
//! elasticsearch+http[s]://… opensearch+http[s]://HOST[:9200]
//!     ?index=NAME | ?data-stream=NAME | ?prefix=NAME | ?index-from=FIELD &time-key=NAME
//! ```

mod error;
mod options;
mod secret;
mod url;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use rustls_pki_types::ServerName;

pub use error::TargetError;
pub use options::{
    Destination, Elasticsearch, Facility, Field, Format, Framing, Gelf, Http, JsonLines, Product,
    Sumo, Syslog, User,
};
pub use secret::Secret;

/// What a drain's URL says: the kind of receiver, where it is and how it wants lines.
///
/// Neither [`Display`](fmt::Display) nor [`Debug`](fmt::Debug) shows what may be a secret: user,
/// password, path and query of an HTTP URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `syslog://`, `syslog+tcp://`, `syslog+tls://`, `papertrail://`.
    Syslog(Syslog),
    /// `gelf://`, `gelf+tcp://`, `gelf+tls://`: Graylog.
    Gelf(Gelf),
    /// `http://`, `https://`: as Heroku's Logplex sends.
    Logplex(Http),
    /// `json+http://`, `json+https://`: an object per line.
    JsonLines(JsonLines),
    /// `elasticsearch+http://`, `elasticsearch+https://`, `opensearch+http://`,
    /// `opensearch+https://`.
    Elasticsearch(Elasticsearch),
    /// `otlp+http://`, `otlp+https://`: OpenTelemetry's logs.
    Otlp(Http),
}

/// What bytes are sent over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams: nothing is ever confirmed.
    Udp,
    /// A stream that anybody on the way can read and change.
    Tcp,
    /// A stream to a receiver whose certificate is verified.
    Tls,
}

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Which host.
    pub host: Host,
    /// Which port; never 0.
    pub port: u16,
}

/// A host, as a URL names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// By a name of at most 253 letters, digits, `-`, `_` and points.
    Name(String),
    /// By an address.
    Address(IpAddr),
}

impl Target {
    /// Reads a drain's URL.
    ///
    /// # Errors
    /// Says which part is wrong and what to write; never repeats what it has read.
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        url::parse(url)
    }

    /// Where it is.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        match self {
            Self::Syslog(syslog) => &syslog.endpoint,
            Self::Gelf(gelf) => &gelf.endpoint,
            Self::Logplex(http) | Self::Otlp(http) => &http.endpoint,
            Self::JsonLines(json) => &json.http.endpoint,
            Self::Elasticsearch(elasticsearch) => &elasticsearch.http.endpoint,
        }
    }

    /// What bytes are sent over.
    #[must_use]
    pub fn transport(&self) -> Transport {
        let http = |http: &Http| if http.tls { Transport::Tls } else { Transport::Tcp };
        match self {
            Self::Syslog(syslog) => syslog.transport,
            Self::Gelf(gelf) => gelf.transport,
            Self::Logplex(it) | Self::Otlp(it) => http(it),
            Self::JsonLines(json) => http(&json.http),
            Self::Elasticsearch(elasticsearch) => http(&elasticsearch.http),
        }
    }

    /// The URL's scheme.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        use Transport::{Tcp, Tls, Udp};
        match (self, self.transport()) {
            (Self::Syslog(_), Udp) => "syslog",
            (Self::Syslog(_), Tcp) => "syslog+tcp",
            (Self::Syslog(_), Tls) => "syslog+tls",
            (Self::Gelf(_), Udp) => "gelf",
            (Self::Gelf(_), Tcp) => "gelf+tcp",
            (Self::Gelf(_), Tls) => "gelf+tls",
            (Self::Logplex(_), Tls) => "https",
            (Self::Logplex(_), _) => "http",
            (Self::JsonLines(_), Tls) => "json+https",
            (Self::JsonLines(_), _) => "json+http",
            (Self::Otlp(_), Tls) => "otlp+https",
            (Self::Otlp(_), _) => "otlp+http",
            (Self::Elasticsearch(it), transport) => match (it.product, transport) {
                (Product::Elasticsearch, Tls) => "elasticsearch+https",
                (Product::Elasticsearch, _) => "elasticsearch+http",
                (Product::OpenSearch, Tls) => "opensearch+https",
                (Product::OpenSearch, _) => "opensearch+http",
            },
        }
    }

    fn http(&self) -> Option<&Http> {
        match self {
            Self::Logplex(http) | Self::Otlp(http) => Some(http),
            Self::JsonLines(json) => Some(&json.http),
            Self::Elasticsearch(elasticsearch) => Some(&elasticsearch.http),
            Self::Syslog(_) | Self::Gelf(_) => None,
        }
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(url: &str) -> Result<Self, TargetError> {
        Self::parse(url)
    }
}

/// `SCHEME://HOST:PORT`; a user, and a path with its query, are shown as `…`.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let http = self.http();
        let user = if http.is_some_and(|http| http.user.is_some()) { "…@" } else { "" };
        let path = if http.is_some_and(|http| http.path.expose() != "/") { "/…" } else { "" };
        write!(f, "{}://{user}{}{path}", self.scheme(), self.endpoint())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// As in a URL: addresses of IPv6 stand in brackets.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

impl Host {
    /// What its certificate has to be for.
    #[must_use]
    pub fn server_name(&self) -> Option<ServerName<'static>> {
        match self {
            Self::Name(name) => ServerName::try_from(name.trim_end_matches('.').to_owned()).ok(),
            Self::Address(address) => Some(ServerName::IpAddress((*address).into())),
        }
    }
}

#[cfg(test)]
mod tests;
