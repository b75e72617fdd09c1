//! Where a reader goes on. Opaque to clients.

use std::fmt;
use std::str::FromStr;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use thiserror::Error;

/// How far before a cursor's time reading goes on where it is of another instance, in nanoseconds:
/// what arrives later than that after its event is told apart by name.
pub const MERGE_WINDOW: i64 = 5_000_000_000;

const LENGTH: usize = 41;
const VERSION: u8 = 1;

/// The place after a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The instance of logd that gave it: [`instance_number`] of its name.
    pub instance: u64,
    /// The number of the next record in that instance's ring.
    pub position: u64,
    /// The record's origin as a number.
    pub origin: u64,
    /// Where the record ends in its origin.
    pub end: u64,
    /// The record's event time, nanoseconds since 1970-01-01 UTC.
    pub time: i64,
}

/// A number that stands for an instance's name.
#[must_use]
pub fn instance_number(name: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(name.as_bytes())
}

/// It is not a cursor that any logd gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("is no cursor that logd gave")]
pub struct NoCursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = [self.instance, self.position, self.origin, self.end, self.time as u64];
        let mut bytes = [VERSION; LENGTH];
        for (field, place) in fields.iter().zip(bytes[1..].as_chunks_mut().0) {
            *place = field.to_le_bytes();
        }
        let mut text = [0; LENGTH.div_ceil(3) * 4];
        let length =
            BASE64_URL_SAFE_NO_PAD.encode_slice(bytes, &mut text).map_err(|_| fmt::Error)?;
        f.write_str(std::str::from_utf8(&text[..length]).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| NoCursor)?;
        let bytes: [u8; LENGTH] = bytes.try_into().map_err(|_| NoCursor)?;
        let [VERSION, fields @ ..] = bytes else { return Err(NoCursor) };
        let (fields, _) = fields.as_chunks::<8>();
        let [instance, position, origin, end, time] =
            [0, 1, 2, 3, 4].map(|index: usize| u64::from_le_bytes(fields[index]));
        Ok(Self { instance, position, origin, end, time: time.cast_signed() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_comes_back(fields in any::<[u64; 4]>(), time in any::<i64>()) {
            let [instance, position, origin, end] = fields;
            let cursor = Cursor { instance, position, origin, end, time };
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }

        #[test]
        fn any_text_is_a_cursor_or_none(text in ".{0,60}") {
            let _ = text.parse::<Cursor>();
        }
    }

    #[test]
    fn what_is_cut_off_is_no_cursor() {
        let text = Cursor { instance: 1, position: 2, origin: 3, end: 4, time: 5 }.to_string();
        assert_eq!(text[..text.len() - 1].parse::<Cursor>(), Err(NoCursor));
        assert_eq!("".parse::<Cursor>(), Err(NoCursor));
    }
}
