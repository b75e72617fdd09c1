//! Clients that take an answer slowly, or not at all.

use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{
    Backend, Router, Setup,
    frames::{
        DATA, END_HEADERS, END_STREAM, GET as GET_FIELDS, HEADERS, PREFACE, RST_STREAM, Raw,
        SETTINGS, WINDOW_UPDATE, fields, frame, get,
    },
    within,
};

const SHORT: Duration = Duration::from_millis(800);
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: web.example\r\nConnection: close\r\n\r\n";

/// An endpoint that sends `parts` of 64 KiB.
async fn endpoint(parts: usize) -> Backend {
    Backend::start(move |mut conn, _| async move {
        conn.request().await?;
        let length = parts << 16;
        conn.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n")).await?;
        for _ in 0..parts {
            conn.write("x".repeat(1 << 16)).await?;
        }
        Some(())
    })
    .await
}

/// A router that waits 800 ms for clients of HTTP/1, or of HTTP/2.
async fn router(http2: bool, parts: usize) -> (Router, Backend) {
    let backend = endpoint(parts).await;
    let mut setup = Setup::default();
    if http2 {
        setup.limits.body_write = SHORT;
    } else {
        setup.edge.write = SHORT;
    }
    let mut router = Router::start(setup);
    router.app("web", &[], &[backend.addr]);
    (router, backend)
}

/// A client whose kernel takes little ahead of it, and by which the router's does too: that begins with ten
/// segments.
async fn narrow(router: &Router) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(8192).unwrap();
    socket.set_tcp_mss(536).unwrap();
    socket.connect(&router.http.into()).unwrap();
    socket.set_nonblocking(true).unwrap();
    TcpStream::from_std(socket.into()).unwrap()
}

/// Bytes that come when `step` of them are read at a time, with a pause between, until the end.
async fn read(stream: &mut TcpStream, step: usize, pause: Duration) -> usize {
    let (mut all, mut part) = (0, vec![0; step]);
    loop {
        match within(stream.read(&mut part)).await {
            Ok(0) | Err(_) => return all,
            Ok(n) => all += n,
        }
        tokio::time::sleep(pause).await;
    }
}

const PARTS: usize = 400;

#[tokio::test]
async fn a_client_of_http_1_that_takes_nothing_is_closed() {
    let (router, _backend) = router(false, PARTS).await;
    let mut client = narrow(&router).await;
    client.write_all(GET).await.unwrap();
    assert_eq!(router.records(1).await[0].status, 200);
    assert!(read(&mut client, 1 << 16, Duration::ZERO).await < PARTS << 16);
}

/// 30,000 bytes in 800 ms are asked for.
#[tokio::test]
async fn a_client_of_http_1_that_takes_next_to_nothing_is_closed() {
    let (router, _backend) = router(false, PARTS).await;
    let mut client = narrow(&router).await;
    client.write_all(GET).await.unwrap();
    let slow = tokio::spawn(async move { read(&mut client, 500, SHORT / 40).await });
    let record = &router.records(1).await[0];
    assert!(record.status == 200 && record.sent < 8 << 16, "{record:?}");
    slow.abort();
}

#[tokio::test]
async fn a_client_of_http_1_that_takes_enough_gets_all() {
    let (router, _backend) = router(false, 8).await;
    let mut client = narrow(&router).await;
    client.write_all(GET).await.unwrap();
    let begun = tokio::time::Instant::now();
    assert!(read(&mut client, 4_000, SHORT / 40).await > 8 << 16);
    assert!(begun.elapsed() > 2 * SHORT, "too fast to show anything");
}

/// A client of HTTP/2 that has asked, and lets `window` bytes of the answer come.
async fn asked(router: &Router, window: u32) -> Raw {
    let mut raw = Raw::silent(router.http).await;
    raw.send(PREFACE).await;
    let setting = [&[0, 4][..], &window.to_be_bytes()].concat();
    raw.send(&frame(SETTINGS, 0, 0, &setting)).await;
    raw.send(&frame(WINDOW_UPDATE, 0, 0, &0x4000_0000_u32.to_be_bytes())).await;
    raw.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &get(&[]))).await;
    raw
}

/// Lets `step` bytes more come, with a pause before, as often as that is of use; then how many came, and
/// whether that was all.
async fn open(mut raw: Raw, step: u32) -> (usize, bool) {
    let mut twin = raw.twin();
    let opening = tokio::spawn(async move {
        if step == 0 {
            return;
        }
        loop {
            tokio::time::sleep(SHORT / 40).await;
            twin.send(&frame(WINDOW_UPDATE, 0, 1, &step.to_be_bytes())).await;
        }
    });
    let mut came = 0;
    let whole = loop {
        match raw.frame().await.expect("the connection is not to end") {
            (DATA, END_STREAM, _, payload) => {
                came += payload.len();
                break true;
            }
            (DATA, _, _, payload) => came += payload.len(),
            (RST_STREAM, ..) => break false,
            _ => {}
        }
    };
    opening.abort();
    (came, whole)
}

#[tokio::test]
async fn a_stream_whose_window_stays_shut_or_opens_by_drips_is_reset() {
    let (router, _backend) = router(true, 8).await;
    for (window, step) in [(0, 0), (100, 0), (100, 10)] {
        let (came, whole) = open(asked(&router, window).await, step).await;
        assert!(!whole && came < 1 << 16, "{came} {whole}");
    }
}

/// A part waits for its turn on the connection as well, and that is not this stream's doing.
#[tokio::test]
async fn a_stream_of_small_parts_beside_a_saturating_download_is_not_reset() {
    const EVENTS: usize = 300;
    let download = endpoint(8 * PARTS).await;
    let mut setup = Setup::default();
    // Longer than the socket takes to have room again, and a third of what the events take.
    setup.limits.body_write = Duration::from_secs(2);
    let mut router = Router::start(setup);
    router.app("web", &[], &[download.addr]);
    let events = Backend::start(|mut conn, _| async move {
        conn.request().await?;
        conn.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
        for _ in 0..EVENTS {
            conn.write(format!("32\r\n{}\r\n", "x".repeat(50))).await?;
            tokio::time::sleep(SHORT / 40).await;
        }
        conn.write("0\r\n\r\n").await
    })
    .await;
    router.app("events", &[], &[events.addr]);
    let mut raw = Raw { stream: narrow(&router).await };
    let request = fields(&[&GET_FIELDS[..3], &[(":authority", "events.example")]].concat());
    let most = 0x4000_0000_u32.to_be_bytes();
    let opening = [
        PREFACE.to_vec(),
        frame(SETTINGS, 0, 0, &[&[0, 4][..], &most].concat()),
        frame(WINDOW_UPDATE, 0, 0, &most),
        frame(HEADERS, END_HEADERS | END_STREAM, 1, &get(&[])),
        frame(HEADERS, END_HEADERS | END_STREAM, 3, &request),
    ];
    raw.send(&opening.concat()).await;
    let (mut download, mut came) = (0, 0);
    loop {
        let (kind, flags, stream, payload) = raw.frame().await.expect("the connection lives");
        assert_ne!(kind, RST_STREAM, "stream {stream} behind {download} and {came} bytes");
        match (kind, stream) {
            (DATA, 1) => {
                download += payload.len();
                // The link is slower than the download.
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            (DATA, 3) => came += payload.len(),
            _ => {}
        }
        if stream == 3 && kind == DATA && flags & END_STREAM != 0 {
            break;
        }
    }
    assert_eq!(came, EVENTS * 50);
    assert!(download < (8 * PARTS) << 16, "the download did not last");
}

#[tokio::test]
async fn a_stream_whose_window_opens_fast_enough_gets_all() {
    let (router, _backend) = router(true, 16).await;
    let begun = tokio::time::Instant::now();
    let opened = open(asked(&router, 100).await, 8 << 10).await;
    assert_eq!(opened, (16 << 16, true));
    assert!(begun.elapsed() > 2 * SHORT, "too fast to show anything");
}

/// Whatever windows say: nothing leaves the socket.
#[tokio::test]
async fn a_client_of_http_2_that_does_not_read_is_closed() {
    let backend = endpoint(PARTS).await;
    let mut setup = Setup::default();
    setup.edge.write = SHORT;
    let mut router = Router::start(setup);
    router.app("web", &[], &[backend.addr]);
    let raw = asked(&router, 0x4000_0000).await;
    assert_eq!(router.records(1).await[0].status, 200);
    drop(raw);
}
