//! A request as Deis Workflow's router logged it: 14 fields joined by ` - `.
//!
//! `[time] - app - client - user - status - "request" - bytes - "referer" - "user agent"
//! - "server name" - upstream address - host - upstream time - request time`

use std::{
    io::Write,
    time::{Duration, SystemTime},
};

use fairlead_router_engine::AccessEntry;
use jiff::Timestamp;

/// Appends the line of `entry`.
pub(super) fn write(line: &mut Vec<u8>, entry: &AccessEntry<'_>) {
    // Writing to a Vec does not fail.
    let _ = try_write(line, entry);
}

fn try_write(line: &mut Vec<u8>, entry: &AccessEntry<'_>) -> std::io::Result<()> {
    write!(line, "[{}] - ", time(entry.time))?;
    match entry.app {
        Some(app) => write!(line, "{}", app_name(app.as_str()))?,
        None => line.push(b'-'),
    }
    write!(line, " - {} - - - {} - \"", entry.client, entry.status)?;
    escape(line, entry.method.as_bytes());
    line.push(b' ');
    escape(line, entry.target.as_bytes());
    write!(line, " {}\" - {} - \"", super::protocol(entry.version), entry.sent)?;
    escape(line, entry.referer.unwrap_or(b"-"));
    line.extend_from_slice(b"\" - \"");
    escape(line, entry.user_agent.unwrap_or(b"-"));
    line.extend_from_slice(b"\" - \"");
    match entry.host_pattern {
        Some(pattern) => write!(line, "{pattern}")?,
        None => line.push(b'_'),
    }
    line.extend_from_slice(b"\" - ");
    match entry.upstream {
        Some(upstream) => write!(line, "{upstream}")?,
        None => line.push(b'-'),
    }
    line.extend_from_slice(b" - ");
    escape(line, if entry.host.is_empty() { b"-" } else { entry.host });
    line.extend_from_slice(b" - ");
    match entry.upstream_time {
        Some(time) => seconds(line, time)?,
        None => line.push(b'-'),
    }
    line.extend_from_slice(b" - ");
    seconds(line, entry.request_time)?;
    line.push(b'\n');
    Ok(())
}

/// To the second, as nginx's `$time_iso8601`.
fn time(time: SystemTime) -> impl std::fmt::Display {
    let time = Timestamp::try_from(time).unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%S+00:00")
}

/// An app that is alone in the namespace of its name goes by that name.
fn app_name(id: &str) -> &str {
    match id.split_once('/') {
        Some((namespace, name)) if namespace == name => name,
        _ => id,
    }
}

fn seconds(line: &mut Vec<u8>, time: Duration) -> std::io::Result<()> {
    write!(line, "{}.{:03}", time.as_secs(), time.subsec_millis())
}

/// As nginx does, what could end a field or the line is shown as `\xHH`; so is the hyphen of
/// a separator within a value, which made such lines unreadable on Deis.
fn escape(line: &mut Vec<u8>, value: &[u8]) {
    for (i, byte) in value.iter().enumerate() {
        let separates =
            *byte == b'-' && i > 0 && value[i - 1] == b' ' && value.get(i + 1) == Some(&b' ');
        if separates || !matches!(byte, b' '..=b'~') || matches!(byte, b'"' | b'\\') {
            // Writing to a Vec does not fail.
            let _ = write!(line, "\\x{byte:02X}");
        } else {
            line.push(*byte);
        }
    }
}
