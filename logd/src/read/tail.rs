//! The newest lines of an app.

use std::ops::Range;

use fairlead_ring::{Entry, Log, View};

use super::{filter::Filter, line::Lines};
use crate::origin::Origin;

/// Bytes of payload in an answer, at most. Older lines are left out.
pub(crate) const ANSWER: usize = 32 << 20;

/// Writes the newest `count` lines that are wanted, oldest first by event time.
pub(crate) fn tail(
    log: &Log<Origin>,
    filter: &Filter,
    count: usize,
    lines: &mut Lines,
    out: &mut Vec<u8>,
) {
    let views = enough(log.backwards(), filter, count);
    // Newest view first; of each the entries as they came.
    let mut parts: Vec<Vec<Entry<'_, Origin>>> = Vec::new();
    let (mut left, mut bytes) = (count, 0);
    for view in &views {
        let mut part: Vec<_> = view.entries().filter(|entry| filter.matches(entry)).collect();
        // The oldest ones over the bounds are not taken.
        let fits = part.iter().rev().take(left).take_while(|entry| {
            bytes += entry.record.payload.len();
            bytes <= ANSWER
        });
        let fits = fits.count();
        let over = part.len() - fits;
        part.drain(..over);
        left -= fits;
        parts.push(part);
        if over > 0 || left == 0 {
            break;
        }
    }
    parts.reverse();
    let mut entries = parts.concat();
    // Stable: lines of one time stay in the order in which they came.
    entries.sort_by_key(|entry| entry.record.time);
    let size = entries.iter().map(|entry| entry.record.payload.len() + 96).sum();
    out.reserve(size);
    entries.iter().for_each(|entry| lines.entry(out, entry));
}

/// The numbers of the records from the newest `count` on that are wanted.
pub(crate) fn newest(log: &Log<Origin>, filter: &Filter, count: usize) -> Range<u64> {
    let back = log.backwards();
    let end = back.end();
    if filter.is_empty() {
        return end.saturating_sub(count as u64).max(log.first().min(end))..end;
    }
    let (mut from, mut left) = (end, count);
    for view in back {
        if left == 0 {
            break;
        }
        let wanted = view.entries().filter(|entry| filter.matches(entry)).map(|entry| entry.no);
        let wanted: Vec<u64> = wanted.collect();
        let newest = &wanted[wanted.len().saturating_sub(left)..];
        from = newest.first().copied().unwrap_or(from);
        left -= newest.len();
    }
    from..end
}

/// The views that can have lines for the answer, newest first.
fn enough(
    back: impl Iterator<Item = View<Origin>>,
    filter: &Filter,
    count: usize,
) -> Vec<View<Origin>> {
    if !filter.is_empty() {
        return back.collect();
    }
    let mut views = Vec::new();
    let mut seen = 0;
    for view in back {
        if seen >= count as u64 {
            break;
        }
        seen += view.end() - view.first();
        views.push(view);
    }
    views
}
