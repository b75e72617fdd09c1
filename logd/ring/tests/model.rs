//! The ring against a queue that does the same the simple way.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{collections::VecDeque, sync::Arc};

use fairlead_ring::{Count, Limits, Log, Next, OVERHEAD, Reader, Record, Writer, ring};
use proptest::prelude::*;

#[derive(Clone, Debug, PartialEq)]
struct Line {
    no: u64,
    source: usize,
    end: u64,
    time: i64,
    flags: u16,
    payload: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Step {
    Append { source: usize, time: i64, flags: u16, payload: Vec<u8> },
    Publish,
    Limits(Limits),
    Expire(u64),
    Evict,
    Clear,
    Read(usize),
    Seek(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let payload = prop_oneof![
        20 => (0_usize..40).prop_map(|length| vec![length as u8; length]),
        10 => (0_usize..2_000).prop_map(|length| vec![b'x'; length]),
        1 => Just(vec![b'y'; 70_000]),
    ];
    let append = (0_usize..12, 0_i64..100, any::<u16>(), payload)
        .prop_map(|(source, time, flags, payload)| Step::Append { source, time, flags, payload });
    let limit = |most: u64| prop_oneof![Just(u64::MAX), 0..most];
    let limits = (limit(60_000), limit(60)).prop_map(|(bytes, lines)| Limits { bytes, lines });
    prop_oneof![
        60 => append,
        12 => Just(Step::Publish),
        2 => limits.prop_map(Step::Limits),
        2 => (0_u64..300).prop_map(Step::Expire),
        2 => Just(Step::Evict),
        1 => Just(Step::Clear),
        12 => (0_usize..40).prop_map(Step::Read),
        2 => (0_u64..300).prop_map(Step::Seek),
    ]
}

/// What is appended, and what has been told of it.
struct World {
    sources: Vec<Arc<usize>>,
    writer: Writer<usize>,
    log: Log<usize>,
    all: Vec<Line>,
    limits: Limits,
    published: u64,
    /// Lines from here on are held, by the writer's own account.
    first: u64,
    reader: Reader<usize>,
    /// Where the reader has to go on.
    next: u64,
}

impl World {
    fn new() -> Self {
        let (writer, log) = ring(Limits::default());
        Self {
            sources: (0..12).map(Arc::new).collect(),
            writer,
            reader: log.reader(0),
            log,
            all: Vec::new(),
            limits: Limits::default(),
            published: 0,
            first: 0,
            next: 0,
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Append { source, time, flags, payload } => {
                let no = self.all.len() as u64;
                let record = Record { end: no * 3, time, flags, payload: &payload };
                self.writer.append(&self.sources[source], &record);
                self.all.push(Line { no, source, end: no * 3, time, flags, payload });
            }
            Step::Publish => self.publish(),
            Step::Limits(limits) => {
                self.limits = limits;
                self.writer.set_limits(limits);
            }
            Step::Expire(no) => {
                self.publish();
                self.writer.expire(no);
                self.first = self.first.max(no.min(self.published));
            }
            Step::Evict => {
                self.publish();
                let before = self.writer.evicted().records;
                let any = self.writer.evict();
                let gone = self.writer.evicted().records - before;
                assert!(any || self.held().is_empty());
                self.first += gone;
            }
            Step::Clear => {
                self.publish();
                self.writer.clear();
                self.first = self.published;
                assert_eq!(self.writer.memory(), 0);
            }
            Step::Read(count) => self.read(count),
            Step::Seek(no) => {
                self.reader = self.log.reader(no);
                self.next = no.min(self.log.end());
                assert_eq!(self.reader.position(), self.next);
            }
        }
        assert!(self.log.end() <= self.all.len() as u64);
        self.ledger();
    }

    fn held(&self) -> &[Line] {
        &self.all[self.first as usize..self.published as usize]
    }

    fn publish(&mut self) {
        self.writer.publish();
        self.published = self.all.len() as u64;
        let first = self.writer.evicted().records;
        assert!(first >= self.first, "nothing comes back");
        // Exactly the oldest have left, and not more than the limits ask for.
        self.first = first;
        let Limits { bytes, lines } = self.limits;
        let held: u64 = self.held().iter().map(|line| line.payload.len() as u64).sum();
        assert!(held <= bytes && self.held().len() as u64 <= lines);
    }

    fn ledger(&self) {
        let sum = |lines: &[Line]| Count {
            records: lines.len() as u64,
            bytes: lines.iter().map(|line| line.payload.len() as u64).sum(),
        };
        assert_eq!(self.writer.accepted(), sum(&self.all));
        let evicted = self.writer.evicted();
        assert_eq!(evicted, sum(&self.all[..evicted.records as usize]));
        assert_eq!(self.writer.held(), sum(&self.all[evicted.records as usize..]));
        let held = self.writer.held();
        assert!(self.writer.memory() as u64 >= held.bytes + held.records * OVERHEAD as u64);
    }

    fn read(&mut self, count: usize) {
        for _ in 0..count {
            match self.reader.next() {
                Next::Entry(entry) => {
                    let record = entry.record;
                    let line = Line {
                        no: entry.no,
                        source: **entry.source,
                        end: record.end,
                        time: record.time,
                        flags: record.flags,
                        payload: record.payload.to_vec(),
                    };
                    assert_eq!(line, self.all[self.next as usize]);
                    self.next += 1;
                }
                Next::Missed(missed) => {
                    assert!(missed > 0);
                    self.next += missed;
                    assert!(self.next <= self.writer.evicted().records, "missed what is held");
                }
                Next::Idle => {
                    assert_eq!(self.next, self.log.end(), "idle before the end");
                    break;
                }
            }
            assert_eq!(self.reader.position(), self.next);
        }
    }

    /// What is there, read both ways.
    fn finish(mut self) {
        self.publish();
        let (first, end) = (self.log.first(), self.log.end());
        assert_eq!((first, end), (self.first, self.published));
        let expected: Vec<u64> = (first..end).collect();

        let mut forward = Vec::new();
        let mut reader = self.log.reader(first);
        while let Next::Entry(entry) = reader.next() {
            forward.push(entry.no);
        }
        assert_eq!(forward, expected);

        let mut backward = VecDeque::new();
        let views = self.log.backwards();
        assert_eq!(views.end(), end);
        for view in views {
            let numbers: Vec<u64> = view.entries().map(|entry| entry.no).collect();
            assert_eq!((view.first(), view.end()), (numbers[0], numbers[numbers.len() - 1] + 1));
            for from in [0, numbers[0], numbers[numbers.len() / 2], view.end()] {
                let entries = view.entries().filter(|entry| entry.no >= from);
                let bytes: usize = entries.map(|entry| entry.record.payload.len()).sum();
                assert_eq!(view.payload_bytes(from), bytes as u64);
            }
            let newest = numbers.len() / 2;
            let from = view.entries_from(numbers[newest]).map(|entry| entry.no);
            assert_eq!(from.collect::<Vec<_>>(), numbers[newest..]);
            assert!(view.entries_from(view.end()).next().is_none());
            numbers.into_iter().rev().for_each(|no| backward.push_front(no));
        }
        assert_eq!(backward, expected);

        self.read(usize::MAX);
        assert_eq!(self.next, end, "all is seen or told as missed");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_ring_does_what_a_queue_does(steps in prop::collection::vec(step(), 0..400)) {
        let mut world = World::new();
        steps.into_iter().for_each(|step| world.step(step));
        world.finish();
    }
}
