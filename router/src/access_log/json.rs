//! A request as one line of JSON.

use std::{borrow::Cow, time::Duration};

use fairlead_router_engine::AccessEntry;
use jiff::Timestamp;
use serde::{Serialize, Serializer};

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
    if serde_json::to_writer(&mut *line, &fields).is_err() {
        // A Vec takes every byte and the fields are plain; should it happen, no half line is left.
        line.truncate(start);
        return;
    }
    line.push(b'\n');
}

/// To the microsecond.
fn seconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e6
}

fn milliseconds<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.3}"))
}
