//! The syntax of annotation values, as Deis Workflow had it.

use std::{ops::RangeInclusive, time::Duration};

use ipnet::IpNet;

use crate::{policy::Rate, strict::MAX_HEAD};

/// A value that cannot be read. The message says what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Not `true` or `false`.
    #[error("{0:?} is neither true nor false")]
    Bool(Box<str>),
    /// Not a duration.
    #[error(
        "{0:?} is not a duration; write a whole number with ms, s, m, h, d, w, M or y, such as 30s, of at most 10 years"
    )]
    Duration(Box<str>),
    /// Not an address or network.
    #[error(
        "{0:?} is not an IP address or network; write one such as 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32"
    )]
    Network(Box<str>),
    /// Not a number of bytes.
    #[error(
        "{0:?} is not a size; write a whole number of bytes, or of KiB, MiB or GiB with k, m or g, such as 10m"
    )]
    Size(Box<str>),
    /// Not a size of a head.
    #[error("{0:?} is not a size from 1k to 64k")]
    HeadSize(Box<str>),
    /// Not a rate.
    #[error(
        "{0:?} is not a rate; write a whole number up to 10000 with /s, /m or /h, such as 10/s, or none"
    )]
    Rate(Box<str>),
    /// Not a whole number in range.
    #[error("{0:?} is not a whole number from {1} to {2}")]
    Number(Box<str>, u64, u64),
    /// Not one of the words.
    #[error("{0:?} is none of {1}")]
    Word(Box<str>, String),
    /// Not a pair.
    #[error("{0:?} is not a pair; write key:value")]
    Pair(Box<str>),
}

const MAX_DURATION: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// `true` or `false`, in any case.
///
/// # Errors
/// For anything else.
pub fn boolean(text: &str) -> Result<bool, ValueError> {
    match text.trim() {
        text if text.eq_ignore_ascii_case("true") => Ok(true),
        text if text.eq_ignore_ascii_case("false") => Ok(false),
        text => Err(ValueError::Bool(text.into())),
    }
}

/// A whole number and a unit: `ms`, `s` (also where none is given), `m`, `h`,
/// `d`, `w`, `M` (30 days), `y` (365 days). More than zero, at most 10 years.
///
/// # Errors
/// For anything else.
pub fn duration(text: &str) -> Result<Duration, ValueError> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" | "" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 7 * 86_400_000,
        "M" => 30 * 86_400_000,
        "y" => 365 * 86_400_000,
        _ => return Err(ValueError::Duration(text.into())),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit_ms))
        .map(Duration::from_millis)
        .filter(|duration| !duration.is_zero() && *duration <= MAX_DURATION)
        .ok_or_else(|| ValueError::Duration(text.into()))
}

/// A whole number of bytes, or with `k`, `m`, `g` (in any case) of KiB, MiB or GiB.
///
/// # Errors
/// For anything else.
pub fn size(text: &str) -> Result<u64, ValueError> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit {
        "" => 1,
        "k" | "K" => 1 << 10,
        "m" | "M" => 1 << 20,
        "g" | "G" => 1 << 30,
        _ => return Err(ValueError::Size(text.into())),
    };
    let number = number.parse::<u64>().ok();
    number.and_then(|n| n.checked_mul(unit)).ok_or_else(|| ValueError::Size(text.into()))
}

/// A size of which 0 means no limit.
///
/// # Errors
/// For anything else.
pub fn limit(text: &str) -> Result<Option<u64>, ValueError> {
    size(text).map(|size| (size > 0).then_some(size))
}

/// A whole number in `range`.
///
/// # Errors
/// For anything else.
pub fn number(text: &str, range: RangeInclusive<u64>) -> Result<u64, ValueError> {
    let number = text.trim().parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| ValueError::Number(text.trim().into(), *range.start(), *range.end()))
}

/// A whole number from 1 to a million.
///
/// # Errors
/// For anything else.
pub fn count(text: &str) -> Result<u32, ValueError> {
    let number = number(text, 1..=1_000_000)?;
    Ok(u32::try_from(number).expect("the number is in range"))
}

/// As [`count`], but 0 means no limit.
///
/// # Errors
/// For anything else.
pub fn count_or_none(text: &str) -> Result<Option<u32>, ValueError> {
    if text.trim() == "0" { Ok(None) } else { count(text).map(Some) }
}

/// A size that the head of a request may be bounded by.
///
/// # Errors
/// For anything else.
pub fn head_size(text: &str) -> Result<u32, ValueError> {
    let size = size(text).ok().filter(|size| (1024..=MAX_HEAD as u64).contains(size));
    size.and_then(|size| u32::try_from(size).ok())
        .ok_or_else(|| ValueError::HeadSize(text.trim().into()))
}

/// A number per second, minute or hour; `none` or `0` for no limit.
///
/// # Errors
/// For anything else.
pub fn rate(text: &str) -> Result<Option<Rate>, ValueError> {
    let text = text.trim();
    if matches!(text, "none" | "0") {
        return Ok(None);
    }
    let wrong = || ValueError::Rate(text.into());
    let (number, unit) = text.split_once('/').ok_or_else(wrong)?;
    let seconds = match unit.trim() {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(wrong()),
    };
    let requests = number.trim().parse().ok().filter(|number| (1..=10_000).contains(number));
    let requests = requests.ok_or_else(wrong)?;
    Ok(Some(Rate { requests, time: Duration::from_secs(seconds) }))
}

/// The meaning of one of `words`.
///
/// # Errors
/// For any other word.
pub fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, ValueError> {
    let found = words.iter().find(|(word, _)| *word == text.trim()).map(|(_, meaning)| *meaning);
    found.ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        ValueError::Word(text.trim().into(), words.join(", "))
    })
}

/// The non-empty entries of a comma-separated list, without surrounding space.
pub fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

/// One `key:value` entry of a map.
///
/// # Errors
/// When it has no colon, or nothing on one side of the last one.
pub fn pair(entry: &str) -> Result<(&str, &str), ValueError> {
    match entry.rsplit_once(':') {
        Some((key, value)) if !key.trim().is_empty() && !value.trim().is_empty() => {
            Ok((key.trim(), value.trim()))
        }
        _ => Err(ValueError::Pair(entry.into())),
    }
}

/// An address, or a network in CIDR form, of either family.
///
/// # Errors
/// For anything else.
pub fn network(entry: &str) -> Result<IpNet, ValueError> {
    entry
        .parse::<IpNet>()
        .or_else(|_| entry.parse::<std::net::IpAddr>().map(IpNet::from))
        .map_err(|_| ValueError::Network(entry.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_the_units_of_nginx() {
        for (text, milliseconds) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("30", 30_000),
            (" 2m ", 120_000),
            ("1h", 3_600_000),
            ("1d", 86_400_000),
            ("1w", 604_800_000),
            ("1M", 2_592_000_000),
            ("1y", 31_536_000_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text:?}");
        }
        for text in [
            "",
            "s",
            "-1s",
            "1.5s",
            "1S",
            "0s",
            "11y",
            "99999999999999999999s",
            "18446744073709551615y",
        ] {
            assert_eq!(duration(text), Err(ValueError::Duration(text.into())), "{text:?}");
        }
    }

    #[test]
    fn sizes_numbers_and_words() {
        for (text, bytes) in
            [("0", 0), ("512", 512), (" 1m ", 1 << 20), ("4K", 4096), ("2g", 2 << 30)]
        {
            assert_eq!(size(text), Ok(bytes), "{text:?}");
        }
        for text in ["", "k", "-1", "1.5m", "1t", "1 m", "99999999999g"] {
            assert_eq!(size(text), Err(ValueError::Size(text.into())), "{text:?}");
        }
        assert_eq!((limit("0"), limit("1k")), (Ok(None), Ok(Some(1024))));
        assert_eq!(number(" 9 ", 1..=9), Ok(9));
        assert_eq!(
            number("10", 1..=9).unwrap_err().to_string(),
            "\"10\" is not a whole number from 1 to 9"
        );
        assert_eq!(
            (count(" 5 "), count_or_none("0"), count_or_none("7")),
            (Ok(5), Ok(None), Ok(Some(7)))
        );
        assert!(count("0").is_err() && count("1000001").is_err() && count_or_none("-1").is_err());
        assert_eq!((head_size("1k"), head_size("64k")), (Ok(1024), Ok(65536)));
        assert!(["1023", "65k", "0", "x"].iter().all(|text| head_size(text).is_err()));
        let per =
            |requests, seconds| Ok(Some(Rate { requests, time: Duration::from_secs(seconds) }));
        assert_eq!(
            (rate("10/s"), rate(" 600 / m"), rate("1/h")),
            (per(10, 1), per(600, 60), per(1, 3600))
        );
        assert_eq!((rate("none"), rate("0")), (Ok(None), Ok(None)));
        for text in ["", "10", "/s", "0/s", "10001/s", "1.5/s", "-1/s", "10/d", "10/s/s"] {
            assert_eq!(rate(text), Err(ValueError::Rate(text.into())), "{text:?}");
        }
        assert_eq!(word("b", &[("a", 1), ("b", 2)]), Ok(2));
        assert_eq!(
            word("c", &[("a", 1), ("b", 2)]).unwrap_err().to_string(),
            "\"c\" is none of a, b"
        );
    }

    #[test]
    fn booleans_lists_pairs_and_networks() {
        assert_eq!((boolean("TRUE"), boolean("false")), (Ok(true), Ok(false)));
        assert!(boolean("yes").is_err());
        assert_eq!(list(" a, ,b ,").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(pair("web.example:web"), Ok(("web.example", "web")));
        assert!(pair("web").is_err() && pair(":x").is_err() && pair("x:").is_err());
        assert_eq!(network("10.1.2.3").unwrap().to_string(), "10.1.2.3/32");
        assert_eq!(network("2001:db8::/32").unwrap().to_string(), "2001:db8::/32");
        assert!(network("10.0.0.0/33").is_err() && network("example.org").is_err());
    }
}
