//! What of an app a logd that is new to it is sent of what drains had: its newest, by time, over all its
//! containers of the node.
//!
//! What was written when is not looked up: a file begins at its first line's time and ends where the next
//! one begins. What is not compressed is looked at in some more places. Between two it is taken as written
//! evenly.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::UNIX_EPOCH;

use memchr::memchr_iter;

use super::{Container, LogFile, Place};
use crate::line;

/// What has no duration lasts so long, in nanoseconds.
const MOMENT: i64 = 1_000_000;

/// Into so many parts a file is divided, unless it is small; and how much is read to find a line.
const PARTS: u64 = 8;
const SMALL: u64 = 64 * 1024;
const PIECE: usize = 4096;

/// When a part of a file was written, in nanoseconds since 1970-01-01 UTC, and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    begin: i64,
    end: i64,
    bytes: u64,
}

impl Extent {
    fn new(begin: i64, end: i64, bytes: u64) -> Self {
        let end = end.max(begin.saturating_add(MOMENT));
        Self { begin, end, bytes }
    }

    /// How much of it was written since then, about.
    fn since(&self, time: i64) -> u64 {
        let left = self.end.saturating_sub(time.max(self.begin)).max(0).unsigned_abs();
        let all = self.end.saturating_sub(self.begin).unsigned_abs();
        let part = u128::from(self.bytes) * u128::from(left) / u128::from(all.max(1));
        u64::try_from(part).unwrap_or(self.bytes)
    }
}

/// How much of these was written since then.
#[must_use]
pub fn since(extents: &[Extent], time: i64) -> u64 {
    extents.iter().map(|extent| extent.since(time)).fold(0, u64::saturating_add)
}

/// The time since when `limit` bytes of these were written, or a little less; the beginning where all are
/// not more.
#[must_use]
pub fn time_of(extents: &[Extent], limit: u64) -> i64 {
    let (mut too_much, mut fits) = (i64::MIN, i64::MAX);
    if since(extents, too_much) <= limit {
        return too_much;
    }
    while fits - 1 > too_much {
        let middle = i64::midpoint(too_much, fits);
        *(if since(extents, middle) > limit { &mut too_much } else { &mut fits }) = middle;
    }
    fits
}

impl Container {
    /// Its files that can be sent once more.
    #[must_use]
    pub fn extents(&self) -> Vec<Extent> {
        let mut extents = Vec::new();
        let there = |file: &&LogFile| file.path(&self.directory).is_some() && file.size() > 0;
        let mut files = self.files.iter().filter(there).peekable();
        while let Some(file) = files.next() {
            let begin = |file: &LogFile| file.head.map(|head| head.time).filter(|time| *time != 0);
            let next = files.peek().and_then(|next| begin(next));
            let looked = self.looked_up(file);
            let end = next.or_else(|| looked.end()).unwrap_or_default();
            let mut from = (0, begin(file).unwrap_or(end));
            for (at, time) in looked.points.into_iter().chain([(file.size(), end)]) {
                // No clock that was set back makes a part end before it begins.
                let time = time.max(from.1);
                extents.push(Extent::new(from.1, time, at - from.0));
                from = (at, time);
            }
        }
        extents
    }

    /// What is seen at a glance of what is not compressed.
    fn looked_up(&self, file: &LogFile) -> Glance {
        let opened = || File::open(file.path(&self.directory)?).ok();
        let plain = !matches!(file.place, Place::Rotated(_, true));
        let mut glance = Glance::default();
        let opened = match &file.content {
            Some(content) if !content.is_complete() => content.file().try_clone().ok(),
            Some(_) => None,
            None => opened().filter(|_| plain),
        };
        let Some(opened) = opened else { return glance };
        let mut piece = [0; PIECE];
        let mut read = |at: u64, last: bool| {
            let read = opened.read_at(&mut piece, at).ok()?;
            time_in(&piece[..read], last)
        };
        let size = file.size();
        if size >= SMALL {
            let offsets = (1..PARTS).map(|part| size / PARTS * part);
            glance.points = offsets.filter_map(|at| Some((at, read(at, false)?))).collect();
        }
        glance.last = read(size.saturating_sub(PIECE as u64), true);
        let written = opened.metadata().and_then(|metadata| metadata.modified()).ok();
        let written = written.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        glance.written = written.and_then(|time| i64::try_from(time.as_nanos()).ok());
        glance
    }
}

/// Times in a file, without reading all of it.
#[derive(Default)]
struct Glance {
    /// At some offsets.
    points: Vec<(u64, i64)>,
    /// Of the last line.
    last: Option<i64>,
    /// When the file was written last.
    written: Option<i64>,
}

impl Glance {
    fn end(&self) -> Option<i64> {
        self.last.or(self.written)
    }
}

/// The time of the first or the last line that is whole in a piece of a file.
fn time_in(piece: &[u8], last: bool) -> Option<i64> {
    let mut ends = memchr_iter(b'\n', piece);
    let (from, to) = if last {
        let to = ends.next_back()?;
        (ends.next_back().map_or(0, |end| end + 1), to)
    } else {
        (ends.next()? + 1, ends.next()?)
    };
    line::parse(&piece[from..to], &mut Vec::new()).map(|line| line.time)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn of_a_busy_container_and_a_quiet_one_the_newest_are_taken() {
        // One wrote as much in ten seconds as the other in a hundred.
        let busy = Extent::new(90 * SECOND, 100 * SECOND, 10_000);
        let quiet = Extent::new(0, 100 * SECOND, 10_000);
        let time = time_of(&[busy, quiet], 5_500);
        assert!((94 * SECOND..=95 * SECOND).contains(&time), "{time}");
        assert_eq!((busy.since(time), quiet.since(time)), (5_000, 500));
        // One that ended before had its lines before.
        let ended = Extent::new(0, 50 * SECOND, 10_000);
        let time = time_of(&[busy, ended], 10_000);
        assert_eq!((busy.since(time), ended.since(time)), (10_000, 0));
    }

    #[test]
    fn a_time_is_that_of_a_whole_line() {
        let line = |second: u8| format!("2026-01-01T00:00:{second:02}.000000000Z stdout F a\n");
        let text = (0..4).map(line).collect::<String>();
        let second = |time: Option<i64>| time.map(|time| time / SECOND % 60);
        let piece = &text.as_bytes()[5..text.len() - 5];
        assert_eq!(
            (second(time_in(piece, false)), second(time_in(piece, true))),
            (Some(1), Some(2))
        );
        assert_eq!(second(time_in(line(7).as_bytes(), true)), Some(7));
        assert_eq!((time_in(b"", true), time_in(b"no line", false)), (None, None));
    }

    proptest! {
        #[test]
        fn what_is_taken_is_as_much_as_may_be(
            extents in proptest::collection::vec((any::<i64>(), any::<i64>(), 0..1_000_u64 << 20), 0..20),
            limit in 0..1_000_u64 << 20,
        ) {
            let extent = |(one, other, bytes): (i64, i64, u64)| Extent::new(one, other, bytes);
            let extents: Vec<_> = extents.into_iter().map(extent).collect();
            let all: u64 = extents.iter().map(|extent| extent.bytes).sum();
            let time = time_of(&extents, limit);
            let taken = since(&extents, time);
            prop_assert!(taken <= limit);
            if all <= limit {
                prop_assert_eq!(taken, all);
            } else {
                prop_assert!(since(&extents, time - 1) > limit);
            }
        }
    }
}
