//! The format of container runtimes that speak CRI: `TIME STREAM TAGS PAYLOAD`.
//!
//! `2016-10-06T00:17:09.669794202Z stdout F hello`. Tags are separated by colons, the first is `F`
//! for the end of a line and `P` for a piece of one: see `kubelet/kuberuntime/logs` of Kubernetes.

use fairlead_wire::Stream;
use memchr::memchr;

use super::{Line, time};

/// Room that time and its space take at most: nine digits of fraction, an offset, and a few more.
const TIME_CAP: usize = 48;

/// Reads a line without its line feed. `None` for what is not in this format.
#[must_use]
pub fn parse(line: &[u8]) -> Option<Line<'_>> {
    // What nearly every runtime writes: nine digits, UTC.
    let space = if line.get(30) == Some(&b' ') {
        30
    } else {
        memchr(b' ', &line[..line.len().min(TIME_CAP)])?
    };
    let time = time::parse(&line[..space])?;
    let rest = &line[space + 1..];
    let stream = match rest.first_chunk::<7>()? {
        b"stdout " => Stream::Stdout,
        b"stderr " => Stream::Stderr,
        _ => return None,
    };
    let rest = &rest[7..];
    let partial = match rest.first()? {
        b'F' => false,
        b'P' => true,
        _ => return None,
    };
    let payload = match rest.get(1) {
        Some(b' ') => &rest[2..],
        // An empty payload without its space.
        None => &[],
        Some(b':') => memchr(b' ', rest).map_or(&[][..], |end| &rest[end + 1..]),
        Some(_) => return None,
    };
    Some(Line { time, stream, partial, payload })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TIME: i64 = 1_475_713_029_669_794_202;

    #[test]
    fn a_line_is_read_by_position() {
        let line = parse(b"2016-10-06T00:17:09.669794202Z stderr P a \0\xff b ").unwrap();
        let expected =
            Line { time: TIME, stream: Stream::Stderr, partial: true, payload: b"a \0\xff b " };
        assert_eq!(line, expected);
    }

    #[test]
    fn times_may_be_shorter_and_have_an_offset_and_tags_may_be_several() {
        for (line, payload) in [
            ("2016-10-06T02:17:09.669794202+02:00 stdout F:x:y hello world", "hello world"),
            ("2016-10-06T00:17:09.669794202Z stdout F ", ""),
            ("2016-10-06T00:17:09.669794202Z stdout F", ""),
            ("2016-10-06T00:17:09.669794202Z stdout F:x", ""),
            ("2016-10-06T00:17:09.669794202Z stdout F  indented", " indented"),
        ] {
            let read = parse(line.as_bytes()).unwrap();
            let expected = Line {
                time: TIME,
                stream: Stream::Stdout,
                partial: false,
                payload: payload.as_bytes(),
            };
            assert_eq!(read, expected, "{line}");
        }
        assert_eq!(parse(b"2016-10-06T00:17:09Z stdout F x").unwrap().time, TIME - 669_794_202);
    }

    #[test]
    fn what_is_in_another_format_is_told() {
        for line in [
            "",
            "hello",
            "2016-10-06T00:17:09.669794202Z",
            "2016-10-06T00:17:09.669794202Z stdout",
            "2016-10-06T00:17:09.669794202Z stdout ",
            "2016-10-06T00:17:09.669794202Z stdlog F x",
            "2016-10-06T00:17:09.669794202Z stdout G x",
            "2016-10-06T00:17:09.669794202Z stdout FF x",
            "yesterday stdout F x",
        ] {
            assert_eq!(parse(line.as_bytes()), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            payload in proptest::collection::vec(any::<u8>(), 0..60),
            partial: bool,
            stderr: bool,
        ) {
            let (stream, tag) = (if stderr { "stderr" } else { "stdout" }, if partial { "P" } else { "F" });
            let mut line = format!("2016-10-06T00:17:09.669794202Z {stream} {tag} ").into_bytes();
            line.extend_from_slice(&payload);
            let read = parse(&line).unwrap();
            prop_assert_eq!((read.stream.as_str(), read.partial, read.payload), (stream, partial, &payload[..]));
        }

        #[test]
        fn any_bytes_are_read_without_panic(line in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse(&line);
        }
    }
}
