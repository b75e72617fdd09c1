//! The example of docs/wire.md is what this crate says.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;

use fairlead_wire::Record;
use fairlead_wire::frame::{Decoder, Encoder, from_logd};
use fairlead_wire::incarnation::first_line_hash;
use fairlead_wire::message::*;
use fairlead_wire::record::Flags;

const PAGE: &str = include_str!("../../../docs/wire.md");

fn sender() -> [FromSender; 4] {
    let incarnation = File {
        pod_uid: "0b6a".into(),
        container: "web".into(),
        restart: 2,
        first_line: first_line_hash(b"hello"),
    };
    let source = Source {
        namespace: "shop".into(),
        app: "web".into(),
        pod: "web-1".into(),
        process: "web".into(),
        ..Source::default()
    };
    let mut records = Vec::new();
    Record { end: 6, time: 1, flags: Flags::STDERR, payload: b"hello" }.pack(&mut records);
    let batch = Batch { file: 1, from: 0, to: 6, records: records.into(), ..Batch::default() };
    [
        FromSender::Hello(SenderHello { version: VERSION, sender: "me".into() }),
        FromSender::Open(Open { file: 1, incarnation, source }),
        FromSender::Batches(Batches { batches: vec![batch] }),
        FromSender::Close(Close { file: 1 }),
    ]
}

fn logd() -> [FromLogd; 3] {
    let ack = Ack { file: 1, stored: 6, settled: 6, gap: 0 };
    [
        FromLogd::Hello(LogdHello { version: VERSION, instance: "a".into(), history: 1024 }),
        FromLogd::Opened(Opened { file: 1, ..Opened::default() }),
        FromLogd::Acks(Acks { acks: vec![ack] }),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// The frames of a side: the indented lines `SIDE MESSAGE HEX`.
fn documented(side: &str) -> Vec<&'static str> {
    let lines = PAGE.lines().filter_map(|line| line.strip_prefix("    ")?.strip_prefix(side));
    lines.map(|line| line.rsplit(' ').next().unwrap()).collect()
}

#[test]
fn the_example_is_what_is_said() {
    let mut encoder = Encoder::new().unwrap();
    let said = sender().map(|message| hex(&encoder.from_sender(&message).unwrap()));
    assert_eq!(documented("sender "), said);
    assert_eq!(documented("logd "), logd().map(|message| hex(&from_logd(&message).unwrap())));
}

#[test]
fn the_example_is_understood() {
    let (mut from_sender, mut from_logd) = (Decoder::default(), Decoder::default());
    documented("sender ").iter().for_each(|frame| from_sender.push(&bytes(frame)));
    documented("logd ").iter().for_each(|frame| from_logd.push(&bytes(frame)));
    for message in sender() {
        assert_eq!(from_sender.sender().unwrap(), Some(message));
    }
    for message in logd() {
        assert_eq!(from_logd.logd().unwrap(), Some(message));
    }
}
