//! The CRI log format: a record a line, `TIME STREAM TAG CONTENT`, where the tag is `F`, or `P` for a
//! piece of a line that goes on.

use std::io::Write as _;

use jiff::Timestamp;

/// The longest piece of a line that one record holds, as in containerd.
pub(super) const LONGEST_PIECE: usize = 16 * 1024;

/// The longest record: time, stream, tag and a piece.
pub(super) const LONGEST_RECORD: usize = LONGEST_PIECE + 64;

/// Cuts bytes into records.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    /// The beginning of a line whose end has not come: at most one piece.
    line: Vec<u8>,
}

impl Encoder {
    pub(super) fn push(
        &mut self,
        mut bytes: &[u8],
        now: Timestamp,
        stream: &str,
        records: &mut Vec<u8>,
    ) {
        while !bytes.is_empty() {
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let room = LONGEST_PIECE - self.line.len();
            let take = end.unwrap_or(bytes.len()).min(room);
            self.line.extend_from_slice(&bytes[..take]);
            bytes = &bytes[take..];
            if let [b'\n', rest @ ..] = bytes {
                bytes = rest;
                self.emit(b'F', now, stream, records);
            } else if !bytes.is_empty() {
                self.emit(b'P', now, stream, records);
            }
        }
    }

    /// The stream has ended: a line without its end is a line.
    pub(super) fn finish(&mut self, now: Timestamp, stream: &str, records: &mut Vec<u8>) {
        if !self.line.is_empty() {
            self.emit(b'F', now, stream, records);
        }
    }

    fn emit(&mut self, tag: u8, now: Timestamp, stream: &str, records: &mut Vec<u8>) {
        // Writing to a vector cannot fail.
        let _ = write!(records, "{now:.9} {stream} ");
        records.extend_from_slice(&[tag, b' ']);
        records.append(&mut self.line);
        records.push(b'\n');
    }
}

/// One record, without the end of its line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// As written, RFC 3339 with nanoseconds.
    pub(super) time: &'a [u8],
    /// Whether its line ends with it.
    pub(super) full: bool,
    pub(super) stream: &'a [u8],
    pub(super) content: &'a [u8],
}

impl<'a> Record<'a> {
    /// `None` for what is no record.
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        let mut parts = line.splitn(4, |byte| *byte == b' ');
        let (time, stream) = (parts.next()?, parts.next()?);
        let (tag, content) = (parts.next()?, parts.next()?);
        // Tags may be followed by others, separated by colons.
        let full = match tag.split(|byte| *byte == b':').next()? {
            b"F" => true,
            b"P" => false,
            _ => return None,
        };
        Some(Self { time, full, stream, content })
    }

    pub(super) fn timestamp(&self) -> Option<Timestamp> {
        std::str::from_utf8(self.time).ok()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(chunks: &[&[u8]]) -> String {
        let mut encoder = Encoder::default();
        let mut records = Vec::new();
        let now = Timestamp::from_nanosecond(1_500_000_000_000_000_007).unwrap();
        for chunk in chunks {
            encoder.push(chunk, now, "stdout", &mut records);
        }
        encoder.finish(now, "stdout", &mut records);
        String::from_utf8(records).unwrap()
    }

    #[test]
    fn lines_become_records_whatever_the_reads() {
        let expected = "2017-07-14T02:40:00.000000007Z stdout F one\n\
                        2017-07-14T02:40:00.000000007Z stdout F \n\
                        2017-07-14T02:40:00.000000007Z stdout F two\n";
        assert_eq!(encode(&[b"one\n\ntwo"]), expected);
        assert_eq!(encode(&[b"o", b"ne\n", b"\nt", b"wo\n"]), expected);
    }

    #[test]
    fn a_long_line_is_cut_into_pieces() {
        let line = "x".repeat(LONGEST_PIECE + 1) + "\n";
        let records = encode(&[line.as_bytes()]);
        let full: Vec<_> =
            records.lines().map(|line| Record::parse(line.as_bytes()).unwrap().full).collect();
        assert_eq!(full, [false, true]);
        assert!(records.ends_with(" F x\n"));
        let exact = "x".repeat(LONGEST_PIECE) + "\n";
        assert_eq!(encode(&[exact.as_bytes()]).lines().count(), 1);
    }

    #[test]
    fn what_is_no_record_is_told() {
        for bad in ["", "x", "2017 stdout F", "2017 stdout X content"] {
            assert_eq!(Record::parse(bad.as_bytes()), None, "{bad}");
        }
        let record = Record::parse(b"2017-07-14T02:40:00Z stderr P a b c").expect("a record");
        assert_eq!(
            (record.stream, record.content, record.full),
            (&b"stderr"[..], &b"a b c"[..], false)
        );
        assert_eq!(record.timestamp(), Some("2017-07-14T02:40:00Z".parse().unwrap()));
    }

    proptest::proptest! {
        #[test]
        fn joined_pieces_are_what_was_written(
            chunks in proptest::collection::vec("[a-z\n]{0,40}", 0..20),
        ) {
            let chunks: Vec<&[u8]> = chunks.iter().map(|chunk| chunk.as_bytes()).collect();
            let records = encode(&chunks);
            let mut written = Vec::new();
            for line in records.lines() {
                let record = Record::parse(line.as_bytes()).unwrap();
                written.extend_from_slice(record.content);
                if record.full {
                    written.push(b'\n');
                }
            }
            let mut expected = chunks.concat();
            if !expected.is_empty() && !expected.ends_with(b"\n") {
                expected.push(b'\n');
            }
            proptest::prop_assert_eq!(written, expected);
        }

        #[test]
        fn any_bytes_parse_without_panic(line in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
            if let Some(record) = Record::parse(&line) {
                record.timestamp();
            }
        }
    }
}
