//! Lines of a file become records: pieces of a line, and on demand the lines of a stack trace, are
//! joined per stream.
//!
//! A record that may still grow holds up those behind it: positions never pass the start of its last
//! line, so that it can end there. What decides about a record's end is the file's content from
//! the record's start, so that reading it again decides the same; only the passing of time decides
//! otherwise, and what it decided is a position like any other.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use fairlead_wire::Stream;
use fairlead_wire::record::{Flags, PAYLOAD_CAP};

use super::multiline::Group;
use super::pack::Pack;
use super::position::Position;
use crate::line::Line;

/// How much of a file a record may span, beyond its last line. What is open at a position begins at
/// most so far before it.
pub const SPAN: u64 = 256 * 1024;

/// How long the end of a line may be missing.
const PARTIAL_WAIT: Duration = Duration::from_secs(30);

/// How long a record may wait for more where that holds up others, or where it is whole but for
/// further lines of a stack trace.
const HOLD_WAIT: Duration = Duration::from_secs(1);

const STREAMS: [Stream; 2] = [Stream::Stdout, Stream::Stderr];

/// A record that may still grow. Its text is kept apart.
#[derive(Debug)]
struct Open {
    start: u64,
    /// Start of its last line.
    last: u64,
    /// End of its last line.
    end: u64,
    time: i64,
    flags: Flags,
    dropped: u64,
    /// Whether the end of its line is missing.
    partial: bool,
    group: Group,
    since: Instant,
    touched: Instant,
}

/// A record that is whole and waits for one that ends before it.
#[derive(Debug)]
struct Held {
    start: u64,
    end: u64,
    time: i64,
    flags: Flags,
    dropped: u64,
    text: Vec<u8>,
}

/// A file's records under construction.
#[derive(Debug)]
pub(super) struct Joiner {
    multiline: bool,
    /// Where reading goes on; records that end at or before are there already.
    resumed: Position,
    /// Lines of a stream that start before belong to records that are there already.
    begin: [u64; 2],
    open: [Option<Open>; 2],
    text: [Vec<u8>; 2],
    /// In order of their ends.
    held: VecDeque<Held>,
}

impl Joiner {
    /// Goes on at a position that was reached before.
    pub(super) fn resume(position: Position, multiline: bool) -> Self {
        let begin = STREAMS.map(|stream| position.open(stream).unwrap_or(position.to));
        Self::new(position, begin, multiline)
    }

    /// Begins at an offset of which is not known what was open there, having read from before it.
    pub(super) fn begin(to: u64, multiline: bool) -> Self {
        Self::new(Position::at(to), [0; 2], multiline)
    }

    fn new(resumed: Position, begin: [u64; 2], multiline: bool) -> Self {
        let (open, text) = ([None, None], [Vec::new(), Vec::new()]);
        Self { multiline, resumed, begin, open, text, held: VecDeque::new() }
    }

    /// Takes the line that stands at `start..end`, its line feed included. `dropped` bytes of its
    /// payload are left out.
    pub(super) fn line(
        &mut self,
        (start, end): (u64, u64),
        line: &Line<'_>,
        dropped: u64,
        now: Instant,
        out: &mut Pack<'_>,
    ) {
        let s = line.stream as usize;
        if start < self.begin[s] {
            return;
        }
        let other = 1 - s;
        if self.open[other].as_ref().is_some_and(|open| end - open.start > SPAN) {
            self.complete(other, out);
        }
        let (payload, dropped) = match line.payload.split_at_checked(PAYLOAD_CAP) {
            Some((head, rest)) => (head, dropped + rest.len() as u64),
            None => (line.payload, dropped),
        };
        let truncated = if dropped > 0 { Flags::TRUNCATED } else { Flags::default() };
        if self.open[s].is_some() {
            if self.extend(s, (start, end), payload, line.partial, dropped, now) {
                if self.is_whole(s) {
                    self.complete(s, out);
                } else {
                    self.release(out);
                }
                return;
            }
            self.complete(s, out);
        }
        let stderr = if s == 1 { Flags::STDERR } else { Flags::default() };
        let flags = stderr.with(truncated);
        if !line.partial && !self.multiline && !self.is_open_at_resumption(s, end) {
            self.emit(start, end, line.time, flags, payload, dropped, out);
            return;
        }
        self.text[s].extend_from_slice(payload);
        let group = Group::begin(payload);
        self.open[s] = Some(Open {
            start,
            last: start,
            end,
            time: line.time,
            flags,
            dropped,
            partial: line.partial,
            group,
            since: now,
            touched: now,
        });
    }

    /// Ends records that have waited for too long.
    pub(super) fn tick(&mut self, now: Instant, out: &mut Pack<'_>) {
        for s in 0..2 {
            if self.deadline_of(s).is_some_and(|deadline| deadline <= now) {
                self.complete(s, out);
            }
        }
    }

    /// When [`Joiner::tick`] has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline_of(0).into_iter().chain(self.deadline_of(1)).min()
    }

    /// Ends all records.
    pub(super) fn cut(&mut self, out: &mut Pack<'_>) {
        self.complete(0, out);
        self.complete(1, out);
    }

    /// The file is at its end for good.
    pub(super) fn finish(&mut self, out: &mut Pack<'_>) {
        self.cut(out);
        self.open = [None, None];
        self.release(out);
    }

    /// Up to where everything was put out, lines up to `at` having been taken.
    pub(super) fn position(&self, at: u64) -> Position {
        if at <= self.resumed.to {
            return self.resumed;
        }
        let to = self.limit().min(at).max(self.resumed.to);
        let [open_stdout, open_stderr] = [0, 1].map(|s| self.open_at(s, to));
        Position { to, open_stdout, open_stderr }
    }

    /// Start of the stream's record that is open at `to`.
    fn open_at(&self, s: usize, to: u64) -> Option<u64> {
        let held = self.held.iter().filter(|held| held.flags.stream() as usize == s);
        let starts = held.map(|held| held.start).chain(self.open[s].iter().map(|open| open.start));
        starts.filter(|start| *start < to).min()
    }

    /// Positions do not pass it: the start of the last line of a record that may grow.
    fn limit(&self) -> u64 {
        self.open.iter().flatten().map(|open| open.last).min().unwrap_or(u64::MAX)
    }

    /// Adds a line to the stream's open record; false where it belongs to another one.
    fn extend(
        &mut self,
        s: usize,
        (start, end): (u64, u64),
        payload: &[u8],
        partial: bool,
        dropped: u64,
        now: Instant,
    ) -> bool {
        let must = self.open[s].as_ref().is_some_and(|o| self.is_open_at_resumption(s, o.end));
        let (Some(open), text) = (&mut self.open[s], &mut self.text[s]) else { return false };
        let feed = usize::from(!open.partial);
        let room = PAYLOAD_CAP - text.len();
        let group = match open.group.next(payload).filter(|_| self.multiline) {
            _ if open.partial => open.group,
            Some(group) => group,
            None if must => Group::begin(payload),
            None => return false,
        };
        let (mut payload, mut dropped) = (payload, dropped);
        if !must && (feed + payload.len() > room || end - open.start > SPAN) {
            return false;
        }
        if feed + payload.len() > room {
            let fits = room.saturating_sub(feed);
            dropped += (payload.len() - fits) as u64;
            payload = &payload[..fits];
        }
        open.group = group;
        if feed == 1 && text.len() < PAYLOAD_CAP {
            text.push(b'\n');
        }
        text.extend_from_slice(payload);
        if dropped > 0 {
            open.flags = open.flags.with(Flags::TRUNCATED);
            open.dropped += dropped;
        }
        (open.last, open.end, open.partial, open.touched) = (start, end, partial, now);
        true
    }

    /// A record that ends here was open where reading went on, so that its end is still to come:
    /// whatever the rules are by now, they were others when it was begun.
    fn is_open_at_resumption(&self, s: usize, end: u64) -> bool {
        end <= self.resumed.to && self.resumed.open(STREAMS[s]).is_some()
    }

    fn is_whole(&self, s: usize) -> bool {
        self.open[s].as_ref().is_some_and(|open| {
            !open.partial && !self.multiline && !self.is_open_at_resumption(s, open.end)
        })
    }

    fn deadline_of(&self, s: usize) -> Option<Instant> {
        let open = self.open[s].as_ref()?;
        if self.is_open_at_resumption(s, open.end) {
            return None;
        }
        Some(match open.partial {
            false => open.touched + HOLD_WAIT,
            true if !self.held.is_empty() => open.since + HOLD_WAIT,
            true => open.since + PARTIAL_WAIT,
        })
    }

    /// Ends the stream's open record, if there is one.
    fn complete(&mut self, s: usize, out: &mut Pack<'_>) {
        let resumed = self.open[s].as_ref().is_some_and(|o| self.is_open_at_resumption(s, o.end));
        if resumed {
            return;
        }
        let Some(open) = self.open[s].take() else { return };
        let flags = if open.partial { open.flags.with(Flags::CUT) } else { open.flags };
        let mut text = std::mem::take(&mut self.text[s]);
        self.emit(open.start, open.end, open.time, flags, &text, open.dropped, out);
        // The room is used again, unless it is large.
        text.clear();
        text.shrink_to(4 * 1024);
        self.text[s] = text;
        self.release(out);
    }

    /// Puts out a record, or holds it.
    #[expect(
        clippy::too_many_arguments,
        reason = "a record's fields, without building one per line"
    )]
    fn emit(
        &mut self,
        start: u64,
        end: u64,
        time: i64,
        flags: Flags,
        text: &[u8],
        dropped: u64,
        out: &mut Pack<'_>,
    ) {
        if end <= self.resumed.to {
            return;
        }
        if self.held.is_empty() && end <= self.limit() {
            out.push(end, time, flags, text, dropped);
            return;
        }
        let at = self.held.partition_point(|held| held.end < end);
        self.held.insert(at, Held { start, end, time, flags, dropped, text: text.to_vec() });
        self.release(out);
    }

    /// Puts out what nothing holds up any more.
    fn release(&mut self, out: &mut Pack<'_>) {
        let limit = self.limit();
        while let Some(held) = self.held.pop_front_if(|held| held.end <= limit) {
            out.push(held.end, held.time, held.flags, &held.text, held.dropped);
        }
    }
}
