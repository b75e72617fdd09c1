//! Streams between a sender and a logd over real sockets.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use fairlead_wire::client::{self, Endpoint, WireError};
use fairlead_wire::message::*;
use fairlead_wire::server::{self, Stream};
use http::{HeaderValue, StatusCode, header::AUTHORIZATION, request::Parts};
use rustls_pki_types::ServerName;
use tokio::net::TcpListener;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

fn hello(version: u32) -> LogdHello {
    LogdHello { version, instance: "one".to_owned(), history: 7 }
}

fn authenticate(parts: &Parts) -> Result<&'static str, StatusCode> {
    match parts.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes) {
        Some(b"Bearer right") => Ok("shipper"),
        _ => Err(StatusCode::UNAUTHORIZED),
    }
}

/// Acknowledges every close, and ends a stream that is malformed.
async fn acknowledge(mut stream: Stream<&'static str>) {
    loop {
        match stream.receiver.next().await {
            Ok(Some(FromSender::Close(Close { file }))) => {
                let acks = vec![Ack { file, stored: 1, ..Ack::default() }];
                stream.sender.send(&FromLogd::Acks(Acks { acks })).await.unwrap();
            }
            Ok(Some(_)) => {}
            Ok(None) => return,
            Err(error) => return stream.sender.end(error.to_string()).await,
        }
    }
}

async fn logd(version: u32) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(server::serve(stream, hello(version), authenticate, acknowledge));
        }
    });
    let mut token = HeaderValue::from_static("Bearer right");
    token.set_sensitive(true);
    Endpoint { token: Some(token), ..Endpoint::at(url) }
}

#[tokio::test]
async fn a_stream_carries_messages_both_ways_until_the_sender_is_done() {
    let endpoint = logd(VERSION).await;
    let mut connection = client::connect(&endpoint, "shipper/a").await.unwrap();
    assert_eq!(connection.hello, hello(VERSION));
    for file in [3, 9] {
        connection.sender.send(&FromSender::Close(Close { file })).await.unwrap();
        let acks = vec![Ack { file, stored: 1, ..Ack::default() }];
        let got = timeout(PATIENCE, connection.receiver.next()).await.unwrap().unwrap();
        assert_eq!(got, FromLogd::Acks(Acks { acks }));
    }
    drop(connection.sender);
    let end = timeout(PATIENCE, connection.receiver.next()).await.unwrap();
    assert!(matches!(end, Err(WireError::Closed)), "{end:?}");
}

#[tokio::test]
async fn a_sender_without_the_right_token_is_refused() {
    let endpoint = Endpoint { token: None, ..logd(VERSION).await };
    let error = client::connect(&endpoint, "x").await.unwrap_err().to_string();
    assert_eq!(error, format!("{} refused with 401 Unauthorized", endpoint.url));
}

#[tokio::test]
async fn a_logd_of_another_version_is_told_apart() {
    let endpoint = logd(VERSION + 1).await;
    let error = client::connect(&endpoint, "x").await.unwrap_err();
    assert!(matches!(error, WireError::Version { version, .. } if version == VERSION + 1));
}

#[tokio::test]
async fn nobody_there_is_an_error_with_the_address() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = Endpoint::at(format!("http://{free}").parse().unwrap());
    let error = client::connect(&endpoint, "x").await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot connect to http://{free}/: ")), "{error}");
}

/// Streams of one connection, opened by hand.
#[tokio::test]
async fn a_malformed_stream_is_told_why_and_ends_alone() {
    use http_body_util::{BodyExt as _, Full, StreamBody};
    let endpoint = logd(VERSION).await;
    let tcp =
        tokio::net::TcpStream::connect(endpoint.url.authority().unwrap().as_str()).await.unwrap();
    let (mut requests, connection) = hyper::client::conn::http2::handshake(
        hyper_util::rt::TokioExecutor::new(),
        hyper_util::rt::TokioIo::new(tcp),
    )
    .await
    .unwrap();
    tokio::spawn(connection);
    let mut encoder = fairlead_wire::frame::Encoder::new().unwrap();
    let mut frame = |message| encoder.from_sender(&message).unwrap();
    let first = frame(FromSender::Hello(SenderHello { version: VERSION, sender: "s".to_owned() }));
    let close = frame(FromSender::Close(Close { file: 1 }));
    let request = |body| {
        http::Request::post(format!("{}v1/stream", endpoint.url))
            .header(AUTHORIZATION, "Bearer right")
            .body(body)
            .unwrap()
    };
    let (sound, body) = tokio::sync::mpsc::channel::<bytes::Bytes>(4);
    let body = futures::stream::unfold(body, |mut body| async {
        let bytes = body.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(http_body::Frame::data(bytes)), body))
    });
    sound.send(first.clone()).await.unwrap();
    let mut answer =
        requests.send_request(request(StreamBody::new(body).boxed())).await.unwrap().into_body();

    let torn = [&first[..], b"\xff\xff\xff\xff\x01"].concat();
    let other =
        requests.send_request(request(Full::from(torn).map_err(|never| match never {}).boxed()));
    let other =
        timeout(PATIENCE, other.await.unwrap().collect()).await.unwrap().unwrap().to_bytes();
    let mut decoder = fairlead_wire::frame::Decoder::default();
    decoder.push(&other);
    assert_eq!(decoder.logd().unwrap(), Some(FromLogd::Hello(hello(VERSION))));
    let reason = "a frame of 4294967295 bytes is longer than 8388608".to_owned();
    assert_eq!(decoder.logd().unwrap(), Some(FromLogd::End(End { reason })));

    sound.send(close).await.unwrap();
    let mut decoder = fairlead_wire::frame::Decoder::default();
    let acknowledged = async {
        loop {
            decoder.push(answer.frame().await.unwrap().unwrap().data_ref().unwrap());
            while let Some(message) = decoder.logd().unwrap() {
                if matches!(message, FromLogd::Acks(_)) {
                    return;
                }
            }
        }
    };
    timeout(PATIENCE, acknowledged).await.unwrap();
}

#[tokio::test]
async fn streams_run_over_tls_and_only_to_who_is_trusted() {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = certified.cert.der().clone();
    let key =
        rustls_pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let stream = acceptor.accept(stream).await?;
                let served = server::serve(stream, hello(VERSION), authenticate, acknowledge).await;
                served.map_err(std::io::Error::other)
            });
        }
    });
    let client = |trusted: &[rustls_pki_types::CertificateDer<'static>]| {
        let mut roots = rustls::RootCertStore::empty();
        trusted.iter().for_each(|certificate| roots.add(certificate.clone()).unwrap());
        let config = rustls::ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Endpoint {
            url: format!("https://localhost:{port}").parse().unwrap(),
            tls: Some(Arc::new(config)),
            token: Some(HeaderValue::from_static("Bearer right")),
            server_name: None,
        }
    };
    let connection =
        client::connect(&client(std::slice::from_ref(&certificate)), "x").await.unwrap();
    assert_eq!(connection.hello.instance, "one");
    let error = client::connect(&client(&[]), "x").await.unwrap_err().to_string();
    assert!(error.contains("invalid peer certificate: UnknownIssuer"), "{error}");
    // The name that is verified can be another one than that which is connected to.
    let name = |name: &'static str| ServerName::try_from(name).ok();
    let by_address = |server_name| Endpoint {
        url: format!("https://127.0.0.1:{port}").parse().unwrap(),
        server_name,
        ..client(std::slice::from_ref(&certificate))
    };
    client::connect(&by_address(name("localhost")), "x").await.unwrap();
    for wrong in [None, name("logd.fairlead.svc")] {
        let error = client::connect(&by_address(wrong), "x").await.unwrap_err().to_string();
        assert!(error.contains("certificate not valid for name"), "{error}");
    }
}
