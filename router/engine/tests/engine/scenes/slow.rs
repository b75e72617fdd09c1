//! Who takes more time than there is. Each bound is cut short; the others are as they are.

use std::sync::Arc;

use tokio::{io::AsyncReadExt, net::TcpSocket, sync::Notify};

use super::{LIMIT, ending, router, said, scenes, setup, status};
use crate::support::{
    Backend, Client, Router, Setup,
    backend::OK,
    client::drip as drip_bytes,
    frames::{DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, Raw, SETTINGS, fields, frame, get},
    within,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: web.example\r\n\r\n";

scenes! {
    a_connection_on_which_nothing_is_sent, "RFC 9112 §9.5":
        |hardened| silence(hardened, |setup| setup.edge.first_byte = LIMIT, "")
        => "closed", alone "goes on";
    a_tls_handshake_that_stops, "RFC 9112 §9.5": stopped_handshake => "closed", alone "goes on";
    an_opening_of_http_2_that_stops, "RFC 9113 §3.4": stopped_opening
        => "closed", alone "goes on";
    a_head_that_stops, "RFC 9110 §15.5.9":
        |hardened| silence(hardened, |setup| setup.edge.head = LIMIT, "GET / HTTP/1.1\r\n")
        => "408", alone "goes on";
    a_head_a_byte_at_a_time, "RFC 9110 §15.5.9":
        |hardened| drip(hardened, |setup| setup.edge.head = LIMIT, "GET / HTTP/1.1\r\nx: ")
        => "408", alone "goes on";
    a_further_head_that_stops, "RFC 9110 §15.5.9": further_head => "408", alone "goes on";
    a_head_of_http_2_that_stops, "RFC 9113 §10.5":
        |hardened| begun_by_http_2(hardened, HEADERS, false) => "closed", alone "goes on";
    a_head_of_http_2_a_byte_at_a_time, "RFC 9113 §10.5":
        |hardened| begun_by_http_2(hardened, HEADERS, true) => "closed", alone "goes on";
    a_frame_that_stops, "RFC 9113 §10.5":
        |hardened| begun_by_http_2(hardened, SETTINGS, false) => "closed", alone "goes on";
    a_connection_without_a_further_request, "RFC 9112 §9.5": idle => "closed", alone "goes on";
    a_connection_of_http_2_without_a_stream, "RFC 9113 §9.1": idle_http_2
        => "closed", alone "goes on";
    a_body_of_which_nothing_comes, "RFC 9110 §15.5.9":
        |hardened| silence(hardened, |setup| setup.limits.body_read = LIMIT, LONG_BODY)
        => "408", alone "goes on";
    a_body_a_byte_at_a_time, "RFC 9110 §15.5.9":
        |hardened| drip(hardened, |setup| setup.limits.body_grace = LIMIT, LONG_BODY)
        => "408", alone "goes on";
    chunks_a_byte_at_a_time, "RFC 9110 §15.5.9":
        |hardened| drip(hardened, |setup| setup.limits.body_grace = LIMIT, LONG_CHUNK)
        => "408", alone "goes on";
    a_body_of_http_2_of_which_nothing_comes, "RFC 9113 §10.5":
        |hardened| body_of_http_2(hardened, |setup| setup.limits.body_read = LIMIT, false)
        => "RST_STREAM CANCEL", alone "goes on";
    a_body_of_http_2_a_byte_at_a_time, "RFC 9113 §10.5":
        |hardened| body_of_http_2(hardened, |setup| setup.limits.body_grace = LIMIT, true)
        => "408", alone "goes on";
    an_answer_that_is_not_read, "RFC 9112 §9.5": |hardened| unread(hardened, 0)
        => "cut", alone "goes on";
    an_answer_that_is_read_too_slowly, "RFC 9112 §9.5": |hardened| unread(hardened, 100)
        => "cut", alone "goes on";
    an_answer_by_http_2_that_is_not_read, "RFC 9113 §10.5": unread_by_http_2
        => "cut", alone "goes on";
    an_answer_by_http_2_whose_window_stays_closed, "RFC 9113 §10.5": closed_window
        => "cut", alone "goes on";
    more_requests_than_a_connection_may_have, "RFC 9112 §9.6": many_requests
        => "the last allowed one is answered with `Connection: close`", alone "goes on";
    more_requests_by_http_2_than_a_connection_may_have, "RFC 9113 §6.8": many_streams
        => "GOAWAY, then RST_STREAM REFUSED_STREAM", alone "goes on";
    a_connection_of_more_than_its_age, "RFC 9112 §9.6": old
        => "an answer with `Connection: close`", alone "goes on";
}

const LONG_BODY: &str = "POST / HTTP/1.1\r\nHost: web.example\r\nContent-Length: 100000\r\n\r\n";
const LONG_CHUNK: &str =
    "POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n";

/// A router that has an app which reads heads and never answers.
async fn unanswered(setup: Setup) -> (Router, Backend) {
    let backend = Backend::start(|mut conn, _| async move {
        conn.head().await?;
        conn.closed().await;
        None
    })
    .await;
    (router(setup, &backend), backend)
}

/// Sends `bytes`, and nothing more.
async fn silence(hardened: bool, shorten: fn(&mut Setup), bytes: &str) -> String {
    let (router, _backend) = unanswered(setup(hardened, shorten)).await;
    let mut client = router.connect().await;
    client.send(bytes).await;
    ending(hardened, status(&mut client)).await
}

/// Sends `bytes`, and then one at a time.
async fn drip(hardened: bool, shorten: fn(&mut Setup), bytes: &str) -> String {
    let (router, _backend) = unanswered(setup(hardened, shorten)).await;
    let mut client = router.connect().await;
    client.send(bytes).await;
    let dripping = client.drip(b"x");
    let ended = ending(hardened, status(&mut client)).await;
    dripping.abort();
    ended
}

/// The header of a record that holds a ClientHello, and nothing of it (RFC 8446 §5.1).
async fn stopped_handshake(hardened: bool) -> String {
    let (router, _backend) =
        unanswered(setup(hardened, |setup| setup.edge.handshake = LIMIT)).await;
    let mut client = Client::connect(router.https).await;
    client.send(b"\x16\x03\x01\x02\x00\x01").await;
    ending(hardened, status(&mut client)).await
}

async fn stopped_opening(hardened: bool) -> String {
    let (router, _backend) =
        unanswered(setup(hardened, |setup| setup.edge.handshake = LIMIT)).await;
    let mut raw = Raw::silent(router.http).await;
    raw.send(PREFACE).await;
    ending(hardened, said(&mut raw)).await
}

async fn further_head(hardened: bool) -> String {
    let backend = Backend::answering(OK).await;
    let router = router(setup(hardened, |setup| setup.edge.head = LIMIT), &backend);
    let mut client = router.connect().await;
    assert_eq!(client.ask(GET).await.status(), 200);
    client.send("GET / HTTP/1.1\r\n").await;
    ending(hardened, status(&mut client)).await
}

async fn idle(hardened: bool) -> String {
    let backend = Backend::answering(OK).await;
    let router = router(setup(hardened, |setup| setup.edge.idle = LIMIT), &backend);
    let mut client = router.connect().await;
    assert_eq!(client.ask(GET).await.status(), 200);
    ending(hardened, status(&mut client)).await
}

async fn idle_http_2(hardened: bool) -> String {
    let backend = Backend::answering(OK).await;
    let shorten = |setup: &mut Setup| setup.settings.idle_timeout = LIMIT;
    let router = router(setup(hardened, shorten), &backend);
    let mut raw = Raw::open(router.http).await;
    raw.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &get(&[]))).await;
    assert_eq!(said(&mut raw).await, "200");
    ending(hardened, said(&mut raw)).await
}

/// A stream whose body does not come, or in bytes.
async fn body_of_http_2(hardened: bool, shorten: fn(&mut Setup), drips: bool) -> String {
    let (router, _backend) = unanswered(setup(hardened, shorten)).await;
    let mut raw = Raw::open(router.http).await;
    let post = fields(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "web.example"),
    ]);
    raw.send(&frame(HEADERS, END_HEADERS, 1, &post)).await;
    let dripping = drips.then(|| drip_bytes(&raw.stream, &frame(DATA, 0, 1, b"x")));
    let ended = ending(hardened, said(&mut raw)).await;
    dripping.inspect(|dripping| dripping.abort());
    ended
}

/// An app whose answer does not end, and what tells that it was cut.
async fn endless() -> (Backend, Arc<Notify>) {
    let cut = Arc::new(Notify::new());
    let told = cut.clone();
    let backend = Backend::start(move |mut conn, _| {
        let told = told.clone();
        async move {
            conn.head().await?;
            conn.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n").await?;
            while conn.write([b'x'; 65_536]).await.is_some() {}
            told.notify_one();
            None
        }
    })
    .await;
    (backend, cut)
}

async fn is_cut(hardened: bool, cut: &Notify) -> String {
    let told = async {
        cut.notified().await;
        "cut".to_owned()
    };
    ending(hardened, told).await
}

/// Reads an answer by `step` bytes every now and then.
async fn unread(hardened: bool, step: usize) -> String {
    let (backend, cut) = endless().await;
    let router = router(setup(hardened, |setup| setup.edge.write = LIMIT), &backend);
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut client = Client::new(within(socket.connect(router.http)).await.unwrap());
    client.send(GET).await;
    let reading = async {
        let mut some = vec![0; step];
        while step > 0 && client.stream.read_exact(&mut some).await.is_ok() {
            // 2,000 bytes in the time in which it would have to take 30,000.
            tokio::time::sleep(LIMIT / 20).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = is_cut(hardened, &cut) => ended,
        () = reading => unreachable!(),
    }
}

/// Grants as much as there is to grant, and reads none of it.
async fn unread_by_http_2(hardened: bool) -> String {
    let (backend, cut) = endless().await;
    let router = router(setup(hardened, |setup| setup.edge.write = LIMIT), &backend);
    let mut raw = Raw::silent(router.http).await;
    let most = 0x7fff_ffff_u32.to_be_bytes();
    let window = [&[0, 4][..], &most].concat();
    let more = (0x7fff_ffff_u32 - 65_535).to_be_bytes();
    raw.send(
        &[
            PREFACE.to_vec(),
            frame(SETTINGS, 0, 0, &window),
            frame(crate::support::frames::WINDOW_UPDATE, 0, 0, &more),
            frame(HEADERS, END_HEADERS | END_STREAM, 1, &get(&[])),
        ]
        .concat(),
    )
    .await;
    is_cut(hardened, &cut).await
}

/// Reads everything, and grants nothing more (RFC 9113 §5.2).
async fn closed_window(hardened: bool) -> String {
    let (backend, cut) = endless().await;
    let router = router(setup(hardened, |setup| setup.limits.body_write = LIMIT), &backend);
    let mut raw = Raw::open(router.http).await;
    raw.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &get(&[]))).await;
    let reading = async {
        while raw.stream.read(&mut [0; 4096]).await.is_ok_and(|n| n > 0) {}
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = is_cut(hardened, &cut) => ended,
        () = reading => unreachable!(),
    }
}

/// A frame of which a part is sent, and perhaps more and more.
async fn begun_by_http_2(hardened: bool, kind: u8, drips: bool) -> String {
    let (router, _backend) = unanswered(setup(hardened, |setup| setup.edge.head = LIMIT)).await;
    let mut raw = Raw::open(router.http).await;
    let (flags, stream) = if kind == HEADERS { (END_HEADERS | END_STREAM, 1) } else { (0, 0) };
    raw.send(&frame(kind, flags, stream, &[0; 16_380])[..9]).await;
    let dripping = drips.then(|| drip_bytes(&raw.stream, b"\0"));
    let ended = ending(hardened, said(&mut raw)).await;
    dripping.inspect(|dripping| dripping.abort());
    ended
}

/// Asks on and on, and never answers a PING, which asks whether it has heard of the end.
async fn many_streams(hardened: bool) -> String {
    let backend = Backend::answering(OK).await;
    let few = |setup: &mut Setup| (setup.limits.requests, setup.limits.h2_streams) = (3, 2);
    let router = router(setup(hardened, few), &backend);
    let mut raw = Raw::open(router.http).await;
    let mut outcome = Vec::new();
    for number in 0..20 {
        raw.send(&frame(HEADERS, END_HEADERS | END_STREAM, 2 * number + 1, &get(&[]))).await;
        loop {
            match said(&mut raw).await.as_str() {
                "200" => break,
                "closed" => outcome.push("GOAWAY".to_owned()),
                refused => return format!("{}, then {refused}", outcome.join(", ")),
            }
        }
    }
    "goes on".to_owned()
}

async fn old(hardened: bool) -> String {
    let backend = Backend::answering(OK).await;
    let router = router(setup(hardened, |setup| setup.limits.age = LIMIT), &backend);
    let mut client = router.connect().await;
    let told = async {
        while client.ask(GET).await.header("connection") != Some("close") {
            tokio::time::sleep(LIMIT / 20).await;
        }
        "an answer with `Connection: close`".to_owned()
    };
    ending(hardened, told).await
}

async fn many_requests(hardened: bool) -> String {
    let backend = Backend::answering(OK).await;
    let router = router(setup(hardened, |setup| setup.limits.requests = 3), &backend);
    let mut client = router.connect().await;
    for number in 1..10 {
        let answer = client.ask(GET).await;
        if answer.header("connection") == Some("close") {
            assert_eq!((number, client.rest().await.as_str()), (3, ""));
            return "the last allowed one is answered with `Connection: close`".to_owned();
        }
    }
    "goes on".to_owned()
}
