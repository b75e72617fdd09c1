//! A logd over loopback sockets: the newest lines, and how fast a sender is taken.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "criterion_group! makes public items")]

use std::{hint::black_box, num::NonZeroUsize};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fairlead_logd::{Auth, Logd, LogdOptions};
use fairlead_wire::{
    Record,
    client::{Connection, Endpoint, connect},
    message::{Batch, Batches, File, FromLogd, FromSender, Open, Source},
    record::Flags,
};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LINES: u32 = 1_000;
const LENGTH: u32 = 216;
const FILES: u32 = 4;

struct Sender {
    connection: Connection,
    from: u64,
}

impl Sender {
    async fn start(logd: &Logd) -> Self {
        let url = format!("http://{}", logd.wire_addr()).parse().expect("made of an address");
        let endpoint = Endpoint::at(url);
        let mut connection = connect(&endpoint, "bench").await.expect("logd listens");
        for file in 1..=FILES {
            let incarnation = File {
                pod_uid: format!("{file}"),
                container: "web".to_owned(),
                restart: 0,
                first_line: 0,
            };
            let source = Source {
                namespace: "web".to_owned(),
                app: format!("web{file}"),
                pod: "web-1-abcde".to_owned(),
                process: "web".to_owned(),
                ..Source::default()
            };
            let open = FromSender::Open(Open { file, incarnation, source });
            connection.sender.send(&open).await.expect("logd takes it");
            while !matches!(connection.receiver.next().await, Ok(FromLogd::Opened(_))) {}
        }
        Self { connection, from: 0 }
    }

    /// Sends a batch of each file and waits until all are stored.
    async fn batches(&mut self, records: &Bytes) {
        let to = self.from + u64::from(LINES * (LENGTH + 1));
        let batch = |file| Batch {
            file,
            from: self.from,
            to,
            records: records.clone(),
            ..Batch::default()
        };
        let batches = Batches { batches: (1..=FILES).map(batch).collect() };
        self.connection.sender.send(&FromSender::Batches(batches)).await.expect("taken");
        let mut stored = 0;
        while stored < FILES {
            if let Ok(FromLogd::Acks(acks)) = self.connection.receiver.next().await {
                stored += acks.acks.iter().filter(|ack| ack.stored == to).count() as u32;
            }
        }
        self.from = to;
    }
}

fn records() -> Bytes {
    let mut records = Vec::new();
    for n in 1..=LINES {
        let text = format!(
            "{{\"level\":\"info\",\"request_id\":\"{:032x}\",\"n\":{n}}}",
            u64::from(n) * 0x9e37_79b9
        );
        let payload = format!("{text:length$}", length = LENGTH as usize);
        let time = 1_795_168_800_000_000_000 + i64::from(n) * 1_000_000;
        Record {
            end: n * (LENGTH + 1),
            time,
            flags: Flags::default(),
            payload: payload.as_bytes(),
        }
        .pack(&mut records);
    }
    records.into()
}

async fn get(requests: &mut SendRequest<Empty<Bytes>>, path: &str) -> usize {
    let request = http::Request::get(path)
        .header("host", "localhost")
        .body(Empty::new())
        .expect("a sound request");
    let answer = requests.send_request(request).await.expect("logd answers");
    answer.into_body().collect().await.expect("a whole body").to_bytes().len()
}

fn bench(c: &mut Criterion) {
    let any = "127.0.0.1:0".parse().expect("an address");
    let mut options = LogdOptions::new(Auth::Off);
    (options.http, options.wire) = (any, any);
    options.shards = NonZeroUsize::MIN;
    options.limits.bytes = 32 << 20;
    let logd = Logd::start(options).expect("it starts");
    let runtime = Runtime::new().expect("a runtime");
    let records = records();
    let mut sender = runtime.block_on(Sender::start(&logd));
    for _ in 0..200 {
        runtime.block_on(sender.batches(&records));
    }

    let mut group = c.benchmark_group("ingest");
    group.throughput(Throughput::Elements((LINES * FILES).into()));
    group.bench_function("4 files, 1000 lines of 216 bytes each", |b| {
        b.iter(|| runtime.block_on(sender.batches(&records)));
    });
    group.finish();

    let mut requests = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(logd.http_addr()).await.expect("it listens");
        let (requests, connection) = handshake(TokioIo::new(stream)).await.expect("HTTP");
        tokio::spawn(connection);
        requests
    });
    for path in [
        "/healthz",
        "/logs/web/web1?log_lines=1000",
        "/logs/web/web1?log_lines=1000&format=json",
        "/logs/web/web1?log_lines=1000&contains=nowhere",
        "/logs/web/web1?log_lines=1000&regex=no.here",
    ] {
        c.bench_function(path, |b| {
            b.iter(|| black_box(runtime.block_on(get(&mut requests, path))));
        });
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
