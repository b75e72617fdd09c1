//! From an app's ring into a batch.

use std::ops::Range;

use fairlead_drain::{Batch, Limits, Line, Reason, Sink, Verdict};
use fairlead_ring::{Entry, Next};
use fairlead_wire::{Incarnation, record::Flags};

use super::{
    flight::{Flight, Key, Lost},
    notice,
};
use crate::{
    app::App,
    origin::{self, HISTORY, OF_DRAIN, Origin, wire_flags},
    read::filter::Filter,
    time,
};

/// What is read of an app before others get their turn.
pub(super) struct Turn<'a> {
    /// The drain.
    pub(super) id: &'a str,
    pub(super) key: Key,
    pub(super) app: &'a App,
    pub(super) filter: &'a Filter,
    /// So many records at most.
    pub(super) records: usize,
    /// No more records once they have so many bytes.
    pub(super) bytes: usize,
    pub(super) limits: Limits,
}

/// Adds an app's lines to a batch: first those that go again. True where there may be more.
pub(super) fn turn(
    turn: &Turn<'_>,
    flight: &mut Flight,
    sink: &mut dyn Sink,
    batch: &mut Batch,
) -> bool {
    let Turn { key, app, records, .. } = *turn;
    if let Some(lost) = flight.tell(key) {
        tell(turn, lost, flight, sink, batch);
    }
    let is_full =
        |batch: &Batch| batch.len() >= turn.limits.lines || batch.bytes.len() >= turn.limits.bytes;
    let (mut left, mut bytes) = (records, turn.bytes);
    while let Some((range, again)) = flight.wanted(key) {
        let mut reader = app.log.reader(range.start);
        let mut run = Run { key, range: range.start..range.start };
        while reader.position() < range.end {
            if left == 0 || bytes == 0 || is_full(batch) {
                run.commit(flight, reader.position());
                return true;
            }
            left -= 1;
            let next = reader.next();
            if let Next::Entry(entry) = &next {
                bytes = bytes.saturating_sub(entry.record.payload.len());
            }
            match next {
                Next::Entry(entry) if again || is_wanted(turn.filter, &entry) => {
                    match sink.encode(&line(&entry), batch) {
                        None => run.add(flight, entry.no),
                        Some(verdict) => {
                            run.commit(flight, entry.no);
                            // It would be asked for ever.
                            let never = Verdict::Rejected(Reason::Refused);
                            let verdict = if verdict == Verdict::Again { never } else { verdict };
                            flight.decide(key, entry.no, verdict);
                        }
                    }
                }
                Next::Entry(_) => {}
                Next::Missed(missed) => {
                    let first = reader.position();
                    run.commit(flight, first - missed);
                    flight.overrun(key, first, app.expired(), time::now(), |unread| {
                        app.for_drains(unread)
                    });
                }
                Next::Idle => {
                    run.commit(flight, reader.position());
                    return false;
                }
            }
        }
        run.commit(flight, reader.position().min(range.end));
    }
    false
}

/// Lines that lie behind one another and go the same way.
struct Run {
    key: Key,
    range: Range<u64>,
}

impl Run {
    fn add(&mut self, flight: &mut Flight, no: u64) {
        if self.range.end != no {
            self.commit(flight, no);
        }
        self.range.end = no + 1;
    }

    /// They are in the batch; what comes after them and before `to` is not wanted.
    fn commit(&mut self, flight: &mut Flight, to: u64) {
        flight.send(self.key, self.range.clone());
        flight.skip(self.key, to);
        self.range = to..to;
    }
}

/// An earlier logd's lines were its drains'; what tells of drains is for none.
fn is_wanted(filter: &Filter, entry: &Entry<'_, Origin>) -> bool {
    entry.record.flags & (HISTORY | OF_DRAIN) == 0 && filter.matches(entry)
}

fn line<'a>(entry: &'a Entry<'_, Origin>) -> Line<'a> {
    let Entry { source, record, .. } = entry;
    Line {
        origin: source.origin,
        source: &source.source,
        incarnation: &source.incarnation,
        end: record.end,
        time: record.time,
        flags: wire_flags(record.flags),
        payload: record.payload,
    }
}

/// The receiver learns at the head of what it gets next that lines are missing.
fn tell(turn: &Turn<'_>, lost: Lost, flight: &mut Flight, sink: &mut dyn Sink, batch: &mut Batch) {
    let App { id, epoch, .. } = turn.app;
    let source = origin::of_logd(id);
    let incarnation = Incarnation {
        pod_uid: format!("{epoch:x}-{}", turn.id).into(),
        container: "logd".into(),
        restart: 0,
        first_line: 0,
    };
    let text = notice::overrun(lost.lines, lost.since);
    let line = Line {
        origin: turn.key,
        source: &source,
        incarnation: &incarnation,
        // What was lost until when: the same notice has the same name, and one that more was added to
        // has another.
        end: lost.since.cast_unsigned().wrapping_add(lost.lines),
        time: time::now(),
        flags: Flags::NOTICE,
        payload: text.as_bytes(),
    };
    if sink.encode(&line, batch).is_some() {
        flight.untellable();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use memchr::memmem::Finder;

    use super::*;
    use crate::{
        drain::{
            Scope,
            testing::{Log, Rig, drain},
        },
        read::filter::Text,
    };

    #[tokio::test]
    async fn a_turn_ends_after_so_many_bytes_whether_they_are_wanted_or_not() {
        let (rig, _script) = Rig::with(Scope::Namespace("other".to_owned())).await;
        let mut log = Log::open(&rig, "shop/web", "web").await;
        let to = log.write(&[&*"x".repeat(1_000); 10]).await;
        while log.ack().await.stored < to {}
        let app = rig.store.app(&"shop/web".parse().unwrap()).unwrap();
        let text = Some(Text::Substring(Box::new(Finder::new("y").into_owned())));
        let filter = Filter { text, ..Filter::default() };
        let (declared, _script) = drain("shop/drain", Scope::All);
        let mut sink = declared.settings.sinks.open();
        let (mut flight, mut batch) = (Flight::default(), Batch::default());
        flight.join(1, 0);
        let limits = sink.limits();
        let turn = Turn {
            id: "shop/drain",
            key: 1,
            app: &Arc::clone(&app),
            filter: &filter,
            records: 100,
            bytes: 3_500,
            limits,
        };
        for done in [4, 8] {
            assert!(super::turn(&turn, &mut flight, &mut *sink, &mut batch));
            assert_eq!(flight.done(1), done);
        }
        assert!(!super::turn(&turn, &mut flight, &mut *sink, &mut batch));
        assert!(batch.is_empty() && flight.done(1) == 10);
    }
}
