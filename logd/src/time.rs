//! Times, as RFC 3339.

pub(crate) use fairlead_drain::Times;
use jiff::Timestamp;

/// Nanoseconds since 1970-01-01 UTC.
pub(crate) fn now() -> i64 {
    i64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX)
}

/// `2026-11-20T10:00:00.123456+00:00` or, with nanoseconds, `2026-11-20T10:00:00.123456789Z`.
pub(crate) fn show(time: i64) -> String {
    let mut text = Vec::new();
    Times::default().nanoseconds(&mut text, time);
    String::from_utf8(text).expect("digits")
}
