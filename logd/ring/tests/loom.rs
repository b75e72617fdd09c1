//! Models: every interleaving of a writer and readers, up to a bound on preemptions. Run by
//! `./dev loom`.
#![cfg(loom)]

use std::sync::Arc;

use fairlead_ring::{Limits, Log, Next, Reader, Record, Writer, ring};
use loom::{model::Builder, thread};

/// Chunks have room for two of these records.
fn append(writer: &mut Writer<u8>, source: &Arc<u8>, no: u8) {
    let record = Record { end: no.into(), time: no.into(), flags: 0, payload: &[no] };
    writer.append(source, &record);
}

fn model(preemptions: usize, f: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(f);
}

/// Takes some steps. What it is given is in order and untorn.
fn read(reader: &mut Reader<u8>, steps: usize) {
    for _ in 0..steps {
        let position = reader.position();
        match reader.next() {
            Next::Entry(entry) => {
                assert_eq!(entry.no, position);
                assert_eq!(entry.record.payload, [entry.no as u8]);
                assert_eq!(entry.record.end, entry.no);
                assert_eq!(**entry.source, 7);
            }
            Next::Missed(missed) => {
                assert!(missed > 0);
                assert_eq!(reader.position(), position + missed);
            }
            Next::Idle => assert_eq!(reader.position(), position),
        }
    }
}

fn reads(log: &Log<u8>, steps: usize) -> thread::JoinHandle<Reader<u8>> {
    let mut reader = log.reader(0);
    thread::spawn(move || {
        read(&mut reader, steps);
        reader
    })
}

/// After the end of the writer the reader comes to the end, too.
fn finish(mut reader: Reader<u8>, end: u64) {
    read(&mut reader, 8);
    assert_eq!(reader.position(), end);
}

#[test]
fn records_are_read_while_they_are_published() {
    model(2, || {
        let (mut writer, log) = ring(Limits::default());
        let source = Arc::new(7);
        let readers = [reads(&log, 2), reads(&log, 2)];
        append(&mut writer, &source, 0);
        writer.publish();
        append(&mut writer, &source, 1);
        append(&mut writer, &source, 2);
        writer.publish();
        readers.into_iter().for_each(|reader| finish(reader.join().unwrap(), 3));
    });
}

#[test]
fn an_overtaken_reader_learns_what_it_missed() {
    model(2, || {
        let (mut writer, log) = ring(Limits { lines: 1, ..Limits::default() });
        let source = Arc::new(7);
        let reader = reads(&log, 4);
        for no in 0..5 {
            append(&mut writer, &source, no);
            writer.publish();
        }
        finish(reader.join().unwrap(), 5);
        assert_eq!(log.first(), 4);
    });
}

/// The memory of chunks that have left is written again; whoever reads in them is seen by loom.
#[test]
fn chunks_are_used_again_only_when_nobody_reads_them() {
    model(2, || {
        let (mut writer, log) = ring(Limits { bytes: 2, ..Limits::default() });
        let source = Arc::new(7);
        let readers = [reads(&log, 2), reads(&log, 3)];
        for no in 0..7 {
            append(&mut writer, &source, no);
        }
        writer.publish();
        readers.into_iter().for_each(|reader| finish(reader.join().unwrap(), 7));
    });
}

#[test]
fn what_is_read_backwards_has_no_holes() {
    model(2, || {
        let (mut writer, log) = ring(Limits { lines: 3, ..Limits::default() });
        let source = Arc::new(7);
        append(&mut writer, &source, 0);
        append(&mut writer, &source, 1);
        writer.publish();
        let reader = thread::spawn(move || {
            let views = log.backwards();
            let mut before = views.end();
            for view in views {
                assert_eq!(view.end(), before);
                before = view.first();
                let numbers: Vec<u64> = view.entries().map(|entry| entry.no).collect();
                assert_eq!(numbers, (view.first()..view.end()).collect::<Vec<_>>());
            }
        });
        for no in 2..5 {
            append(&mut writer, &source, no);
            writer.publish();
        }
        reader.join().unwrap();
    });
}

#[test]
fn clearing_counts_as_missed() {
    model(2, || {
        let (mut writer, log) = ring(Limits::default());
        let source = Arc::new(7);
        let reader = reads(&log, 3);
        append(&mut writer, &source, 0);
        append(&mut writer, &source, 1);
        writer.publish();
        writer.clear();
        append(&mut writer, &source, 2);
        writer.publish();
        finish(reader.join().unwrap(), 3);
        assert_eq!((log.first(), log.end()), (2, 3));
    });
}
