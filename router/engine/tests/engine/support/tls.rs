//! TLS for tests: one certificate for every name, and clients that believe it.

use std::sync::{Arc, LazyLock};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{Router, within};

static PAIR: LazyLock<(CertificateDer<'static>, Vec<u8>)> = LazyLock::new(|| {
    let names = ["web.example".to_owned(), "other.example".to_owned()];
    let pair = rcgen::generate_simple_self_signed(names).unwrap();
    (pair.cert.der().clone(), pair.signing_key.serialize_der())
});

#[derive(Debug)]
struct One(Arc<CertifiedKey>);

impl ResolvesServerCert for One {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

pub(crate) fn resolver() -> Arc<dyn ResolvesServerCert> {
    let (certificate, key) = PAIR.clone();
    let key = PrivateKeyDer::Pkcs8(key.into());
    let key = CertifiedKey::from_der(vec![certificate], key, &default_provider()).unwrap();
    Arc::new(One(Arc::new(key)))
}

/// A TLS connection that offers the protocol `alpn`.
pub(crate) async fn connect(
    router: &Router,
    name: &'static str,
    alpn: &str,
) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(PAIR.0.clone()).unwrap();
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![alpn.into()];
    let tcp = within(TcpStream::connect(router.https)).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let name = ServerName::try_from(name).unwrap();
    within(TlsConnector::from(Arc::new(config)).connect(name, tcp)).await.unwrap()
}
