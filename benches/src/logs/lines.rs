//! What containers write: physical lines that say who they are and that nobody can alter unnoticed.
//!
//! Line `number` of a stream is a function of the seed, the stream and the number: a checker needs
//! no copy of what was written. A line is `SEQ=STREAM:NUMBER` and text that looks like a log's, some
//! 216 bytes in the mean. Some lines are partial, that is the next line of the stream continues them.

use std::io::Write as _;

/// A container's standard output or standard error, numbered over all containers of a run: twice
/// the container's number, and one more for standard error.
pub type StreamId = u32;

const CORPUS: usize = 256 * 1024;
/// The longest text behind the number. Runtimes cut lines into pieces of at most 16 KiB.
const LONGEST: usize = 12 * 1024;
/// In every block of so many numbers that is chosen, the first [`LONG_PIECES`] are one long line.
const BLOCK: u64 = 4096;
const LONG_PIECES: u64 = 9;

/// All lines of a run.
#[derive(Debug, Clone)]
pub struct Lines {
    seed: u64,
    corpus: std::sync::Arc<[u8]>,
}

/// What a record is not: whole lines as they were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Torn;

impl Lines {
    /// The lines of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, corpus: corpus(seed).into() }
    }

    /// Whether the stream's next line continues this one.
    #[must_use]
    pub fn partial(&self, stream: StreamId, number: u64) -> bool {
        self.long(stream, number) || self.hash(stream, number).is_multiple_of(61)
    }

    /// Appends what is written, without the line feed.
    pub fn write(&self, stream: StreamId, number: u64, into: &mut Vec<u8>) {
        // Writing to a vector cannot fail.
        let _ = write!(into, "SEQ={stream}:{number}");
        into.extend_from_slice(self.text(stream, number));
    }

    /// Which line the bytes begin with, and what follows it.
    ///
    /// # Errors
    /// Where they do not begin with a whole line.
    pub fn read<'a>(&self, bytes: &'a [u8]) -> Result<(StreamId, u64, &'a [u8]), Torn> {
        let rest = bytes.strip_prefix(b"SEQ=").ok_or(Torn)?;
        let (stream, rest) = decimal(rest).ok_or(Torn)?;
        let (number, rest) = decimal(rest.strip_prefix(b":").ok_or(Torn)?).ok_or(Torn)?;
        let stream = StreamId::try_from(stream).map_err(|_| Torn)?;
        let rest = rest.strip_prefix(self.text(stream, number)).ok_or(Torn)?;
        Ok((stream, number, rest))
    }

    /// Begins with a space, so that it does not run into the number.
    fn text(&self, stream: StreamId, number: u64) -> &[u8] {
        let hash = self.hash(stream, number);
        let length = match hash >> 32 {
            _ if self.long(stream, number) => LONGEST,
            spread if spread % 50 == 0 => 1,
            spread => 90 + usize::try_from(spread % 230).expect("less than 230"),
        };
        let place = hash % ((CORPUS - LONGEST) as u64 / 64);
        let start = usize::try_from(place).expect("in the corpus") * 64;
        &self.corpus[start..start + length]
    }

    /// Whether it is a piece of a line that is longer than what a record may hold.
    fn long(&self, stream: StreamId, number: u64) -> bool {
        number % BLOCK < LONG_PIECES && self.hash(stream, !(number / BLOCK)).is_multiple_of(8)
    }

    fn hash(&self, stream: StreamId, number: u64) -> u64 {
        mix(mix(self.seed ^ u64::from(stream)) ^ number)
    }
}

/// Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014).
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Log-like text; a multiple of 64 bytes in always begins with a space.
fn corpus(seed: u64) -> Vec<u8> {
    const WORDS: [&str; 11] = [
        "{\"level\":\"info\",\"msg\":\"handled\"}",
        "GET /products/1942?page=3",
        "status=200",
        "status=503",
        "duration=0.0134",
        "user=alice@example.com",
        "trace=4bf92f3577b34da6a3ce929d0e0e4736",
        "at com.example.web.Handler.handle(Handler.java:118)",
        "cache miss, reading \"orders\" from db-2",
        "retry 1 of 3",
        "bytes=18231",
    ];
    let mut text = Vec::with_capacity(CORPUS + 64);
    let mut state = seed;
    while text.len() < CORPUS {
        state = mix(state);
        text.push(b' ');
        let word = WORDS[usize::try_from(state % WORDS.len() as u64).expect("an index")];
        text.extend_from_slice(word.as_bytes());
        let _ = write!(text, " {:x}", state >> 44);
    }
    text.truncate(CORPUS);
    text.iter_mut().step_by(64).for_each(|byte| *byte = b' ');
    text
}

fn decimal(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = bytes.split_at(digits);
    Some((std::str::from_utf8(number).ok()?.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(lines: &Lines, stream: StreamId, number: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        lines.write(stream, number, &mut bytes);
        bytes
    }

    #[test]
    fn lines_look_like_a_log() {
        let lines = Lines::new(7);
        let lengths: Vec<_> = (0..100_000).map(|number| line(&lines, 3, number).len()).collect();
        let mean = lengths.iter().sum::<usize>() / lengths.len();
        assert!((200..300).contains(&mean), "{mean}");
        let partial = (0..100_000).filter(|number| lines.partial(3, *number)).count();
        assert!((1000..3000).contains(&partial), "{partial}");
        // Longer than the 64 KiB of a record.
        let long = (0..100_000).filter(|number| lines.long(3, *number)).count();
        assert!(long > 0 && LONG_PIECES as usize * LONGEST > 64 * 1024, "{long}");
    }

    #[test]
    fn the_seed_decides() {
        let line = |seed| line(&Lines::new(seed), 1, 17);
        assert_eq!(line(1), line(1));
        assert_ne!(line(1), line(2));
    }

    proptest! {
        #[test]
        fn a_line_is_read_as_it_was_written(stream in 0..9u32, number in 0..20_000u64, next in 0..20_000u64) {
            let lines = Lines::new(7);
            let mut bytes = line(&lines, stream, number);
            let end = bytes.len();
            lines.write(stream, next, &mut bytes);
            prop_assert_eq!(lines.read(&bytes), Ok((stream, number, &bytes[end..])));
        }

        #[test]
        fn a_line_that_is_altered_is_torn(
            number in 0..20_000u64,
            place in any::<prop::sample::Index>(),
            cut in any::<bool>(),
        ) {
            let lines = Lines::new(7);
            let mut bytes = line(&lines, 0, number);
            let place = place.index(bytes.len());
            if cut {
                bytes.remove(place);
            } else {
                bytes[place] ^= 1;
            }
            // What remains of a line is at most another line, never this one.
            let read = lines.read(&bytes);
            prop_assert!(!matches!(read, Ok((0, n, rest)) if n == number && rest.is_empty()), "{read:?}");
        }
    }
}
