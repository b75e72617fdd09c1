//! What a hostile client can make the router hold (RFC 9113 §10.5): measured in a process of its own.
//!
//! The client is in that process as well, so the figures are upper bounds.

use std::{
    env, fs,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use futures::future::join_all;
use tokio::{io::AsyncWriteExt, net::TcpSocket};

use super::{scenes, setup};
use crate::support::{
    Backend, Router, Setup,
    backend::OK,
    frames::{
        ACK, DATA, END_HEADERS, END_STREAM, GET, HEADERS, PING, PREFACE, Raw, SETTINGS,
        WINDOW_UPDATE, fields, frame, get,
    },
};

scenes! {
    fields_that_are_small_until_they_are_read, "RFC 9113 §10.5.1":
        |hardened| measured(hardened, "header_bomb")
        => "at most 16 MiB per connection", alone "at most 32 MiB per connection";
    bodies_that_nobody_takes, "RFC 9113 §10.5":
        |hardened| measured(hardened, "many_streams")
        => "at most 4 MiB per connection";
    pings_whose_answers_are_not_read, "RFC 9113 §10.5":
        |hardened| measured(hardened, "unread_answers")
        => "at most 256 KiB per connection";
    requests_whose_answers_are_not_read, "RFC 9113 §10.5":
        |hardened| measured(hardened, "unread_refusals")
        => "at most 256 KiB per connection";
    large_answers_by_http_2_that_are_not_read, "RFC 9113 §10.5":
        |hardened| measured(hardened, "large_unread_answers")
        => "at most 64 MiB per connection", alone "at most 128 MiB per connection";
    a_large_answer_that_is_not_read, "RFC 9112 §9.5":
        |hardened| measured(hardened, "large_unread_answer")
        => "at most 1 MiB per connection";
}

/// What the process may not have of us.
const BARE: &str = "FAIRLEAD_TEST_BARE";

/// Runs the test `name` below by itself.
async fn measured(hardened: bool, name: &str) -> String {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", &format!("scenes::memory::{name}"), "--ignored", "--nocapture"]);
    if !hardened {
        command.env(BARE, "1");
    }
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("1 passed"), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    let bytes = told.split("each: ").nth(1).and_then(|rest| rest.split_whitespace().next());
    shown(bytes.unwrap().parse().unwrap())
}

/// `bytes` and a tenth by steps, powers of two, so that the page is that of any run.
fn shown(bytes: usize) -> String {
    println!("{} KiB each", bytes / 1024);
    let kib = (bytes + bytes / 10).div_ceil(1024).next_power_of_two().max(256);
    match kib / 1024 {
        0 => format!("at most {kib} KiB per connection"),
        mib => format!("at most {mib} MiB per connection"),
    }
}

/// Bytes of a line of `/proc/self/status`.
fn status(field: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// Tells by how much the process grows, at any time, for each of some connections of HTTP/2 that do what `attack` does.
async fn grown(connections: usize, attack: impl AsyncFn(&mut Raw)) {
    let settings = [frame(SETTINGS, 0, 0, &[]), frame(SETTINGS, ACK, 0, &[])].concat();
    grown_by(connections, async |raw| {
        pour(raw, &[PREFACE, &settings].concat()).await;
        attack(raw).await;
    })
    .await;
}

/// The same for each connection of any kind.
async fn grown_by(connections: usize, attack: impl AsyncFn(&mut Raw)) {
    let backend = Backend::start(|mut conn, _| async move {
        // Takes a request and never answers.
        conn.head().await?;
        std::future::pending().await
    })
    .await;
    let quick = Backend::answering(OK).await;
    let (large, moved) = endless().await;
    let setup = Setup { workers: 1, ..setup(env::var_os(BARE).is_none(), |_| {}) };
    let mut router = Router::start(setup);
    router.app("web", &[], &[backend.addr]);
    router.app("quick", &[], &[quick.addr]);
    router.app("large", &[], &[large.addr]);
    let request = "GET / HTTP/1.1\r\nHost: quick.example\r\n\r\n";
    router.ask(request).await;
    let before = status("VmRSS");
    let attacks = (0..connections).map(async |_| {
        // What the kernel holds for us is not counted, and bounded.
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut raw = Raw { stream: socket.connect(router.http).await.unwrap() };
        // As much as the router takes, without waiting for it for long.
        let _ = tokio::time::timeout(Duration::from_secs(2), attack(&mut raw)).await;
        raw
    });
    let connections = join_all(attacks).await;
    // Everything has been seen once others are answered, and nothing more reaches the applications or
    // is taken from them.
    let state = || (backend.connections(), large.connections(), moved.load(Relaxed));
    let mut reached = None;
    while reached.replace(state()) != Some(state()) {
        for _ in 0..100 {
            assert!(router.ask(request).await.starts_with("HTTP/1.1 200 "));
        }
    }
    let grown = status("VmHWM").saturating_sub(before);
    println!("each: {} bytes", grown / connections.len());
}

/// An application whose answers do not end, and how many bytes of them were taken.
async fn endless() -> (Backend, Arc<AtomicUsize>) {
    static PART: [u8; 1 << 16] = [b'x'; 1 << 16];
    let moved = Arc::<AtomicUsize>::default();
    let counted = moved.clone();
    let backend = Backend::start(move |mut conn, _| {
        let counted = counted.clone();
        async move {
            conn.head().await?;
            conn.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n").await?;
            loop {
                conn.write(&PART).await?;
                counted.fetch_add(PART.len(), Relaxed);
            }
        }
    })
    .await;
    (backend, moved)
}

async fn pour(raw: &mut Raw, bytes: &[u8]) {
    let _ = raw.stream.write_all(bytes).await;
}

/// Fields that take a byte each, and a hundred once they are read: crumbs of a cookie
/// (RFC 9113 §8.2.3).
#[tokio::test]
#[ignore = "run in a process of its own"]
async fn header_bomb() {
    grown(8, async |raw| {
        // `cookie` with an empty value becomes the first entry of the dynamic table.
        let mut first = get(&[]);
        first.extend([0x40 | 32, 0]);
        pour(raw, &frame(HEADERS, END_HEADERS, 1, &first)).await;
        for stream in 1..100 {
            // Half of them are refused, the others are all that passes, and wait for an answer.
            let crumbs = if stream % 2 == 0 { 1_600 } else { 256 };
            let block = [get(&[]), vec![0xbe; crumbs]].concat();
            pour(raw, &frame(HEADERS, END_HEADERS, 2 * stream + 1, &block)).await;
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "run in a process of its own"]
async fn many_streams() {
    grown(8, async |raw| {
        let post = fields(&[
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/"),
            (":authority", "web.example"),
        ]);
        for stream in 0..100 {
            pour(raw, &frame(HEADERS, END_HEADERS, 2 * stream + 1, &post)).await;
        }
        // As much as flow control lets anybody send (RFC 9113 §6.9.2).
        for stream in 0..100 {
            pour(raw, &frame(DATA, 0, 2 * stream + 1, &[0; 655])).await;
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "run in a process of its own"]
async fn unread_answers() {
    grown(8, async |raw| {
        let pings = frame(PING, 0, 0, b"fairlead").repeat(1_000);
        for _ in 0..400 {
            pour(raw, &pings).await;
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "run in a process of its own"]
async fn unread_refusals() {
    grown(8, async |raw| {
        // Requests for what is not there are answered by the router itself.
        let nowhere = fields(&[
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/"),
            (":authority", "nowhere.example"),
        ]);
        for stream in 0..20_000 {
            pour(raw, &frame(HEADERS, END_HEADERS | END_STREAM, 2 * stream + 1, &nowhere)).await;
        }
    })
    .await;
}

/// Windows are as open as they can be, and nothing is read.
#[tokio::test]
#[ignore = "run in a process of its own"]
async fn large_unread_answers() {
    grown(2, async |raw| {
        let large = fields(&[&GET[..3], &[(":authority", "large.example")]].concat());
        let window = [&[0, 4][..], &0x7fff_ffff_u32.to_be_bytes()].concat();
        let more = (0x7fff_ffff_u32 - 65_535).to_be_bytes();
        let opened = [frame(SETTINGS, 0, 0, &window), frame(WINDOW_UPDATE, 0, 0, &more)].concat();
        pour(raw, &opened).await;
        for stream in 0..100 {
            pour(raw, &frame(HEADERS, END_HEADERS | END_STREAM, 2 * stream + 1, &large)).await;
        }
        std::future::pending::<()>().await;
    })
    .await;
}

#[tokio::test]
#[ignore = "run in a process of its own"]
async fn large_unread_answer() {
    grown_by(8, async |raw| {
        pour(raw, b"GET / HTTP/1.1\r\nHost: large.example\r\n\r\n").await;
        std::future::pending::<()>().await;
    })
    .await;
}
