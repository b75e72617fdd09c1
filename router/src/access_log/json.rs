//! A request as one line of JSON.

use std::{borrow::Cow, io, time::Duration};

use fairlead_router_engine::AccessEntry;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::ser::Formatter;

/// The fields of a line, in this order; see `docs/reference/access-log.md`.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(serialize_with = "milliseconds")]
    time: Timestamp,
    app: Option<&'a str>,
    client: std::net::IpAddr,
    scheme: &'static str,
    method: &'a str,
    host: Cow<'a, str>,
    target: &'a str,
    protocol: &'static str,
    status: u16,
    received: u64,
    sent: u64,
    duration: f64,
    upstream: Option<std::net::SocketAddr>,
    upstream_duration: Option<f64>,
    retries: u32,
    referer: Option<Cow<'a, str>>,
    user_agent: Option<Cow<'a, str>>,
}

/// Appends the line of `entry`. JSON escapes whatever could break out of it.
pub(super) fn write(line: &mut Vec<u8>, entry: &AccessEntry<'_>) {
    let start = line.len();
    let fields = Line {
        time: Timestamp::try_from(entry.time).unwrap_or_default(),
        app: entry.app.map(|app| app.as_str()),
        client: entry.client,
        scheme: entry.scheme,
        method: entry.method,
        host: String::from_utf8_lossy(entry.host),
        target: entry.target,
        protocol: super::protocol(entry.version),
        status: entry.status,
        received: entry.received,
        sent: entry.sent,
        duration: seconds(entry.request_time),
        upstream: entry.upstream,
        upstream_duration: entry.upstream_time.map(seconds),
        retries: entry.retries,
        referer: entry.referer.map(String::from_utf8_lossy),
        user_agent: entry.user_agent.map(String::from_utf8_lossy),
    };
    let mut json = serde_json::Serializer::with_formatter(&mut *line, Visible);
    if fields.serialize(&mut json).is_err() {
        // A Vec takes every byte and the fields are plain; should it happen, no half line is left.
        line.truncate(start);
        return;
    }
    line.push(b'\n');
}

/// Escapes every control character. JSON asks for those below U+0020 alone (RFC 8259 §7), and terminals take
/// those from U+007F to U+009F for commands as well.
struct Visible;

impl Formatter for Visible {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        // Every one of them begins so in UTF-8.
        if !fragment.bytes().any(|byte| matches!(byte, 0x7f | 0xc2)) {
            return writer.write_all(fragment.as_bytes());
        }
        for piece in fragment.split_inclusive(char::is_control) {
            match piece.char_indices().next_back() {
                Some((at, last)) if last.is_control() => {
                    write!(writer, "{}\\u{:04x}", &piece[..at], u32::from(last))?;
                }
                _ => writer.write_all(piece.as_bytes())?,
            }
        }
        Ok(())
    }
}

/// To the microsecond.
fn seconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e6
}

fn milliseconds<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.3}"))
}
