//! Which HTTP a client speaks is decided by no more bytes than it takes, and none is lost by it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use fairlead_router_listen::{Connection, Limits, Scheme};
use support::{
    OK, answer, connect, keep_alive, plain, read_exactly, read_head, read_to_end, within,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Length 0, type SETTINGS, no flags, stream 0.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// Says of each connection whether it is HTTP/2, and what it sends in all.
async fn report(mut connection: Connection, to: mpsc::Sender<(bool, String)>) {
    let mut all = Vec::new();
    connection.stream.read_to_end(&mut all).await.unwrap();
    to.send((connection.http2, String::from_utf8(all).unwrap())).await.unwrap();
}

/// Sends these pieces one by one and returns what the server makes of them.
async fn judged(pieces: &[&[u8]]) -> (bool, String) {
    let (sender, mut reports) = mpsc::channel(1);
    let (_workers, addr) =
        plain(Limits::default(), move |connection, _| report(connection, sender.clone()));
    let mut client = connect(addr).await;
    for piece in pieces {
        client.write_all(piece).await.unwrap();
        // Small enough to be cheap, long enough that the server mostly reads the piece alone.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    client.shutdown().await.unwrap();
    within(reports.recv()).await.unwrap()
}

#[tokio::test]
async fn a_preface_in_many_pieces_is_http2_and_is_read_again_whole() {
    let mut pieces: Vec<&[u8]> = PREFACE.chunks(1).collect();
    pieces.push(SETTINGS);
    let whole = String::from_utf8([PREFACE, SETTINGS].concat()).unwrap();
    assert_eq!(judged(&pieces).await, (true, whole.clone()));
    assert_eq!(judged(&[PREFACE, SETTINGS]).await, (true, whole.clone()));
    assert_eq!(judged(&[&[PREFACE, SETTINGS].concat()]).await, (true, whole));
}

#[tokio::test]
async fn what_turns_out_not_to_be_a_preface_is_http1_and_is_read_whole() {
    for pieces in [
        &[&b"P"[..], b"OST / HTTP/1.1\r\n\r\nbody that is longer than a preface"][..],
        &[b"PRI * ", b"HTTP/1.1\r\n\r\n"],
        &[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", b"X"],
        &[b"G"],
        &[b"PRI"],
    ] {
        let whole = String::from_utf8(pieces.concat()).unwrap();
        assert_eq!(judged(pieces).await, (false, whole));
    }
}

#[tokio::test]
async fn a_request_shorter_than_a_preface_is_answered_at_once() {
    let (_workers, addr) = plain(Limits::default(), |mut connection: Connection, _| async move {
        assert!(!connection.http2);
        assert_eq!(
            read_head(&mut connection.stream).await.unwrap().unwrap(),
            "GET / HTTP/1.0\r\n\r\n"
        );
        answer(&mut connection.stream, OK).await;
    });
    let mut client = connect(addr).await;
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    assert_eq!(read_to_end(&mut client).await, OK);
}

#[tokio::test]
async fn half_a_preface_is_a_head_that_does_not_end() {
    let limits = Limits { head: Duration::from_millis(100), ..Limits::default() };
    let (workers, addr) = plain(limits, keep_alive);
    let mut client = connect(addr).await;
    client.write_all(&PREFACE[..10]).await.unwrap();
    assert!(read_to_end(&mut client).await.starts_with("HTTP/1.1 408 "));
    assert_eq!(workers.counters().timeouts.head.get(), 1);
}

#[tokio::test]
async fn an_http2_client_must_follow_its_preface_by_settings() {
    let (failed, mut failures) = mpsc::channel(1);
    let limits = Limits { handshake: Duration::from_millis(100), ..Limits::default() };
    let (workers, addr) = plain(limits, move |mut connection: Connection, _| {
        let failed = failed.clone();
        async move {
            connection.stream.phase().busy();
            let mut all = Vec::new();
            let error = connection.stream.read_to_end(&mut all).await.unwrap_err();
            failed.send((connection.http2, error.kind())).await.unwrap();
        }
    });
    let mut client = connect(addr).await;
    client.write_all(PREFACE).await.unwrap();
    assert_eq!(within(failures.recv()).await, Some((true, ErrorKind::TimedOut)));
    assert_eq!(read_to_end(&mut client).await, "");
    assert_eq!(workers.counters().timeouts.handshake.get(), 1);
}

#[tokio::test]
async fn writes_of_http2_go_straight_through_even_if_nothing_is_read() {
    let enough = Arc::new(Notify::new());
    let until = Arc::clone(&enough);
    let (_workers, addr) = plain(Limits::default(), move |mut connection: Connection, _| {
        let until = Arc::clone(&until);
        async move {
            connection.stream.write_all(SETTINGS).await.unwrap();
            until.notified().await;
        }
    });
    let mut client = connect(addr).await;
    client.write_all(PREFACE).await.unwrap();
    assert_eq!(read_exactly(&mut client, SETTINGS.len()).await.as_bytes(), SETTINGS);
    enough.notify_one();
}

#[tokio::test]
async fn a_plain_connection_says_where_it_came_from() {
    let (sender, mut infos) = mpsc::channel(1);
    let (_workers, addr) = plain(Limits::default(), move |connection: Connection, _| {
        let sender = sender.clone();
        async move { sender.send(connection.info).await.unwrap() }
    });
    let mut client = connect(addr).await;
    client.write_all(b"G").await.unwrap();
    let info = within(infos.recv()).await.unwrap();
    assert_eq!(&*info.listener, "main");
    assert_eq!(info.peer, client.local_addr().unwrap());
    assert_eq!(info.local, addr);
    assert_eq!(info.scheme, Scheme::Http);
    assert_eq!(info.tls, None);
}
