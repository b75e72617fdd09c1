//! Where the lines of a drain are: how far each app is read, what is under way, what goes again.
//!
//! Lines themselves are never kept: they stay in the ring, and what is sent again is read again.

use std::{
    collections::{HashMap, VecDeque},
    ops::Range,
};

use fairlead_drain::Verdict;

use super::{ledger::Ledger, ranges::Ranges};

/// Names an app to its drain.
pub(super) type Key = u64;

/// Where all lines of a drain are.
#[derive(Debug, Default)]
pub(super) struct Flight {
    places: HashMap<Key, Place>,
    /// In the order in which they were given to the sink.
    under_way: VecDeque<Run>,
    lines: usize,
    ledger: Ledger,
}

/// Where the lines of an app are.
#[derive(Debug, Default)]
struct Place {
    /// The number of the record to be read next.
    next: u64,
    /// Lines that are under way.
    flying: Ranges,
    /// Lines that were read and go again.
    again: Ranges,
    /// Lines without a verdict that have left before, and may have arrived.
    left: Ranges,
    /// What was lost and is not told.
    untold: Option<Lost>,
}

/// Lines that were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) lines: u64,
    /// When that was noticed first: nanoseconds since 1970-01-01 UTC.
    pub(super) since: i64,
}

/// What was given to the sink one after the other.
#[derive(Debug)]
struct Run {
    key: Key,
    what: What,
}

#[derive(Debug)]
enum What {
    Lines(Range<u64>),
    Notice(Lost),
}

impl Run {
    fn lines(&self) -> usize {
        match &self.what {
            What::Lines(range) => (range.end - range.start) as usize,
            What::Notice(_) => 1,
        }
    }
}

impl Flight {
    /// An app comes, of which all from a record on is wanted.
    pub(super) fn join(&mut self, key: Key, start: u64) {
        self.places.insert(key, Place { next: start, ..Place::default() });
    }

    /// An app goes. What is under way may still arrive; what is not will not.
    pub(super) fn leave(&mut self, key: Key) {
        if let Some(place) = self.places.remove(&key) {
            self.ledger.lose(place.again.count(), 0);
        }
    }

    /// The record up to which an app is done with.
    pub(super) fn done(&self, key: Key) -> u64 {
        self.places.get(&key).map_or(u64::MAX, Place::done)
    }

    /// What is to be read next of an app: lines that go again, else all from a record on.
    pub(super) fn wanted(&self, key: Key) -> Option<(Range<u64>, bool)> {
        let place = self.places.get(&key)?;
        Some(match place.again.first_range() {
            Some(again) => (again, true),
            None => (place.next..u64::MAX, false),
        })
    }

    /// Lines of an app are given to the sink: those that [go again](Self::wanted), or new ones.
    pub(super) fn send(&mut self, key: Key, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let Some(place) = self.places.get_mut(&key) else { return };
        let lines = range.end - range.start;
        let known = place.again.remove(range.clone());
        self.ledger.matched += lines - known;
        self.ledger.pending += lines - known;
        place.flying.insert(range.clone());
        place.next = place.next.max(range.end);
        self.lines += lines as usize;
        match self.under_way.back_mut() {
            Some(Run { key: last, what: What::Lines(before) })
                if *last == key && before.end == range.start =>
            {
                before.end = range.end;
            }
            _ => self.under_way.push_back(Run { key, what: What::Lines(range) }),
        }
    }

    /// A line was read that the sink decides without sending it.
    pub(super) fn decide(&mut self, key: Key, no: u64, verdict: Verdict) {
        let Some(place) = self.places.get_mut(&key) else { return };
        if place.again.remove(no..no + 1) == 0 {
            self.ledger.matched += 1;
            self.ledger.pending += 1;
        }
        place.left.remove(no..no + 1);
        place.next = place.next.max(no + 1);
        self.ledger.decide(verdict, 1);
    }

    /// All before a record that was not given to the sink is not wanted.
    pub(super) fn skip(&mut self, key: Key, to: u64) {
        if let Some(place) = self.places.get_mut(&key) {
            place.next = place.next.max(to);
        }
    }

    /// The ring begins at `first`: what is before it and not under way is lost, and that before
    /// `expired` not for want of room. `wanted` says how many of some records that nobody has read
    /// are for drains. Gives how many lines.
    pub(super) fn overrun(
        &mut self,
        key: Key,
        first: u64,
        expired: u64,
        now: i64,
        wanted: impl Fn(Range<u64>) -> u64,
    ) -> u64 {
        let Some(place) = self.places.get_mut(&key) else { return 0 };
        let expired = first.min(expired);
        place.left.remove(0..first.min(place.flying.first().unwrap_or(first)));
        let mut of_age = place.again.remove(0..expired);
        let mut lag = place.again.remove(expired..first);
        if place.next < first {
            let old = expired.clamp(place.next, first);
            let (unread_of_age, unread_lag) = (wanted(place.next..old), wanted(old..first));
            self.ledger.matched += unread_of_age + unread_lag;
            self.ledger.pending += unread_of_age + unread_lag;
            of_age += unread_of_age;
            lag += unread_lag;
            place.next = first;
        }
        self.ledger.lose(of_age, lag);
        let lost = of_age + lag;
        if lost > 0 {
            place.untold.get_or_insert(Lost { lines: 0, since: now }).lines += lost;
        }
        lost
    }

    /// What an app's receiver is to be told before the next line, once.
    pub(super) fn tell(&mut self, key: Key) -> Option<Lost> {
        let lost = self.places.get_mut(&key)?.untold.take()?;
        self.under_way.push_back(Run { key, what: What::Notice(lost) });
        self.lines += 1;
        Some(lost)
    }

    /// The notice that was added last can never be sent.
    pub(super) fn untellable(&mut self) {
        if self.under_way.pop_back_if(|run| matches!(run.what, What::Notice(_))).is_some() {
            self.lines -= 1;
        }
    }

    /// The verdicts of the oldest lines under way. `decided` is told of which lines they are.
    pub(super) fn verdicts(
        &mut self,
        verdicts: &[Verdict],
        decided: impl FnMut(Key, Range<u64>, Verdict),
    ) {
        self.decide_all(verdicts, true, decided);
    }

    /// Nothing is known of what is under way: all of it goes again. The newest lines, so many, have
    /// not left; `sent` says whether the others may have.
    pub(super) fn failed(&mut self, unsent: usize, sent: bool) {
        let again = vec![Verdict::Again; self.lines];
        let (older, newest) = again.split_at(self.lines.saturating_sub(unsent));
        self.decide_all(older, sent, |_, _, _| ());
        self.decide_all(newest, false, |_, _, _| ());
    }

    /// Nothing of it is sent any more: what has no verdict is lost.
    pub(super) fn end(&mut self) {
        self.under_way.clear();
        self.places.clear();
        self.lines = 0;
        self.ledger.lose(self.ledger.pending, 0);
    }

    fn decide_all(
        &mut self,
        verdicts: &[Verdict],
        sent: bool,
        mut decided: impl FnMut(Key, Range<u64>, Verdict),
    ) {
        let mut left = verdicts;
        while let Some((verdict, _)) = left.split_first()
            && let Some(run) = self.under_way.front_mut()
        {
            let same = left.iter().take_while(|other| *other == verdict).count().min(run.lines());
            let (key, done) = match &mut run.what {
                What::Notice(lost) => {
                    let (key, lost) = (run.key, *lost);
                    self.under_way.pop_front();
                    if *verdict == Verdict::Again {
                        self.untell(key, lost);
                    } else if !matches!(verdict, Verdict::Rejected(_)) {
                        self.ledger.notices += 1;
                    }
                    (key, 0..0)
                }
                What::Lines(range) => {
                    let (key, done) = (run.key, range.start..range.start + same as u64);
                    range.start = done.end;
                    if range.is_empty() {
                        self.under_way.pop_front();
                    }
                    (key, done)
                }
            };
            self.lines -= same;
            left = &left[same..];
            let place = self.places.get_mut(&key);
            let gone = place.is_none();
            if let Some(place) = place {
                place.flying.remove(done.clone());
                if sent {
                    self.ledger.resent += place.left.remove(done.clone());
                }
                match verdict {
                    Verdict::Again => {
                        place.again.insert(done.clone());
                        if sent {
                            place.left.insert(done.clone());
                        }
                    }
                    _ => _ = place.left.remove(done.clone()),
                }
            }
            let lines = done.end - done.start;
            match verdict {
                Verdict::Again if gone => self.ledger.lose(lines, 0),
                verdict => self.ledger.decide(*verdict, lines),
            }
            decided(key, done, *verdict);
        }
    }

    /// The sink has sent so many lines twice.
    pub(super) fn repeated(&mut self, lines: usize) {
        self.ledger.resent += lines as u64;
    }

    /// How many lines are under way.
    pub(super) fn under_way(&self) -> usize {
        self.lines
    }

    /// The apps of which lines go again.
    pub(super) fn going_again(&self) -> impl Iterator<Item = Key> {
        self.places.iter().filter(|(_, place)| !place.again.is_empty()).map(|(key, _)| *key)
    }

    pub(super) fn ledger(&self) -> Ledger {
        self.ledger
    }

    fn untell(&mut self, key: Key, lost: Lost) {
        if let Some(place) = self.places.get_mut(&key) {
            let untold = place.untold.get_or_insert(Lost { lines: 0, ..lost });
            untold.lines += lost.lines;
            untold.since = untold.since.min(lost.since);
        }
    }
}

impl Place {
    fn done(&self) -> u64 {
        let undecided = self.flying.first().into_iter().chain(self.again.first());
        undecided.fold(self.next, u64::min)
    }
}

#[cfg(test)]
mod tests;
