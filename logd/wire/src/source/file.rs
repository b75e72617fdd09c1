//! An app's lines from this process: what logd has not reported as stored is kept.

use std::collections::VecDeque;

use bytes::Bytes;

use super::queue::{Line, Lost};
use crate::message::{Batch, File as WireFile, Loss, LossReason, Opened};
use crate::record::Record;

/// A batch until it is stored.
#[derive(Debug)]
struct Kept {
    from: u64,
    to: u64,
    records: Bytes,
    losses: Vec<Loss>,
    lines: u64,
}

/// What is no longer kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Freed {
    pub(super) bytes: usize,
    pub(super) lines: u64,
}

/// An app's file: it exists on the wire alone.
#[derive(Debug)]
pub(super) struct File {
    pub(super) incarnation: WireFile,
    /// The end of what was logged; what was dropped at once counts as one byte, however much it was,
    /// so that a batch is never longer than its range may be.
    end: u64,
    /// Lines since the last batch, packed.
    packed: Vec<u8>,
    lines: u64,
    losses: Vec<Loss>,
    from: u64,
    kept: VecDeque<Kept>,
    /// How many of `kept` were sent on the stream in use.
    sent: usize,
}

impl File {
    pub(super) fn new(process: &str) -> Self {
        let incarnation =
            WireFile { pod_uid: uid(), container: process.to_owned(), ..WireFile::default() };
        Self {
            incarnation,
            end: 0,
            packed: Vec::new(),
            lines: 0,
            losses: Vec::new(),
            from: 0,
            kept: VecDeque::new(),
            sent: 0,
        }
    }

    pub(super) fn log(&mut self, line: &Line<'_>) {
        // As in a file, a line feed ends the line.
        self.end += line.payload.len() as u64 + 1;
        let end = u32::try_from(self.end - self.from).expect("a batch is of one queue's lines");
        self.lines += 1;
        let Line { flags, time, payload, .. } = *line;
        Record { end, time, flags, payload }.pack(&mut self.packed);
    }

    pub(super) fn lose(&mut self, lost: &Lost) {
        let Lost { records, bytes, oversize } = *lost;
        self.end += 1;
        for (reason, records, bytes) in
            [(LossReason::QueueFull, records, bytes), (LossReason::Oversize, 0, oversize)]
        {
            if (records, bytes) != (0, 0) {
                self.losses.push(Loss { reason: reason.into(), records, bytes });
            }
        }
    }

    /// Makes a batch of what came since the last one. Returns how many bytes are kept for it.
    pub(super) fn seal(&mut self) -> usize {
        if self.end == self.from {
            return 0;
        }
        let records = Bytes::from(std::mem::take(&mut self.packed));
        let losses = std::mem::take(&mut self.losses);
        let size = records.len();
        let lines = std::mem::take(&mut self.lines);
        self.kept.push_back(Kept { from: self.from, to: self.end, records, losses, lines });
        self.from = self.end;
        size
    }

    /// What was not sent on this stream yet, as the file `number`.
    pub(super) fn unsent(&mut self, number: u32) -> impl Iterator<Item = Batch> {
        let first = self.sent;
        self.sent = self.kept.len();
        self.kept.range(first..).map(move |kept| Batch {
            file: number,
            from: kept.from,
            to: kept.to,
            records: kept.records.clone(),
            losses: kept.losses.clone(),
            ..Batch::default()
        })
    }

    /// logd has this much. Returns what is no longer kept.
    pub(super) fn stored(&mut self, to: u64) -> Freed {
        let mut freed = Freed::default();
        while let Some(first) = self.kept.pop_front_if(|first| first.to <= to) {
            freed.bytes += first.records.len();
            freed.lines += first.lines;
            self.sent = self.sent.saturating_sub(1);
        }
        freed
    }

    /// A stream begins: logd goes on after what it has.
    pub(super) fn opened(&mut self, opened: &Opened) -> Freed {
        self.sent = 0;
        opened.to.map(|to| self.stored(to)).unwrap_or_default()
    }

    /// Whether logd has less of it than was kept for it: the rest is with another logd.
    pub(super) fn lags(&self, opened: &Opened) -> bool {
        let first = self.kept.front().map_or(self.from, |kept| kept.from);
        opened.to.is_some_and(|to| to < first)
    }

    /// Goes on under another name.
    pub(super) fn rename(&mut self) {
        self.incarnation.pod_uid = uid();
    }

    /// Whether logd has everything.
    pub(super) fn is_stored(&self) -> bool {
        self.kept.is_empty() && self.end == self.from
    }
}

fn uid() -> String {
    uuid::Uuid::new_v4().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Flags;

    /// An outage of hours: nobody drains the queue, and what it drops adds up.
    #[test]
    fn however_much_was_dropped_the_lines_around_it_are_sent() {
        let mut file = File::new("router");
        let line = |payload| Line { app: "shop/web", flags: Flags::default(), time: 0, payload };
        // Two workers' buffers, drained together.
        file.log(&line(b"one"));
        file.lose(&Lost { records: 50_000_000, bytes: 5 << 30, oversize: 6 << 30 });
        file.log(&line(b"two"));
        file.lose(&Lost { records: 1, bytes: 5 << 30, oversize: 0 });
        file.seal();
        file.lose(&Lost { records: 2, bytes: 7 << 30, oversize: 0 });
        file.seal();
        file.log(&line(b"three"));
        file.seal();
        let (mut lines, mut lost, mut end) = (Vec::new(), (0, 0), 0);
        for batch in file.unsent(1) {
            assert_eq!(batch.from, end, "without a gap");
            assert!(batch.to > batch.from);
            let records = batch.records().expect("logd takes it");
            lines.extend(records.iter().map(|record| record.payload.to_vec()));
            for loss in &batch.losses {
                lost = (lost.0 + loss.records, lost.1 + loss.bytes);
            }
            end = batch.to;
        }
        assert_eq!(lines, [&b"one"[..], b"two", b"three"]);
        assert_eq!(lost, (50_000_003, 23 << 30));
        assert_eq!(file.stored(end), Freed { bytes: 11 + 3 * crate::record::HEADER, lines: 3 });
        assert!(file.is_stored());
    }
}
