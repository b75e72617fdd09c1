//! How lines look.

use std::io::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fairlead_ring::Entry;
use fairlead_wire::record::Flags;

use super::cursor::Cursor;
use crate::{
    origin::{Origin, wire_flags},
    time::{self, Times},
};

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Format {
    /// Deis's: `TIME APP[TYPE.VERSION.POD]: TEXT`.
    #[default]
    Text,
    /// A JSON object.
    Json,
}

/// Writes lines.
pub(crate) struct Lines {
    format: Format,
    /// Each line is an event of a server-sent stream.
    events: bool,
    /// That of the last line.
    cursor: Cursor,
    times: Times,
    line: Vec<u8>,
}

impl Lines {
    /// Writes lines behind those up to `cursor`.
    pub(crate) fn new(format: Format, events: bool, cursor: Cursor) -> Self {
        Self { format, events, cursor, times: Times::default(), line: Vec::new() }
    }

    /// How they are written.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// How many lines were left out that are not told yet: cursors say so.
    pub(crate) fn untold(&mut self) -> &mut u64 {
        &mut self.cursor.untold
    }

    /// Adds a line.
    pub(crate) fn entry(&mut self, out: &mut Vec<u8>, entry: &Entry<'_, Origin>) {
        let Entry { no, source, record } = entry;
        let (file, end) = (source.id, record.end);
        let cursor = Cursor { next: no + 1, time: record.time, file, end, ..self.cursor };
        self.cursor = cursor;
        self.wrapped(out, cursor, |lines, out| match lines.format {
            Format::Text => lines.text(out, entry),
            Format::Json => lines.json(out, entry, cursor),
        });
    }

    /// Adds a notice that is for this reader alone, in front of the record `next`.
    pub(crate) fn notice(&mut self, out: &mut Vec<u8>, text: &str, next: u64) {
        let cursor = Cursor { next, time: time::now(), ..self.cursor };
        self.cursor = cursor;
        self.wrapped(out, cursor, |lines, out| match lines.format {
            Format::Text => {
                lines.times.microseconds(out, cursor.time);
                out.extend_from_slice(b" deis[logd]: ");
                out.extend_from_slice(text.as_bytes());
            }
            Format::Json => {
                out.extend_from_slice(b"{\"time\":\"");
                lines.times.nanoseconds(out, cursor.time);
                out.extend_from_slice(b"\",\"process\":\"logd\",\"notice\":true,\"message\":");
                json_string(out, text);
                let _ = write!(out, ",\"cursor\":\"{cursor}\"}}");
            }
        });
    }

    fn wrapped(
        &mut self,
        out: &mut Vec<u8>,
        cursor: Cursor,
        write: impl FnOnce(&mut Self, &mut Vec<u8>),
    ) {
        if !self.events {
            write(self, out);
            out.push(b'\n');
            return;
        }
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        write(self, &mut line);
        let _ = write!(out, "id: {cursor}");
        for part in line.split(|b| matches!(b, b'\n' | b'\r')) {
            out.extend_from_slice(b"\ndata: ");
            out.extend_from_slice(part);
        }
        out.extend_from_slice(b"\n\n");
        self.line = line;
    }

    fn text(&mut self, out: &mut Vec<u8>, entry: &Entry<'_, Origin>) {
        self.times.microseconds(out, entry.record.time);
        out.extend_from_slice(entry.source.tag.as_bytes());
        out.extend_from_slice(entry.record.payload);
    }

    fn json(&mut self, out: &mut Vec<u8>, entry: &Entry<'_, Origin>, cursor: Cursor) {
        let Entry { source, record, .. } = entry;
        out.extend_from_slice(b"{\"time\":\"");
        self.times.nanoseconds(out, record.time);
        out.extend_from_slice(b"\",");
        out.extend_from_slice(source.json.as_bytes());
        let flags = wire_flags(record.flags);
        if !source.source.pod.is_empty() {
            let _ = write!(out, "\"stream\":\"{}\",", flags.stream().as_str());
        }
        for (flag, name) in
            [(Flags::TRUNCATED, "truncated"), (Flags::CUT, "cut"), (Flags::NOTICE, "notice")]
        {
            if flags.contains(flag) {
                let _ = write!(out, "\"{name}\":true,");
            }
        }
        out.extend_from_slice(b"\"message\":");
        match std::str::from_utf8(record.payload) {
            Ok(text) => json_string(out, text),
            Err(_) => {
                json_string(out, &String::from_utf8_lossy(record.payload));
                let _ = write!(out, ",\"base64\":\"{}\"", STANDARD.encode(record.payload));
            }
        }
        let _ = write!(out, ",\"name\":{}{}\",\"cursor\":\"{cursor}\"}}", source.name, record.end);
    }
}

fn json_string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a vector grows");
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fairlead_ring::Record;
    use fairlead_wire::{Incarnation, message::Source};

    use super::*;
    use crate::origin::Account;

    fn origin(pod: &str, process: &str, release: &str) -> Arc<Origin> {
        let incarnation = Incarnation {
            pod_uid: "u-1".into(),
            container: "web".into(),
            restart: 0,
            first_line: 10,
        };
        let text = str::to_owned;
        Arc::new(Origin::new(
            incarnation,
            Source {
                namespace: text("shop"),
                app: text("front"),
                pod: text(pod),
                process: text(process),
                release: text(release),
                ..Source::default()
            },
            &Account::default(),
        ))
    }

    fn shown(
        format: Format,
        events: bool,
        source: &Arc<Origin>,
        flags: u16,
        payload: &[u8],
    ) -> String {
        let record = Record { end: 42, time: 1_795_168_800_123_456_789, flags, payload };
        let mut out = Vec::new();
        let cursor = Cursor { epoch: 1, ..Cursor::default() };
        Lines::new(format, events, cursor).entry(&mut out, &Entry { no: 9, source, record });
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_for_people_has_the_form_of_deis() {
        let web = origin("front-web-6f7c-x7k2p", "web", "v2");
        assert_eq!(
            shown(Format::Text, false, &web, 0, b"hello"),
            "2026-11-20T10:00:00.123456+00:00 front[web.v2.x7k2p]: hello\n"
        );
    }

    #[test]
    fn a_line_for_programs_has_name_and_cursor() {
        let web = origin("front-web-6f7c-x7k2p", "web", "v2");
        assert_eq!(
            shown(Format::Json, false, &web, 1, b"a \"b\"\n"),
            concat!(
                r#"{"time":"2026-11-20T10:00:00.123456789Z","app":"shop/front","process":"web","#,
                r#""pod":"front-web-6f7c-x7k2p","release":"v2","container":"web","stream":"stderr","#,
                r#""message":"a \"b\"\n","name":"u-1/web/0/000000000000000a:42","#,
                r#""cursor":"1.a.18e9b88333390d15.0.28b734c96802402e.2a.0.0"}"#,
                "\n"
            )
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_given_as_they_are_as_well() {
        let line = shown(Format::Json, false, &origin("p-1", "web", ""), 0, b"a\xff");
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&line["message"], &line["base64"]), (&"a\u{fffd}".into(), &"Yf8=".into()));
    }

    #[test]
    fn an_event_has_the_cursor_as_its_id_and_a_line_of_data_for_each_line() {
        assert_eq!(
            shown(Format::Text, true, &origin("p-1", "web", ""), 0, b"a\nb"),
            concat!(
                "id: 1.a.18e9b88333390d15.0.28b734c96802402e.2a.0.0\n",
                "data: 2026-11-20T10:00:00.123456+00:00 front[web.1]: a\n",
                "data: b\n\n"
            )
        );
    }
}
