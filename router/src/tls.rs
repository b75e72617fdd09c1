//! Which certificate a handshake gets.

use std::sync::Arc;

use arc_swap::ArcSwap;
use fairlead_router_core::{Table, normalise_host};
use rustls::{
    crypto::aws_lc_rs,
    pki_types::PrivateKeyDer,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

/// The name in the default certificate. It can be nobody's (RFC 6761 §6.4).
const NAME: &str = "fairlead-router.invalid";

/// The certificate of the host in the table in use; for a host without one, that of the platform;
/// without that too, the default.
#[derive(Debug)]
pub(crate) struct Certificates {
    table: Arc<ArcSwap<Table>>,
    default: Arc<CertifiedKey>,
}

/// Why there is no default certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DefaultError {
    #[error(transparent)]
    Make(#[from] rcgen::Error),
    #[error(transparent)]
    Use(#[from] rustls::Error),
}

impl Certificates {
    /// Certificates of `table`, with a default signed by itself just now: its key is in
    /// no image and on no disk.
    pub(crate) fn new(table: Arc<ArcSwap<Table>>) -> Result<Self, DefaultError> {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
        let key = PrivateKeyDer::from(made.signing_key);
        let chain = vec![made.cert.der().clone()];
        let default = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())?;
        Ok(Self { table, default: Arc::new(default) })
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let table = self.table.load();
        let host = hello.server_name().and_then(normalise_host).and_then(|name| table.host(&name));
        let own = host.and_then(|host| host.certificate.as_ref());
        Some(own.or(table.platform.as_ref()).unwrap_or(&self.default).clone())
    }
}
