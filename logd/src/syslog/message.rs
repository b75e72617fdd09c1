//! A syslog message: RFC 5424, or what RFC 3164 describes. Takes whatever comes: what cannot be read
//! as a header is text.

use jiff::{Timestamp, civil, tz::TimeZone};

/// Bytes of a host's name, and of an application's, at most (RFC 5424, section 6 has 255 and 48).
const NAME_CAP: usize = 255;
/// The least severity that is an error (RFC 5424, section 6.2.1).
const ERROR: u8 = 3;
const SECOND: i64 = 1_000_000_000;
/// How far a host's clock may be ahead.
const DAY: i64 = 86_400 * SECOND;
const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// What a message says. Names are printable ASCII without spaces, and not empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// It is an error or worse; false where it does not say.
    pub error: bool,
    /// Nanoseconds since 1970-01-01 UTC, where it says.
    pub time: Option<i64>,
    /// HOSTNAME.
    pub host: Option<&'a str>,
    /// APP-NAME, or the TAG of RFC 3164 without its process id.
    pub process: Option<&'a str>,
    /// STRUCTURED-DATA, where there is any, and MSG, as they came; where there is no header, all that
    /// follows the priority.
    pub payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads a message that was received at `now`: a time of RFC 3164 has no year, and is taken for
    /// the last such time in UTC; it may be a day ahead.
    #[must_use]
    pub fn parse(message: &'a [u8], now: i64) -> Self {
        let (priority, rest) = priority(message).unwrap_or((u8::MAX, message));
        let header = rfc5424(rest).or_else(|| rfc3164(rest, now));
        let header = header.unwrap_or_else(|| Header { payload: rest, ..Header::default() });
        let Header { time, host, process, payload } = header;
        Self { error: priority & 7 <= ERROR && priority != u8::MAX, time, host, process, payload }
    }

    /// Whether there was a header to read.
    #[must_use]
    pub fn has_header(&self) -> bool {
        self.time.is_some() || self.host.is_some() || self.process.is_some()
    }
}

/// What follows the priority.
#[derive(Default)]
struct Header<'a> {
    time: Option<i64>,
    host: Option<&'a str>,
    process: Option<&'a str>,
    payload: &'a [u8],
}

/// `<0>` to `<191>`.
fn priority(message: &[u8]) -> Option<(u8, &[u8])> {
    let inner = message.strip_prefix(b"<")?;
    let end = inner.iter().take(4).position(|b| *b == b'>')?;
    let (digits, rest) = (&inner[..end], &inner[end + 1..]);
    let value: u8 = number(digits)?;
    (value <= 191).then_some((value, rest))
}

/// `1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA[ MSG]`.
fn rfc5424(rest: &[u8]) -> Option<Header<'_>> {
    let rest = rest.strip_prefix(b"1 ")?;
    let (time, rest) = word(rest)?;
    let time = if time == b"-" { None } else { Some(rfc3339(time)?) };
    let (host, rest) = word(rest)?;
    let (process, rest) = word(rest)?;
    let (_id, rest) = word(rest)?;
    // What follows may be missing altogether: some leave out the last parts that say nothing.
    let (_kind, rest) = word(rest).unwrap_or((rest, b""));
    let payload = match rest.strip_prefix(b"-") {
        Some([]) => b"",
        Some([b' ', text @ ..]) => text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text),
        _ => rest,
    };
    Some(Header { time, host: said(host)?, process: said(process)?, payload })
}

/// A name; none for `-`.
fn said(word: &[u8]) -> Option<Option<&str>> {
    if word == b"-" { Some(None) } else { Some(Some(name(word)?)) }
}

/// `TIMESTAMP [HOSTNAME ][TAG[PID]: ]CONTENT`.
fn rfc3164(rest: &[u8], now: i64) -> Option<Header<'_>> {
    let (time, rest) = match short_time(rest, now) {
        Some(time) => time,
        // What relays of today send: more exact than the RFC has it.
        None => word(rest).and_then(|(time, rest)| Some((rfc3339(time)?, rest)))?,
    };
    let time = Some(time);
    if let Some((process, payload)) = tag(rest) {
        return Some(Header { time, host: None, process: Some(process), payload });
    }
    let Some((host, rest)) = word(rest).and_then(|(host, rest)| Some((name(host)?, rest))) else {
        return Some(Header { time, payload: rest, ..Header::default() });
    };
    let (process, payload) = match tag(rest) {
        Some((process, payload)) => (Some(process), payload),
        None => (None, rest),
    };
    Some(Header { time, host: Some(host), process, payload })
}

/// `Mmm dd hh:mm:ss `, the day padded with a space or a zero.
fn short_time(rest: &[u8], now: i64) -> Option<(i64, &[u8])> {
    let (time, rest) = rest.split_first_chunk::<16>()?;
    let [m0, m1, m2, b' ', d0, d1, b' ', h0, h1, b':', n0, n1, b':', s0, s1, b' '] = *time else {
        return None;
    };
    let month = MONTHS.iter().position(|month| **month == [m0, m1, m2])? as i8 + 1;
    let day = if d0 == b' ' { number(&[d1])? } else { number(&[d0, d1])? };
    let (hour, minute, second): (i8, i8, i8) =
        (number(&[h0, h1])?, number(&[n0, n1])?, number(&[s0, s1])?);
    let this_year = Timestamp::from_nanosecond(now.into()).ok()?.to_zoned(TimeZone::UTC).year();
    [this_year - 1, this_year, this_year + 1]
        .into_iter()
        .filter_map(|year| {
            let time = civil::DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
            nanoseconds(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
        })
        .filter(|time| *time <= now.saturating_add(DAY))
        .max()
        .map(|time| (time, rest))
}

fn rfc3339(word: &[u8]) -> Option<i64> {
    // Without this, a zone's name in brackets would be looked up.
    if !word.ends_with(b"Z") && !word.last()?.is_ascii_digit() {
        return None;
    }
    nanoseconds(std::str::from_utf8(word).ok()?.parse::<Timestamp>().ok()?)
}

fn nanoseconds(time: Timestamp) -> Option<i64> {
    time.as_second().checked_mul(SECOND)?.checked_add(time.subsec_nanosecond().into())
}

/// `NAME: ` or `NAME[ID]: `, and what follows.
fn tag(rest: &[u8]) -> Option<(&str, &[u8])> {
    let end = rest.iter().take(NAME_CAP + 1).position(|b| matches!(b, b':' | b'[' | b' '))?;
    let process = name(&rest[..end])?;
    let rest = match &rest[end..] {
        [b':', rest @ ..] => rest,
        [b'[', rest @ ..] => {
            let end = rest.iter().take(NAME_CAP).position(|b| *b == b']')?;
            let rest = &rest[end + 1..];
            rest.strip_prefix(b":").unwrap_or(rest)
        }
        _ => return None,
    };
    Some((process, rest.strip_prefix(b" ").unwrap_or(rest)))
}

/// Up to a space, which has to come, and what follows it.
fn word(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b' ', bytes)?;
    (end > 0).then(|| (&bytes[..end], &bytes[end + 1..]))
}

fn name(word: &[u8]) -> Option<&str> {
    let fits = (1..=NAME_CAP).contains(&word.len()) && word.iter().all(u8::is_ascii_graphic);
    if fits { std::str::from_utf8(word).ok() } else { None }
}

/// Digits alone.
fn number<N: std::str::FromStr>(digits: &[u8]) -> Option<N> {
    if digits.iter().all(u8::is_ascii_digit) {
        std::str::from_utf8(digits).ok()?.parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
