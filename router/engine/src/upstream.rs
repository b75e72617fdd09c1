//! Connections to endpoints: how they are made, and which requests may share them.

use std::{net::SocketAddr, os::fd::RawFd, sync::Arc, time::Duration};

use fairlead_router_core::{Timeouts, Upstream, UpstreamTls};
use http::header::CONTENT_LENGTH;
use nix::{
    errno::Errno,
    sys::socket::{MsgFlags, recv},
};
use pingora_core::{
    upstreams::peer::HttpPeer,
    utils::tls::{CertKey, WrappedX509},
};
use pingora_error::ErrorType;
use pingora_http::RequestHeader;
use pingora_x509_parser::{certificate::X509Certificate, prelude::FromDer};
use rustls_pki_types::CertificateDer;

/// How long a connection is kept for requests that must not be repeated. Endpoints commonly close
/// idle connections after a second or more; this stays well below, so that such a request never
/// meets a connection that is about to be closed for its age.
const ONCE_IDLE: Duration = Duration::from_millis(300);

/// The largest body that is kept for a repetition. Fixed by Pingora.
pub(crate) const REPEATABLE_BODY: usize = 64 * 1024;

/// The kept connection was closed before anything was sent on it.
pub(crate) const STALE: ErrorType = ErrorType::new("StaleConnection");

/// Which kept connections a request may use. Each group has connections of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pool {
    /// Any: should one fail for its age, the request is repeated on a fresh one.
    Repeatable,
    /// Only connections that were in use a moment ago.
    Once,
    /// None: the number is used for this attempt alone.
    Fresh(u64),
    /// Those of one client's connection, whose credentials they may have taken: the number is used
    /// for it alone.
    Bound(u64),
}

impl Pool {
    const fn key(self) -> u64 {
        match self {
            Self::Repeatable => 0,
            Self::Once => 1,
            Self::Fresh(number) | Self::Bound(number) => 2 + number,
        }
    }
}

/// Requests under way on one connection of HTTP/2 to an endpoint, which may allow fewer.
const H2_STREAMS: usize = 100;

/// What endpoints have to show, and are shown, in Pingora's form.
struct Verified {
    /// None at all: nobody is believed.
    authorities: Arc<[WrappedX509]>,
    certificate: Option<Arc<CertKey>>,
}

impl Verified {
    /// Without authorities that Pingora's parser cannot read; without any where that is so of the
    /// certificate.
    fn of(tls: &UpstreamTls) -> Self {
        let wrap = |der: &CertificateDer<'static>| {
            WrappedX509::try_new(der.to_vec(), |raw| {
                X509Certificate::from_der(raw).map(|(_, parsed)| parsed)
            })
            .ok()
        };
        let authorities = tls.authorities.iter().filter_map(wrap).collect();
        let Some(certificate) = &tls.certificate else {
            return Self { authorities, certificate: None };
        };
        // Pingora panics on one that it cannot read.
        if !certificate.chain.iter().all(|der| wrap(der).is_some()) {
            return Self { authorities: Arc::new([]), certificate: None };
        }
        let chain = certificate.chain.iter().map(|der| der.to_vec()).collect();
        let key = certificate.key.secret_der().to_vec();
        Self { authorities, certificate: Some(Arc::new(CertKey::new(chain, key))) }
    }
}

/// The endpoint at `address` in Pingora's terms. `kept` is how long the connection may be kept
/// idle for other repeatable requests. For a request that asks for an upgrade the wait for bytes
/// has no limit of its own here: the client's stream watches both directions.
pub(crate) fn peer(
    address: SocketAddr,
    timeouts: Timeouts,
    pool: Pool,
    kept: Duration,
    upgrade: bool,
    upstream: Option<&Upstream>,
) -> Box<HttpPeer> {
    let tls = upstream.and_then(|upstream| upstream.tls.as_ref());
    let name = tls.map_or_else(String::new, |tls| tls.server_name.to_string());
    let mut peer = HttpPeer::new(address, tls.is_some(), name);
    // Whoever is spoken to in another way, or verified by others, has connections of their own.
    peer.group_key = upstream.map_or(0, |upstream| upstream.id << 40) | pool.key();
    let options = &mut peer.options;
    if let Some(tls) = tls {
        let verified = tls.prepared(Verified::of);
        // None at all is refused by Pingora; left out it would take its own.
        let authorities = verified.map(|verified| verified.authorities.clone());
        options.ca = Some(authorities.unwrap_or_else(|| Arc::new([])));
        peer.client_cert_key = verified.and_then(|verified| verified.certificate.clone());
    }
    if upstream.is_some_and(|upstream| upstream.http2) {
        options.set_http_version(2, 2);
        options.max_h2_streams = H2_STREAMS;
    }
    options.connection_timeout = Some(timeouts.connect);
    options.read_timeout = (!upgrade).then_some(timeouts.tcp);
    options.write_timeout = Some(timeouts.tcp);
    options.idle_timeout = Some(match pool {
        Pool::Repeatable | Pool::Bound(_) => kept,
        Pool::Once => ONCE_IDLE,
        Pool::Fresh(_) => Duration::ZERO,
    });
    Box::new(peer)
}

/// Whether `request` may be made twice (RFC 9110 §9.2.2) and its body, if any, fits into memory.
pub(crate) fn is_repeatable(request: &RequestHeader, without_body: bool) -> bool {
    let fits = || {
        let length = request.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse::<usize>().ok()?;
        Some(length <= REPEATABLE_BODY)
    };
    request.method.is_idempotent() && (without_body || fits().unwrap_or(false))
}

/// Whether the endpoint has closed the idle connection `fd`, or sent what nobody asked for. Asks
/// the kernel: the runtime may not have heard of it yet.
pub(crate) fn is_closed(fd: RawFd) -> bool {
    let mut byte = [0];
    let peeked = recv(fd, &mut byte, MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT);
    peeked != Err(Errno::EAGAIN)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{TcpListener, TcpStream},
        os::fd::AsRawFd,
    };

    use super::*;

    #[test]
    fn what_may_be_made_twice_is_idempotent_and_fits_into_memory() {
        for (method, length, expected) in [
            ("GET", None, true),
            ("HEAD", None, true),
            ("OPTIONS", None, true),
            ("DELETE", Some("0"), true),
            ("PUT", Some("65536"), true),
            ("PUT", Some("65537"), false),
            ("PUT", Some("x"), false),
            ("POST", None, false),
            ("PATCH", None, false),
            ("ANY", None, false),
        ] {
            let mut request = RequestHeader::build(method, b"/", None).unwrap();
            if let Some(length) = length {
                request.insert_header(CONTENT_LENGTH, length).unwrap();
            }
            assert_eq!(is_repeatable(&request, length.is_none()), expected, "{method} {length:?}");
        }
        // A body of unknown length.
        let request = RequestHeader::build("PUT", b"/", None).unwrap();
        assert!(!is_repeatable(&request, false));
    }

    #[test]
    fn only_a_silent_open_connection_is_not_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut theirs = listener.accept().unwrap().0;
        assert!(!is_closed(ours.as_raw_fd()));
        theirs.write_all(b"x").unwrap();
        ours.peek(&mut [0]).unwrap();
        assert!(is_closed(ours.as_raw_fd()));
        (&ours).read_exact(&mut [0]).unwrap();
        assert!(!is_closed(ours.as_raw_fd()));
        drop(theirs);
        assert_eq!(ours.peek(&mut [0]).unwrap(), 0);
        assert!(is_closed(ours.as_raw_fd()));
    }

    #[test]
    fn each_group_has_connections_of_its_own() {
        let address = SocketAddr::from(([127, 0, 0, 1], 80));
        let timeouts = Timeouts { connect: Duration::from_secs(1), tcp: Duration::from_secs(2) };
        let kept = Duration::from_secs(3);
        let keys = [Pool::Repeatable, Pool::Once, Pool::Fresh(0), Pool::Fresh(1)].map(|pool| {
            let peer = peer(address, timeouts, pool, kept, false, None);
            assert_eq!(peer.options.connection_timeout, Some(timeouts.connect));
            assert_eq!(peer.options.read_timeout, Some(timeouts.tcp));
            assert_eq!(peer.options.write_timeout, Some(timeouts.tcp));
            (peer.group_key, peer.options.idle_timeout.unwrap())
        });
        assert_eq!(keys.map(|(key, _)| key), [0, 1, 2, 3]);
        assert_eq!(keys.map(|(_, idle)| idle), [kept, ONCE_IDLE, Duration::ZERO, Duration::ZERO]);
    }
}
