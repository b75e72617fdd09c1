use std::future::pending;

use async_trait::async_trait;
use ipnet::IpNet;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::{Guard, Keys, Resolve, Timeouts};

/// Gives one answer after the other, the last one for ever.
struct Answers(parking_lot::Mutex<Vec<Vec<&'static str>>>);

#[async_trait]
impl Resolve for Answers {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let mut answers = self.0.lock();
        let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
        Ok(answer.into_iter().map(|address| address.parse().unwrap()).collect())
    }
}

struct Unknown;

#[async_trait]
impl Resolve for Unknown {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        Err(io::Error::other("no such host"))
    }
}

struct Silent;

#[async_trait]
impl Resolve for Silent {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        pending().await
    }
}

fn answers(answers: &[&[&'static str]]) -> Arc<dyn Resolve> {
    let answers = answers.iter().map(|answer| answer.to_vec()).collect();
    Arc::new(Answers(parking_lot::Mutex::new(answers)))
}

fn network(resolve: Arc<dyn Resolve>, guard: Guard) -> Network {
    let questions = Arc::new(Semaphore::new(1));
    Network { resolve, questions, guard: Arc::new(guard), timeouts: Timeouts::default() }
}

fn tenant() -> Guard {
    let loopback: Vec<IpNet> = vec!["127.0.0.1/32".parse().unwrap()];
    Guard::tenant(Vec::new(), loopback)
}

fn dialer(url: &str, network: &Network, keys: Keys<'_>) -> Dialer {
    let credentials = Credentials::read(keys).unwrap();
    Dialer::new(&Target::parse(url).unwrap(), &credentials, network, &[]).unwrap()
}

fn plain(url: &str, network: &Network) -> Dialer {
    dialer(url, network, Keys::default())
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

async fn failure(dialer: &Dialer) -> Failure {
    dialer.stream().await.map(|_| ()).expect_err("connected")
}

async fn failed(dialer: &Dialer) -> (FailureKind, String) {
    let failure = failure(dialer).await;
    (failure.kind, failure.message)
}

#[tokio::test]
async fn an_answer_that_changes_is_checked_again() {
    let (listener, port) = listener().await;
    let network = network(answers(&[&["127.0.0.1"], &["169.254.169.254"]]), tenant());
    let dialer = plain(&format!("syslog+tcp://logs.example.com:{port}"), &network);
    let mut first = dialer.stream().await.unwrap();
    let (mut accepted, _) = listener.accept().await.unwrap();
    first.write_all(b"hello").await.unwrap();
    let mut read = [0; 5];
    accepted.read_exact(&mut read).await.unwrap();
    assert_eq!(first.written(), 5);
    assert_eq!(first.acknowledged().unwrap(), 5);
    assert_eq!(
        failed(&dialer).await,
        (
            FailureKind::Forbidden,
            format!(
                "logs.example.com:{port}: leads into the cluster or to an address that is not \
                 public, where drains of this namespace may not lead"
            )
        )
    );
}

#[tokio::test]
async fn one_forbidden_address_forbids_the_name() {
    let (listener, port) = listener().await;
    for mixed in [["127.0.0.1", "10.0.0.1"], ["10.0.0.1", "127.0.0.1"], ["127.0.0.1", "::1"]] {
        let network = network(answers(&[&mixed]), tenant());
        for url in [format!("syslog+tcp://logs:{port}"), format!("syslog+tls://logs:{port}")] {
            let (certificate, _) = pair(&authority(), &["logs"], 2100);
            let keys = Keys { ca: Some(certificate.as_bytes()), ..Keys::default() };
            let dialer = if url.contains("tls") {
                dialer(&url, &network, keys)
            } else {
                plain(&url, &network)
            };
            assert_eq!(failed(&dialer).await.0, FailureKind::Forbidden);
        }
        let datagrams = plain(&format!("syslog://logs:{port}"), &network);
        assert_eq!(datagrams.datagrams().await.unwrap_err().kind, FailureKind::Forbidden);
    }
    let address = network(Arc::new(Unknown), Guard::tenant(Vec::new(), Vec::new()));
    let dialer = plain(&format!("syslog+tcp://127.0.0.1:{port}"), &address);
    assert_eq!(failed(&dialer).await.0, FailureKind::Forbidden);
    // Nobody has called.
    let called = listener.into_std().unwrap().accept();
    assert_eq!(called.unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn the_next_address_is_tried() {
    let (listener, port) = listener().await;
    let network = network(answers(&[&["127.0.0.2", "127.0.0.1"]]), Guard::platform());
    let dialer = plain(&format!("syslog+tcp://logs:{port}"), &network);
    dialer.stream().await.unwrap();
    listener.accept().await.unwrap();
}

#[tokio::test]
async fn failures_say_what_failed() {
    let (listener, port) = listener().await;
    drop(listener);
    let url = format!("syslog+tcp://logs:{port}");
    let unknown = network(Arc::new(Unknown), Guard::platform());
    assert_eq!(
        failed(&plain(&url, &unknown)).await,
        (FailureKind::Resolve, format!("logs:{port}: no address: no such host"))
    );
    let none = network(answers(&[&[]]), tenant());
    assert_eq!(failed(&plain(&url, &none)).await.0, FailureKind::Resolve);
    let mut silent = network(Arc::new(Silent), Guard::platform());
    silent.timeouts.connect = Duration::from_millis(10);
    assert_eq!(
        failed(&plain(&url, &silent)).await,
        (FailureKind::Timeout, format!("logs:{port} has no address so far after 10ms"))
    );
    let refused = network(answers(&[&["127.0.0.1"]]), Guard::platform());
    assert_eq!(failed(&plain(&url, &refused)).await.0, FailureKind::Connect);
}

/// Only what all others would see as well is the receiver's failure, and only where there is a
/// connection a line may have left.
#[tokio::test]
async fn a_failure_says_how_far_it_came() {
    let (listener, port) = listener().await;
    let names = |port| format!("syslog+tcp://logs:{port}");
    let at = |network: &Network, port| {
        let dialer = plain(&names(port), network);
        async move { failure(&dialer).await.stage }
    };
    let unknown = network(Arc::new(Unknown), Guard::platform());
    assert_eq!(at(&unknown, port).await, Stage::Unreached);
    let inside = network(answers(&[&["10.0.0.1"]]), tenant());
    assert_eq!(at(&inside, port).await, Stage::Own);
    let mut ours = network(answers(&[&["127.0.0.1"]]), Guard::platform());
    ours.timeouts.connect = Duration::from_millis(50);
    let authority = authority().pem();
    let keys = Keys { ca: Some(authority.as_bytes()), ..Keys::default() };
    let tls = dialer(&format!("syslog+tls://logs:{port}"), &ours, keys);
    assert_eq!(failure(&tls).await.stage, Stage::Reached);
    drop(listener);
    assert_eq!(at(&ours, port).await, Stage::Unreached);
}

/// One question at a time may be open here, and one is that nobody answers.
#[tokio::test]
async fn an_owner_s_open_questions_are_bounded_and_are_no_receiver_s_failure() {
    let (_listener, port) = listener().await;
    let mut silent = network(Arc::new(Silent), Guard::platform());
    silent.timeouts.connect = Duration::from_millis(10);
    let url = format!("syslog+tcp://logs:{port}");
    assert_eq!(failure(&plain(&url, &silent)).await.stage, Stage::Unreached);
    let answering = Network { resolve: answers(&[&["127.0.0.1"]]), ..silent };
    let waits = failure(&plain(&url, &answering)).await;
    assert_eq!((waits.kind, waits.stage), (FailureKind::Resolve, Stage::Own));
    // Another owner's.
    let other = Network { questions: Arc::new(Semaphore::new(1)), ..answering.clone() };
    plain(&url, &other).stream().await.map(|_| ()).unwrap();
    let address = plain(&format!("syslog+tcp://127.0.0.1:{port}"), &answering);
    address.stream().await.map(|_| ()).unwrap();
}

/// Of what a receiver does not take the system keeps little.
#[tokio::test]
async fn little_is_kept_for_who_reads_nothing() {
    let (listener, port) = listener().await;
    let network = network(answers(&[&["127.0.0.1"]]), Guard::platform());
    let mut stream = plain(&format!("syslog+tcp://logs:{port}"), &network).stream().await.unwrap();
    let _silent = listener.accept().await.unwrap();
    let some = vec![0; 16 << 10];
    let patience = Duration::from_millis(300);
    while let Ok(written) = timeout(patience, stream.write(&some)).await {
        written.unwrap();
    }
    let kept = stream.written() - stream.acknowledged().unwrap();
    assert!(kept > 0 && kept <= 2 * u64::from(UNSENT), "{kept}");
}

/// A receiver that accepts and says nothing, where TLS is expected.
#[tokio::test]
async fn a_handshake_that_is_not_answered_ends_in_time() {
    let (_listener, port) = listener().await;
    let mut network = network(answers(&[&["127.0.0.1"]]), Guard::platform());
    network.timeouts.connect = Duration::from_millis(50);
    let authority = authority().pem();
    let keys = Keys { ca: Some(authority.as_bytes()), ..Keys::default() };
    let dialer = dialer(&format!("syslog+tls://logs:{port}"), &network, keys);
    assert_eq!(failed(&dialer).await.0, FailureKind::Timeout);
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for these names that is good before this year, and its key.
fn pair(authority: &Authority, names: &[&str], year: i32) -> (String, String) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_after = date_time_ymd(year, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    (certificate.pem(), key.serialize_pem())
}

/// A receiver with TLS, whose senders have to show a certificate of `senders`.
async fn receiver(
    (certificate, key): (String, String),
    senders: Option<&Authority>,
) -> (u16, JoinHandle<io::Result<Vec<u8>>>) {
    use rustls_pki_types::{CertificateDer, pem::PemObject as _};
    let builder = ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap();
    let builder = match senders {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = builder.with_single_cert(chain, key).unwrap();
    let (listener, port) = listener().await;
    let task = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await?;
        let mut tls = TlsAcceptor::from(Arc::new(config)).accept(tcp).await?;
        let mut read = Vec::new();
        tls.read_to_end(&mut read).await?;
        Ok(read)
    });
    (port, task)
}

#[tokio::test]
async fn certificates_are_verified() {
    let (ours, other) = (authority(), authority());
    let trusted = ours.pem();
    let network = network(answers(&[&["127.0.0.1"]]), Guard::platform());
    let keys = Keys { ca: Some(trusted.as_bytes()), ..Keys::default() };
    for (what, certificate) in [
        ("for another name", pair(&ours, &["other"], 2100)),
        ("expired", pair(&ours, &["logs"], 2020)),
        ("of somebody else", pair(&other, &["logs"], 2100)),
    ] {
        let (port, _task) = receiver(certificate, None).await;
        let dialer = dialer(&format!("syslog+tls://logs:{port}"), &network, keys);
        assert_eq!(failed(&dialer).await.0, FailureKind::Certificate, "{what}");
    }
    for name in ["logs", "127.0.0.1"] {
        let (port, task) = receiver(pair(&ours, &[name], 2100), None).await;
        let dialer = dialer(&format!("syslog+tls://{name}:{port}"), &network, keys);
        let mut stream = dialer.stream().await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(task.await.unwrap().unwrap(), b"hello");
        // What TLS adds is counted as well.
        assert!(stream.is_secure() && stream.written() > 300, "{}", stream.written());
    }
}

#[tokio::test]
async fn a_certificate_is_shown_to_receivers_that_want_one() {
    let (ours, senders) = (authority(), authority());
    let trusted = ours.pem();
    let network = network(answers(&[&["127.0.0.1"]]), Guard::platform());
    let (certificate, key) = pair(&senders, &["drain"], 2100);
    let keys = Keys { ca: Some(trusted.as_bytes()), ..Keys::default() };
    let shown =
        Keys { certificate: Some(certificate.as_bytes()), key: Some(key.as_bytes()), ..keys };
    let (port, task) = receiver(pair(&ours, &["logs"], 2100), Some(&senders)).await;
    let mut stream =
        dialer(&format!("syslog+tls://logs:{port}"), &network, shown).stream().await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(task.await.unwrap().unwrap(), b"");

    // TLS 1.3 tells only behind the handshake that a certificate was wanted.
    let (port, _task) = receiver(pair(&ours, &["logs"], 2100), Some(&senders)).await;
    let dialer = dialer(&format!("syslog+tls://logs:{port}"), &network, keys);
    let mut stream = dialer.stream().await.unwrap();
    let error = stream.read(&mut [0; 1]).await.unwrap_err();
    assert_eq!(dialer.failure(&error).kind, FailureKind::Denied);
}

#[test]
fn what_is_for_tls_needs_tls() {
    let network = network(Arc::new(Unknown), Guard::platform());
    let pem = authority().pem();
    let keys = Keys { ca: Some(pem.as_bytes()), ..Keys::default() };
    let credentials = Credentials::read(keys).unwrap();
    let target = Target::parse("syslog+tcp://logs:1").unwrap();
    assert_eq!(
        Dialer::new(&target, &credentials, &network, &[]).err(),
        Some(OpenError::NoTls("syslog+tcp"))
    );
}
