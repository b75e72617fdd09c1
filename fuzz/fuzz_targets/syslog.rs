//! What a syslog sender sends on a connection, cut somewhere, and what each of its messages says.
#![no_main]

use fairlead_logd::syslog::{Framer, Message};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, &[u8])| {
    let (cut, bytes) = input;
    let (first, second) = bytes.split_at(usize::from(cut).min(bytes.len()));
    assert_eq!(messages(&[first, second]), messages(&[bytes]), "a cut changes nothing");
});

fn messages(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut framer = Framer::default();
    let mut messages = Vec::new();
    for piece in pieces {
        framer.push(piece);
        while let Some(frame) = framer.next() {
            check(frame.message);
            messages.push(frame.message.to_vec());
        }
    }
    if let Some(frame) = framer.finish() {
        check(frame.message);
        messages.push(frame.message.to_vec());
    }
    messages
}

fn check(message: &[u8]) {
    assert!((1..=65_536).contains(&message.len()));
    let read = Message::parse(message, 1_795_168_800_000_000_000);
    assert!(message.ends_with(read.payload));
    for name in [read.host, read.process].into_iter().flatten() {
        assert!(!name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic()));
    }
}
