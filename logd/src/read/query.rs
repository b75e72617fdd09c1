//! What is asked for: the parameters of a request for logs.

use std::{str::FromStr, time::Duration};

use fairlead_wire::Stream;
use jiff::Timestamp;
use memchr::memmem::Finder;
use regex::bytes::RegexBuilder;
use thiserror::Error;

use super::{
    cursor::Cursor,
    filter::{Filter, Text},
    line::Format,
};

/// Lines of an answer where nothing is said.
const LINES: usize = 100;
/// Bytes of a pattern, of its compiled form, and of what is remembered to match it fast, at most. A
/// program of that size may need some tenths of a second for one line.
const PATTERN: usize = 4 << 10;
const COMPILED: usize = 256 << 10;
const REMEMBERED: usize = 512 << 10;

/// What is asked for.
#[derive(Debug, Default)]
pub(crate) struct Query {
    /// The newest so many lines.
    pub(crate) lines: usize,
    pub(crate) follow: bool,
    pub(crate) after: Option<Cursor>,
    pub(crate) format: Format,
    pub(crate) filter: Filter,
}

/// A parameter that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{name}={value:?}: {problem}")]
pub(crate) struct QueryError {
    name: String,
    value: String,
    problem: String,
}

impl Query {
    /// Reads parameters. Those that are not known are passed over; of `log_lines` a value that is
    /// no number means the default.
    ///
    /// # Errors
    /// Where another value cannot be read.
    pub(crate) fn parse<'a>(
        parameters: impl Iterator<Item = (&'a str, &'a str)>,
        now: i64,
    ) -> Result<Self, QueryError> {
        let mut query = Self::default();
        let (mut lines, mut given) = (LINES, false);
        for (name, value) in parameters {
            let failed = |problem: &str| QueryError {
                name: name.to_owned(),
                value: value.to_owned(),
                problem: problem.to_owned(),
            };
            let filter = &mut query.filter;
            match name {
                "log_lines" => {
                    given = true;
                    lines = value.trim().parse().unwrap_or(LINES);
                }
                "follow" => query.follow = flag(value).ok_or_else(|| failed(FLAG))?,
                "invert" => filter.invert = flag(value).ok_or_else(|| failed(FLAG))?,
                "after" => {
                    let cursor = Cursor::from_str(value);
                    query.after = Some(cursor.map_err(|error| failed(&error.to_string()))?);
                }
                "process" => filter.processes.extend(list(value)),
                "pod" => filter.pods.extend(list(value)),
                "stream" => {
                    filter.stream = Some(match value {
                        "stdout" => Stream::Stdout,
                        "stderr" => Stream::Stderr,
                        _ => return Err(failed("write stdout or stderr")),
                    });
                }
                "since" => filter.since = Some(time(value, now).ok_or_else(|| failed(TIME))?),
                "until" => filter.until = Some(time(value, now).ok_or_else(|| failed(TIME))?),
                "contains" | "regex" if filter.text.is_some() => {
                    return Err(failed("one of contains and regex is enough"));
                }
                "contains" | "regex" if value.len() > PATTERN => {
                    return Err(failed("longer than 4 KiB"));
                }
                "contains" => {
                    filter.text = Some(Text::Substring(Finder::new(value).into_owned().into()));
                }
                "regex" => {
                    let mut regex = RegexBuilder::new(value);
                    let regex = regex.size_limit(COMPILED).dfa_size_limit(REMEMBERED).build();
                    filter.text =
                        Some(Text::Regex(regex.map_err(|error| failed(&error.to_string()))?));
                }
                "format" => {
                    query.format = match value {
                        "text" => Format::Text,
                        "json" => Format::Json,
                        _ => return Err(failed("write text or json")),
                    };
                }
                _ => {}
            }
        }
        // A time says how much is wanted, unless a number does.
        let all = !given && query.filter.since.is_some();
        query.lines = if all { usize::MAX } else { lines };
        Ok(query)
    }
}

const FLAG: &str = "write true or false";
const TIME: &str = "write a time as in RFC 3339, or how long ago as in 90s, 10m, 2h or 1d";

fn flag(value: &str) -> Option<bool> {
    match value {
        "true" | "1" | "" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

fn list(value: &str) -> impl Iterator<Item = String> {
    value.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned)
}

fn time(value: &str, now: i64) -> Option<i64> {
    if let Some(ago) = duration(value) {
        return Some(now.saturating_sub(i64::try_from(ago.as_nanos()).unwrap_or(i64::MAX)));
    }
    i64::try_from(value.parse::<Timestamp>().ok()?.as_nanosecond()).ok()
}

/// A whole number with `ms`, `s`, `m`, `h` or `d`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(parameters: &[(&str, &str)]) -> Result<Query, QueryError> {
        Query::parse(parameters.iter().copied(), 1_000_000_000_000)
    }

    #[test]
    fn the_number_of_lines_is_read_as_deis_does() {
        let lines = |value| parse(&[("log_lines", value)]).unwrap().lines;
        assert_eq!(parse(&[]).unwrap().lines, 100);
        assert_eq!(
            [lines("7"), lines("0"), lines("x"), lines("-1"), lines("")],
            [7, 0, 100, 100, 100]
        );
        assert_eq!(parse(&[("since", "1m")]).unwrap().lines, usize::MAX);
        assert_eq!(parse(&[("since", "1m"), ("log_lines", "5")]).unwrap().lines, 5);
    }

    #[test]
    fn times_are_absolute_or_ago() {
        let since = |value| parse(&[("since", value)]).map(|query| query.filter.since.unwrap());
        assert_eq!(since("10s"), Ok(990_000_000_000));
        assert_eq!(since("1970-01-01T00:00:01.5Z"), Ok(1_500_000_000));
        assert_eq!(since("1970-01-01T01:00:01+01:00"), Ok(1_000_000_000));
        for bad in ["", "soon", "10", "10y", "99999999999999999999s", "9999-01-01T00:00:00Z"] {
            let error = since(bad).unwrap_err().to_string();
            assert!(error.starts_with(&format!("since={bad:?}: write a time")), "{error}");
        }
    }

    #[test]
    fn a_bad_value_names_its_parameter() {
        let long = "x".repeat(PATTERN + 1);
        for (name, value) in [
            ("follow", "maybe"),
            ("after", "1.2.3"),
            ("stream", "stdin"),
            ("regex", "("),
            ("regex", "[ab][^c]{500}[^d]{500}e"),
            ("contains", &long),
            ("format", "xml"),
        ] {
            let error = parse(&[(name, value)]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{name}=")), "{error}");
        }
    }
}
