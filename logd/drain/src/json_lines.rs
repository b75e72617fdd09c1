//! A JSON object per line, as many HTTP receivers take them; Sumo Logic among them.

use std::io::Write as _;
use std::time::Duration;

use fairlead_wire::record::Flags;
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};

use crate::{
    Batch, Failure, Limits, Line, Verdict,
    http::{Answer, Confirmed, Format, Piece, Request},
    json,
    origins::Origins,
    time::Times,
};

/// Lines as logd itself shows them in JSON.
#[derive(Default)]
pub(crate) struct JsonLines {
    origins: Origins<Origin>,
    times: Times,
}

/// What is the same for all lines of an origin.
struct Origin {
    /// Fields, with a comma behind each.
    fields: Vec<u8>,
    /// A line's name up to the offset, within its quotes.
    name: Vec<u8>,
}

impl Origin {
    fn new(line: &Line<'_>) -> Self {
        let Line { source, incarnation, .. } = line;
        let mut fields = Vec::new();
        json::field(&mut fields, "app", &format!("{}/{}", source.namespace, source.app));
        for (name, value) in [
            ("process", &*source.process),
            ("pod", &source.pod),
            ("release", &source.release),
            ("node", &source.node),
            ("container", &incarnation.container),
        ] {
            json::field(&mut fields, name, value);
        }
        let mut name = Vec::new();
        json::string(&mut name, &format!("{incarnation}:"));
        name.pop();
        Self { fields, name }
    }
}

impl Format for JsonLines {
    /// A receiver does not know them again.
    const REPEATABLE: bool = false;

    fn limits(&self) -> Limits {
        // Sumo Logic asks for requests of 100 KB to 1 MB.
        Limits { lines: 2_000, bytes: 1_000_000, linger: Duration::from_secs(1) }
    }

    fn encode(&mut self, line: &Line<'_>, batch: &mut Batch) -> Option<Verdict> {
        let origin = self.origins.of(line, batch.is_empty(), Origin::new);
        let out = &mut batch.bytes;
        out.extend_from_slice(b"{\"time\":\"");
        self.times.nanoseconds(out, line.time);
        out.extend_from_slice(b"\",");
        out.extend_from_slice(&origin.fields);
        if !line.source.pod.is_empty() {
            json::field(out, "stream", line.flags.stream().as_str());
        }
        for (flag, name) in
            [(Flags::TRUNCATED, "truncated"), (Flags::CUT, "cut"), (Flags::NOTICE, "notice")]
        {
            if line.flags.contains(flag) {
                let _ = write!(out, "\"{name}\":true,");
            }
        }
        out.extend_from_slice(b"\"message\":");
        json::bytes(out, line.payload);
        out.extend_from_slice(b",\"name\":");
        out.extend_from_slice(&origin.name);
        let _ = write!(out, "{}\"}}", line.end);
        out.push(b'\n');
        batch.end_line();
        None
    }

    fn request(&mut self, lines: Piece<'_>) -> Request {
        let json = HeaderValue::from_static("application/x-ndjson");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, json)]);
        Request { headers, body: lines.bytes().to_vec() }
    }

    /// The status says it all.
    fn confirmed(&mut self, _: Answer, lines: usize) -> Result<Confirmed, Failure> {
        Ok(Confirmed::all(lines))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::{line, source};
    use proptest::prelude::*;

    fn encoded(line: &Line<'_>) -> String {
        let mut batch = Batch::default();
        assert_eq!(JsonLines::default().encode(line, &mut batch), None);
        assert_eq!(batch.ends, [batch.bytes.len()]);
        String::from_utf8(batch.bytes).unwrap()
    }

    #[test]
    fn a_line_is_an_object() {
        assert_eq!(
            encoded(&line(b"say \"hi\"")),
            concat!(
                r#"{"time":"2026-11-20T10:00:00.123456789Z","app":"shop/front","process":"web","#,
                r#""pod":"front-web-6f7c-x7k2p","release":"v2","node":"node-1","container":"web","#,
                r#""stream":"stdout","message":"say \"hi\"","name":"u-1/web/0/000000000000000a:42"}"#,
                "\n"
            )
        );
    }

    #[test]
    fn what_no_container_wrote_has_no_stream() {
        let mut source = source();
        source.pod.clear();
        let flags = Flags::NOTICE.with(Flags::STDERR);
        let shown = encoded(&Line { source: &source, flags, ..line(b"x") });
        assert!(shown.contains(r#""container":"web","notice":true,"message":"x""#), "{shown}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_one_line_of_json(payload: Vec<u8>, time: i64, end: u64) {
            let shown = encoded(&Line { time, end, ..line(&payload) });
            prop_assert_eq!(shown.find('\n'), Some(shown.len() - 1));
            let read: serde_json::Value = serde_json::from_str(&shown).unwrap();
            prop_assert_eq!(&read["message"], &*String::from_utf8_lossy(&payload));
            prop_assert_eq!(&read["name"], &*format!("u-1/web/0/000000000000000a:{end}"));
            let shown: jiff::Timestamp = read["time"].as_str().unwrap().parse().unwrap();
            prop_assert_eq!(shown.as_nanosecond(), i128::from(time));
        }
    }
}
