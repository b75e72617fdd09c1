//! Appending allocates nothing, but where a chunk comes or leaves; in the long run the one that
//! comes is one that has left.
#![cfg(not(any(loom, miri)))]

use std::sync::Arc;

use allocation_counter::measure;
use fairlead_ring::{Limits, Record, ring};

const PAYLOAD: [u8; 216] = [b'x'; 216];
/// What a record takes beside its payload, at most.
const OVERHEAD: u64 = 24;
/// Bytes of the largest chunks.
const CHUNK: u64 = 64 * 1024;

#[test]
fn appending_allocates_only_where_chunks_change_and_their_memory_is_used_again() {
    let (mut writer, _log) = ring(Limits { bytes: 4 << 20, ..Limits::default() });
    let source = Arc::new(());
    let mut append = |end| {
        writer.append(&source, &Record { end, time: 0, flags: 0, payload: &PAYLOAD });
        writer.publish();
    };
    // Until the limit has made chunks leave for a while.
    let warm = 3 * (4 << 20) / PAYLOAD.len() as u64;
    (0..warm).for_each(&mut append);

    let records = 20_000;
    let (mut allocating, mut bytes) = (0, 0);
    for end in warm..warm + records {
        let allocated = measure(|| append(end));
        allocating += u64::from(allocated.count_total > 0);
        bytes += allocated.bytes_total;
    }
    let chunks = records * (PAYLOAD.len() as u64 + OVERHEAD) / CHUNK + 1;
    assert!((1..=2 * chunks).contains(&allocating), "{allocating} of {records}, {chunks} chunks");
    // What finds the chunks, and not the chunks.
    assert!(bytes / allocating < CHUNK / 8, "{bytes} bytes in {allocating} appends");
}
