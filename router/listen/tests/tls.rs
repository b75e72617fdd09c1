//! TLS: what the handshake agrees on, how long it may take, and what a response costs on the wire.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use fairlead_router_listen::{
    Connection, Limits, Protocol, Scheme, TlsInfo, start, tls as edge_tls, tls::Offer,
};
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, HandshakeKind, ProtocolVersion};
use support::tls::{client, connect, https};
use support::{
    GET, OK, handler, keep_alive, listening, reaches, read_exactly, read_to_end, spec, within,
};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

type Seen = (bool, Scheme, Option<TlsInfo>);

/// What the server knows of one connection of such a client.
async fn seen(
    alpn: &[&str],
    version: &'static rustls::SupportedProtocolVersion,
    name: &'static str,
) -> Seen {
    let (sender, mut connections) = mpsc::channel(1);
    let (_workers, addr) =
        listening(https(), Limits::default(), move |connection: Connection, _| {
            let sender = sender.clone();
            async move {
                let info = &connection.info;
                sender.send((connection.http2, info.scheme, info.tls.clone())).await.unwrap();
            }
        });
    let _client = connect(addr, &Arc::new(client(alpn, version)), name).await.unwrap();
    within(connections.recv()).await.unwrap()
}

#[tokio::test]
async fn the_protocol_is_agreed_by_alpn_and_the_name_taken_from_sni() {
    let info = |sni: Option<&str>, version| Some(TlsInfo { sni: sni.map(Arc::from), version });
    assert_eq!(
        seen(&["h2", "http/1.1"], &TLS13, "app.example").await,
        (true, Scheme::Https, info(Some("app.example"), ProtocolVersion::TLSv1_3))
    );
    assert_eq!(
        seen(&["http/1.1"], &TLS13, "App.Example").await,
        (false, Scheme::Https, info(Some("app.example"), ProtocolVersion::TLSv1_3))
    );
    assert_eq!(
        seen(&[], &TLS12, "127.0.0.1").await,
        (false, Scheme::Https, info(None, ProtocolVersion::TLSv1_2))
    );
}

#[tokio::test]
async fn requests_follow_one_another_over_tls() {
    let (_workers, addr) = listening(https(), Limits::default(), keep_alive);
    let mut client = connect(addr, &Arc::new(client(&[], &TLS13)), "app.example").await.unwrap();
    for _ in 0..3 {
        client.write_all(GET.as_bytes()).await.unwrap();
        assert_eq!(read_exactly(&mut client, OK.len()).await, OK);
    }
}

#[tokio::test]
async fn a_refused_head_is_answered_over_tls_too() {
    let limits = Limits { head_bytes: 100, ..Limits::default() };
    let (workers, addr) = listening(https(), limits, keep_alive);
    let mut client = connect(addr, &Arc::new(client(&[], &TLS13)), "app.example").await.unwrap();
    client.write_all(&[b'a'; 50_000]).await.unwrap();
    let answer = read_to_end(&mut client).await;
    assert_eq!(
        answer,
        "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    );
    assert_eq!(workers.counters().heads_too_large.get(), 1);
}

#[tokio::test]
async fn a_name_without_a_certificate_costs_only_its_own_handshake() {
    let (workers, addr) = listening(https(), Limits::default(), keep_alive);
    let config = Arc::new(client(&[], &TLS13));
    assert!(connect(addr, &config, "unknown.example").await.is_err());
    reaches(&workers.counters().handshake_failures, 1).await;
    assert!(connect(addr, &config, "app.example").await.is_ok());
}

#[tokio::test]
async fn a_handshake_that_does_not_begin_is_closed() {
    let limits = Limits { handshake: Duration::from_millis(100), ..Limits::default() };
    let (workers, addr) = listening(https(), limits, keep_alive);
    assert_eq!(read_to_end(&mut support::connect(addr).await).await, "");
    reaches(&workers.counters().timeouts.handshake, 1).await;
    reaches(&workers.counters().open, 0).await;
}

#[tokio::test]
async fn a_handshake_that_drips_is_closed_at_its_total_deadline() {
    let limits = Limits { handshake: Duration::from_millis(200), ..Limits::default() };
    let (workers, addr) = listening(https(), limits, keep_alive);
    let mut tcp = support::connect(addr).await;
    // The header of a handshake record of 16 KiB, of which a byte comes every 10 ms.
    tcp.write_all(&[22, 3, 1, 0x40, 0]).await.unwrap();
    let drip = async {
        while tcp.write_all(&[1]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within(drip).await;
    reaches(&workers.counters().timeouts.handshake, 1).await;
}

#[tokio::test]
async fn a_client_that_agreed_on_http2_must_begin_it() {
    let limits = Limits { handshake: Duration::from_millis(300), ..Limits::default() };
    let (workers, addr) = listening(https(), limits, |mut connection: Connection, _| async move {
        connection.stream.phase().busy();
        let _ = tokio::io::AsyncReadExt::read_u8(&mut connection.stream).await;
    });
    let mut client =
        connect(addr, &Arc::new(client(&["h2"], &TLS13)), "app.example").await.unwrap();
    assert_eq!(read_to_end(&mut client).await, "");
    assert_eq!(workers.counters().timeouts.handshake.get(), 1);
}

#[tokio::test]
async fn sessions_resume_on_whichever_worker_accepts() {
    let handler = handler(keep_alive);
    let workers =
        start(4, vec![spec("tls", https())], Limits::default(), move |_| Arc::clone(&handler))
            .unwrap();
    let addr = workers.addr("tls").unwrap();
    for version in [&TLS13, &TLS12] {
        let config = Arc::new(client(&["http/1.1"], version));
        let mut kinds = Vec::new();
        for _ in 0..8 {
            let mut client = connect(addr, &config, "app.example").await.unwrap();
            client.write_all(GET.as_bytes()).await.unwrap();
            assert_eq!(read_exactly(&mut client, OK.len()).await, OK);
            kinds.push(client.get_ref().1.handshake_kind().unwrap());
        }
        assert_ne!(kinds[0], HandshakeKind::Resumed);
        assert!(kinds[1..].iter().all(|kind| *kind == HandshakeKind::Resumed), "{kinds:?}");
    }
}

#[tokio::test]
async fn head_and_body_of_a_response_leave_in_one_record() {
    let (_workers, addr) =
        listening(https(), Limits::default(), |mut connection: Connection, _| async move {
            support::read_head(&mut connection.stream).await.unwrap();
            connection.stream.phase().busy();
            connection.stream.write_all(&[b'h'; 200]).await.unwrap();
            connection.stream.write_all(&[b'b'; 300]).await.unwrap();
            connection.stream.flush().await.unwrap();
            support::read_head(&mut connection.stream).await.unwrap();
        });
    // TLS 1.2 sends nothing of its own after the handshake.
    let mut client = connect(addr, &Arc::new(client(&[], &TLS12)), "app.example").await.unwrap();
    client.write_all(GET.as_bytes()).await.unwrap();
    let tcp = client.get_mut().0;
    let mut header = [0; 5];
    within(tokio::io::AsyncReadExt::read_exact(tcp, &mut header)).await.unwrap();
    // Application data, version 1.2, and 500 bytes with nonce and tag of AES-GCM (RFC 5288).
    assert_eq!(header, [23, 3, 3, (524_u16 >> 8) as u8, 524_u16 as u8]);
}

#[test]
fn the_default_provider_can_be_installed_twice() {
    edge_tls::install_default_provider();
    edge_tls::install_default_provider();
    assert!(rustls::crypto::CryptoProvider::get_default().is_some());
}

#[tokio::test]
async fn an_offer_holds_for_the_handshakes_to_come() {
    let offering = support::tls::offering();
    let (_workers, addr) =
        listening(Protocol::Https(offering.clone()), Limits::default(), keep_alive);
    let agreed = async |alpn: &[&str], version| {
        let tls = connect(addr, &Arc::new(client(alpn, version)), "app.example").await.ok()?;
        let session = tls.get_ref().1;
        let http2 = session.alpn_protocol() == Some(b"h2");
        Some((http2, session.negotiated_cipher_suite().unwrap().suite()))
    };
    let both = ["h2", "http/1.1"];
    assert!(agreed(&both, &TLS12).await.unwrap().0);

    offering.offer(&Offer { http2: false, ..Offer::default() }).unwrap();
    assert!(!agreed(&both, &TLS13).await.unwrap().0);

    offering.offer(&Offer { tls12: false, ..Offer::default() }).unwrap();
    assert_eq!(agreed(&both, &TLS12).await, None);
    assert!(agreed(&both, &TLS13).await.is_some());
    offering.offer(&Offer { tls13: false, ..Offer::default() }).unwrap();
    assert_eq!(agreed(&both, &TLS13).await, None);

    // The client would rather have another one.
    let suite = CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256;
    assert_ne!(agreed(&both, &TLS12).await.unwrap().1, suite);
    offering.offer(&Offer { suites: Some(vec![suite]), ..Offer::default() }).unwrap();
    assert_eq!(agreed(&both, &TLS12).await.unwrap().1, suite);
    assert!(agreed(&both, &TLS13).await.is_some(), "its suites are of another kind");

    // What leaves nothing to offer changes nothing.
    let none = Offer { tls12: false, tls13: false, ..Offer::default() };
    assert!(offering.offer(&none).is_err());
    assert_eq!(agreed(&both, &TLS12).await.unwrap().1, suite);
}

#[tokio::test]
async fn without_tickets_no_session_resumes() {
    for tickets in [true, false] {
        let offering = support::tls::offering();
        offering.offer(&Offer { tickets, ..Offer::default() }).unwrap();
        let (_workers, addr) = listening(Protocol::Https(offering), Limits::default(), keep_alive);
        let config = Arc::new(client(&[], &TLS13));
        for again in [false, true] {
            let mut tls = connect(addr, &config, "app.example").await.unwrap();
            // Tickets come with the first answer.
            tls.write_all(GET.as_bytes()).await.unwrap();
            assert_eq!(read_exactly(&mut tls, OK.len()).await, OK);
            let resumed = tls.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
            assert_eq!(resumed, again && tickets, "tickets {tickets}");
        }
    }
}
