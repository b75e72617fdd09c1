//! The newest lines of an app.

use std::ops::Range;

use fairlead_ring::{Entry, Log, View};

use super::{
    filter::Filter,
    line::{Format, Lines},
    turns::{TooLong, Turn},
};
use crate::origin::Origin;

/// Bytes of an answer, at most, but for what JSON needs to write odd characters. Older lines are left
/// out.
const ANSWER: usize = 32 << 20;
/// What a line takes beside its payload, about: as text or as JSON, and while the answer is made.
const LINE: usize = 160;
const LINE_JSON: usize = 400;

/// Writes the newest `count` lines that are wanted, oldest first by event time.
///
/// # Errors
/// When the turn is over before all is looked at.
pub(crate) fn tail(
    log: &Log<Origin>,
    filter: &Filter,
    count: usize,
    lines: &mut Lines,
    out: &mut Vec<u8>,
    turn: &mut Turn,
) -> Result<(), TooLong> {
    let views = enough(log.backwards(), filter, count);
    // Newest view first; of each the entries as they came.
    let mut parts: Vec<Vec<Entry<'_, Origin>>> = Vec::new();
    let (mut left, mut bytes) = (count, 0);
    let line = match lines.format() {
        Format::Text => LINE,
        Format::Json => LINE_JSON,
    };
    for view in &views {
        // Without a filter it is known how many are wanted.
        let wanted = if filter.is_empty() { left } else { usize::MAX };
        let from = view.first().max(view.end().saturating_sub(wanted as u64));
        let mut part = Vec::new();
        for entry in view.entries_from(from) {
            if filter.matches(&entry) {
                part.push(entry);
            }
            turn.go_on(entry.record.payload.len())?;
        }
        // The oldest ones over the bounds are not taken.
        let fits = part.iter().rev().take(left).take_while(|entry| {
            bytes += entry.record.payload.len() + line;
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
    let mut entries = parts.pop().unwrap_or_default();
    entries.extend(parts.into_iter().rev().flatten());
    // Stable: lines of one time stay in the order in which they came.
    entries.sort_by_key(|entry| entry.record.time);
    let size = entries.iter().map(|entry| entry.record.payload.len() + 96).sum();
    out.reserve(size);
    entries.iter().for_each(|entry| lines.entry(out, entry));
    Ok(())
}

/// The numbers of the records from the newest `count` on that are wanted.
///
/// # Errors
/// When the turn is over before all is looked at.
pub(crate) fn newest(
    log: &Log<Origin>,
    filter: &Filter,
    count: usize,
    turn: &mut Turn,
) -> Result<Range<u64>, TooLong> {
    let back = log.backwards();
    let end = back.end();
    if filter.is_empty() {
        return Ok(end.saturating_sub(count as u64).max(log.first().min(end))..end);
    }
    let (mut from, mut left) = (end, count);
    for view in back {
        if left == 0 {
            break;
        }
        let mut wanted = Vec::new();
        for entry in view.entries() {
            if filter.matches(&entry) {
                wanted.push(entry.no);
            }
            turn.go_on(entry.record.payload.len())?;
        }
        let newest = &wanted[wanted.len().saturating_sub(left)..];
        from = newest.first().copied().unwrap_or(from);
        left -= newest.len();
    }
    Ok(from..end)
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fairlead_ring::{Limits, Record, ring};
    use fairlead_wire::{Incarnation, message::Source};

    use super::*;
    use crate::{origin::Account, read::cursor::Cursor};

    /// Lines without text take their room in an answer, too.
    #[test]
    fn an_answer_of_empty_lines_is_bounded() {
        let (mut writer, log) = ring(Limits::default());
        let incarnation =
            Incarnation { pod_uid: "u".into(), container: "c".into(), restart: 0, first_line: 0 };
        let origin = Arc::new(Origin::new(incarnation, Source::default(), &Account::default()));
        let count = ANSWER / LINE + 1000;
        for end in 0..count as u64 {
            writer.append(&origin, &Record { end, time: 0, flags: 0, payload: b"" });
        }
        writer.publish();
        for (format, line) in [(Format::Text, LINE), (Format::Json, LINE_JSON)] {
            let (mut out, filter) = (Vec::new(), Filter::default());
            let mut lines = Lines::new(format, false, Cursor::default());
            tail(&log, &filter, usize::MAX, &mut lines, &mut out, &mut Turn::unlimited()).unwrap();
            let shown = out.iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(shown, ANSWER / line);
            assert!(out.len() <= ANSWER, "{}", out.len());
        }
    }
}
