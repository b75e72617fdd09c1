//! RFC 9113 §10.5: what costs a client little and us much ends the connection, or has no end that we
//! would wait for.

use std::os::fd::AsFd;

use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{error, router, said, scenes, setup};
use crate::support::{
    Backend, Setup,
    backend::OK,
    frames::{
        ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GET, HEADERS, PING, RST_STREAM, Raw,
        SETTINGS, Said, fields, frame, get,
    },
};

const CALM: &str = "GOAWAY ENHANCE_YOUR_CALM";
const ACKNOWLEDGED: &str = "acknowledged as fast as it is read; others are served";

scenes! {
    streams_that_are_reset_as_soon_as_they_are_opened, "RFC 9113 §10.5":
        |hardened| flood(hardened, opened_and_reset) => CALM;
    streams_that_make_the_server_reset_them, "RFC 9113 §10.5":
        |hardened| flood(hardened, reset_by_us) => CALM;
    headers_that_go_on_and_on, "RFC 9113 §6.10": |hardened| flood(hardened, continued) => CALM;
    continuations_with_nothing_in_them, "RFC 9113 §6.10":
        |hardened| flood(hardened, continued_with_nothing) => CALM;
    data_with_nothing_in_it, "RFC 9113 §10.5": |hardened| flood(hardened, nothing) => CALM;
    pings_without_end, "RFC 9113 §6.7":
        |hardened| acknowledged(hardened, PING, frame(PING, 0, 0, b"fairlead")) => ACKNOWLEDGED;
    settings_without_end, "RFC 9113 §6.5.3":
        // SETTINGS_INITIAL_WINDOW_SIZE, which concerns every stream.
        |hardened| acknowledged(hardened, SETTINGS, frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0xff, 0xff]))
        => ACKNOWLEDGED;
    more_streams_than_agreed, "RFC 9113 §5.1.2": too_many_streams => "RST_STREAM REFUSED_STREAM";
    a_list_of_fields_above_64_kib, "RFC 9113 §10.5.1": long_list => "431";
    more_than_100_fields_by_http_2, "RFC 9113 §10.5.1": many_fields => "431", alone "200";
    crumbs_of_a_cookie_without_end, "RFC 9113 §8.2.3": many_crumbs => "431", alone "200";
}

/// How the connection ends, however often a part is sent.
async fn flood(hardened: bool, part: fn(u32) -> Vec<u8>) -> String {
    let backend = Backend::answering(OK).await;
    let router = router(setup(hardened, |_| {}), &backend);
    let mut raw = Raw::open(router.http).await;
    for n in 0..200 {
        let many = (0..100).map(|m| part(n * 100 + m)).collect::<Vec<_>>().concat();
        if raw.stream.write_all(&many).await.is_err() {
            break;
        }
    }
    loop {
        match raw.said().await {
            Some(Said::Goaway { code }) => return format!("GOAWAY {}", error(code)),
            Some(_) => {}
            None => return "closed".to_owned(),
        }
    }
}

fn headers(flags: u8, stream: u32, block: &[u8]) -> Vec<u8> {
    frame(HEADERS, flags, stream, block)
}

/// A stream that is reset as soon as it is opened.
fn opened_and_reset(n: u32) -> Vec<u8> {
    let open = headers(END_HEADERS | END_STREAM, 2 * n + 1, &get(&[]));
    [open, frame(RST_STREAM, 0, 2 * n + 1, &[0, 0, 0, 8])].concat()
}

/// Headers that go on and on.
fn continued(n: u32) -> Vec<u8> {
    match n {
        0 => headers(0, 1, &get(&[])),
        _ => frame(CONTINUATION, 0, 1, &fields(&[("x", &"y".repeat(1000))])),
    }
}

/// Continuations with nothing in them.
fn continued_with_nothing(n: u32) -> Vec<u8> {
    if n == 0 { headers(0, 1, &get(&[])) } else { frame(CONTINUATION, 0, 1, &[]) }
}

/// Data with nothing in it.
fn nothing(n: u32) -> Vec<u8> {
    let post = || fields(&[&[(":method", "POST")], &GET[1..]].concat());
    if n == 0 { headers(END_HEADERS, 1, &post()) } else { frame(DATA, 0, 1, &[]) }
}

/// A stream that makes the server reset it.
fn reset_by_us(n: u32) -> Vec<u8> {
    headers(END_HEADERS | END_STREAM, 2 * n + 1, &get(&[("content-length", "1")]))
}

/// Frames that must each be acknowledged (§6.5.3, §6.7): the server takes more only as fast as its
/// answers are taken, so that they cost no memory, and serves everybody else meanwhile.
async fn acknowledged(hardened: bool, kind: u8, part: Vec<u8>) -> String {
    const MANY: usize = 50_000;
    let backend = Backend::answering(OK).await;
    let router = router(Setup { workers: 1, ..setup(hardened, |_| {}) }, &backend);
    let mut raw = Raw::open(router.http).await;
    let twin = raw.stream.as_fd().try_clone_to_owned().unwrap();
    let mut writer = TcpStream::from_std(twin.into()).unwrap();
    let flood = [part.repeat(MANY), headers(END_HEADERS | END_STREAM, 1, &get(&[]))].concat();
    let sent = tokio::spawn(async move { writer.write_all(&flood).await });
    for _ in 0..10 {
        let answer = router.ask("GET / HTTP/1.1\r\nHost: web.example\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    let mut acknowledged = 0;
    loop {
        let (got, flags, stream, _) = raw.frame().await.expect("the connection lives");
        match got {
            _ if got == kind && flags & ACK != 0 => acknowledged += 1,
            HEADERS if stream == 1 => break,
            _ => {}
        }
    }
    sent.await.unwrap().unwrap();
    // Of settings the first were acknowledged as well.
    assert!((MANY..=MANY + 1).contains(&acknowledged), "{acknowledged}");
    ACKNOWLEDGED.to_owned()
}

/// What is said of the stream beyond those agreed, and of those none is answered.
async fn too_many_streams(hardened: bool) -> String {
    let backend = Backend::start(|mut conn, _| async move {
        conn.request().await?;
        conn.closed().await;
        Some(())
    })
    .await;
    let router = router(setup(hardened, |_| {}), &backend);
    let mut raw = Raw::open(router.http).await;
    let all = (0..101).map(|n| headers(END_HEADERS | END_STREAM, 2 * n + 1, &get(&[])));
    raw.send(&all.collect::<Vec<_>>().concat()).await;
    said(&mut raw).await
}

/// What is said of a request with these fields.
async fn request(hardened: bool, more: &[(&str, &str)]) -> String {
    let backend = Backend::answering(OK).await;
    let router = router(setup(hardened, |_| {}), &backend);
    let mut raw = Raw::open(router.http).await;
    let block = get(more);
    let pieces: Vec<_> = block.chunks(16_384).collect();
    for (n, piece) in pieces.iter().enumerate() {
        let end = if n + 1 == pieces.len() { END_HEADERS } else { 0 };
        let frame = match n {
            0 => headers(END_STREAM | end, 1, piece),
            _ => frame(CONTINUATION, end, 1, piece),
        };
        raw.send(&frame).await;
    }
    said(&mut raw).await
}

async fn long_list(hardened: bool) -> String {
    let value = "y".repeat(1_000);
    request(hardened, &[("x", value.as_str()); 70]).await
}

async fn many_fields(hardened: bool) -> String {
    request(hardened, &[("x", "y"); 101]).await
}

async fn many_crumbs(hardened: bool) -> String {
    request(hardened, &[("cookie", "a"); 257]).await
}
