//! Which record leaves first, and when.
#![cfg(not(loom))]

use std::sync::Arc;

use fairlead_ring::{Count, Limits, Log, Record, Writer, ring};

fn line(writer: &mut Writer<()>, source: &Arc<()>, time: i64, length: usize) {
    let payload = vec![b'x'; length];
    writer.append(source, &Record { end: 0, time, flags: 0, payload: &payload });
    writer.publish();
}

fn held(log: &Log<()>) -> Vec<u64> {
    let mut numbers: Vec<u64> = log
        .backwards()
        .flat_map(|view| view.entries().map(|entry| entry.no).collect::<Vec<_>>())
        .collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn over_the_limit_of_lines_exactly_the_oldest_leave() {
    let (mut writer, log) = ring(Limits { lines: 3, ..Limits::default() });
    let source = Arc::new(());
    for no in 0..2_000_u64 {
        line(&mut writer, &source, 0, 10);
        let expected: Vec<u64> = (no.saturating_sub(2)..=no).collect();
        assert_eq!(held(&log), expected);
    }
}

#[test]
fn over_the_limit_of_bytes_the_oldest_chunk_leaves() {
    let limit = 64 * 1024;
    let (mut writer, log) = ring(Limits { bytes: limit, ..Limits::default() });
    let source = Arc::new(());
    for no in 0..2_000 {
        line(&mut writer, &source, 0, 100);
        let held = held(&log);
        // The newest are there without a hole, and nothing leaves before it has to.
        assert_eq!(held.iter().rev().copied().collect::<Vec<_>>(), {
            (0..=no).rev().take(held.len()).collect::<Vec<_>>()
        });
        let bytes = held.len() as u64 * 100;
        assert!(bytes <= limit);
        assert!(held.len() as u64 > no || bytes > limit - limit / 16, "{bytes}");
    }
}

#[test]
fn a_limit_of_bytes_below_a_chunk_holds_as_well() {
    let (mut writer, log) = ring(Limits { bytes: 250, ..Limits::default() });
    let source = Arc::new(());
    for _ in 0..5 {
        line(&mut writer, &source, 0, 100);
    }
    assert_eq!(held(&log), [3, 4]);
    // A line that is larger by itself is not held.
    line(&mut writer, &source, 0, 300);
    assert_eq!(held(&log), []);
    line(&mut writer, &source, 0, 250);
    assert_eq!(held(&log), [6]);
}

#[test]
fn what_expires_leaves_record_by_record() {
    let (mut writer, log) = ring(Limits::default());
    let source = Arc::new(());
    for _ in 0..1_000 {
        line(&mut writer, &source, 0, 10);
    }
    writer.expire(998);
    assert_eq!(held(&log), [998, 999]);
    writer.expire(998);
    assert_eq!(held(&log), [998, 999]);
    writer.expire(1_000);
    assert_eq!(held(&log), []);
    line(&mut writer, &source, 0, 10);
    line(&mut writer, &source, 0, 10);
    writer.expire(1_001);
    assert_eq!(held(&log), [1_001]);
    assert_eq!(writer.held(), Count { records: 1, bytes: 10 });
}

#[test]
fn a_chunk_with_many_sources_is_followed_by_one_with_more_places() {
    let (mut writer, log) = ring(Limits::default());
    let sources: Vec<Arc<usize>> = (0..500).map(Arc::new).collect();
    for round in 0..20 {
        for source in &sources {
            let record = Record { end: round, time: 0, flags: 0, payload: &[b'x'; 100] };
            writer.append(source, &record);
        }
    }
    writer.publish();
    let mut reader = log.reader(0);
    for no in 0..10_000_usize {
        let fairlead_ring::Next::Entry(entry) = reader.next() else { panic!("all are there") };
        assert_eq!((**entry.source, entry.record.end), (no % 500, no as u64 / 500));
    }
    assert!(writer.memory() < 10_000 * 124 * 5 / 4, "{}", writer.memory());
}

#[test]
fn sources_live_as_long_as_records_of_theirs() {
    let (mut writer, log) = ring(Limits { lines: 1, ..Limits::default() });
    let (first, second) = (Arc::new(1), Arc::new(2));
    let record = Record { end: 0, time: 0, flags: 0, payload: &[b'x'; 4_000] };
    writer.append(&first, &record);
    for _ in 0..3 {
        writer.append(&second, &record);
        writer.publish();
    }
    assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second) > 1), (1, true));
    drop((writer, log));
    assert_eq!(Arc::strong_count(&second), 1);
}
