//! Records, and how they lie in a chunk.
//!
//! ```text
//! length u32 | source u16 | flags u16 | end u64 | time i64 | payload
//! ```

use std::sync::Arc;

/// Bytes that a record takes beside its payload.
pub const OVERHEAD: usize = 24;

/// What is kept of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Where it ends in its file: its name, together with its source.
    pub end: u64,
    /// Event time in nanoseconds since 1970-01-01 UTC.
    pub time: i64,
    /// What is special about it; the ring does not look at it.
    pub flags: u16,
    /// What was written. Any bytes; less than 4 GiB.
    pub payload: &'a [u8],
}

/// A record that is read.
#[derive(Debug)]
pub struct Entry<'a, S> {
    /// Its number.
    pub no: u64,
    /// Where it comes from, as it was appended.
    pub source: &'a Arc<S>,
    /// What was appended.
    pub record: Record<'a>,
}

impl<S> Clone for Entry<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Entry<'_, S> {}

/// What stands before the payload.
pub(crate) fn header(record: &Record<'_>, source: u16) -> [u8; OVERHEAD] {
    let length = u32::try_from(record.payload.len()).expect("payloads are less than 4 GiB");
    let mut bytes = [0; OVERHEAD];
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes[4..6].copy_from_slice(&source.to_le_bytes());
    bytes[6..8].copy_from_slice(&record.flags.to_le_bytes());
    bytes[8..16].copy_from_slice(&record.end.to_le_bytes());
    bytes[16..].copy_from_slice(&record.time.to_le_bytes());
    bytes
}

/// The record at `offset`, the index of its source, and where the next one begins.
///
/// # Panics
/// Where no whole record begins at `offset`.
pub(crate) fn read(bytes: &[u8], offset: usize) -> (Record<'_>, u16, usize) {
    let (header, rest) =
        bytes[offset..].split_first_chunk::<OVERHEAD>().expect("whole records are published");
    let field = |from: usize| {
        u64::from_le_bytes(*header[from..].first_chunk().expect("lies in the header"))
    };
    let front = field(0);
    let length = (front & u64::from(u32::MAX)) as usize;
    let record = Record {
        end: field(8),
        time: field(16).cast_signed(),
        flags: (front >> 48) as u16,
        payload: &rest[..length],
    };
    (record, (front >> 32) as u16, offset + OVERHEAD + length)
}

/// Where the record after the one at `offset` begins.
///
/// # Panics
/// Where no record begins at `offset`.
pub(crate) fn next(bytes: &[u8], offset: usize) -> usize {
    let length = bytes[offset..].first_chunk().expect("whole records are published");
    offset + OVERHEAD + u32::from_le_bytes(*length) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let record = Record { end: 1 << 40, time: -7, flags: 0x8001, payload: b"a\0\xff" };
        let mut bytes = vec![0xee; 3];
        bytes.extend_from_slice(&header(&record, 0x1234));
        bytes.extend_from_slice(record.payload);
        bytes.push(0xee);
        assert_eq!(read(&bytes, 3), (record, 0x1234, bytes.len() - 1));
        assert_eq!(next(&bytes, 3), bytes.len() - 1);
    }
}
