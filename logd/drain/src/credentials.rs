//! What a drain's Secret says apart from its URL: whom to trust, and what to show.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;

use crate::target::Secret;

/// Bytes of a token, at most.
const TOKEN_CAP: usize = 4096;

/// Keys of a Secret, as they stand in it.
#[derive(Clone, Copy, Default)]
pub struct Keys<'a> {
    /// `ca.crt`: certificates in PEM that sign receivers' ones. Without it those that the system
    /// trusts.
    pub ca: Option<&'a [u8]>,
    /// `tls.crt`: the certificate to show, in PEM, with those that signed it behind it.
    pub certificate: Option<&'a [u8]>,
    /// `tls.key`: its key.
    pub key: Option<&'a [u8]>,
    /// `token`: what receivers know the sender by. Space around it does not count.
    pub token: Option<&'a [u8]>,
}

/// Whom to trust and what to show. Shows none of it when formatted.
#[derive(Clone, Default)]
pub struct Credentials {
    trust: Option<Arc<RootCertStore>>,
    identity: Option<Arc<SingleCertAndKey>>,
    /// Printable ASCII without spaces.
    pub token: Option<Secret>,
}

/// A key of the Secret that cannot be used. Holds nothing of its value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CredentialsError {
    /// It is not what it should be.
    #[error("{key} holds no {expected} in PEM")]
    Pem {
        /// Which key.
        key: &'static str,
        /// What should be there.
        expected: &'static str,
    },
    /// TLS cannot use it.
    #[error("{key} cannot be used: {reason}")]
    Unusable {
        /// Which key.
        key: &'static str,
        /// Why not.
        reason: String,
    },
    /// One of the two is there alone.
    #[error("tls.crt and tls.key belong together: {0} is missing")]
    Alone(&'static str),
    /// A token that cannot be sent.
    #[error("token is not 1 to {TOKEN_CAP} printable ASCII characters without spaces")]
    Token,
    /// Nobody is trusted.
    #[error("the system has no trusted certificates: give those to be trusted in ca.crt")]
    NoTrust,
}

impl Credentials {
    /// Reads a Secret's keys.
    ///
    /// # Errors
    /// Names the key that cannot be used.
    pub fn read(keys: Keys<'_>) -> Result<Self, CredentialsError> {
        Ok(Self {
            trust: keys.ca.map(trust).transpose()?.map(Arc::new),
            identity: match (keys.certificate, keys.key) {
                (None, None) => None,
                (Some(certificate), Some(key)) => Some(Arc::new(identity(certificate, key)?)),
                (Some(_), None) => return Err(CredentialsError::Alone("tls.key")),
                (None, Some(_)) => return Err(CredentialsError::Alone("tls.crt")),
            },
            token: keys.token.map(token).transpose()?,
        })
    }

    /// Whether any of it is of use for TLS alone.
    pub(crate) fn for_tls(&self) -> bool {
        self.trust.is_some() || self.identity.is_some()
    }

    /// TLS 1.2 and 1.3, always verified, for these protocols by the names of RFC 7301. Reads the
    /// system's certificates at its first use, which blocks for some milliseconds.
    pub(crate) fn tls(&self, protocols: &[&[u8]]) -> Result<Arc<ClientConfig>, CredentialsError> {
        let trust = match &self.trust {
            Some(trust) => trust.clone(),
            None => trust_of_system()?,
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("aws-lc-rs knows TLS 1.2 and 1.3")
            .with_root_certificates(trust);
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder.with_client_cert_resolver(identity.clone()),
        };
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(Arc::new(config))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Read once: what a node trusts changes with its image.
fn trust_of_system() -> Result<Arc<RootCertStore>, CredentialsError> {
    static TRUST: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let trust = TRUST.get_or_init(|| {
        let mut trust = RootCertStore::empty();
        // Some systems have certificates that no library takes: the others are what counts.
        trust.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(trust)
    });
    if trust.is_empty() { Err(CredentialsError::NoTrust) } else { Ok(trust.clone()) }
}

fn trust(pem: &[u8]) -> Result<RootCertStore, CredentialsError> {
    let mut trust = RootCertStore::empty();
    for certificate in certificates("ca.crt", pem)? {
        trust.add(certificate).map_err(unusable("ca.crt"))?;
    }
    Ok(trust)
}

fn identity(certificate: &[u8], key: &[u8]) -> Result<SingleCertAndKey, CredentialsError> {
    let chain = certificates("tls.crt", certificate)?;
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|_| CredentialsError::Pem { key: "tls.key", expected: "private key" })?;
    let certified =
        CertifiedKey::from_der(chain, key, &provider()).map_err(unusable("tls.key for tls.crt"))?;
    Ok(certified.into())
}

fn certificates(
    key: &'static str,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, CredentialsError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(CredentialsError::Pem { key, expected: "certificate" }),
    }
}

fn unusable(key: &'static str) -> impl Fn(rustls::Error) -> CredentialsError {
    move |error| CredentialsError::Unusable { key, reason: error.to_string() }
}

fn token(bytes: &[u8]) -> Result<Secret, CredentialsError> {
    let token = bytes.trim_ascii();
    let good = (1..=TOKEN_CAP).contains(&token.len()) && token.iter().all(u8::is_ascii_graphic);
    let text = str::from_utf8(token).ok().filter(|_| good).ok_or(CredentialsError::Token)?;
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["logs.example.com".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn a_secret_is_read_and_not_shown() {
        let (certificate, key) = pair();
        let credentials = Credentials::read(Keys {
            ca: Some(certificate.as_bytes()),
            certificate: Some(certificate.as_bytes()),
            key: Some(key.as_bytes()),
            token: Some(b" c2VjcmV0==\n"),
        })
        .unwrap();
        assert_eq!(credentials.token.as_ref().unwrap().expose(), "c2VjcmV0==");
        let tls = credentials.tls(&[b"http/1.1"]).unwrap();
        assert!(tls.client_auth_cert_resolver.has_certs());
        assert_eq!(tls.alpn_protocols, [b"http/1.1"]);
        assert_eq!(format!("{credentials:?}"), "Credentials { .. }");
    }

    #[test]
    fn keys_that_cannot_be_used_are_named() {
        let (certificate, key) = pair();
        let (certificate, key) = (certificate.as_bytes(), key.as_bytes());
        let (_, other) = pair();
        let read = |keys| Credentials::read(keys).unwrap_err().to_string();
        let none = Keys::default();
        assert_eq!(read(Keys { ca: Some(b"x"), ..none }), "ca.crt holds no certificate in PEM");
        assert_eq!(
            read(Keys { certificate: Some(certificate), ..none }),
            "tls.crt and tls.key belong together: tls.key is missing"
        );
        assert_eq!(
            read(Keys { certificate: Some(certificate), key: Some(certificate), ..none }),
            "tls.key holds no private key in PEM"
        );
        let other = Keys { certificate: Some(certificate), key: Some(other.as_bytes()), ..none };
        assert!(read(other).starts_with("tls.key for tls.crt cannot be used: "), "{}", read(other));
        for token in [&b""[..], b" ", b"a b", b"a\0", "é".as_bytes(), &[b'x'; 4097]] {
            let keys = Keys { token: Some(token), ..none };
            assert_eq!(Credentials::read(keys).unwrap_err(), CredentialsError::Token);
        }
        assert!(Credentials::read(Keys { key: Some(key), ..none }).is_err());
    }
}
