//! Who the client is, and how the endpoint is told: `X-Forwarded-For`, `-Proto` and `-Port`.

use std::net::{IpAddr, SocketAddr};

use fairlead_router_core::Settings;
use fairlead_router_listen::{ConnectionInfo, Scheme};
use http::{HeaderMap, HeaderValue};
use pingora_error::Result;
use pingora_http::RequestHeader;

use crate::connection::Origin;

const FOR: &str = "X-Forwarded-For";
const PROTO: &str = "X-Forwarded-Proto";
const PORT: &str = "X-Forwarded-Port";

/// How the client spoke to us, or to the first peer that we trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proto {
    Http,
    Https,
    Ws,
    Wss,
}

impl Proto {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// Whether it means TLS.
    pub(crate) const fn is_secure(self) -> bool {
        matches!(self, Self::Https | Self::Wss)
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Http, Self::Https, Self::Ws, Self::Wss]
            .into_iter()
            .find(|proto| text.eq_ignore_ascii_case(proto.as_str()))
    }
}

/// The client of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) address: IpAddr,
    pub(crate) proto: Proto,
    /// The peer may speak for others.
    pub(crate) trusted: bool,
}

impl Client {
    /// The client of a request with `headers` that came by the connection `info`.
    pub(crate) fn of(headers: &HeaderMap, info: &ConnectionInfo, settings: &Settings) -> Self {
        let peer = info.peer.ip();
        let trusted = settings.trusts(peer);
        let address = if trusted { forwarded_for(headers, peer, settings) } else { peer };
        let proto = match info.scheme {
            Scheme::Https => Proto::Https,
            Scheme::Http if trusted => {
                last(headers, PROTO).and_then(Proto::parse).unwrap_or(Proto::Http)
            }
            Scheme::Http | Scheme::Tcp => Proto::Http,
        };
        Self { address, proto, trusted }
    }

    /// Sets the fields on the request that the endpoint gets.
    ///
    /// # Errors
    /// When there are more fields than Pingora can hold.
    pub(crate) fn tell(&self, request: &mut RequestHeader, origin: &Origin) -> Result<()> {
        let chain = if self.trusted { chain(&request.headers, &origin.peer) } else { None };
        request.insert_header(FOR, chain.unwrap_or_else(|| origin.peer.clone()))?;
        request.insert_header(PROTO, HeaderValue::from_static(self.proto.as_str()))?;
        let told =
            self.trusted.then(|| last(&request.headers, PORT)?.parse::<u16>().ok()).flatten();
        match told {
            Some(port) => request.insert_header(PORT, HeaderValue::from(port)),
            None => request.insert_header(PORT, origin.port.clone()),
        }
    }
}

/// The rightmost address that we do not trust, else the leftmost one. Whatever stands left of
/// something that is no address is worth nothing.
fn forwarded_for(headers: &HeaderMap, peer: IpAddr, settings: &Settings) -> IpAddr {
    let mut client = peer;
    for line in headers.get_all(FOR).iter().rev() {
        for entry in line.as_bytes().rsplit(|byte| *byte == b',') {
            let Some(address) = address(entry) else { return client };
            client = address;
            if !settings.trusts(client) {
                return client;
            }
        }
    }
    client
}

/// An address, with or without a port.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(entry).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok();
    let address = address.or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()));
    address.map(|address| address.to_canonical())
}

/// The last entry of a field that is a list.
fn last<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let line = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    line.rsplit(',').next().map(str::trim)
}

/// What the peer told, and the peer itself.
fn chain(headers: &HeaderMap, peer: &HeaderValue) -> Option<HeaderValue> {
    let mut chain = Vec::new();
    for line in headers.get_all(FOR) {
        chain.extend_from_slice(line.as_bytes());
        chain.extend_from_slice(b", ");
    }
    if chain.is_empty() {
        return None;
    }
    chain.extend_from_slice(peer.as_bytes());
    HeaderValue::from_bytes(&chain).ok()
}
