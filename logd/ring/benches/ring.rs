//! The ring beside the simple way, a queue behind a mutex: appending, the newest 1,000 records, a
//! scan, and how long a batch takes the writer while somebody dumps what is there.
#![allow(missing_docs, reason = "criterion_group! makes public items")]

use std::{
    collections::VecDeque,
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fairlead_ring::{Limits, Log, Record, Writer, ring};
use memchr::memmem::Finder;
use parking_lot::Mutex;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LINE: [u8; 216] = *b"{\"time\":\"2026-11-20T10:00:00.000Z\",\"level\":\"info\",\"msg\":\"GET /api/v1/items 200\",\"method\":\"GET\",\"path\":\"/api/v1/items\",\"status\":200,\"bytes\":153,\"duration_ms\":12.5,\"request_id\":\"0af7651916cd43dd8448eb211c80319c\",\"n\":1}";
const BATCH: usize = 64;
const HELD: u64 = 32 * 1024 * 1024;

fn full() -> (Writer<()>, Log<()>, Arc<()>) {
    let (mut writer, log) = ring(Limits { bytes: HELD, ..Limits::default() });
    let source = Arc::new(());
    while writer.evicted().records == 0 {
        append(&mut writer, &source);
    }
    (writer, log, source)
}

fn append(writer: &mut Writer<()>, source: &Arc<()>) {
    for _ in 0..BATCH {
        writer.append(source, &Record { end: 1, time: 1, flags: 0, payload: &LINE });
    }
    writer.publish();
}

/// The simple way.
#[derive(Default)]
struct Queue(Mutex<VecDeque<Arc<[u8]>>>);

impl Queue {
    fn full() -> Self {
        let queue = Self::default();
        while queue.0.lock().len() < HELD as usize / LINE.len() {
            queue.append();
        }
        queue
    }

    fn append(&self) {
        let mut lines = self.0.lock();
        for _ in 0..BATCH {
            lines.push_back(Arc::from(&LINE[..]));
            if lines.len() > HELD as usize / LINE.len() {
                lines.pop_front();
            }
        }
    }
}

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("append");
    group.throughput(Throughput::Elements(BATCH as u64));
    let (mut writer, log, source) = full();
    group.bench_function("ring", |b| b.iter(|| append(&mut writer, &source)));
    let queue = Queue::full();
    group.bench_function("mutex", |b| b.iter(|| queue.append()));
    group.finish();

    let mut group = c.benchmark_group("newest-1000");
    let mut out = Vec::with_capacity(1 << 20);
    group.bench_function("ring", |b| {
        b.iter(|| {
            out.clear();
            let mut views: Vec<_> = Vec::new();
            let mut wanted = 1_000;
            for view in log.backwards() {
                let count = (view.end() - view.first()) as usize;
                views.push((view, count.saturating_sub(wanted)));
                wanted -= count.min(wanted);
                if wanted == 0 {
                    break;
                }
            }
            for (view, skipped) in views.iter().rev() {
                for entry in view.entries().skip(*skipped) {
                    out.extend_from_slice(entry.record.payload);
                }
            }
            black_box(out.len())
        });
    });
    group.bench_function("mutex", |b| {
        b.iter(|| {
            out.clear();
            let lines = queue.0.lock();
            lines.range(lines.len() - 1_000..).for_each(|line| out.extend_from_slice(line));
            black_box(out.len())
        });
    });
    group.finish();

    let mut group = c.benchmark_group("scan-32-MiB");
    group.throughput(Throughput::Bytes(HELD));
    let finder = Finder::new(b"request_id\":\"ffff");
    group.bench_function("ring", |b| {
        b.iter(|| {
            let found = log.backwards().map(|view| {
                view.entries().filter(|entry| finder.find(entry.record.payload).is_some()).count()
            });
            black_box(found.sum::<usize>())
        });
    });
    group.finish();
    println!(
        "memory: {:.3} bytes per byte of payload",
        writer.memory() as f64 / writer.held().bytes as f64
    );
    drop(writer);

    // The same bytes copied where nobody reads: what the machine takes away from a thread.
    latency("copied to nobody", {
        let (writer, log, _) = full();
        let mut nobody = vec![0; HELD as usize];
        let mut at = 0;
        let copy = move || {
            let _held = &writer;
            for _ in 0..BATCH {
                at = if at + 240 > nobody.len() { 0 } else { at };
                nobody[at..at + LINE.len()].copy_from_slice(&LINE);
                at += 240;
            }
        };
        (move || dump(&log), copy)
    });
    latency("ring", {
        let (mut writer, log, source) = full();
        (move || dump(&log), move || append(&mut writer, &source))
    });
    latency("mutex", {
        let queue = Arc::new(Queue::full());
        let reader = queue.clone();
        let dump = move || {
            let mut out = Vec::with_capacity(1 << 22);
            let lines = reader.0.lock();
            lines.range(lines.len() - 10_000..).for_each(|line| out.extend_from_slice(line));
            out.len()
        };
        (dump, move || queue.append())
    });
}

fn dump(log: &Log<()>) -> usize {
    let mut out = Vec::with_capacity(1 << 22);
    for view in log.backwards().take(40) {
        view.entries().for_each(|entry| out.extend_from_slice(entry.record.payload));
    }
    out.len()
}

/// How long a batch takes while another thread dumps 10,000 lines in a loop, a batch every 100 µs.
fn latency(name: &str, (dump, mut append): (impl Fn() -> usize + Send + 'static, impl FnMut())) {
    let done = Arc::new(AtomicBool::new(false));
    let reader = thread::spawn({
        let done = done.clone();
        move || {
            let mut dumps = 0_u64;
            while !done.load(Relaxed) {
                black_box(dump());
                dumps += 1;
            }
            dumps
        }
    });
    let mut taken: Vec<Duration> = (0..50_000)
        .map(|_| {
            let started = Instant::now();
            append();
            let taken = started.elapsed();
            while started.elapsed() < Duration::from_micros(100) {
                std::hint::spin_loop();
            }
            taken
        })
        .collect();
    done.store(true, Relaxed);
    let dumps = reader.join().expect("the reader does not panic");
    taken.sort_unstable();
    let at = |share: f64| taken[((taken.len() - 1) as f64 * share) as usize];
    println!(
        "batch of {BATCH} with a reader, {name}: p50 {:?}, p99 {:?}, p99.9 {:?}, p99.99 {:?}, most {:?}; {dumps} dumps",
        at(0.5),
        at(0.99),
        at(0.999),
        at(0.9999),
        at(1.0)
    );
}

criterion_group!(benches, bench);
criterion_main!(benches);
