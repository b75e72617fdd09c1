//! TLS as the edge offers it: rustls with aws-lc-rs, TLS 1.2 and 1.3.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{NoServerSessionStorage, ProducesTickets, ResolvesServerCert};
use rustls::{CipherSuite, Error, ServerConfig, SupportedProtocolVersion};

/// Makes aws-lc-rs the process's default provider of cryptography. Does nothing from the second call on. To be called first in
/// `main`: a library that comes upon a process without a default installs another.
pub fn install_default_provider() {
    // The error says that there is one already.
    let _ = aws_lc_rs::default_provider().install_default();
}

/// What a TLS listener offers to its clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// HTTP/2 beside HTTP/1.1. `true`
    pub http2: bool,
    /// TLS 1.2. `true`
    pub tls12: bool,
    /// TLS 1.3. `true`
    pub tls13: bool,
    /// Cipher suites of TLS 1.2, the best first; then the router's order counts and not the client's. `None`: rustls's own, which are
    /// all good.
    pub suites: Option<Vec<CipherSuite>>,
    /// Sessions resume by tickets. `true`
    pub tickets: bool,
}

impl Default for Offer {
    fn default() -> Self {
        Self { http2: true, tls12: true, tls13: true, suites: None, tickets: true }
    }
}

/// The settings of a TLS listener, for all workers alike; each handshake takes those that hold when it begins.
///
/// Sessions resume on whichever worker accepts, by tickets whose keys live in memory and rotate every six hours. No session is stored
/// here and no early data taken. Clones are the same settings.
#[derive(Debug, Clone)]
pub struct Tls {
    config: Arc<ArcSwap<ServerConfig>>,
    resolver: Arc<dyn ResolvesServerCert>,
    ticketer: Arc<dyn ProducesTickets>,
}

impl Tls {
    /// Offers the default; `resolver` is asked for a certificate in each handshake.
    ///
    /// # Errors
    /// When the system gives no random bytes for the ticket keys.
    pub fn new(resolver: Arc<dyn ResolvesServerCert>) -> Result<Self, Error> {
        let ticketer = aws_lc_rs::Ticketer::new()?;
        let config = server_config(&Offer::default(), &resolver, &ticketer)?;
        Ok(Self { config: Arc::new(ArcSwap::from_pointee(config)), resolver, ticketer })
    }

    /// Makes `offer` to the handshakes to come.
    ///
    /// # Errors
    /// When it leaves no version or no suite for a version; the offer before it stands.
    pub fn offer(&self, offer: &Offer) -> Result<(), Error> {
        let config = server_config(offer, &self.resolver, &self.ticketer)?;
        self.config.store(Arc::new(config));
        Ok(())
    }

    /// The settings that hold now.
    pub(crate) fn get(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }
}

fn server_config(
    offer: &Offer,
    resolver: &Arc<dyn ResolvesServerCert>,
    ticketer: &Arc<dyn ProducesTickets>,
) -> Result<ServerConfig, Error> {
    let versions: Vec<&SupportedProtocolVersion> =
        [(offer.tls13, &rustls::version::TLS13), (offer.tls12, &rustls::version::TLS12)]
            .into_iter()
            .filter_map(|(offered, version)| offered.then_some(version))
            .collect();
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider(offer)))
        .with_protocol_versions(&versions)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(resolver));
    config.ignore_client_order = offer.suites.is_some();
    // HTTP/2 where the client knows it, else HTTP/1.1 (RFC 7301 names).
    let protocols: &[&[u8]] = if offer.http2 { &[b"h2", b"http/1.1"] } else { &[b"http/1.1"] };
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    if offer.tickets {
        config.ticketer = Arc::clone(ticketer);
    }
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

/// The suites of TLS 1.3 stay: they have no names in common with those of TLS 1.2, and none is weak.
fn provider(offer: &Offer) -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    if let Some(wanted) = &offer.suites {
        let (tls13, tls12): (Vec<_>, Vec<_>) =
            provider.cipher_suites.into_iter().partition(|suite| suite.tls13().is_some());
        let wanted = wanted.iter().filter_map(|id| tls12.iter().find(|suite| suite.suite() == *id));
        provider.cipher_suites = tls13.into_iter().chain(wanted.copied()).collect();
    }
    provider
}
