//! The lines inside a batch, packed.
//!
//! ```text
//! length u32 | end u32 | time i64 | flags u8 | payload
//! ```
//!
//! All little endian. `length` is the payload's, `end` the offset of the record's end in its file,
//! counted from the batch's `from`, `time` nanoseconds since 1970-01-01 UTC.

use bytes::Bytes;
use thiserror::Error;

/// Bytes of a record before its payload.
pub const HEADER: usize = 17;

/// Bytes of a payload, at most. Lines that are longer are cut by the sender.
pub const PAYLOAD_CAP: usize = 64 * 1024;

/// What a container wrote to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// `stdout` or `stderr`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// What is special about a record: a set of bits. Bits that a reader does not know are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Flags(u8);

impl Flags {
    /// Written to standard error; otherwise to standard output.
    pub const STDERR: Self = Self(1);
    /// Something of the line is missing: it was longer than [`PAYLOAD_CAP`].
    pub const TRUNCATED: Self = Self(1 << 1);
    /// The line goes on in the stream's next record: a partial line whose end did not come in time,
    /// or did not fit.
    pub const CUT: Self = Self(1 << 2);
    /// Not written by the application but about its log, such as a loss.
    pub const NOTICE: Self = Self(1 << 3);

    /// The set of these bits.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// As a byte.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether all of `other` is in the set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The stream it says.
    #[must_use]
    pub const fn stream(self) -> Stream {
        if self.contains(Self::STDERR) { Stream::Stderr } else { Stream::Stdout }
    }
}

/// A line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Where it ends in its file, counted from the batch's `from`.
    pub end: u32,
    /// Event time in nanoseconds since 1970-01-01 UTC.
    pub time: i64,
    /// What is special about it.
    pub flags: Flags,
    /// What was written, without the line feed. Any bytes.
    pub payload: &'a [u8],
}

impl Record<'_> {
    /// Appends it to packed records.
    ///
    /// # Panics
    /// Where the payload is longer than [`PAYLOAD_CAP`].
    pub fn pack(&self, into: &mut Vec<u8>) {
        assert!(self.payload.len() <= PAYLOAD_CAP, "senders cut longer lines");
        let length = u32::try_from(self.payload.len()).expect("at most the cap");
        into.reserve(HEADER + self.payload.len());
        into.extend_from_slice(&length.to_le_bytes());
        into.extend_from_slice(&self.end.to_le_bytes());
        into.extend_from_slice(&self.time.to_le_bytes());
        into.push(self.flags.bits());
        into.extend_from_slice(self.payload);
    }
}

/// Packed records that were checked: each is whole, their ends rise and lie in the batch's range.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Records(Bytes);

/// What is wrong with packed records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RecordsError {
    /// The bytes end within a record.
    #[error("record at byte {0} is cut off")]
    CutOff(usize),
    /// A payload is longer than [`PAYLOAD_CAP`].
    #[error("record at byte {0} is longer than {PAYLOAD_CAP} bytes")]
    TooLong(usize),
    /// A record does not end after the one before it, or ends beyond its batch.
    #[error("record at byte {0} does not end between the one before it and the batch's end")]
    Order(usize),
}

impl Records {
    /// Checks packed records of a batch whose range has this length.
    ///
    /// # Errors
    /// Where a record is cut off, too long or out of order.
    pub fn check(bytes: Bytes, range: u64) -> Result<Self, RecordsError> {
        let (mut at, mut last) = (0, 0);
        while at < bytes.len() {
            let Some((record, next)) = read(&bytes, at) else {
                return Err(match length(&bytes, at) {
                    Some(length) if length > PAYLOAD_CAP => RecordsError::TooLong(at),
                    _ => RecordsError::CutOff(at),
                });
            };
            if record.payload.len() > PAYLOAD_CAP {
                return Err(RecordsError::TooLong(at));
            }
            if record.end <= last || u64::from(record.end) > range {
                return Err(RecordsError::Order(at));
            }
            (at, last) = (next, record.end);
        }
        Ok(Self(bytes))
    }

    /// The records in order of their ends.
    pub fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let (record, next) = read(&self.0, at)?;
            at = next;
            Some(record)
        })
    }

    /// Packed.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn length(bytes: &[u8], at: usize) -> Option<usize> {
    let length = bytes.get(at..)?.first_chunk()?;
    usize::try_from(u32::from_le_bytes(*length)).ok()
}

fn read(bytes: &[u8], at: usize) -> Option<(Record<'_>, usize)> {
    let length = length(bytes, at)?;
    let header: &[u8; HEADER] = bytes.get(at..)?.first_chunk()?;
    let payload = at + HEADER;
    let next = payload.checked_add(length)?;
    let record = Record {
        end: u32::from_le_bytes(*header[4..].first_chunk()?),
        time: i64::from_le_bytes(*header[8..].first_chunk()?),
        flags: Flags::from_bits(header[16]),
        payload: bytes.get(payload..next)?,
    };
    Some((record, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(records: &[Record<'_>]) -> Bytes {
        let mut bytes = Vec::new();
        records.iter().for_each(|record| record.pack(&mut bytes));
        bytes.into()
    }

    const A: Record<'_> = Record { end: 5, time: -1, flags: Flags::STDERR, payload: b"a\0\xff" };
    const B: Record<'_> = Record { end: 9, time: 2, flags: Flags::CUT, payload: b"" };

    #[test]
    fn records_are_read_as_they_were_packed() {
        let bytes = packed(&[A, B]);
        assert_eq!(
            &bytes[..20],
            b"\x03\0\0\0\x05\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x01a\0\xff"
        );
        let records = Records::check(bytes, 9).expect("well-formed");
        assert_eq!(records.iter().collect::<Vec<_>>(), [A, B]);
        assert_eq!(A.flags.stream(), Stream::Stderr);
    }

    #[test]
    fn what_is_malformed_is_refused() {
        let bytes = packed(&[A, B]);
        assert_eq!(Records::check(bytes.clone(), 8), Err(RecordsError::Order(20)));
        assert_eq!(Records::check(bytes.slice(..30), 9), Err(RecordsError::CutOff(20)));
        assert_eq!(Records::check(packed(&[B, A]), 9), Err(RecordsError::Order(17)));
        assert_eq!(Records::check(packed(&[A, A]), 9), Err(RecordsError::Order(20)));
        let long = Bytes::from_static(b"\x01\0\x01\0");
        assert_eq!(Records::check(long, 9), Err(RecordsError::TooLong(0)));
    }
}
