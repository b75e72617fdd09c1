//! What a hostile client can make the router hold (RFC 9113 §10.5): measured in a process of its own.
//!
//! The client is in that process as well, so the figures are upper bounds.

use std::{fs, process::Command};

use tokio::io::AsyncWriteExt;

use crate::support::{
    Backend, Router, Setup,
    backend::OK,
    frames::{DATA, END_HEADERS, END_STREAM, HEADERS, PING, Raw, fields, frame, get},
};

/// Connections of one client, and what each of them may cost at most.
const CONNECTIONS: usize = 4;
const PER_CONNECTION: usize = 16 << 20;

/// Runs the test `name` below by itself.
fn alone(name: &str) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("memory::{name}"), "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("1 passed"), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    println!("{told}");
}

/// What is sent, where the standard speaks of it, and what comes of it; for `docs/security.md`.
pub(crate) fn ceilings() -> [[&'static str; 3]; 3] {
    const BOUNDED: &str = "16 MiB per connection at most";
    let rows = [
        (
            "header_bomb",
            "fields that are small until they are read, on all streams",
            "RFC 9113 §10.5.1",
        ),
        ("many_streams", "bodies that nobody takes, on all streams", "RFC 9113 §10.5"),
        ("unread_answers", "pings and requests whose answers are not read", "RFC 9113 §10.5"),
    ];
    rows.map(|(name, sent, section)| {
        alone(name);
        [sent, section, BOUNDED]
    })
}

#[test]
fn a_header_bomb_has_a_ceiling() {
    alone("header_bomb");
}

#[test]
fn many_streams_have_a_ceiling() {
    alone("many_streams");
}

#[test]
fn answers_that_nobody_reads_have_a_ceiling() {
    alone("unread_answers");
}

/// Bytes of a line of `/proc/self/status`.
fn status(field: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// Fails when `attack` makes the process grow, at any time, by more than its connections may cost.
async fn bounded(attack: impl AsyncFnOnce(&Router) -> Vec<Raw>) {
    let backend = Backend::start(|mut conn, _| async move {
        // Takes a request and never answers.
        conn.head().await?;
        std::future::pending().await
    })
    .await;
    let quick = Backend::answering(OK).await;
    let mut router = Router::start(Setup { workers: 1, ..Setup::default() });
    router.app("web", &[], &[backend.addr]);
    router.app("quick", &[], &[quick.addr]);
    let request = "GET / HTTP/1.1\r\nHost: quick.example\r\n\r\n";
    router.ask(request).await;
    let before = status("VmRSS");
    let connections = attack(&router).await;
    // Everything has been seen once somebody behind it is answered.
    for _ in 0..20 {
        assert!(router.ask(request).await.starts_with("HTTP/1.1 200 "));
    }
    let grown = status("VmHWM").saturating_sub(before);
    println!("{} connections: {} KiB each", connections.len(), grown / connections.len() / 1024);
    assert!(grown <= CONNECTIONS * PER_CONNECTION, "{grown} bytes");
}

/// Sends as much of `bytes` as the router takes, without waiting for it for long.
async fn pour(raw: &mut Raw, bytes: &[u8]) {
    let all = raw.stream.write_all(bytes);
    let _ = tokio::time::timeout(std::time::Duration::from_secs(2), all).await;
}

/// Fields that take a byte each, and a hundred once they are read: crumbs of a cookie
/// (RFC 9113 §8.2.3).
#[tokio::test]
#[ignore = "run by a_header_bomb_has_a_ceiling in a process of its own"]
async fn header_bomb() {
    bounded(async |router| {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut raw = Raw::open(router.http).await;
            // `cookie` with an empty value becomes the first entry of the dynamic table.
            let mut first = get(&[]);
            first.extend([0x40 | 32, 0]);
            let mut frames = frame(HEADERS, END_HEADERS, 1, &first);
            for stream in 1..100 {
                // Half of them are refused, the others are all that passes, and wait for an answer.
                let crumbs = if stream % 2 == 0 { 1_600 } else { 256 };
                let block = [get(&[]), vec![0xbe; crumbs]].concat();
                frames.extend(frame(HEADERS, END_HEADERS, 2 * stream + 1, &block));
            }
            pour(&mut raw, &frames).await;
            connections.push(raw);
        }
        connections
    })
    .await;
}

#[tokio::test]
#[ignore = "run by many_streams_have_a_ceiling in a process of its own"]
async fn many_streams() {
    bounded(async |router| {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut raw = Raw::open(router.http).await;
            let post = fields(&[
                (":method", "POST"),
                (":scheme", "http"),
                (":path", "/"),
                (":authority", "web.example"),
            ]);
            for stream in 0..100 {
                pour(&mut raw, &frame(HEADERS, END_HEADERS, 2 * stream + 1, &post)).await;
            }
            // As much as flow control lets anybody send, on all of them.
            let data = vec![0; 16_000];
            let mut frames = Vec::new();
            for round in 0..400 {
                frames.extend(frame(DATA, 0, 2 * (round % 100) + 1, &data));
            }
            pour(&mut raw, &frames).await;
            connections.push(raw);
        }
        connections
    })
    .await;
}

#[tokio::test]
#[ignore = "run by answers_that_nobody_reads_have_a_ceiling in a process of its own"]
async fn unread_answers() {
    bounded(async |router| {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut raw = Raw::open(router.http).await;
            pour(&mut raw, &frame(PING, 0, 0, b"fairlead").repeat(400_000)).await;
            // Requests for what is not there are answered by the router itself.
            let nowhere = fields(&[
                (":method", "GET"),
                (":scheme", "http"),
                (":path", "/"),
                (":authority", "nowhere.example"),
            ]);
            let open =
                |stream: u32| frame(HEADERS, END_HEADERS | END_STREAM, 2 * stream + 1, &nowhere);
            pour(&mut raw, &(0..2_000).map(open).collect::<Vec<_>>().concat()).await;
            connections.push(raw);
        }
        connections
    })
    .await;
}
