//! How endpoints are spoken to, where that is not HTTP/1.1 in the clear.

use std::{
    any::Any,
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock, Weak},
};

use bytes::Bytes;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::certificate::{ClientCertificate, MAX_PEM};

/// What is spoken to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// HTTP/1.1 in the clear.
    Http,
    /// HTTP/2 in the clear, without asking (RFC 9113 §3.3).
    H2c,
    /// HTTP/1.1 over TLS.
    Https,
    /// HTTP/2 over TLS.
    H2,
}

impl Protocol {
    /// Whether it is HTTP/2.
    pub const fn is_http2(self) -> bool {
        matches!(self, Self::H2c | Self::H2)
    }

    /// Whether endpoints have to show a certificate.
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Https | Self::H2)
    }
}

/// The endpoints of a rule, as they are spoken to. Two rules share connections only if they share this.
#[derive(Debug)]
pub struct Upstream {
    /// Tells it from every other one of this process; more than 0.
    pub id: u64,
    /// HTTP/2, not 1.1.
    pub http2: bool,
    /// What endpoints have to show; `None` in the clear.
    pub tls: Option<UpstreamTls>,
}

/// What an endpoint's certificate must be, and which one it is shown.
#[derive(Debug)]
pub struct UpstreamTls {
    /// Valid for this name, which endpoints are asked for (SNI).
    pub server_name: Arc<str>,
    /// Signed by one of these. Where there is none, nobody is believed.
    pub authorities: Arc<[CertificateDer<'static>]>,
    /// What it is shown where it asks.
    pub certificate: Option<Arc<ClientCertificate>>,
    /// Both in an engine's own form, made once.
    prepared: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl UpstreamTls {
    /// This as `make` has it; the same each time, for every thread. `None` when it has been made as
    /// something else.
    pub fn prepared<T: Any + Send + Sync>(&self, make: impl FnOnce(&Self) -> T) -> Option<&T> {
        self.prepared.get_or_init(|| Box::new(make(self))).downcast_ref()
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.http2 { "HTTP/2" } else { "HTTP/1.1" })?;
        match &self.tls {
            None => Ok(()),
            Some(tls) => write!(f, " over TLS as {}", tls.server_name),
        }
    }
}

/// Everything by which one [`Upstream`] differs from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// What is spoken.
    pub protocol: Protocol,
    /// The name that certificates are for; empty in the clear.
    pub server_name: Arc<str>,
    /// Who may have signed them.
    pub authorities: Arc<[CertificateDer<'static>]>,
    /// Who the router is to them.
    pub certificate: Option<Arc<ClientCertificate>>,
}

/// Hands out the one [`Upstream`] of an identity for as long as a rule uses it.
#[derive(Debug, Default)]
pub struct Upstreams {
    known: HashMap<Identity, Weak<Upstream>>,
    last: u64,
}

impl Upstreams {
    /// The upstream of `identity`, new or shared; `None` for HTTP/1.1 in the clear.
    pub fn get(&mut self, identity: Identity) -> Option<Arc<Upstream>> {
        let Identity { protocol, server_name, authorities, certificate } = &identity;
        if *protocol == Protocol::Http {
            return None;
        }
        if let Some(upstream) = self.known.get(&identity).and_then(Weak::upgrade) {
            return Some(upstream);
        }
        self.known.retain(|_, upstream| upstream.strong_count() > 0);
        // Never used again: a connection of an identity that is gone must find nobody.
        self.last += 1;
        let tls = protocol.is_secure().then(|| UpstreamTls {
            server_name: server_name.clone(),
            authorities: authorities.clone(),
            certificate: certificate.clone(),
            prepared: OnceLock::new(),
        });
        let upstream = Upstream { id: self.last, http2: protocol.is_http2(), tls };
        let upstream = Arc::new(upstream);
        self.known.insert(identity, Arc::downgrade(&upstream));
        Some(upstream)
    }
}

/// The label of ConfigMaps with authorities, behind a prefix; its value is `true`.
pub const LABEL: &str = "authorities";

/// The entry of a Secret or ConfigMap that authorities are read from.
pub const ENTRY: &str = "ca.crt";

/// Why a Secret or ConfigMap gives no authorities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthoritiesError {
    /// The entry is absent.
    #[error("there is no ca.crt; add the certificates that those of endpoints are signed by")]
    Missing,
    /// The entry is larger than 256 KiB.
    #[error("ca.crt is larger than 256 KiB")]
    TooLarge,
    /// One of the certificates, or all that there is.
    #[error("ca.crt holds no readable certificates in PEM form")]
    Unreadable,
}

/// The certificates in a `ca.crt`.
///
/// # Errors
/// When there is none, or one cannot be read: then nobody is believed.
pub fn authorities(
    pem: Option<&Bytes>,
) -> Result<Arc<[CertificateDer<'static>]>, AuthoritiesError> {
    let pem = pem.ok_or(AuthoritiesError::Missing)?;
    if pem.len() > MAX_PEM {
        return Err(AuthoritiesError::TooLarge);
    }
    let read: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|_| AuthoritiesError::Unreadable)?;
    let mut store = RootCertStore::empty();
    if read.is_empty() || !read.iter().all(|der| store.add(der.clone()).is_ok()) {
        return Err(AuthoritiesError::Unreadable);
    }
    Ok(read.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pem: Option<String>) -> Result<Arc<[CertificateDer<'static>]>, AuthoritiesError> {
        authorities(pem.map(Bytes::from).as_ref())
    }

    fn authority() -> String {
        rcgen::generate_simple_self_signed(["ca.example".to_owned()]).unwrap().cert.pem()
    }

    #[test]
    fn authorities_are_read_whole_or_not_at_all() {
        let two = [authority(), authority()].concat();
        assert_eq!(read(Some(two.clone())).unwrap().len(), 2);
        let broken = two.replacen("\nMII", "\nAAA", 1);
        for (text, expected) in [
            (None, AuthoritiesError::Missing),
            (Some(String::new()), AuthoritiesError::Unreadable),
            (Some("no certificate".to_owned()), AuthoritiesError::Unreadable),
            (Some(broken), AuthoritiesError::Unreadable),
            (Some(authority().repeat(1000)), AuthoritiesError::TooLarge),
        ] {
            assert_eq!(read(text), Err(expected));
        }
    }

    #[test]
    fn what_differs_in_anything_is_never_the_same() {
        let one = read(Some(authority())).unwrap();
        let other = read(Some(authority())).unwrap();
        let of = |protocol, name: &str, authorities: &Arc<[CertificateDer<'static>]>| Identity {
            protocol,
            server_name: name.into(),
            authorities: authorities.clone(),
            certificate: None,
        };
        let shown = |chain: &[u8]| {
            let key = rustls::pki_types::PrivatePkcs8KeyDer::from(vec![1]).into();
            let chain = [CertificateDer::from(chain.to_vec())].into();
            let certificate = Some(Arc::new(ClientCertificate { chain, key }));
            Identity { certificate, ..of(Protocol::Https, "web", &one) }
        };
        let all = [
            of(Protocol::H2c, "", &[].into()),
            of(Protocol::Https, "web", &one),
            of(Protocol::Https, "api", &one),
            of(Protocol::Https, "web", &other),
            of(Protocol::Https, "web", &[].into()),
            of(Protocol::H2, "web", &one),
            shown(b"a"),
            shown(b"b"),
        ];
        let mut upstreams = Upstreams::default();
        let first: Vec<_> = all.iter().map(|i| upstreams.get(i.clone()).unwrap()).collect();
        let again: Vec<_> = all.iter().map(|i| upstreams.get(i.clone()).unwrap()).collect();
        assert!(first.iter().zip(&again).all(|(one, other)| Arc::ptr_eq(one, other)));
        let mut ids: Vec<_> = first.iter().map(|upstream| upstream.id).collect();
        assert_eq!(ids, [1, 2, 3, 4, 5, 6, 7, 8]);
        // One that comes back is a new one.
        drop((first, again));
        ids.clear();
        ids.push(upstreams.get(all[1].clone()).unwrap().id);
        assert_eq!(ids, [9]);
        assert_eq!(upstreams.known.len(), 1);
        assert!(upstreams.get(of(Protocol::Http, "", &[].into())).is_none());
    }
}
