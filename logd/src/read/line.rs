//! A record as text or JSON.

use std::borrow::Cow;
use std::io::Write as _;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use fairlead_wire::record::Flags;
use jiff::Timestamp;
use serde::Serialize;

use super::cursor::Cursor;
use crate::Origin;

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// `TIME APP[PROCESS.RELEASE.POD]: MESSAGE`.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// A record that is shown.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// Where it comes from.
    pub origin: &'a Origin,
    /// Where it ends there.
    pub end: u64,
    /// Event time, nanoseconds since 1970-01-01 UTC.
    pub time: i64,
    /// What is special about it.
    pub flags: Flags,
    /// What was written.
    pub payload: &'a [u8],
    /// Where to go on after it.
    pub cursor: Cursor,
}

#[derive(Serialize)]
struct Json<'a> {
    time: Shown<Timestamp>,
    app: &'a str,
    process: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    release: &'a str,
    pod: &'a str,
    container: &'a str,
    stream: &'static str,
    message: Cow<'a, str>,
    /// Where the message is not UTF-8, all of its bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    truncated: bool,
    #[serde(skip_serializing_if = "is_false")]
    cut: bool,
    #[serde(skip_serializing_if = "is_false")]
    notice: bool,
    head: &'a str,
    name: Name<'a>,
    cursor: Shown<Cursor>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Serialized as its `Display`.
struct Shown<T>(T);

impl<T: std::fmt::Display> Serialize for Shown<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A record's name.
struct Name<'a>(&'a str, u64);

impl Serialize for Name<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}:{}", self.0, self.1))
    }
}

impl Line<'_> {
    /// Appends it with its line feed.
    pub fn write(&self, format: Format, out: &mut Vec<u8>) {
        match format {
            Format::Text => self.text(out),
            Format::Json => self.json(out),
        }
        out.push(b'\n');
    }

    fn text(&self, out: &mut Vec<u8>) {
        write!(out, "{} {} ", timestamp(self.time), self.origin.head()).expect("a vector grows");
        out.extend_from_slice(self.payload);
    }

    fn json(&self, out: &mut Vec<u8>) {
        let Self { origin, flags, payload, .. } = self;
        let message = String::from_utf8_lossy(payload);
        let bytes = matches!(message, Cow::Owned(_)).then(|| BASE64_STANDARD.encode(payload));
        let json = Json {
            time: Shown(timestamp(self.time)),
            app: origin.app(),
            process: &origin.source.process,
            release: &origin.source.release,
            pod: &origin.source.pod,
            container: &origin.incarnation.container,
            stream: flags.stream().as_str(),
            message,
            bytes,
            truncated: flags.contains(Flags::TRUNCATED),
            cut: flags.contains(Flags::CUT),
            notice: flags.contains(Flags::NOTICE),
            head: origin.head(),
            name: Name(origin.name(), self.end),
            cursor: Shown(self.cursor),
        };
        serde_json::to_writer(out, &json).expect("strings and flags are JSON");
    }
}

fn timestamp(nanoseconds: i64) -> Timestamp {
    Timestamp::from_nanosecond(nanoseconds.into()).expect("64 bits of nanoseconds are in range")
}

#[cfg(test)]
mod tests {
    use fairlead_wire::{Incarnation, message::Source};

    use super::*;

    fn written(format: Format, flags: Flags, payload: &[u8]) -> String {
        let source = Source {
            namespace: "prod".to_owned(),
            app: "shop".to_owned(),
            pod: "shop-web-abcde".to_owned(),
            process: "web".to_owned(),
            release: "v12".to_owned(),
            ..Source::default()
        };
        let incarnation =
            Incarnation { pod_uid: "u".into(), container: "c".into(), restart: 0, first_line: 1 };
        let origin = Origin::new(source, incarnation);
        let cursor = Cursor { instance: 0, position: 0, origin: 0, end: 0, time: 0 };
        let time = 1_700_000_000_123_000_000;
        let mut out = Vec::new();
        Line { origin: &origin, end: 77, time, flags, payload, cursor }.write(format, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn row_46_text_is_as_deis_wrote_it() {
        assert_eq!(
            written(Format::Text, Flags::default(), b"GET /"),
            "2023-11-14T22:13:20.123Z shop[web.v12.abcde]: GET /\n"
        );
    }

    #[test]
    fn json_has_all_that_is_known() {
        let cursor = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        assert_eq!(
            written(Format::Json, Flags::STDERR.with(Flags::CUT), b"a\"\n"),
            format!(
                r#"{{"time":"2023-11-14T22:13:20.123Z","app":"prod/shop","process":"web","release":"v12","pod":"shop-web-abcde","container":"c","stream":"stderr","message":"a\"\n","cut":true,"head":"shop[web.v12.abcde]:","name":"u/c/0/0000000000000001:77","cursor":"{cursor}"}}{}"#,
                "\n"
            )
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_kept() {
        let line = written(Format::Json, Flags::default(), b"a\xff\0");
        assert!(line.contains(r#""message":"a�\u0000","bytes":"Yf8A","#), "{line}");
    }
}
