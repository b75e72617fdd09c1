//! The format of Docker's `json-file` driver: `{"log":"hello\n","stream":"stdout","time":"…"}`.
//!
//! A payload that does not end in a line feed is a piece of a line: Docker cuts at 16 KiB.

use fairlead_wire::Stream;
use memchr::memchr2;

use super::{Line, time};

/// Nesting of values that are passed over (`attrs` is an object of strings).
const DEPTH: usize = 16;

/// Reads a line without its line feed; an escaped payload is written out to `scratch`. Members may
/// come in any order; ones not known are passed over. `None` for what is not in this format.
#[must_use]
pub fn parse<'a>(line: &'a [u8], scratch: &'a mut Vec<u8>) -> Option<Line<'a>> {
    let mut cursor = Cursor { text: line, at: 0 };
    let (mut log, mut stream, mut time) = (None, Stream::Stdout, None);
    cursor.expect(b'{')?;
    if !cursor.take(b'}') {
        loop {
            let name = cursor.string()?;
            cursor.expect(b':')?;
            match name {
                b"log" => log = Some(cursor.string()?),
                b"stream" => {
                    stream = match cursor.string()? {
                        b"stdout" => Stream::Stdout,
                        b"stderr" => Stream::Stderr,
                        _ => return None,
                    }
                }
                b"time" => time = Some(time::parse(cursor.string()?)?),
                _ => cursor.pass(DEPTH)?,
            }
            if cursor.take(b'}') {
                break;
            }
            cursor.expect(b',')?;
        }
    }
    if !cursor.is_at_end() {
        return None;
    }
    let (log, time) = (log?, time?);
    let (raw, partial) = match log.strip_suffix(b"\\n") {
        // A backslash before it makes it a backslash and an n.
        Some(raw) if trailing_backslashes(raw).is_multiple_of(2) => (raw, false),
        _ => (log, true),
    };
    let payload = if memchr::memchr(b'\\', raw).is_none() {
        raw
    } else {
        scratch.clear();
        unescape(raw, scratch)?;
        &scratch[..]
    };
    Some(Line { time, stream, partial, payload })
}

fn trailing_backslashes(text: &[u8]) -> usize {
    text.iter().rev().take_while(|byte| **byte == b'\\').count()
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn space(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Takes the byte if it comes next.
    fn take(&mut self, byte: u8) -> bool {
        self.space();
        let there = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.take(byte).then_some(())
    }

    fn is_at_end(&mut self) -> bool {
        self.space();
        self.at == self.text.len()
    }

    /// A string as it is written, without its quotes.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            self.at += memchr2(b'"', b'\\', self.text.get(self.at..)?)?;
            if self.text[self.at] == b'"' {
                self.at += 1;
                return Some(&self.text[start..self.at - 1]);
            }
            self.at += 2;
        }
    }

    /// Passes over a value.
    fn pass(&mut self, depth: usize) -> Option<()> {
        self.space();
        let (open, close) = match self.text.get(self.at)? {
            b'"' => return self.string().map(drop),
            b'{' => (b'{', b'}'),
            b'[' => (b'[', b']'),
            _ => {
                let literal = self.text[self.at..]
                    .iter()
                    .take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
                    .count();
                self.at += literal;
                return (literal > 0).then_some(());
            }
        };
        let depth = depth.checked_sub(1)?;
        self.expect(open)?;
        if self.take(close) {
            return Some(());
        }
        loop {
            if open == b'{' {
                self.string()?;
                self.expect(b':')?;
            }
            self.pass(depth)?;
            if self.take(close) {
                return Some(());
            }
            self.expect(b',')?;
        }
    }
}

/// Writes a string out as the bytes it stands for. Half a surrogate pair is U+FFFD, as Go has it.
fn unescape(mut text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    while let Some(escape) = memchr::memchr(b'\\', text) {
        out.extend_from_slice(&text[..escape]);
        text = &text[escape + 1..];
        let (kind, rest) = text.split_first()?;
        text = rest;
        out.push(match kind {
            b'"' | b'\\' | b'/' => *kind,
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'b' => 8,
            b'f' => 12,
            b'u' => {
                let (character, rest) = code_point(text)?;
                text = rest;
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            _ => return None,
        });
    }
    out.extend_from_slice(text);
    Some(())
}

/// What stands behind `\u`.
fn code_point(text: &[u8]) -> Option<(char, &[u8])> {
    let (first, rest) = hex(text)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, rest));
    }
    if (0xd800..0xdc00).contains(&first)
        && let Some((second @ 0xdc00..0xe000, behind)) = rest.strip_prefix(b"\\u").and_then(hex)
    {
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return Some((char::from_u32(code)?, behind));
    }
    Some((char::REPLACEMENT_CHARACTER, rest))
}

fn hex(text: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_first_chunk::<4>()?;
    let mut value = 0;
    for digit in digits {
        value = value * 16 + char::from(*digit).to_digit(16)?;
    }
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TIME: i64 = 1_475_713_029_669_794_202;

    fn read(line: &str) -> Option<(Vec<u8>, bool, Stream, i64)> {
        let mut scratch = Vec::new();
        let line = parse(line.as_bytes(), &mut scratch)?;
        Some((line.payload.to_vec(), line.partial, line.stream, line.time))
    }

    fn payload(log: &str) -> Option<(Vec<u8>, bool)> {
        let line = format!(r#"{{"log":"{log}","stream":"stdout","time":"2016-10-06T00:17:09Z"}}"#);
        read(&line).map(|(payload, partial, ..)| (payload, partial))
    }

    #[test]
    fn a_line_is_read_whatever_the_order_of_its_members() {
        let expected = Some((b"hello".to_vec(), false, Stream::Stderr, TIME));
        for line in [
            r#"{"log":"hello\n","stream":"stderr","time":"2016-10-06T00:17:09.669794202Z"}"#,
            r#"{"time":"2016-10-06T00:17:09.669794202Z","attrs":{"a":"}","b":[1,{}]},"stream":"stderr","log":"hello\n"}"#,
            r#" { "log" : "hello\n" , "x" : null, "y": -1.5e3, "stream":"stderr","time":"2016-10-06T00:17:09.669794202Z" } "#,
        ] {
            assert_eq!(read(line), expected, "{line}");
        }
    }

    #[test]
    fn a_payload_becomes_the_bytes_it_stands_for() {
        let whole = |text: &str| Some((text.as_bytes().to_vec(), false));
        assert_eq!(payload(r"\n"), whole(""));
        assert_eq!(payload(r#"a\tb\"c\\\/\u00e9\ud83d\ude00\n"#), whole("a\tb\"c\\/é😀"));
        assert_eq!(payload(r"lone \ud83d half\n"), whole("lone \u{fffd} half"));
        assert_eq!(payload(r"\ud83d\ud83d\ude00\n"), whole("\u{fffd}😀"));
    }

    #[test]
    fn a_payload_without_a_line_feed_is_a_piece() {
        assert_eq!(payload("piece"), Some((b"piece".to_vec(), true)));
        assert_eq!(payload(""), Some((Vec::new(), true)));
        // An escaped backslash and an n.
        assert_eq!(payload(r"C:\\n"), Some((br"C:\n".to_vec(), true)));
        assert_eq!(payload(r"C:\\\n"), Some((br"C:\".to_vec(), false)));
    }

    #[test]
    fn what_is_in_another_format_is_told() {
        for line in [
            "",
            "{",
            "{}",
            r#"{"log":"x"}"#,
            r#"{"log":"x","time":"never"}"#,
            r#"{"log":"x\q","time":"2016-10-06T00:17:09Z"}"#,
            r#"{"log":"x\u12","time":"2016-10-06T00:17:09Z"}"#,
            r#"{"log":"x","stream":"stdin","time":"2016-10-06T00:17:09Z"}"#,
            r#"{"log":"x","time":"2016-10-06T00:17:09Z"} x"#,
            r#"{"log":"x","time":"2016-10-06T00:17:09Z",}"#,
            r#"{"log":"x\"#,
        ] {
            assert_eq!(read(line), None, "{line}");
        }
        let deep = format!(r#"{{"x":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(read(&deep), None);
    }

    proptest! {
        #[test]
        fn what_serde_writes_is_read(log: String, stderr: bool) {
            let stream = if stderr { "stderr" } else { "stdout" };
            let line = serde_json::json!({
                "log": log, "stream": stream, "time": "2016-10-06T00:17:09.669794202Z",
            });
            let (payload, partial, read_stream, time) = read(&line.to_string()).unwrap();
            prop_assert_eq!(partial, !log.ends_with('\n'));
            prop_assert_eq!(payload, log.strip_suffix('\n').unwrap_or(&log).as_bytes());
            prop_assert_eq!((read_stream.as_str(), time), (stream, TIME));
        }

        #[test]
        fn any_bytes_are_read_without_panic(line in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse(&line, &mut Vec::new());
        }

        #[test]
        fn any_json_is_read_without_panic(line in r#"[{}\[\]":,\\u0-9a-f ]{0,60}"#) {
            let _ = parse(line.as_bytes(), &mut Vec::new());
        }
    }
}
