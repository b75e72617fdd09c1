//! Certificates and keys, made on the spot.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};

/// A certificate that signs itself, and its key.
pub(crate) struct Pair {
    pub(crate) certificate: CertificateDer<'static>,
    certificate_pem: String,
    key_pem: String,
}

impl Pair {
    pub(crate) fn of(name: &str) -> Self {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        Self {
            certificate: made.cert.der().clone(),
            certificate_pem: made.cert.pem(),
            key_pem: made.signing_key.serialize_pem(),
        }
    }

    /// The certificate in PEM form.
    pub(crate) fn pem(&self) -> &str {
        &self.certificate_pem
    }

    /// A Secret in namespace `shop` that holds the pair.
    pub(crate) fn secret(&self, name: &str) -> Value {
        self.partial_secret(name, &["tls.crt", "tls.key"])
    }

    /// A Secret that holds some of the entries.
    pub(crate) fn partial_secret(&self, name: &str, entries: &[&str]) -> Value {
        let mut data = serde_json::Map::new();
        for (entry, pem) in [("tls.crt", &self.certificate_pem), ("tls.key", &self.key_pem)] {
            if entries.contains(&entry) {
                data.insert(entry.to_owned(), BASE64_STANDARD.encode(pem).into());
            }
        }
        json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": name, "namespace": "shop"},
            "data": data,
        })
    }
}
