//! TLS as the edge offers it: rustls with aws-lc-rs, TLS 1.2 and 1.3.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{NoServerSessionStorage, ResolvesServerCert};

/// HTTP/2 where the client knows it, else HTTP/1.1 (RFC 7301 names).
pub const ALPN_HTTP: &[&[u8]] = &[b"h2", b"http/1.1"];

/// Makes aws-lc-rs the process's default provider of cryptography. Does nothing from the second call on. To be called first in
/// `main`: a library that comes upon a process without a default installs another.
pub fn install_default_provider() {
    // The error says that there is one already.
    let _ = aws_lc_rs::default_provider().install_default();
}

/// The settings of a TLS listener, for all workers alike: sessions resume on whichever worker accepts, by tickets whose keys live in
/// memory and rotate every six hours. No session is stored here and no early data taken.
///
/// `resolver` is asked for a certificate in each handshake; `alpn` lists protocols, the preferred one first ([`ALPN_HTTP`]).
///
/// # Errors
/// When the system gives no random bytes for the ticket keys.
pub fn server_config(
    resolver: Arc<dyn ResolvesServerCert>,
    alpn: &[&[u8]],
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}
