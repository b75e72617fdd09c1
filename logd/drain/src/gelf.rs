//! GELF 1.1 (Graylog's "GELF via UDP/TCP"): an object of JSON per line.
//!
//! Over UDP what is longer than a datagram goes in chunks, at most 128 of them; over TCP and TLS a NUL
//! ends each message. Nothing is compressed: TCP allows none, and a datagram holds most lines.

use std::io::Write as _;
use std::time::Duration;

use fairlead_wire::record::Flags;

use crate::datagram_sink::DATAGRAM;
use crate::encode::Encode;
use crate::origins::Origins;
use crate::target::Transport;
use crate::{Batch, Limits, Line, Verdict, json, syslog};

/// Chunks of a message, at most.
const CHUNKS: usize = 128;
/// Two bytes that say what it is, eight that say which message, the chunk's number and how many
/// there are.
const CHUNK_HEADER: usize = 12;
const CHUNK: usize = DATAGRAM - CHUNK_HEADER;

/// Makes messages.
pub(crate) struct Encoder {
    datagrams: bool,
    /// What precedes a line's time.
    origins: Origins<Box<[u8]>>,
    message: Vec<u8>,
}

impl Encoder {
    pub(crate) fn new(transport: Transport) -> Self {
        Self {
            datagrams: transport == Transport::Udp,
            origins: Origins::default(),
            message: Vec::new(),
        }
    }
}

impl Encode for Encoder {
    fn limits(&self) -> Limits {
        Limits { lines: 1024, bytes: 32 * 1024, linger: Duration::from_millis(100) }
    }

    fn encode(&mut self, line: &Line<'_>, batch: &mut Batch) -> Option<Verdict> {
        let fields = self.origins.of(line, batch.is_empty(), |line| fields(line).into());
        if !self.datagrams {
            message(&mut batch.bytes, fields, line, line.payload);
            batch.bytes.push(0);
            batch.end_line();
            return None;
        }
        let mut payload = line.payload;
        loop {
            self.message.clear();
            message(&mut self.message, fields, line, payload);
            if self.message.len() <= CHUNKS * CHUNK {
                break;
            }
            // What is written as \u0000 takes six times its room; no other line is so long.
            payload = &payload[..payload.len() / 2];
        }
        if self.message.len() <= DATAGRAM {
            batch.bytes.extend_from_slice(&self.message);
        } else {
            chunks(&mut batch.bytes, &self.message, fastrand::u64(..));
        }
        batch.end_line();
        None
    }
}

/// What is the same for all lines of an origin.
fn fields(line: &Line<'_>) -> Vec<u8> {
    let Line { source, incarnation, .. } = line;
    let mut out = b"{\"version\":\"1.1\",".to_vec();
    json::field(&mut out, "host", &syslog::host(source));
    for (name, value) in [
        ("_app", &*source.app),
        ("_namespace", &source.namespace),
        ("_process", &source.process),
        ("_release", &source.release),
        ("_pod", &source.pod),
        ("_container", &incarnation.container),
        ("_node", &source.node),
    ] {
        json::field(&mut out, name, value);
    }
    out
}

fn message(out: &mut Vec<u8>, fields: &[u8], line: &Line<'_>, payload: &[u8]) {
    out.extend_from_slice(fields);
    // Seconds; Graylog keeps milliseconds of them, and a double has room for microseconds.
    let (sign, time) = (if line.time < 0 { "-" } else { "" }, line.time.unsigned_abs() / 1_000);
    let stream = line.flags.stream().as_str();
    write!(
        out,
        "\"timestamp\":{sign}{}.{:06},\"level\":{},\"_stream\":\"{stream}\",",
        time / 1_000_000,
        time % 1_000_000,
        syslog::severity(line.flags)
    )
    .expect("a vector grows");
    if line.flags.contains(Flags::NOTICE) {
        out.extend_from_slice(b"\"_notice\":true,");
    }
    out.extend_from_slice(b"\"short_message\":");
    // Graylog takes no message that says nothing.
    let blank = payload.iter().all(u8::is_ascii_whitespace);
    json::bytes(out, if blank { b"-" } else { payload });
    out.push(b'}');
}

fn chunks(out: &mut Vec<u8>, message: &[u8], id: u64) {
    let count = message.len().div_ceil(CHUNK);
    for (number, chunk) in message.chunks(CHUNK).enumerate() {
        out.extend_from_slice(&[0x1e, 0x0f]);
        out.extend_from_slice(&id.to_be_bytes());
        out.extend_from_slice(&[number as u8, count as u8]);
        out.extend_from_slice(chunk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::line;

    fn encoded(transport: Transport, lines: &[&[u8]]) -> Vec<Vec<u8>> {
        let (mut encoder, mut batch) = (Encoder::new(transport), Batch::default());
        for payload in lines {
            assert_eq!(encoder.encode(&line(payload), &mut batch), None);
        }
        let starts = std::iter::once(0).chain(batch.ends.iter().copied());
        let ends = batch.ends.iter().copied();
        starts.zip(ends).map(|(start, end)| batch.bytes[start..end].to_vec()).collect()
    }

    #[test]
    fn a_line_is_an_object() {
        let messages = encoded(Transport::Tcp, &[b"GET \"/\" \0\xff"]);
        assert_eq!(
            String::from_utf8_lossy(&messages[0]),
            concat!(
                r#"{"version":"1.1","host":"front.shop","_app":"front","_namespace":"shop","#,
                r#""_process":"web","_release":"v2","_pod":"front-web-6f7c-x7k2p","#,
                r#""_container":"web","_node":"node-1","timestamp":1795168800.123456,"level":6,"#,
                r#""_stream":"stdout","short_message":"GET \"/\" \u0000"#,
                "\u{fffd}\"}\0"
            )
        );
    }

    #[test]
    fn what_says_nothing_is_a_dash() {
        let messages = encoded(Transport::Udp, &[b"", b" \t", b"x"]);
        let text = |message: &[u8]| {
            let value: serde_json::Value = serde_json::from_slice(message).unwrap();
            value["short_message"].as_str().unwrap().to_owned()
        };
        assert_eq!(messages.iter().map(|it| text(it)).collect::<Vec<_>>(), ["-", "-", "x"]);
    }

    #[test]
    fn long_lines_go_in_chunks() {
        let long = vec![b'x'; 64 * 1024];
        let zeros = vec![0; 64 * 1024];
        let messages = encoded(Transport::Udp, &[b"short", &long, &zeros]);
        assert!(messages[0].len() < DATAGRAM && messages[0][0] == b'{');
        for (message, text) in [(&messages[1], &long[..]), (&messages[2], &zeros[..16 * 1024])] {
            let chunks: Vec<&[u8]> = message.chunks(DATAGRAM).collect();
            assert!(chunks.len() <= CHUNKS);
            let mut whole = Vec::new();
            for (number, chunk) in chunks.iter().enumerate() {
                assert_eq!(chunk[..2], [0x1e, 0x0f]);
                assert_eq!(chunk[2..10], chunks[0][2..10]);
                assert_eq!(chunk[10..12], [number as u8, chunks.len() as u8]);
                whole.extend_from_slice(&chunk[12..]);
            }
            let value: serde_json::Value = serde_json::from_slice(&whole).unwrap();
            assert!(value["short_message"].as_str().unwrap().as_bytes() == text);
        }
    }
}
