//! Receivers of streams on their bad days.

use std::sync::Arc;
use std::time::Duration;

use fairlead_drain::{Batch, FailureKind, Keys, Sink, Timeouts, Verdict};
use fairlead_test_support::authority::Authority;
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::support::pump::Pump;
use crate::support::{PATIENCE, line, number, sink, sink_with, text};

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("syslog+tcp://{}", listener.local_addr().unwrap());
    (listener, url)
}

async fn accept(listener: &TcpListener) -> TcpStream {
    timeout(PATIENCE, listener.accept()).await.expect("somebody calls").unwrap().0
}

/// The numbers of the lines in counted frames, and whether the last frame is whole.
fn frames(mut bytes: &[u8]) -> (Vec<usize>, bool) {
    let mut numbers = Vec::new();
    while let Some(space) = bytes.iter().position(|byte| *byte == b' ') {
        let length: usize = str::from_utf8(&bytes[..space]).unwrap().parse().unwrap();
        let Some(frame) = bytes[space + 1..].get(..length) else { return (numbers, false) };
        let frame = str::from_utf8(frame).unwrap();
        assert!(frame.starts_with("<14>1 "), "{frame}");
        numbers.push(number(frame));
        bytes = &bytes[space + 1 + length..];
    }
    (numbers, bytes.is_empty())
}

async fn all(mut stream: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("it ends");
    read.unwrap();
    bytes
}

/// Its next lines as a batch.
fn batch(sink: &mut dyn Sink, lines: std::ops::Range<usize>) -> Batch {
    let mut batch = Batch::default();
    for number in lines {
        assert_eq!(sink.encode(&line(text(number).as_bytes()), &mut batch), None);
    }
    batch
}

/// Sends lines until all have their verdicts.
async fn send(sink: &mut dyn Sink, lines: std::ops::Range<usize>) {
    let count = lines.len();
    let mut batch = batch(sink, lines);
    let mut verdicts = sink.send(&mut batch).await.unwrap();
    while verdicts.len() < count {
        verdicts.append(&mut timeout(PATIENCE, sink.confirm()).await.expect("verdicts").unwrap());
    }
    assert_eq!(verdicts, vec![Verdict::Sent; count]);
}

#[tokio::test]
async fn it_ends_on_the_border_of_a_frame_when_it_is_closed() {
    let (listener, url) = listener().await;
    let mut sink = sink(&url);
    send(&mut *sink, 0..50).await;
    let receiver = tokio::spawn(all(accept(&listener).await));
    // Closed while the last ones are on the way.
    let mut last = batch(&mut *sink, 50..100);
    sink.send(&mut last).await.unwrap();
    sink.close().await;
    assert_eq!(frames(&receiver.await.unwrap()), ((0..100).collect(), true));
}

/// Each connection is reset after some bytes, in the midst of a frame.
#[tokio::test]
async fn a_reset_connection_misses_nothing_that_was_not_acknowledged() {
    let lines = 3_000;
    let (listener, url) = listener().await;
    let mut pump = Pump::new(sink(&url), lines);
    let receiver = tokio::spawn(async move {
        let mut received = Vec::new();
        for cut in [10_000, 150_001, 40_007] {
            let mut stream = accept(&listener).await;
            let mut bytes = vec![0; cut];
            stream.read_exact(&mut bytes).await.unwrap();
            stream.set_zero_linger().unwrap();
            received.push(frames(&bytes).0);
        }
        let (last, whole) = frames(&all(accept(&listener).await).await);
        assert!(whole);
        received.push(last);
        received
    });
    while pump.step().await {}
    pump.sink.close().await;
    let received = receiver.await.unwrap();
    assert_eq!(pump.sent.len(), lines);
    assert!(pump.failures.iter().all(|kind| *kind == FailureKind::Connect), "{:?}", pump.failures);
    // Each connection goes on behind what was acknowledged on the one before, so that nothing else
    // can be missing.
    let starts: Vec<usize> = received.iter().map(|part| part[0]).collect();
    assert_eq!(starts[0], 0);
    assert_eq!(starts[1..], pump.sent_at_failures);
    for part in &received {
        assert!(part.windows(2).all(|pair| pair[0] + 1 == pair[1]), "in order");
    }
    assert_eq!(received.last().and_then(|part| part.last()), Some(&(lines - 1)));
    let mut counts = vec![0_usize; lines];
    received.iter().flatten().for_each(|number| counts[*number] += 1);
    let twice: usize = counts.iter().map(|count| count.saturating_sub(1)).sum();
    assert!(twice <= pump.resent, "{twice} twice, {} resent", pump.resent);
}

#[tokio::test]
async fn one_that_never_reads_is_given_up() {
    let (listener, url) = listener().await;
    let timeouts = Timeouts { stall: Duration::from_millis(100), ..Timeouts::default() };
    let mut sink = sink_with(&url, Keys::default(), timeouts);
    let (mut given, mut sent) = (0, 0);
    let failure = loop {
        let mut batch = batch(&mut *sink, given..given + 1_000);
        given += 1_000;
        match timeout(PATIENCE, sink.send(&mut batch)).await.expect("it ends") {
            Ok(verdicts) => sent += verdicts.len(),
            Err(failure) => break failure,
        }
    };
    assert_eq!(failure.kind, FailureKind::Timeout, "{failure}");
    // What fits into its system was acknowledged; no more.
    let mut held = accept(&listener).await;
    let mut bytes = Vec::new();
    let _ = timeout(PATIENCE, held.read_to_end(&mut bytes)).await.expect("it was closed");
    let (numbers, _) = frames(&bytes);
    assert!(sent > 0 && sent < given, "{sent} of {given}");
    assert!(sent <= numbers.len(), "{sent} sent, {} held", numbers.len());
}

#[tokio::test]
async fn one_that_reads_slowly_is_not() {
    let (listener, url) = listener().await;
    let timeouts = Timeouts { stall: Duration::from_secs(5), ..Timeouts::default() };
    let mut pump = Pump::new(sink_with(&url, Keys::default(), timeouts), 300);
    let receiver = tokio::spawn(async move {
        let mut stream = accept(&listener).await;
        socket2::SockRef::from(&stream).set_recv_buffer_size(4096).unwrap();
        let (mut all, mut some) = (Vec::new(), [0; 4096]);
        loop {
            match stream.read(&mut some).await.unwrap() {
                0 => return all,
                count => all.extend_from_slice(&some[..count]),
            }
            sleep(Duration::from_millis(1)).await;
        }
    });
    pump.run().await;
    pump.sink.close().await;
    assert_eq!(frames(&receiver.await.unwrap()), ((0..300).collect(), true));
    assert!(pump.failures.is_empty());
}

#[tokio::test]
async fn an_idle_connection_that_the_receiver_closed_is_replaced() {
    let (listener, url) = listener().await;
    let mut sink = sink(&url);
    for round in [0..10, 10..20, 20..30] {
        let expected: Vec<usize> = round.clone().collect();
        let receive = async {
            let mut stream = accept(&listener).await;
            let mut bytes = Vec::new();
            while frames(&bytes).0.len() < 10 {
                stream.read_buf(&mut bytes).await.unwrap();
            }
            frames(&bytes).0
        };
        let (received, ()) = tokio::join!(receive, send(&mut *sink, round));
        assert_eq!(received, expected);
        // Nobody waits for anything.
        assert!(timeout(Duration::from_millis(1), sink.confirm()).await.is_err());
    }
}

#[tokio::test]
async fn an_old_connection_is_replaced_behind_a_whole_frame() {
    let (listener, url) = listener().await;
    let timeouts = Timeouts { age: Duration::ZERO, ..Timeouts::default() };
    let mut pump = Pump::new(sink_with(&url, Keys::default(), timeouts), 3_000);
    let receiver = tokio::spawn(async move {
        let (mut received, mut connections) = (Vec::new(), 0);
        while received.len() < 3_000 {
            let (mut numbers, whole) = frames(&all(accept(&listener).await).await);
            assert!(whole);
            received.append(&mut numbers);
            connections += 1;
        }
        (received, connections)
    });
    pump.run().await;
    pump.sink.close().await;
    let (received, connections) = receiver.await.unwrap();
    assert_eq!(received, (0..3_000).collect::<Vec<_>>());
    assert!(connections >= 3 && pump.failures.is_empty());
}

/// Half a frame may have been written: nothing may follow it.
#[tokio::test]
async fn what_is_cancelled_in_the_midst_of_a_batch_is_not_gone_on_with() {
    let (listener, url) = listener().await;
    let mut sink = sink(&url);
    let mut given = 0;
    while timeout(Duration::from_millis(20), async {
        let mut batch = batch(&mut *sink, given..given + 1_000);
        given += 1_000;
        sink.send(&mut batch).await.unwrap();
    })
    .await
    .is_ok()
    {}
    let mut first = accept(&listener).await;
    let mut bytes = Vec::new();
    // An end would make a message of the half that it may have.
    let read = timeout(PATIENCE, first.read_to_end(&mut bytes)).await.expect("it was closed");
    assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    send(&mut *sink, 0..10).await;
    let second = tokio::spawn(all(accept(&listener).await));
    sink.close().await;
    assert_eq!(frames(&second.await.unwrap()), ((0..10).collect(), true));
}

/// With TLS 1.3 it refuses the sender behind the handshake, and its system has acknowledged what came
/// in between: that is not sent.
#[tokio::test]
async fn what_a_receiver_refuses_behind_the_handshake_is_not_sent() {
    let authority = Authority::generate();
    let (certificate, key) = authority.pair();
    let provider = || Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (listener, url) = listener().await;
    let url = url.replace("tcp", "tls");
    let receiver = tokio::spawn(async move {
        let refused = acceptor.accept(accept(&listener).await).await;
        assert!(refused.is_err());
        let accepted = acceptor.accept(accept(&listener).await).await.unwrap();
        all(accepted).await
    });

    let ca = authority.pem();
    let keys = Keys { ca: Some(ca.as_bytes()), ..Keys::default() };
    let mut unknown = sink_with(&url, keys, Timeouts::default());
    let mut some = batch(&mut *unknown, 0..10);
    let outcome = match unknown.send(&mut some).await {
        Ok(verdicts) => {
            assert_eq!(verdicts, []);
            timeout(PATIENCE, unknown.confirm()).await.expect("it is refused")
        }
        failed => failed,
    };
    assert_eq!(outcome.unwrap_err().kind, FailureKind::Denied);

    let keys =
        Keys { certificate: Some(certificate.as_bytes()), key: Some(key.as_bytes()), ..keys };
    let mut known = sink_with(&url, keys, Timeouts::default());
    send(&mut *known, 0..10).await;
    known.close().await;
    assert_eq!(frames(&receiver.await.unwrap()), ((0..10).collect(), true));
}

/// GELF over TCP: a NUL behind each message.
#[tokio::test]
async fn row_40_graylog_takes_messages_over_tcp_and_tls() {
    let authority = Authority::generate();
    let (certificate, key) = authority.pair();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let ca = authority.pem();
    for scheme in ["gelf+tcp", "gelf+tls"] {
        let (listener, url) = listener().await;
        let tls = scheme == "gelf+tls";
        let acceptor = acceptor.clone();
        let receiver = tokio::spawn(async move {
            let stream = accept(&listener).await;
            if tls { all(acceptor.accept(stream).await.unwrap()).await } else { all(stream).await }
        });
        let keys = Keys { ca: tls.then_some(ca.as_bytes()), ..Keys::default() };
        let url = url.replace("syslog+tcp", scheme);
        let mut sink = sink_with(&url, keys, Timeouts::default());
        send(&mut *sink, 0..500).await;
        sink.close().await;
        let bytes = receiver.await.unwrap();
        let messages: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == 0).collect();
        assert_eq!(messages.len(), 500);
        for (number, message) in messages.into_iter().enumerate() {
            let message = message.strip_suffix(b"\0").expect("each has its end");
            let value: serde_json::Value = serde_json::from_slice(message).unwrap();
            let expected = serde_json::json!({
                "version": "1.1", "host": "front.shop", "short_message": text(number),
                "timestamp": 1_795_168_800.123_456, "level": 6, "_app": "front",
                "_namespace": "shop", "_process": "web", "_release": "v2",
                "_pod": "front-web-6f7c-x7k2p", "_container": "web", "_node": "node-1",
                "_stream": "stdout",
            });
            assert_eq!(value, expected);
        }
    }
}
