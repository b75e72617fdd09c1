//! One file of a container's log, and how far it is.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fairlead_wire::message::GapReason;

use crate::decode::{Decoder, Position};
use crate::file::{Content, Head, Inode};
use crate::path::{LogName, RotatedAt};

use super::gap::Gap;
use super::growth::Growth;

/// Batches of a file that logd has and has not settled, at most; beyond, borders between them are
/// forgotten, so that a rewind goes back a little further.
const MARKS: usize = 1024;

/// How often a file that is not written any more is tried where it cannot be read: for about 8 s.
const TRIES: u32 = 6;

/// `ENFILE` and `EMFILE`, on every Linux.
const OUT_OF_FILES: [i32; 2] = [23, 24];

/// How long until it is tried again, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// Where a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Being written, as `<restart>.log`.
    Live,
    /// Renamed, and perhaps compressed.
    Rotated(RotatedAt, bool),
    /// Deleted: what is left of it is what is open.
    Gone,
}

/// From where to send a file that logd never had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// From a position that was reached before.
    At(Position),
    /// From somewhere near this offset, for readers only.
    Near(u64),
}

impl Begin {
    /// This, or where `floor` is if that is later.
    #[must_use]
    pub const fn not_before(self, floor: Position) -> Self {
        let (Self::At(Position { to, .. }) | Self::Near(to)) = self;
        if to < floor.to { Self::At(floor) } else { self }
    }
}

/// What is being done with a file.
#[derive(Debug)]
pub enum Stage {
    /// It is not its turn, or nobody was told of it on this connection.
    Waiting,
    /// logd is asked how far it has it. The number is the file's on this connection.
    Opening(u32),
    /// It is read and sent.
    Reading(u32, Box<Reading>),
    /// All of it was sent; logd has to store and settle it.
    Ending(u32),
}

/// A file being read.
#[derive(Debug)]
pub struct Reading {
    /// Makes records of it.
    pub decoder: Decoder,
    /// Up to where it was sent.
    pub sent: Position,
    /// Whether the last read came to its end.
    pub at_end: bool,
    /// What comes before what is sent next is [lacking](LogFile::lacking).
    pub lacking: bool,
    /// How fast it grows.
    pub growth: Growth,
}

/// What keeps a file from being read; nothing is its default.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trouble {
    /// There was something in it, and nobody could open it yet.
    pub unread: bool,
    /// How often in a row it could not be read.
    pub failures: u32,
    /// Until when that is not tried again.
    pub retry: Option<Instant>,
}

impl Trouble {
    /// Why it is missing, where it is.
    #[must_use]
    pub const fn reason(self) -> GapReason {
        if self.failures > 0 { GapReason::Unreadable } else { GapReason::Deleted }
    }
}

/// A file of a container's log.
#[derive(Debug)]
pub struct LogFile {
    /// Names it in this process.
    pub id: u64,
    /// How often the container was restarted before it.
    pub restart: u32,
    /// Where it is.
    pub place: Place,
    /// Which file it is, as long as it is open.
    pub inode: Option<Inode>,
    /// Open, unless everything of it is done.
    pub content: Option<Content>,
    /// Its first line; `None` where that is not complete.
    pub head: Option<Head>,
    /// Up to where the container's logd has it. `None`: it was never sent there.
    pub stored: Option<Position>,
    /// Up to where every drain has it.
    pub settled: Position,
    /// Up to where it was excluded when it was read last: what is before is never sent.
    pub floor: Position,
    /// Ends of batches behind `settled`.
    pub marks: VecDeque<Position>,
    /// Its size, once it was read to its end and will not grow.
    pub complete: Option<u64>,
    /// Up to where it was read, to its end, when the next file had begun: though it may still grow for a
    /// moment, nothing is known to be missing where it is then gone.
    pub drained: Option<u64>,
    /// Since when it is to end: it was deleted, or another one follows it.
    pub ending: Option<Instant>,
    /// Since when it is known.
    pub since: Instant,
    /// Since when it is gone.
    pub gone: Option<Instant>,
    /// What keeps it from being read.
    pub trouble: Trouble,
    /// Whether this process saw that it reaches as far as logd has it; if not, how long it is: the machine
    /// lost its power, and with it the end of the file.
    pub reaches: Result<(), u64>,
    /// From where to send it to a logd that never had it.
    pub begin: Begin,
    /// What came before what of it is sent an earlier logd had, and this one does not get.
    pub lacking: bool,
    /// What is missing right before it.
    pub gap: Option<Gap>,
    /// What is missing behind it, as long as there is no file after it.
    pub tail: Option<Gap>,
    /// What is being done with it.
    pub stage: Stage,
    /// When logd was asked how far it has it.
    pub asked: Instant,
}

impl LogFile {
    /// A file of which nothing was read.
    #[must_use]
    pub const fn new(id: u64, restart: u32, place: Place, now: Instant) -> Self {
        Self {
            id,
            restart,
            place,
            inode: None,
            content: None,
            head: None,
            stored: None,
            settled: Position::at(0),
            floor: Position::at(0),
            marks: VecDeque::new(),
            complete: None,
            drained: None,
            ending: None,
            since: now,
            gone: None,
            trouble: Trouble { unread: false, failures: 0, retry: None },
            reaches: Err(u64::MAX),
            begin: Begin::At(Position::at(0)),
            lacking: false,
            gap: None,
            tail: None,
            stage: Stage::Waiting,
            asked: now,
        }
    }

    /// Where it stands; `None` where it is gone.
    #[must_use]
    pub fn path(&self, directory: &Path) -> Option<PathBuf> {
        let (rotated, compressed) = match self.place {
            Place::Live => (None, false),
            Place::Rotated(at, compressed) => (Some(at), compressed),
            Place::Gone => return None,
        };
        let name = LogName { restart: self.restart, rotated, compressed };
        Some(directory.join(name.to_string()))
    }

    /// Whether logd has all of it and every drain, too: there is nothing to do any more.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.gap.is_none()
            && self.tail.is_none()
            && self.complete.is_some_and(|size| {
                self.settled.to >= size && self.stored.is_some_and(|stored| stored.to >= size)
            })
    }

    /// Its number on this connection.
    #[must_use]
    pub const fn number(&self) -> Option<u32> {
        match self.stage {
            Stage::Waiting => None,
            Stage::Opening(number) | Stage::Reading(number, _) | Stage::Ending(number) => {
                Some(number)
            }
        }
    }

    /// Bytes that were sent and that logd did not report as stored.
    #[must_use]
    pub fn unacknowledged(&self) -> u64 {
        let sent = match &self.stage {
            Stage::Reading(_, reading) => reading.sent.to,
            Stage::Ending(_) => self.complete.unwrap_or_default(),
            Stage::Waiting | Stage::Opening(_) => return 0,
        };
        sent.saturating_sub(self.stored.unwrap_or_default().to)
    }

    /// How many bytes it has, as far as is known.
    #[must_use]
    pub fn size(&self) -> u64 {
        let open = self.content.as_ref().and_then(|content| content.size().ok());
        let known = self.stored.unwrap_or_default().to.max(self.settled.to);
        self.complete.or(open).unwrap_or(known)
    }

    /// A batch that ends here was sent.
    pub fn sent(&mut self, position: Position) {
        if self.marks.len() == MARKS {
            let mut keep = false;
            self.marks.retain(|_| {
                keep = !keep;
                keep
            });
        }
        self.marks.push_back(position);
    }

    /// It was read up to here, and nothing of it is sent.
    pub fn excluded(&mut self, position: Position) {
        self.marks.clear();
        (self.stored, self.settled, self.floor) = (Some(position), position, position);
    }

    /// logd told how far it is. Returns how many bytes are stored that were not.
    pub fn acknowledged(&mut self, stored: u64, settled: u64) -> u64 {
        let before = self.stored.unwrap_or_default();
        let reached = |to: u64| self.marks.iter().rev().find(|mark| mark.to <= to).copied();
        let stored = reached(stored).filter(|mark| mark.to > before.to).unwrap_or(before);
        self.stored = Some(stored);
        // Told with the first batch.
        self.lacking &= stored == before;
        if let Some(mark) = reached(settled).filter(|mark| mark.to > self.settled.to) {
            self.settled = mark;
        }
        let settled = self.settled.to.min(stored.to);
        while self.marks.front().is_some_and(|mark| mark.to <= settled) {
            self.marks.pop_front();
        }
        stored.to - before.to
    }

    /// logd had it from an earlier connection.
    pub fn reopened(&mut self, at: Position, settled: u64) {
        self.marks.retain(|mark| mark.to < at.to);
        self.marks.push_back(at);
        self.stored = None;
        self.acknowledged(at.to, settled);
    }

    /// logd does not have it, whatever it had before.
    pub fn unknown(&mut self) {
        self.marks.clear();
        self.stored = None;
    }

    /// It could not be read. Says when to try again; `None` where that is of no use, or was done often
    /// enough: one that is written is all that there is to read, another one has others behind it.
    pub fn failed(&mut self, error: &io::Error, now: Instant) -> Option<Instant> {
        let trouble = &mut self.trouble;
        trouble.failures = trouble.failures.saturating_add(1);
        // What the process or the machine is short of says nothing of the file.
        let short = error.kind() == io::ErrorKind::OutOfMemory
            || error.raw_os_error().is_some_and(|code| OUT_OF_FILES.contains(&code));
        // What cannot be decompressed never can.
        let hopeless = error.raw_os_error().is_none();
        let enough = !short && self.ending.is_some() && trouble.failures >= TRIES;
        let wait = RETRY.0 * 2_u32.pow(trouble.failures.min(16) - 1);
        trouble.retry = (!hopeless && !enough).then(|| now + wait.min(RETRY.1));
        trouble.retry
    }

    /// The connection ended.
    pub fn disconnected(&mut self) {
        self.stage = Stage::Waiting;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(marks: &[u64]) -> LogFile {
        let mut file = LogFile::new(1, 0, Place::Live, Instant::now());
        marks.iter().for_each(|to| file.sent(Position::at(*to)));
        file
    }

    #[test]
    fn acknowledgements_move_positions_to_ends_of_batches() {
        let mut file = file(&[10, 20, 30]);
        assert_eq!(file.acknowledged(20, 10), 20);
        assert_eq!((file.stored, file.settled.to), (Some(Position::at(20)), 10));
        assert_eq!(file.acknowledged(29, 25), 0);
        assert_eq!((file.stored, file.settled.to), (Some(Position::at(20)), 20));
        assert_eq!(file.acknowledged(30, 30), 10);
        assert!(file.marks.is_empty());
        assert_eq!(file.acknowledged(10, 10), 0);
        assert_eq!((file.stored, file.settled.to), (Some(Position::at(30)), 30));
    }

    #[test]
    fn what_was_sent_and_never_arrived_is_forgotten_on_a_new_connection() {
        let mut file = file(&[10, 20, 30]);
        file.acknowledged(10, 0);
        let at = Position { to: 20, open_stdout: Some(15), open_stderr: None };
        file.reopened(at, 10);
        assert_eq!((file.stored, file.settled.to), (Some(at), 10));
        assert_eq!(file.marks, [at]);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_tried_for_some_seconds_and_one_that_is_written_as_long_as_it_is()
     {
        let (start, eio) = (Instant::now(), io::Error::from_raw_os_error(5));
        let mut file = file(&[]);
        let mut now = start;
        for _ in 0..100 {
            now = file.failed(&eio, now).unwrap();
        }
        assert_eq!(file.failed(&eio, now), Some(now + RETRY.1));
        file.trouble = Trouble::default();
        file.ending = Some(start);
        let mut now = start;
        while let Some(next) = file.failed(&eio, now) {
            now = next;
        }
        assert_eq!((file.trouble.failures, now - start), (TRIES, Duration::from_millis(7_750)));
        file.trouble = Trouble::default();
        for code in OUT_OF_FILES.into_iter().cycle().take(100) {
            assert!(file.failed(&io::Error::from_raw_os_error(code), now).is_some());
        }
        file.trouble = Trouble::default();
        let damaged = io::Error::from(io::ErrorKind::InvalidData);
        assert_eq!(file.failed(&damaged, now), None);
    }

    #[test]
    fn the_number_of_marks_is_bounded() {
        let mut file = file(&[]);
        (1..=10 * MARKS as u64).for_each(|to| file.sent(Position::at(to)));
        assert!(file.marks.len() <= MARKS);
        assert!(file.marks.iter().is_sorted_by_key(|mark| mark.to));
        assert_eq!(file.marks.back(), Some(&Position::at(10 * MARKS as u64)));
    }
}
