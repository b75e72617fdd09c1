//! What becomes of streams whose other side is slow, dead, a stranger or gone.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fairlead_wire::client::{self, Endpoint, WireError};
use fairlead_wire::message::*;
use fairlead_wire::server::{self, Stream};
use fairlead_wire::tls::{Identity, client_config, server_config};
use http::StatusCode;
use http::request::Parts;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

const PATIENCE: Duration = Duration::from_secs(60);

fn hello() -> LogdHello {
    LogdHello { version: VERSION, instance: "one".to_owned(), history: 7 }
}

type Streams = mpsc::Receiver<(Stream<()>, oneshot::Sender<()>)>;

/// A logd that gives its streams to the test, which ends each by dropping its second half.
async fn logd() -> (Endpoint, Streams) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let (streams_in, streams) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let streams = streams_in.clone();
            let handle = move |stream| {
                let streams = streams.clone();
                async move {
                    let (done, wait) = oneshot::channel();
                    streams.send((stream, done)).await.unwrap();
                    let _ = wait.await;
                }
            };
            tokio::spawn(server::serve(stream, hello(), |_: &Parts| Ok(()), handle));
        }
    });
    (Endpoint::at(url), streams)
}

#[tokio::test]
async fn who_does_not_read_makes_the_other_wait_and_nothing_is_lost() {
    let (endpoint, mut streams) = logd().await;
    let mut sender = client::connect(&endpoint, "x").await.unwrap();
    let (mut stream, _done) = streams.recv().await.unwrap();

    // A MiB that does not compress.
    let mut noise = vec![0; 1 << 20];
    fastrand::Rng::with_seed(7).fill(&mut noise);
    let noise = Bytes::from(noise);
    let batches = move |number| {
        let batch = Batch { file: number, records: noise.clone(), ..Batch::default() };
        FromSender::Batches(Batches { batches: vec![batch] })
    };
    let mut sent = 0;
    let blocked = Duration::from_millis(500);
    while timeout(blocked, sender.sender.send(&batches(sent))).await.is_ok() {
        sent += 1;
        assert!(sent < 32, "the sender never waits");
    }

    let numbers = tokio::spawn(async move {
        let mut numbers = Vec::new();
        while let Some(message) = stream.receiver.next().await.unwrap() {
            if let FromSender::Batches(batches) = message {
                numbers.push(batches.batches[0].file);
            }
        }
        numbers
    });
    sender.sender.send(&batches(sent)).await.unwrap();
    drop(sender.sender);
    assert_eq!(numbers.await.unwrap(), (0..=sent).collect::<Vec<_>>());
}

#[tokio::test]
async fn who_is_dropped_is_noticed_by_the_other() {
    let (endpoint, mut streams) = logd().await;
    let mut sender = client::connect(&endpoint, "x").await.unwrap();
    drop(streams.recv().await.unwrap());
    let end = timeout(PATIENCE, sender.receiver.next()).await.unwrap();
    assert!(matches!(end, Err(WireError::Closed)), "{end:?}");

    // Both halves at once are a break, not an end.
    let sender = client::connect(&endpoint, "x").await.unwrap();
    let (mut stream, _done) = streams.recv().await.unwrap();
    drop(sender);
    timeout(PATIENCE, stream.receiver.next()).await.unwrap().unwrap_err();
}

/// Passes on what comes, until it is told to say nothing more without closing anything.
async fn black_hole(to: String) -> (SocketAddr, oneshot::Sender<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (silence, silent) = oneshot::channel();
    tokio::spawn(async move {
        let (mut here, _) = listener.accept().await.unwrap();
        let mut there = TcpStream::connect(to).await.unwrap();
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut here, &mut there) => {}
            _ = silent => std::future::pending().await,
        }
    });
    (address, silence)
}

#[tokio::test]
async fn a_dead_peer_is_noticed_by_both_sides() {
    let (endpoint, mut streams) = logd().await;
    let (address, silence) = black_hole(endpoint.url.authority().unwrap().to_string()).await;
    let endpoint = Endpoint { url: format!("http://{address}").parse().unwrap(), ..endpoint };
    let mut sender = client::connect(&endpoint, "x").await.unwrap();
    let (mut stream, _done) = streams.recv().await.unwrap();
    silence.send(()).unwrap();
    let both = async { tokio::join!(sender.receiver.next(), stream.receiver.next()) };
    // Far more than it takes: that it is noticed at all is what counts.
    let (heard, logd_heard) = timeout(PATIENCE, both).await.unwrap();
    heard.unwrap_err();
    logd_heard.unwrap_err();
}

#[tokio::test]
async fn a_listener_that_never_answers_is_given_up() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let error = client::connect(&Endpoint::at(url), "x").await.unwrap_err();
    assert!(matches!(error, WireError::Silent(_)), "{error}");
}

#[tokio::test]
async fn a_connection_without_a_stream_is_closed() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let _idle = TcpStream::connect(address).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let handle = |_: Stream<()>| std::future::ready(());
    let served = server::serve(stream, hello(), |_: &Parts| Ok(()), handle);
    let error = timeout(PATIENCE, served).await.unwrap().unwrap_err();
    assert!(matches!(error, WireError::NoStream), "{error}");
}

/// Certificates of one authority, in a folder.
struct Pki(TempDir, CertifiedIssuer<'static, KeyPair>);

impl Pki {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(folder.path().join("ca"), issuer.pem()).unwrap();
        Self(folder, issuer)
    }

    fn ca(&self) -> PathBuf {
        self.0.path().join("ca")
    }

    fn identity(&self, name: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.1).unwrap();
        let path = |what| self.0.path().join(format!("{name}.{what}"));
        let identity = Identity { certificate: path("crt"), key: path("key") };
        std::fs::write(&identity.certificate, certificate.pem()).unwrap();
        std::fs::write(&identity.key, key.serialize_pem()).unwrap();
        identity
    }
}

/// A logd that lets in whoever has shown a certificate.
async fn logd_with_tls(config: Arc<ServerConfig>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let config = config.clone();
            tokio::spawn(async move {
                let tls = TlsAcceptor::from(config).accept(stream).await.ok()?;
                let shown = tls.get_ref().1.peer_certificates().is_some();
                let door = move |_: &Parts| shown.then_some(()).ok_or(StatusCode::UNAUTHORIZED);
                let handle = |stream: Stream<()>| async move {
                    let _stream = stream;
                    std::future::pending::<()>().await;
                };
                server::serve(tls, hello(), door, handle).await.ok()
            });
        }
    });
    address
}

#[tokio::test]
async fn with_tls_each_side_trusts_only_its_authority() {
    let (pki, foreign) = (Pki::new(), Pki::new());
    let server = server_config(&pki.identity("127.0.0.1"), Some(&pki.ca())).unwrap();
    let address = logd_with_tls(server).await;
    let dial = async |trust: &Path, identity: Option<&Identity>| {
        let tls = Some(client_config(trust, identity).unwrap());
        let url = format!("https://{address}").parse().unwrap();
        client::connect(&Endpoint { tls, ..Endpoint::at(url) }, "x").await.map(drop)
    };

    let (own, stranger) = (pki.identity("shipper"), foreign.identity("shipper"));
    dial(&pki.ca(), Some(&own)).await.unwrap();
    let error = dial(&foreign.ca(), Some(&own)).await.unwrap_err().to_string();
    assert!(error.contains("invalid peer certificate"), "{error}");
    // A server of TLS 1.3 refuses after the client's handshake is done.
    let error = dial(&pki.ca(), Some(&stranger)).await.unwrap_err();
    assert!(matches!(error, WireError::Broken(_) | WireError::Connect { .. }), "{error}");
    let error = dial(&pki.ca(), None).await.unwrap_err();
    assert!(matches!(error, WireError::Refused { status, .. } if status == 401), "{error}");

    let url = format!("https://{address}").parse().unwrap();
    let error = client::connect(&Endpoint::at(url), "x").await.unwrap_err();
    assert!(matches!(error, WireError::NoTls(_)), "{error}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_trusted() {
    let pki = Pki::new();
    let address = logd_with_tls(server_config(&pki.identity("other"), None).unwrap()).await;
    let tls = Some(client_config(&pki.ca(), None).unwrap());
    let url = format!("https://{address}").parse().unwrap();
    let error = client::connect(&Endpoint { tls, ..Endpoint::at(url) }, "x").await.unwrap_err();
    assert!(error.to_string().contains("not valid for name"), "{error}");
}

#[test]
fn a_file_that_cannot_be_used_is_named() {
    let pki = Pki::new();
    let missing = pki.0.path().join("missing");
    let error = client_config(&missing, None).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{missing:?}: No such file")), "{error}");
    let key = pki.identity("shipper").key;
    let error = client_config(&key, None).unwrap_err().to_string();
    assert_eq!(error, format!("{key:?} holds no certificate in PEM"));
    let swapped = Identity { certificate: pki.ca(), key: pki.identity("shipper").key };
    let error = client_config(&pki.ca(), Some(&swapped)).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{:?}: ", pki.ca())), "{error}");
}
