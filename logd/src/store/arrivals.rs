//! When records came, for the oldest to leave by age.
//!
//! Ages are measured on a clock that nobody sets, from when a record came: what its line claims may
//! be wrong by years, either way, and so may the system's clock.

use std::{collections::VecDeque, time::Duration};

/// How many marks an age is divided into: records leave up to such a part of it late.
const MARKS: i64 = 64;
/// The shortest time between marks. Nobody looks more often.
const SHORTEST: i64 = 1_000_000_000;

/// When the records of a ring came, coarsely. Times are nanoseconds on any clock that only rises.
#[derive(Debug, Default)]
pub(super) struct Arrivals(VecDeque<Mark>);

/// Records that came about together.
#[derive(Debug)]
struct Mark {
    /// The number of the record after them.
    next: u64,
    begin: i64,
    end: i64,
}

/// An age in the clock's unit.
pub(super) fn nanos(age: Duration) -> i64 {
    i64::try_from(age.as_nanos()).unwrap_or(i64::MAX)
}

impl Arrivals {
    /// The records before the number `next` that are not noted yet came at `time`, and may become
    /// as old as `age`.
    pub(super) fn note(&mut self, next: u64, time: i64, age: i64) {
        match self.0.back_mut() {
            Some(last) if next <= last.next => {}
            // What is older than those before it can leave only with them.
            Some(last) if time.saturating_sub(last.begin) < (age / MARKS).max(SHORTEST) => {
                (last.next, last.end) = (next, last.end.max(time));
            }
            _ => self.0.push_back(Mark { next, begin: time, end: time }),
        }
    }

    /// Forgets the records that all came before `time`. Gives the number of the record after them.
    pub(super) fn before(&mut self, time: i64) -> Option<u64> {
        let mut next = None;
        while let Some(first) = self.0.pop_front_if(|first| first.end < time) {
            next = Some(first.next);
        }
        next
    }

    /// Bytes that it takes in memory.
    pub(super) fn memory(&self) -> usize {
        self.0.capacity() * size_of::<Mark>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;
    const AGE: i64 = 640 * SECOND;

    #[test]
    fn records_leave_after_their_age_and_a_part_of_it_late_at_most() {
        let mut arrivals = Arrivals::default();
        let mut first = 0;
        for second in 0..5_000 {
            arrivals.note(second as u64 + 1, second * SECOND, AGE);
            first = arrivals.before(second * SECOND - AGE).unwrap_or(first);
            let due = (second - 640).max(0) as u64;
            assert!((due.saturating_sub(10)..=due).contains(&first), "{first} at {second}");
            assert!(arrivals.0.len() <= 66);
        }
    }

    #[test]
    fn records_that_came_later_do_not_leave_before_those_in_front_of_them() {
        let mut arrivals = Arrivals::default();
        arrivals.note(3, 100 * SECOND, AGE);
        arrivals.note(5, 20 * SECOND, AGE);
        assert_eq!(arrivals.before(100 * SECOND), None);
        arrivals.note(5, 200 * SECOND, AGE);
        arrivals.note(6, 200 * SECOND, AGE);
        assert_eq!(arrivals.before(100 * SECOND + 1), Some(5));
        assert_eq!(arrivals.before(i64::MAX), Some(6));
        assert_eq!(arrivals.before(i64::MAX), None);
    }
}
