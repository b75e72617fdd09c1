//! Certificates: read from Secrets, checked, kept while a newer one is bad.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use bytes::Bytes;
use rustls::{
    client::verify_server_name,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::ParsedCertificate,
    sign::CertifiedKey,
};

use crate::{host::HostPattern, object::Secret};

/// Largest PEM text that is read. A chain of 20 certificates has about 40 KiB.
pub(crate) const MAX_PEM: usize = 256 * 1024;

/// Why a Secret gives no certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The entry is absent.
    #[error("the Secret has no {0}; add it")]
    Missing(&'static str),
    /// The entry is larger than 256 KiB.
    #[error("{0} is larger than 256 KiB")]
    TooLarge(&'static str),
    /// The entry holds no PEM of the right kind.
    #[error("{0} holds no readable {1} in PEM form")]
    Unreadable(&'static str, &'static str),
    /// The parts do not belong together, or are of a kind that cannot be used.
    #[error("certificate and key cannot be used together: {0}")]
    Unusable(String),
}

impl CertificateError {
    /// The field of the Secret at fault.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Missing(field) | Self::TooLarge(field) | Self::Unreadable(field, _) => field,
            Self::Unusable(_) => CERTIFICATE,
        }
    }
}

const CERTIFICATE: &str = "data[tls.crt]";
const KEY: &str = "data[tls.key]";

/// Reads the certificate chain and key of `secret` and checks that they match.
///
/// # Errors
/// Names the field of the Secret and what is wrong with it, never its contents.
pub fn parse(secret: &Secret) -> Result<CertifiedKey, CertificateError> {
    let pem = |field, entry: &Option<bytes::Bytes>| match entry {
        None => Err(CertificateError::Missing(field)),
        Some(pem) if pem.len() > MAX_PEM => Err(CertificateError::TooLarge(field)),
        Some(pem) => Ok(pem.clone()),
    };
    let certificate = pem(CERTIFICATE, &secret.certificate)?;
    let key = pem(KEY, &secret.private_key)?;
    let chain = CertificateDer::pem_slice_iter(&certificate)
        .collect::<Result<Vec<_>, _>>()
        .ok()
        .filter(|chain| !chain.is_empty())
        .ok_or(CertificateError::Unreadable(CERTIFICATE, "certificate"))?;
    let key = PrivateKeyDer::from_pem_slice(&key)
        .map_err(|_| CertificateError::Unreadable(KEY, "private key"))?;
    // Refuses a pair that does not match.
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
        .map_err(|error| CertificateError::Unusable(error.to_string()))
}

/// Whether `certificate` names `host`. For a wildcard it must have a wildcard of its own.
pub fn is_valid_for(certificate: &CertifiedKey, host: &HostPattern) -> bool {
    let name = match host {
        HostPattern::Exact(name) => name.to_string(),
        // A name that nobody puts into a certificate by itself.
        HostPattern::Wildcard(suffix) => format!("any-name-at-all.{suffix}"),
        HostPattern::AnySuffix(_) | HostPattern::Regex(_) | HostPattern::Any => return false,
    };
    let Some(end_entity) = certificate.cert.first() else { return false };
    let Ok(parsed) = ParsedCertificate::try_from(end_entity) else { return false };
    ServerName::try_from(name).is_ok_and(|name| verify_server_name(&parsed, &name).is_ok())
}

/// A certificate with its key, as a client shows it. Two of the same chain are the same: there is one
/// key that fits.
pub struct ClientCertificate {
    /// The certificate, and those between it and its authority.
    pub chain: Box<[CertificateDer<'static>]>,
    /// Its private key.
    pub key: PrivateKeyDer<'static>,
}

impl PartialEq for ClientCertificate {
    fn eq(&self, other: &Self) -> bool {
        self.chain == other.chain
    }
}

impl Eq for ClientCertificate {}

impl Hash for ClientCertificate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.chain.hash(state);
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate").field("chain", &self.chain).finish_non_exhaustive()
    }
}

/// What is known of one Secret: its certificate, and what is wrong with it.
#[derive(Default)]
pub struct CertificateSlot {
    /// The certificate in use: the newest good one.
    pub certificate: Option<Arc<CertifiedKey>>,
    /// Its private key as the Secret has it, in PEM form.
    key: Bytes,
    /// Why the Secret's present content is not in use.
    pub error: Option<CertificateError>,
}

impl fmt::Debug for CertificateSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateSlot").field("error", &self.error).finish_non_exhaustive()
    }
}

impl CertificateSlot {
    /// Takes a new content of the Secret. A bad one leaves the last good
    /// certificate in use.
    pub fn update(&mut self, secret: &Secret) {
        match parse(secret) {
            Ok(certificate) => {
                self.error = None;
                self.certificate = Some(Arc::new(certificate));
                self.key = secret.private_key.clone().unwrap_or_default();
            }
            Err(error) => self.error = Some(error),
        }
    }

    /// The certificate in use, to be shown to servers.
    pub fn client(&self) -> Option<ClientCertificate> {
        let chain = self.certificate.as_ref()?.cert.as_slice().into();
        Some(ClientCertificate { chain, key: PrivateKeyDer::from_pem_slice(&self.key).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Key;

    fn secret(certificate: Option<String>, key: Option<String>) -> Secret {
        Secret {
            key: Key::new("shop", "web-cert"),
            certificate: certificate.map(Into::into),
            private_key: key.map(Into::into),
            authorities: None,
        }
    }

    fn pair() -> (String, String) {
        let pair = rcgen::generate_simple_self_signed(["web.example".to_owned()]).unwrap();
        (pair.cert.pem(), pair.signing_key.serialize_pem())
    }

    #[test]
    fn each_fault_names_its_field() {
        let (certificate, key) = pair();
        let (_, other_key) = pair();
        let error = |certificate: Option<&str>, key: Option<&str>| {
            parse(&secret(certificate.map(Into::into), key.map(Into::into))).unwrap_err()
        };
        assert_eq!(error(None, Some(&key)).to_string(), "the Secret has no data[tls.crt]; add it");
        assert_eq!(
            error(Some(&certificate), None).to_string(),
            "the Secret has no data[tls.key]; add it"
        );
        assert_eq!(
            error(Some("x"), Some(&key)).to_string(),
            "data[tls.crt] holds no readable certificate in PEM form"
        );
        assert_eq!(
            error(Some(&certificate), Some("x")).to_string(),
            "data[tls.key] holds no readable private key in PEM form"
        );
        assert!(matches!(
            error(Some(&certificate), Some(&other_key)),
            CertificateError::Unusable(_)
        ));
        assert_eq!(error(Some(&"x".repeat(MAX_PEM + 1)), Some(&key)).field(), CERTIFICATE);
        assert!(parse(&secret(Some(certificate), Some(key))).is_ok());
    }

    #[test]
    fn a_certificate_is_valid_for_the_names_in_it() {
        let made = rcgen::generate_simple_self_signed(
            ["*.apps.example", "one.example", "192.0.2.1"].map(str::to_owned),
        )
        .unwrap();
        let certificate =
            parse(&secret(Some(made.cert.pem()), Some(made.signing_key.serialize_pem()))).unwrap();
        for (host, valid) in [
            ("web.apps.example", true),
            ("*.apps.example", true),
            ("one.example", true),
            ("192.0.2.1", true),
            ("apps.example", false),
            ("a.web.apps.example", false),
            ("*.example", false),
            ("*.one.example", false),
            ("two.example", false),
        ] {
            assert_eq!(
                is_valid_for(&certificate, &HostPattern::parse(host).unwrap()),
                valid,
                "{host}"
            );
        }
    }

    #[test]
    fn a_bad_update_keeps_the_last_good_certificate() {
        let (certificate, key) = pair();
        let good = secret(Some(certificate.clone()), Some(key));
        let bad = secret(Some(certificate), Some("x".to_owned()));
        let mut slot = CertificateSlot::default();
        slot.update(&bad);
        assert!(slot.certificate.is_none() && slot.error.is_some());
        slot.update(&good);
        assert!(slot.error.is_none());
        let kept = slot.certificate.clone().unwrap();
        slot.update(&bad);
        assert!(slot.error.is_some());
        assert!(Arc::ptr_eq(&kept, slot.certificate.as_ref().unwrap()));
    }
}
