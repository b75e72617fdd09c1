//! What a file's beginning says about which content it is.

use std::io;

use fairlead_wire::incarnation::{FIRST_LINE_CAP, first_line_hash};
use memchr::memchr;

use super::Content;
use crate::line;

/// A file's first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// [`first_line_hash`] of it.
    pub hash: u64,
    /// Its event time in nanoseconds since 1970-01-01 UTC; 0 where unknown.
    pub time: i64,
}

/// Reads a file's first line; `None` where its end has not been written. Of a file that will not
/// grow (`ended`) what there is is a line.
///
/// # Errors
/// As reading has it.
pub fn read(content: &mut Content, ended: bool) -> io::Result<Option<Head>> {
    let mut bytes = [0; FIRST_LINE_CAP];
    let read = content.read_at(0, &mut bytes)?;
    let bytes = &bytes[..read];
    let line = match memchr(b'\n', bytes) {
        Some(end) => &bytes[..end],
        None if read == FIRST_LINE_CAP || (ended && read > 0) => bytes,
        None => return Ok(None),
    };
    let time = line::parse(line, &mut Vec::new()).map_or(0, |line| line.time);
    Ok(Some(Head { hash: first_line_hash(line), time }))
}
