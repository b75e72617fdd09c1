//! A file's bytes become records and positions. Pure: bytes and times in, records out.

mod bucket;
mod join;
mod multiline;
mod pack;
mod position;

use std::time::Instant;

use fairlead_wire::Stream;
use fairlead_wire::record::PAYLOAD_CAP;
use memchr::{memchr, memchr_iter};

pub use bucket::Bucket;
pub use join::SPAN;
pub use pack::{Count, Pack, Rule, Tally};
pub use position::Position;

use crate::line::{self, Line};
use join::Joiner;

/// A line that is longer is not kept until its end has come: its head is, the rest is counted.
pub const LONG_LINE: usize = 128 * 1024;

/// Makes records of the lines of one file.
#[derive(Debug)]
pub struct Decoder {
    joiner: Joiner,
    /// Where the next bytes belong.
    at: u64,
    /// End of the last whole line.
    line_end: u64,
    /// Head of a long line.
    long: Option<Long>,
    /// For lines without a time.
    last_time: i64,
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct Long {
    head: Vec<u8>,
    dropped: u64,
}

impl Decoder {
    /// Goes on at a position that was reached before. Bytes are wanted from
    /// [`Position::read_from`] on.
    #[must_use]
    pub fn resume(position: Position, multiline: bool) -> Self {
        Self::new(Joiner::resume(position, multiline), position.read_from())
    }

    /// Begins with records that end behind `to`, an offset of which is not known what was open there.
    /// Bytes are wanted from `from` on, the start of a line; what is more than [`SPAN`] before `to`
    /// has no part in it.
    #[must_use]
    pub fn begin(from: u64, to: u64, multiline: bool) -> Self {
        Self::new(Joiner::begin(to, multiline), from)
    }

    const fn new(joiner: Joiner, at: u64) -> Self {
        Self { joiner, at, line_end: at, long: None, last_time: 0, scratch: Vec::new() }
    }

    /// Takes this time for lines that have none, until one that has one comes.
    pub const fn assume(&mut self, time: i64) {
        self.last_time = time;
    }

    /// Where the next bytes belong.
    #[must_use]
    pub const fn at(&self) -> u64 {
        self.at
    }

    /// Takes the bytes that belong at [`Decoder::at`]. Returns how many it took; the others are the
    /// beginning of a line and wanted again, with more behind them.
    pub fn feed(&mut self, bytes: &[u8], now: Instant, out: &mut Pack<'_>) -> usize {
        let mut start = 0;
        if let Some(long) = &mut self.long {
            let end = memchr(b'\n', bytes);
            let rest = end.unwrap_or(bytes.len());
            long.dropped += rest as u64;
            self.at += rest as u64;
            if end.is_none() {
                return bytes.len();
            }
            self.end_long(1, now, out);
            start = rest + 1;
        }
        let fresh = &bytes[start..];
        let mut line = 0;
        for end in memchr_iter(b'\n', fresh) {
            self.line(&fresh[line..end], 1, 0, now, out);
            line = end + 1;
        }
        start += line;
        let rest = &bytes[start..];
        if rest.len() >= LONG_LINE {
            let head = rest[..LONG_LINE].to_vec();
            self.long = Some(Long { head, dropped: (rest.len() - LONG_LINE) as u64 });
            self.at += rest.len() as u64;
            return bytes.len();
        }
        start
    }

    /// The file ends here for good; `rest` is what [`Decoder::feed`] did not take.
    pub fn finish(&mut self, rest: &[u8], now: Instant, out: &mut Pack<'_>) {
        if self.long.is_some() {
            self.end_long(0, now, out);
        } else if !rest.is_empty() {
            self.line(rest, 0, 0, now, out);
        }
        self.joiner.finish(out);
    }

    /// Ends all records: what comes next is in another file.
    pub fn cut(&mut self, out: &mut Pack<'_>) {
        self.joiner.cut(out);
    }

    /// Ends records that have waited for too long.
    pub fn tick(&mut self, now: Instant, out: &mut Pack<'_>) {
        self.joiner.tick(now, out);
    }

    /// When [`Decoder::tick`] has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.joiner.deadline()
    }

    /// Up to where everything was put out.
    #[must_use]
    pub fn position(&self) -> Position {
        self.joiner.position(self.line_end)
    }

    /// Takes the long line that ended, with a line feed or without.
    fn end_long(&mut self, feed: u64, now: Instant, out: &mut Pack<'_>) {
        let Some(Long { head, dropped }) = self.long.take() else { return };
        self.at -= head.len() as u64 + dropped;
        self.line(&head, dropped + feed, dropped, now, out);
    }

    /// Takes the line at `at`, of which `more` bytes are not given: its line feed, and payload that is
    /// left out.
    fn line(&mut self, text: &[u8], more: u64, dropped: u64, now: Instant, out: &mut Pack<'_>) {
        let range = (self.at, self.at + text.len() as u64 + more);
        (self.at, self.line_end) = (range.1, range.1);
        match line::parse(text, &mut self.scratch) {
            Some(line) => {
                self.last_time = line.time;
                self.joiner.line(range, &line, dropped, now, out);
            }
            // Nothing is lost because it is not understood.
            None => {
                let time = self.last_time;
                let line = Line { time, stream: Stream::Stdout, partial: false, payload: text };
                self.joiner.line(range, &line, dropped, now, out);
            }
        }
        // An unescaped line may have been large.
        self.scratch.shrink_to(PAYLOAD_CAP);
    }
}

#[cfg(test)]
mod tests;
