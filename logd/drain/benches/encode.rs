//! What it costs to write a line in each form: 1,000 lines of 10 pods at a time.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "criterion_group! makes public items")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fairlead_drain::{Batch, Credentials, Guard, Line, Network, open, target::Target};
use fairlead_wire::{Incarnation, message::Source, record::Flags};

const URLS: [&str; 8] = [
    "elasticsearch+http://host",
    "elasticsearch+http://host/?prefix=logstash",
    "otlp+http://host",
    "json+http://host",
    "http://host",
    "syslog+tcp://host:1",
    "syslog+tcp://host:1?format=rfc3164",
    "gelf+tcp://host",
];
const PAYLOAD: &[u8] =
    br#"10.1.2.3 - - [20/Nov/2026:10:00:00 +0000] "GET /v1/things?page=3 HTTP/1.1" 200 5316 "-" "curl/8.5""#;

fn pod(no: u64) -> (Source, Incarnation) {
    let text = str::to_owned;
    let source = Source {
        namespace: text("shop"),
        app: text("front"),
        pod: format!("front-web-6f7c-x7k{no}"),
        process: text("web"),
        release: text("v2"),
        node: text("node-1"),
        labels: [("app", "front"), ("type", "web"), ("version", "v2"), ("heritage", "deis")]
            .map(|(name, value)| (text(name), text(value)))
            .into(),
        ..Source::default()
    };
    let incarnation = Incarnation {
        pod_uid: format!("5a1de1b7-0c5e-4f2e-8f7c-00000000000{no}").into(),
        container: "web".into(),
        restart: 0,
        first_line: no,
    };
    (source, incarnation)
}

fn encode(criterion: &mut Criterion) {
    let network = Network::new(Guard::platform(), 1);
    let pods: Vec<_> = (0..10).map(pod).collect();
    let lines: Vec<Line<'_>> = (0..1_000_u64)
        .map(|no| {
            let (source, incarnation) = &pods[no as usize % 10];
            Line {
                origin: no % 10,
                source,
                incarnation,
                end: no * 100,
                time: 1_795_168_800_000_000_000 + no as i64 * 1_000_000,
                flags: Flags::default(),
                payload: PAYLOAD,
            }
        })
        .collect();
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Elements(lines.len() as u64));
    for url in URLS {
        let target = Target::parse(url).expect("a URL");
        let mut sink = open(&target, &Credentials::default(), &network).expect("a sink");
        let mut batch = Batch::default();
        group.bench_function(url, |bencher| {
            bencher.iter(|| {
                batch.clear();
                for line in &lines {
                    sink.encode(black_box(line), &mut batch);
                }
                black_box(&batch);
            });
        });
    }
}

criterion_group!(benches, encode);
criterion_main!(benches);
