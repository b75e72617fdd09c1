//! The certificate that every proxy shows: ECDSA on P-256, signed by itself.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::generate_simple_self_signed;
use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::CertificateDer,
    version::TLS13,
};

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertificateError {
    #[error("no certificate can be made: {0}")]
    Make(#[from] rcgen::Error),
    #[error("the certificate cannot be used: {0}")]
    Use(#[from] rustls::Error),
    #[error("the certificate cannot be written: {0}")]
    Write(#[from] io::Error),
}

/// A certificate and its key.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    pub(crate) der: CertificateDer<'static>,
    /// PEM.
    pub(crate) chain: String,
    /// PEM.
    pub(crate) key: String,
}

/// Where it is on disk.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
    /// Both, as HAProxy wants it.
    pub(crate) both: PathBuf,
}

impl Certificate {
    pub(crate) fn of(name: &str) -> Result<Self, CertificateError> {
        let made = generate_simple_self_signed([name.to_owned()])?;
        Ok(Self {
            der: made.cert.der().clone(),
            chain: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
        })
    }

    pub(crate) fn write(&self, folder: &Path) -> io::Result<Files> {
        let [chain, key, both] = ["chain.pem", "key.pem", "both.pem"].map(|name| folder.join(name));
        fs::write(&chain, &self.chain)?;
        fs::write(&key, &self.key)?;
        fs::write(&both, format!("{}{}", self.chain, self.key))?;
        Ok(Files { chain, key, both })
    }
}

/// Clients that trust these certificates and speak `protocols`: TLS 1.3, with one cipher and one key
/// exchange that all proxies know, so that none does other work than the others; never a resumption.
pub(crate) fn client<'a>(
    trusted: impl IntoIterator<Item = &'a Certificate>,
    protocols: &[&[u8]],
) -> Result<Arc<ClientConfig>, CertificateError> {
    let provider = CryptoProvider {
        cipher_suites: vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256],
        kx_groups: vec![aws_lc_rs::kx_group::X25519],
        ..aws_lc_rs::default_provider()
    };
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        roots.add(certificate.der.clone())?;
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(Arc::new(config))
}
