//! Messages in a stream of bytes (RFC 6587): each begins with its length, or ends with a line feed.
//! A sender may do either, and each message tells by its first byte.

use fairlead_wire::record::PAYLOAD_CAP;
use memchr::memchr;

/// Digits of a length, at most.
const DIGITS: usize = 9;

/// A message as it was framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// At most [`PAYLOAD_CAP`] bytes of it, without the line feed at its end.
    pub message: &'a [u8],
    /// How many more came.
    pub missing: u64,
    /// The sender has gone before all of it came.
    pub unfinished: bool,
}

/// Turns bytes, however they are cut, into messages.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    /// What of `buffer` is done with.
    done: usize,
    state: State,
}

/// Where in a message `done` is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// Before it.
    #[default]
    Start,
    /// At its text: so many bytes are kept, so many more follow.
    Counted { keep: usize, more: u64 },
    /// In what is not kept.
    Skip { left: u64 },
    /// At its text, which has no line feed in its first `looked` bytes. Beyond the cap so many were
    /// taken out of the buffer.
    Line { looked: usize, missing: u64 },
}

impl Framer {
    /// Adds bytes as they came. Where messages are taken until there are none, at most one and what
    /// was added last is buffered.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..std::mem::take(&mut self.done));
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message; `None` until more bytes come. Empty ones are left out: some senders both
    /// count and end their messages.
    #[allow(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    pub fn next(&mut self) -> Option<Frame<'_>> {
        loop {
            let (start, end, missing) = self.advance()?;
            if end > start {
                let message = &self.buffer[start..end];
                return Some(Frame { message, missing, unfinished: false });
            }
        }
    }

    /// What a sender that has gone did not finish.
    pub fn finish(&mut self) -> Option<Frame<'_>> {
        // A line whose sender has gone has its end.
        let (missing, unfinished) = match std::mem::take(&mut self.state) {
            State::Line { missing, .. } => (missing, false),
            State::Counted { .. } => (0, true),
            State::Start | State::Skip { .. } => (0, false),
        };
        let message = &self.buffer[std::mem::replace(&mut self.done, self.buffer.len())..];
        (!message.is_empty()).then_some(Frame { message, missing, unfinished })
    }

    /// The next message's start and end in the buffer, and what is missing of it.
    fn advance(&mut self) -> Option<(usize, usize, u64)> {
        loop {
            let rest = &self.buffer[self.done..];
            match self.state {
                State::Start => self.state = self.begin()?,
                State::Skip { left } => {
                    let skipped = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    self.done += skipped;
                    match left - skipped as u64 {
                        0 => self.state = State::Start,
                        left => {
                            self.state = State::Skip { left };
                            return None;
                        }
                    }
                }
                State::Counted { keep, more } => {
                    let message = rest.get(..keep)?;
                    let length = if more > 0 { keep } else { without_line_end(message).len() };
                    let start = self.done;
                    self.done += keep;
                    self.state = State::Skip { left: more };
                    return Some((start, start + length, more));
                }
                State::Line { looked, missing } => {
                    let Some(end) = memchr(b'\n', &rest[looked..]).map(|at| looked + at) else {
                        let kept = rest.len().min(PAYLOAD_CAP);
                        let missing = missing + (rest.len() - kept) as u64;
                        self.buffer.truncate(self.done + kept);
                        self.state = State::Line { looked: kept, missing };
                        return None;
                    };
                    let missing = missing + end.saturating_sub(PAYLOAD_CAP) as u64;
                    let kept = end.min(PAYLOAD_CAP);
                    let cr = missing == 0 && rest[..kept].ends_with(b"\r");
                    let start = self.done;
                    self.done += end + 1;
                    self.state = State::Start;
                    return Some((start, start + kept - usize::from(cr), missing));
                }
            }
        }
    }

    /// How the next message is framed, and what precedes its text; `None` until that can be told.
    fn begin(&mut self) -> Option<State> {
        let rest = &self.buffer[self.done..];
        let digits = match rest.first()? {
            b'1'..=b'9' => rest.iter().take(DIGITS + 1).take_while(|b| b.is_ascii_digit()).count(),
            _ => 0,
        };
        let line = State::Line { looked: 0, missing: 0 };
        if digits == 0 || digits > DIGITS || *rest.get(digits)? != b' ' {
            return Some(line);
        }
        let length = rest[..digits].iter().fold(0, |sum, b| sum * 10 + usize::from(b - b'0'));
        self.done += digits + 1;
        let keep = length.min(PAYLOAD_CAP);
        Some(State::Counted { keep, more: (length - keep) as u64 })
    }
}

/// A message that comes alone may have a line's end all the same.
pub(super) fn without_line_end(message: &[u8]) -> &[u8] {
    let line = message.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    line.unwrap_or(message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn messages(pieces: &[&[u8]]) -> Vec<(Vec<u8>, u64, bool)> {
        let mut framer = Framer::default();
        let mut messages = Vec::new();
        let mut add = |Frame { message, missing, unfinished }: Frame<'_>| {
            messages.push((message.to_vec(), missing, unfinished));
        };
        for piece in pieces {
            framer.push(piece);
            while let Some(frame) = framer.next() {
                add(frame);
            }
        }
        framer.finish().into_iter().for_each(add);
        messages
    }

    fn texts(bytes: &[u8]) -> Vec<String> {
        let text = |(message, missing, unfinished)| {
            let message = String::from_utf8(message).unwrap();
            match (missing, unfinished) {
                (0, false) => message,
                (0, true) => message + " and so on",
                (more, _) => format!("{message} and {more} more"),
            }
        };
        messages(&[bytes]).into_iter().map(text).collect()
    }

    #[test]
    fn both_framings_on_one_stream() {
        assert_eq!(
            texts(b"5 <1>ab<2>c\r\n7 <3>a\nb\n4 <4>x"),
            ["<1>ab", "<2>c", "<3>a\nb", "<4>x"]
        );
        // Counted, and ended all the same, inside or behind the count.
        assert_eq!(texts(b"4 <1>a\n5 <1>b\n4 <1>c"), ["<1>a", "<1>b", "<1>c"]);
    }

    #[test]
    fn digits_that_are_no_length_are_text() {
        assert_eq!(
            texts(b"12:30 up\n0 a\n1234567890 b\n99\n"),
            ["12:30 up", "0 a", "1234567890 b", "99"]
        );
    }

    #[test]
    fn what_a_sender_did_not_finish_is_there() {
        assert_eq!(texts(b"<1>a"), ["<1>a"]);
        assert_eq!(texts(b"10 <1>a"), ["<1>a and so on"]);
        assert_eq!(texts(b"12"), ["12"]);
        assert!(texts(b"10 ").is_empty());
    }

    #[test]
    fn a_long_message_is_cut_and_its_rest_counted() {
        let long = "x".repeat(PAYLOAD_CAP + 7);
        let cut = format!("{} and 7 more", &long[..PAYLOAD_CAP]);
        assert_eq!(texts(format!("{long}\n<1>a\n").as_bytes()), [&cut, "<1>a"]);
        assert_eq!(texts(format!("{} {long}4 <1>a", long.len()).as_bytes()), [&cut, "<1>a"]);
        assert_eq!(texts(long.as_bytes()), [&*cut]);
        let whole = "x".repeat(PAYLOAD_CAP);
        assert_eq!(texts(format!("{whole}\n{whole}\n").as_bytes()), [&*whole, &whole]);
    }

    proptest! {
        /// However the bytes are cut.
        #[test]
        fn cuts_change_nothing(
            messages in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..40)), 0..8),
            cut in 1_usize..50,
        ) {
            let mut bytes = Vec::new();
            for (counted, message) in &messages {
                if *counted {
                    bytes.extend_from_slice(format!("{} ", message.len()).as_bytes());
                    bytes.extend_from_slice(message);
                } else {
                    bytes.extend_from_slice(message);
                    bytes.push(b'\n');
                }
            }
            let pieces: Vec<&[u8]> = bytes.chunks(cut).collect();
            prop_assert_eq!(super::tests::messages(&pieces), super::tests::messages(&[&bytes]));
        }

        /// Senders that count get through whatever they send.
        #[test]
        fn counted_messages_come_out_as_they_went_in(
            sent in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..200), 0..8),
        ) {
            let mut bytes = Vec::new();
            for message in &sent {
                bytes.extend_from_slice(format!("{} ", message.len()).as_bytes());
                bytes.extend_from_slice(message);
            }
            let expected: Vec<_> = sent
                .iter()
                .map(|message| (without_line_end(message).to_vec(), 0, false))
                .filter(|(message, ..)| !message.is_empty())
                .collect();
            prop_assert_eq!(super::tests::messages(&[&bytes]), expected);
        }
    }
}
