//! A log record, written field by field: there is one for each line.

use std::io::Write as _;

use fairlead_wire::record::Flags;
use prost::encoding::{encode_varint, encoded_len_varint};

use crate::{Line, syslog};

/// Fields of a `LogRecord`: their numbers and wire types.
mod key {
    pub(super) const TIME_UNIX_NANO: u8 = 1 << 3 | 1;
    pub(super) const SEVERITY_NUMBER: u8 = 2 << 3;
    pub(super) const SEVERITY_TEXT: u8 = 3 << 3 | 2;
    pub(super) const BODY: u8 = 5 << 3 | 2;
    pub(super) const ATTRIBUTES: u8 = 6 << 3 | 2;
    /// Of a `KeyValue`.
    pub(super) const KEY: u8 = 1 << 3 | 2;
    pub(super) const VALUE: u8 = 2 << 3 | 2;
    /// Of an `AnyValue`.
    pub(super) const STRING: u8 = 1 << 3 | 2;
    pub(super) const BOOL: u8 = 2 << 3;
    pub(super) const BYTES: u8 = 7 << 3 | 2;
}

/// Writes a line; `name` is its name up to the offset, and `uid` memory for the whole of it.
pub(super) fn write(out: &mut Vec<u8>, line: &Line<'_>, name: &str, uid: &mut Vec<u8>) {
    out.push(key::TIME_UNIX_NANO);
    out.extend_from_slice(&u64::try_from(line.time).unwrap_or(0).to_le_bytes());
    // As in syslog.
    let (number, text) = match syslog::severity(line.flags) {
        3 => (17, "ERROR"),
        4 => (13, "WARN"),
        _ => (9, "INFO"),
    };
    out.extend_from_slice(&[key::SEVERITY_NUMBER, number]);
    field(out, key::SEVERITY_TEXT, text.as_bytes());
    // Text is what a body is for; other bytes go as they are.
    let kind = if str::from_utf8(line.payload).is_ok() { key::STRING } else { key::BYTES };
    out.push(key::BODY);
    encode_varint(size(line.payload.len()) as u64, out);
    field(out, kind, line.payload);

    uid.clear();
    let _ = write!(uid, "{name}{}", line.end);
    attribute(out, "log.record.uid", key::STRING, uid);
    if !line.source.pod.is_empty() {
        let stream = line.flags.stream().as_str();
        attribute(out, "log.iostream", key::STRING, stream.as_bytes());
    }
    for (flag, name) in [
        (Flags::TRUNCATED, "fairlead.truncated"),
        (Flags::CUT, "fairlead.cut"),
        (Flags::NOTICE, "fairlead.notice"),
    ] {
        if line.flags.contains(flag) {
            truth(out, name);
        }
    }
}

/// Bytes of a field that holds so many, with its key and length.
fn size(bytes: usize) -> usize {
    1 + encoded_len_varint(bytes as u64) + bytes
}

fn field(out: &mut Vec<u8>, key: u8, bytes: &[u8]) {
    out.push(key);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// An attribute whose value has a length.
fn attribute(out: &mut Vec<u8>, name: &str, kind: u8, value: &[u8]) {
    begin(out, name, size(value.len()));
    field(out, kind, value);
}

/// An attribute that is true.
fn truth(out: &mut Vec<u8>, name: &str) {
    begin(out, name, 2);
    out.extend_from_slice(&[key::BOOL, 1]);
}

/// An attribute up to its `AnyValue` of so many bytes.
fn begin(out: &mut Vec<u8>, name: &str, value: usize) {
    out.push(key::ATTRIBUTES);
    encode_varint((size(name.len()) + size(value)) as u64, out);
    field(out, key::KEY, name.as_bytes());
    out.push(key::VALUE);
    encode_varint(value as u64, out);
}
