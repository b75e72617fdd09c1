//! TLS on the API's port. kubectl and helm send a token over TLS only; what speaks plain HTTP to the
//! same port is served as well, since nothing leaves this machine.

use std::io;
use std::sync::Arc;

use rcgen::{CertificateParams, DnType, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

/// The first byte of a TLS record that opens a handshake (RFC 8446 §5.1).
pub(super) const HANDSHAKE: u8 = 22;

/// A self-signed certificate for this machine's loopback addresses, made anew for each cluster.
pub(super) struct Identity {
    pub(super) acceptor: TlsAcceptor,
    /// What a client has to trust.
    pub(super) certificate: String,
}

impl Identity {
    pub(super) fn new() -> io::Result<Self> {
        let names = ["127.0.0.1", "localhost"].map(str::to_owned);
        let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
        params.distinguished_name.push(DnType::CommonName, "fairlead cluster");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = params.self_signed(&key).map_err(io::Error::other)?;
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(io::Error::other)?
                .with_no_client_auth()
                .with_single_cert(vec![certificate.der().clone()], private)
                .map_err(io::Error::other)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), certificate: certificate.pem() })
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}
