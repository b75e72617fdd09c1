//! Threads at once: what is seen and what is told as missed is all, in order, untorn.
#![cfg(not(loom))]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

use fairlead_ring::{Limits, Next, Record, ring};

/// Long enough that every chunk is used again many times.
const RECORDS: u64 = if cfg!(miri) { 2_000 } else { 400_000 };

/// A payload from which its number can be told, every byte of it.
fn payload(no: u64, into: &mut Vec<u8>) {
    into.clear();
    let length = 8 + (no.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize;
    into.extend_from_slice(&no.to_le_bytes());
    into.resize(length, no as u8);
}

fn check(entry: &fairlead_ring::Entry<'_, u64>, expected: &mut Vec<u8>) {
    payload(entry.no, expected);
    assert_eq!(entry.record.payload, expected, "torn");
    assert_eq!(entry.record.end, entry.no);
    assert_eq!(**entry.source, entry.no / 10_000, "another's source");
}

#[test]
fn readers_see_or_are_told_of_every_record() {
    let (mut writer, log) = ring(Limits { bytes: 200_000, ..Limits::default() });
    let done = Arc::new(AtomicBool::new(false));
    let followers: Vec<_> = (0..3)
        .map(|pause| {
            let (log, done) = (log.clone(), done.clone());
            thread::spawn(move || {
                let (mut reader, mut expected) = (log.reader(0), Vec::new());
                let (mut seen, mut missed, mut next) = (0, 0, 0);
                loop {
                    let ended = done.load(Relaxed);
                    match reader.next() {
                        Next::Entry(entry) => {
                            assert_eq!(entry.no, next);
                            check(&entry, &mut expected);
                            seen += 1;
                            next += 1;
                            // The slower ones are overtaken.
                            (0..pause * 200).for_each(|_| std::hint::spin_loop());
                        }
                        Next::Missed(count) => {
                            missed += count;
                            next += count;
                        }
                        Next::Idle if ended => return (seen, missed),
                        Next::Idle => thread::yield_now(),
                    }
                }
            })
        })
        .collect();
    let dumper = {
        let done = done.clone();
        thread::spawn(move || {
            let mut expected = Vec::new();
            while !done.load(Relaxed) {
                let mut before = None;
                for view in log.backwards() {
                    assert!(before.is_none_or(|before| view.end() == before), "a hole");
                    before = Some(view.first());
                    let mut no = view.first();
                    for entry in view.entries() {
                        assert_eq!(entry.no, no);
                        check(&entry, &mut expected);
                        no += 1;
                    }
                    assert_eq!(no, view.end());
                }
            }
        })
    };
    let (mut source, mut bytes) = (Arc::new(0), Vec::new());
    for no in 0..RECORDS {
        if no % 10_000 == 0 {
            source = Arc::new(no / 10_000);
        }
        payload(no, &mut bytes);
        writer.append(&source, &Record { end: no, time: 0, flags: 0, payload: &bytes });
        if no % 64 == 63 {
            writer.publish();
        }
    }
    writer.publish();
    done.store(true, Relaxed);
    for follower in followers {
        let (seen, missed) = follower.join().expect("no reader panics");
        assert_eq!(seen + missed, RECORDS);
    }
    dumper.join().expect("no reader panics");
    assert_eq!(writer.accepted().records, RECORDS);
}
