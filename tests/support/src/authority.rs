//! Certificates of receivers, for tests.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// What signs certificates for 127.0.0.1.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// A new one.
    ///
    /// # Panics
    /// Where there is no randomness.
    #[must_use]
    pub fn generate() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "authority");
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its own certificate.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate and its key, in PEM.
    ///
    /// # Panics
    /// Where there is no randomness.
    #[must_use]
    pub fn pair(&self) -> (String, String) {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, "127.0.0.1");
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// As files: those of the authority, of a certificate and of its key.
    ///
    /// # Panics
    /// Where they cannot be written.
    pub fn files(&self, folder: &Path) -> [PathBuf; 3] {
        let (certificate, key) = self.pair();
        let paths = ["ca.pem", "cert.pem", "key.pem"].map(|name| folder.join(name));
        for (path, pem) in paths.iter().zip([self.pem(), certificate, key]) {
            std::fs::write(path, pem).unwrap();
        }
        paths
    }
}
