//! What it costs to keep a record in memory, and whether readers make it dearer.

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fairlead_benches::{Column, Row, Scenario, machine, stats::quantile};
use fairlead_ring::{Limits, Next, Record, Writer, ring};
use parking_lot::Mutex;

use crate::{BenchError, stage::Stage};

pub(crate) const APPEND: &str = "append";
pub(crate) const DUMP: &str = "append-dumped";

/// Records that are published together.
const BATCH: usize = 64;
/// Bytes of a payload: the mean of container logs.
const PAYLOAD: usize = 216;
/// What the client reads again and again.
const DUMPED: u64 = 10_000;

/// A store of records, as its writer sees it.
trait Store: Sized {
    fn new(limit: u64) -> Self;
    fn batch(&mut self, payload: &[u8], number: u64);
    /// Reads the last records again and again until told to stop. Returns how many bytes it saw.
    fn dumper(&self) -> impl FnOnce(&AtomicBool) -> u64 + Send + 'static;
}

/// What a record points at; here nothing looks at it.
struct Source;

/// Fairlead's ring.
struct Ring {
    writer: Writer<Source>,
    log: fairlead_ring::Log<Source>,
    source: Arc<Source>,
}

impl Store for Ring {
    fn new(limit: u64) -> Self {
        let (writer, log) = ring(Limits { bytes: limit, ..Limits::default() });
        Self { writer, log, source: Arc::new(Source) }
    }

    fn batch(&mut self, payload: &[u8], number: u64) {
        for end in number..number + BATCH as u64 {
            self.writer.append(&self.source, &Record { end, time: 0, flags: 0, payload });
        }
        self.writer.publish();
    }

    fn dumper(&self) -> impl FnOnce(&AtomicBool) -> u64 + Send + 'static {
        let log = self.log.clone();
        move |stop| {
            let (mut seen, mut client) = (0, Vec::new());
            while !stop.load(Ordering::Relaxed) {
                client.clear();
                let end = log.end();
                let mut reader = log.reader(end.saturating_sub(DUMPED));
                while reader.position() < end {
                    match reader.next() {
                        Next::Entry(entry) => client.extend_from_slice(entry.record.payload),
                        Next::Missed(_) => {}
                        Next::Idle => break,
                    }
                }
                seen += black_box(&client).len() as u64;
            }
            seen
        }
    }
}

/// What one would write without thinking about it.
struct Locked {
    queue: Arc<Mutex<VecDeque<Bytes>>>,
    held: u64,
    limit: u64,
}

impl Store for Locked {
    fn new(limit: u64) -> Self {
        Self { queue: Arc::default(), held: 0, limit }
    }

    fn batch(&mut self, payload: &[u8], _number: u64) {
        let mut queue = self.queue.lock();
        for _ in 0..BATCH {
            queue.push_back(Bytes::copy_from_slice(payload));
            self.held += payload.len() as u64;
        }
        while self.held > self.limit {
            let Some(oldest) = queue.pop_front() else { break };
            self.held -= oldest.len() as u64;
        }
    }

    fn dumper(&self) -> impl FnOnce(&AtomicBool) -> u64 + Send + 'static {
        let queue = self.queue.clone();
        move |stop| {
            let mut seen = 0;
            while !stop.load(Ordering::Relaxed) {
                let queue = queue.lock();
                let start = queue.len().saturating_sub(DUMPED as usize);
                seen +=
                    queue.range(start..).map(|bytes| black_box(bytes).len() as u64).sum::<u64>();
            }
            seen
        }
    }
}

/// Nobody reads.
pub(crate) fn append(stage: &Stage) -> Result<Scenario, BenchError> {
    let extent = stage.extent;
    let mut rows = [Row::new("Fairlead"), Row::new("locked queue")];
    for _ in 0..extent.rounds {
        machine::on(&stage.core, || {
            rows[0].samples.push(vec![undisturbed::<Ring>(extent.records, extent.ring)]);
            rows[1].samples.push(vec![undisturbed::<Locked>(extent.records, extent.ring)]);
        })?;
    }
    Ok(Scenario {
        name: APPEND,
        title: "Appending to the ring".to_owned(),
        setting: format!(
            "One writer appends records of {PAYLOAD} bytes in batches of {BATCH} to a full ring of {} MiB; \
             nobody reads. Beside it a `Mutex<VecDeque<Bytes>>`, which knows nothing of where a record \
             comes from. Target: at most 100 ns.",
            extent.ring >> 20
        ),
        columns: vec![Column::compared("ns per record", 1)],
        rows: rows.into(),
    })
}

fn undisturbed<S: Store>(records: u64, limit: u64) -> f64 {
    let mut store = filled::<S>(limit);
    let payload = [b'x'; PAYLOAD];
    let begun = Instant::now();
    let mut number = 0;
    while number < records {
        store.batch(&payload, number);
        number += BATCH as u64;
    }
    begun.elapsed().as_secs_f64() * 1e9 / number as f64
}

/// Full, so that something leaves whenever something comes.
fn filled<S: Store>(limit: u64) -> S {
    let mut store = S::new(limit);
    let payload = [b'x'; PAYLOAD];
    for number in 0..=limit / (PAYLOAD * BATCH) as u64 {
        store.batch(&payload, number * BATCH as u64);
    }
    store
}

/// Somebody reads the last records all the time.
pub(crate) fn dumped(stage: &Stage) -> Result<Scenario, BenchError> {
    let extent = stage.extent;
    let mut rows = [Row::new("Fairlead"), Row::new("locked queue")];
    for _ in 0..extent.rounds {
        rows[0].samples.push(disturbed::<Ring>(stage)?);
        rows[1].samples.push(disturbed::<Locked>(stage)?);
    }
    Ok(Scenario {
        name: DUMP,
        title: "Appending while a client dumps".to_owned(),
        setting: format!(
            "As before; on the other core a client reads the last {DUMPED} records in a loop. What a batch \
             of {BATCH} takes, by the writer's clock. Target: p99 at most 50 µs, p99.99 at most 150 µs."
        ),
        columns: vec![
            Column::compared("p50 µs", 2),
            Column::compared("p99 µs", 1),
            Column::compared("p99.99 µs", 1),
            Column::beside("MB/s read", 0),
        ],
        rows: rows.into(),
    })
}

fn disturbed<S: Store>(stage: &Stage) -> Result<Vec<f64>, BenchError> {
    let mut store = filled::<S>(stage.extent.ring);
    let stop = Arc::new(AtomicBool::new(false));
    let (dump, stopped) = (store.dumper(), stop.clone());
    let begun = Instant::now();
    let client = machine::on(&stage.others, || std::thread::spawn(move || dump(&stopped)))?;
    let latencies = machine::on(&stage.core, || batches(&mut store, stage.extent.records));
    stop.store(true, Ordering::Relaxed);
    let seen = client.join().expect("the client does not panic") as f64;
    let rate = seen / begun.elapsed().as_secs_f64() / 1e6;
    let mut latencies: Vec<f64> =
        latencies?.into_iter().map(|latency| latency.as_secs_f64() * 1e6).collect();
    latencies.sort_by(f64::total_cmp);
    let [p50, p99, p9999] = [0.5, 0.99, 0.9999].map(|q| quantile(&latencies, q));
    Ok(vec![p50, p99, p9999, rate])
}

/// What each batch takes.
fn batches<S: Store>(store: &mut S, records: u64) -> Vec<Duration> {
    let payload = [b'x'; PAYLOAD];
    let batch = |number| {
        let begun = Instant::now();
        store.batch(&payload, number);
        begun.elapsed()
    };
    (0..records).step_by(BATCH).map(batch).collect()
}
