//! TLS for both sides: 1.2 and 1.3, verified both ways where certificates are given.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem};
use thiserror::Error;

/// Protocols by the names of RFC 7301.
const ALPN: &[u8] = b"h2";

/// Files in PEM that cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{0:?}: {1}")]
    Read(PathBuf, #[source] io::Error),
    /// A file does not hold what it should.
    #[error("{0:?} holds no {1} in PEM")]
    Pem(PathBuf, &'static str),
    /// A certificate, or a certificate with its key, cannot be used.
    #[error("{0:?}: {1}")]
    Unusable(PathBuf, String),
}

/// A certificate's file, with those that signed it, and the file of its key.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate, then those that signed it.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// A sender's TLS: trusts logds whose certificates `trust` has signed, and shows `identity`.
///
/// # Errors
/// Where a file cannot be used.
pub fn client_config(
    trust: &Path,
    identity: Option<&Identity>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("aws-lc-rs knows TLS 1.2 and 1.3")
        .with_root_certificates(roots(trust)?);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let (chain, key) = identity.read()?;
            builder.with_client_auth_cert(chain, key).map_err(|e| identity.unusable(&e))?
        }
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Arc::new(config))
}

/// logd's TLS: shows `identity`. Where `senders` is given, a sender may show a certificate that it
/// has signed, and one that it has not signed ends the handshake; without one it is told by its
/// token.
///
/// # Errors
/// Where a file cannot be used.
pub fn server_config(
    identity: &Identity,
    senders: Option<&Path>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("aws-lc-rs knows TLS 1.2 and 1.3");
    let builder = match senders {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(roots(file)?.into(), provider())
                    .allow_unauthenticated()
                    .build()
                    .map_err(|e| TlsError::Unusable(file.into(), e.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let (chain, key) = identity.read()?;
    let mut config = builder.with_single_cert(chain, key).map_err(|e| identity.unusable(&e))?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Arc::new(config))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

impl Identity {
    fn read(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
        let chain = certificates(&self.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|error| problem(&self.key, "private key", error))?;
        Ok((chain, key))
    }

    fn unusable(&self, error: &rustls::Error) -> TlsError {
        TlsError::Unusable(self.certificate.clone(), error.to_string())
    }
}

fn roots(file: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|e| TlsError::Unusable(file.into(), e.to_string()))?;
    }
    Ok(roots)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = || CertificateDer::pem_file_iter(file)?.collect::<Result<Vec<_>, _>>();
    match read() {
        Ok(none) if none.is_empty() => Err(TlsError::Pem(file.into(), "certificate")),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(problem(file, "certificate", error)),
    }
}

fn problem(file: &Path, what: &'static str, error: pem::Error) -> TlsError {
    match error {
        pem::Error::Io(error) => TlsError::Read(file.into(), error),
        _ => TlsError::Pem(file.into(), what),
    }
}
