//! What a reader asks for, from the query of a URL.

use fairlead_wire::Stream;
use jiff::{SignedDuration, Timestamp};
use memchr::memmem::Finder;
use regex::bytes::RegexBuilder;
use thiserror::Error;

use super::cursor::Cursor;
use super::filter::{Filter, Pattern};
use super::line::Format;

/// Lines that are shown where nothing else is asked for.
pub const LINES: usize = 100;
/// Bytes of a compiled expression, at most: it must not cost more than the lines that it searches.
const REGEX_CAP: usize = 1 << 20;

/// What a reader asks for.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// The newest lines that match, at most so many. With a cursor, [`usize::MAX`] where none is given.
    pub lines: usize,
    /// Whether to go on with new ones.
    pub follow: bool,
    /// Only what comes after this place.
    pub after: Option<Cursor>,
    /// Which lines.
    pub filter: Filter,
    /// How they are written.
    pub format: Format,
}

/// A parameter that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("parameter {name}: {value:?} {problem}")]
pub struct QueryError {
    name: &'static str,
    value: String,
    problem: String,
}

impl Query {
    /// Reads the query of a URL. `now` is what ages count from. A parameter that is not known is
    /// passed over, as is a `log_lines` that is no number (as in Deis).
    ///
    /// # Errors
    /// Where any other parameter has a value that is not understood.
    pub fn parse(query: &str, now: Timestamp) -> Result<Self, QueryError> {
        let mut parsed = Self::default();
        let (mut lines, mut substring, mut regex) = (None, None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = value.into_owned();
            match name.as_ref() {
                "log_lines" => lines = value.parse().ok(),
                "follow" => parsed.follow = flag("follow", value)?,
                "after" => {
                    parsed.after =
                        Some(value.parse().map_err(|problem| wrong("after", value, problem))?);
                }
                "process" => parsed.filter.process = Some(value),
                "pod" => parsed.filter.pod = Some(value),
                "stream" => parsed.filter.stream = Some(stream(value)?),
                "since" => parsed.filter.since = Some(time("since", value, now)?),
                "until" => parsed.filter.until = Some(time("until", value, now)?),
                "substring" => substring = Some(value),
                "regex" => regex = Some(value),
                "invert" => parsed.filter.invert = flag("invert", value)?,
                "format" => parsed.format = format(value)?,
                _ => {}
            }
        }
        parsed.lines = lines.unwrap_or(match parsed.after {
            Some(_) => usize::MAX,
            None => LINES,
        });
        parsed.filter.pattern = match (substring, regex) {
            (None, None) => None,
            (Some(text), None) => {
                Some(Pattern::Substring(Box::new(Finder::new(text.as_bytes()).into_owned())))
            }
            (None, Some(text)) => {
                let built = RegexBuilder::new(&text).size_limit(REGEX_CAP).build();
                Some(Pattern::Regex(built.map_err(|problem| wrong("regex", text, problem))?))
            }
            (Some(_), Some(text)) => {
                return Err(wrong("regex", text, "cannot be used together with substring"));
            }
        };
        if parsed.filter.invert && parsed.filter.pattern.is_none() {
            return Err(wrong("invert", "true".to_owned(), "needs substring or regex"));
        }
        Ok(parsed)
    }
}

fn wrong(name: &'static str, value: String, problem: impl std::fmt::Display) -> QueryError {
    QueryError { name, value, problem: problem.to_string() }
}

fn flag(name: &'static str, value: String) -> Result<bool, QueryError> {
    match value.as_str() {
        "" | "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(wrong(name, value, "is neither true nor false")),
    }
}

fn stream(value: String) -> Result<Stream, QueryError> {
    match value.as_str() {
        "stdout" => Ok(Stream::Stdout),
        "stderr" => Ok(Stream::Stderr),
        _ => Err(wrong("stream", value, "is neither stdout nor stderr")),
    }
}

fn format(value: String) -> Result<Format, QueryError> {
    match value.as_str() {
        "text" => Ok(Format::Text),
        "json" => Ok(Format::Json),
        _ => Err(wrong("format", value, "is neither text nor json")),
    }
}

/// An age such as `10m`, or a time as in RFC 3339.
fn time(name: &'static str, value: String, now: Timestamp) -> Result<i64, QueryError> {
    let time = match value.parse::<Timestamp>() {
        Ok(time) => Some(time),
        Err(_) => match value.parse::<SignedDuration>() {
            Ok(age) => now.checked_sub(age).ok(),
            Err(_) => None,
        },
    };
    let nanoseconds = time.and_then(|time| i64::try_from(time.as_nanosecond()).ok());
    nanoseconds.ok_or_else(|| {
        wrong(name, value, "is neither an age such as 10m nor a time such as 2026-01-31T12:00:00Z")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-01-31T12:00:00Z";

    fn parse(query: &str) -> Result<Query, String> {
        Query::parse(query, NOW.parse().unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn row_44_a_bad_number_of_lines_is_the_default() {
        for (query, lines) in
            [("", 100), ("log_lines=x", 100), ("log_lines=-1", 100), ("log_lines=7", 7)]
        {
            assert_eq!(parse(query).unwrap().lines, lines, "{query}");
        }
    }

    #[test]
    fn times_are_ages_or_instants() {
        let noon = 1_769_860_800_000_000_000;
        for (query, since) in [
            ("since=10m", noon - 600_000_000_000),
            ("since=1h%2030m", noon - 5_400_000_000_000),
            ("since=2026-01-31T13:00:00%2B01:00", noon),
        ] {
            assert_eq!(parse(query).unwrap().filter.since, Some(since), "{query}");
        }
        assert_eq!(
            parse("until=yesterday").unwrap_err(),
            "parameter until: \"yesterday\" is neither an age such as 10m nor a time such as \
             2026-01-31T12:00:00Z"
        );
    }

    #[test]
    fn what_is_not_understood_is_refused_and_what_is_unknown_passed_over() {
        for (query, error) in [
            ("follow=perhaps", "parameter follow: \"perhaps\" is neither true nor false"),
            ("after=x", "parameter after: \"x\" is no cursor that logd gave"),
            ("stream=in", "parameter stream: \"in\" is neither stdout nor stderr"),
            ("format=xml", "parameter format: \"xml\" is neither text nor json"),
            ("invert", "parameter invert: \"true\" needs substring or regex"),
            (
                "regex=a&substring=b",
                "parameter regex: \"a\" cannot be used together with substring",
            ),
        ] {
            assert_eq!(parse(query).unwrap_err(), error);
        }
        assert!(parse("regex=(").unwrap_err().starts_with("parameter regex: \"(\" "));
        assert!(parse("regex=(a{1000}){1000}").unwrap_err().contains("size limit"));
        assert!(parse("unknown=1").is_ok());
    }
}
