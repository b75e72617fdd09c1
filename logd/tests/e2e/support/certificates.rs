//! An authority of the tests' own.

use std::path::{Path, PathBuf};

use fairlead_wire::tls::Identity;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// An authority, with its files in a folder.
pub(crate) struct Certificates<'a> {
    folder: &'a Path,
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// Its certificate.
    pub(crate) authority: PathBuf,
}

impl<'a> Certificates<'a> {
    pub(crate) fn new(folder: &'a Path) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = folder.join("ca.crt");
        std::fs::write(&authority, issuer.pem()).unwrap();
        Self { folder, issuer, authority }
    }

    /// A certificate for 127.0.0.1 and its key.
    pub(crate) fn identity(&self, name: &str) -> Identity {
        self.identity_for(name, "127.0.0.1")
    }

    /// One that is no longer valid.
    pub(crate) fn expired(&self, name: &str) -> Identity {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        self.signed(name, &params)
    }

    /// A certificate for a host and its key, in files of this name.
    pub(crate) fn identity_for(&self, name: &str, host: &str) -> Identity {
        self.signed(name, &CertificateParams::new(vec![host.to_owned()]).unwrap())
    }

    fn signed(&self, name: &str, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let file = |kind: &str, text: String| {
            let path = self.folder.join(format!("{name}.{kind}"));
            std::fs::write(&path, text).unwrap();
            path
        };
        Identity {
            certificate: file("crt", certificate.pem()),
            key: file("key", key.serialize_pem()),
        }
    }
}
