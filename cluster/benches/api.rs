//! How fast the API is: a long list, an event of a watch, memory of an object.
//!
//!     cargo run --release -p fairlead-cluster --bin cluster-bench

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fairlead_cluster::http::{Server, Tokens};
use fairlead_cluster::{Kind, Registry, WriteOptions, kinds};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

const OBJECTS: usize = 10_000;
const LISTS: usize = 50;
const EVENTS: usize = 5_000;
/// Time between two changes.
const PACE: Duration = Duration::from_millis(1);

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    // First, while the process holds nothing else.
    for (kind, make) in [(&kinds::CONFIG_MAP, map as fn(usize) -> Value), (&kinds::POD, pod)] {
        memory(kind, make);
    }
    for (kind, make) in [(&kinds::SERVICE, service as fn(usize) -> Value), (&kinds::POD, pod)] {
        runtime.block_on(lists(kind, make));
    }
    for watchers in [1, 50] {
        runtime.block_on(watches(watchers));
    }
}

fn registry() -> (Registry, WriteOptions) {
    let (registry, options) = (Registry::new(), WriteOptions::by("bench"));
    let namespace = json!({"metadata": {"name": "app"}});
    registry.create(&kinds::NAMESPACE, None, namespace, &options).expect("created");
    (registry, options)
}

fn fill(registry: &Registry, kind: &'static Kind, make: fn(usize) -> Value, from: usize) {
    let options = WriteOptions::by("bench");
    for index in from..from + OBJECTS {
        registry.create(kind, Some("app"), make(index), &options).expect("created");
    }
}

fn map(index: usize) -> Value {
    json!({
        "metadata": {"name": format!("m{index:05}"), "labels": {"app": "web"}},
        "data": {"key": "value"},
    })
}

fn service(index: usize) -> Value {
    json!({
        "metadata": {
            "name": format!("s{index:05}"),
            "labels": {"app": format!("app{index}"), "router.fairlead.dev/routable": "true"},
            "annotations": {"router.fairlead.dev/domains": format!("app{index}.example.org")},
        },
        "spec": {
            "selector": {"app": format!("app{index}")},
            "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
        },
    })
}

fn pod(index: usize) -> Value {
    json!({
        "metadata": {"name": format!("p{index:05}"), "labels": {"app": "web", "pod-template-hash": "5d8f"}},
        "spec": {"containers": [{
            "name": "web", "image": "registry.example.org/web:1.0",
            "env": [{"name": "PORT", "value": "8080"}, {"name": "MODE", "value": "production"}],
            "ports": [{"name": "http", "containerPort": 8080}],
            "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}},
        }]},
    })
}

/// What further objects cost once the window of remembered changes is full.
fn memory(kind: &'static Kind, make: fn(usize) -> Value) {
    let (registry, _) = registry();
    fill(&registry, kind, make, 0);
    let before = pss();
    for round in 1..=4 {
        fill(&registry, kind, make, round * OBJECTS);
    }
    let grown = pss().saturating_sub(before);
    let everything = fairlead_cluster::Selector::everything();
    let first = registry.list(kind, None, &everything).items[0].to_string().len();
    println!(
        "memory: {} of {first} bytes of JSON: {} bytes each (Pss of {} more)",
        kind.singular,
        grown / (4 * OBJECTS),
        4 * OBJECTS,
    );
}

/// Bytes of memory that this process alone accounts for.
fn pss() -> usize {
    let text = fs::read_to_string("/proc/self/smaps_rollup").expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).expect("a line");
    let kilobytes: usize =
        line.trim().trim_end_matches(" kB").parse().expect("a number of kilobytes");
    kilobytes * 1024
}

/// A connection, and the head of a request without its end.
async fn request(addr: SocketAddr, token: &str, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(addr).await.expect("connected");
    stream.set_nodelay(true).expect("set");
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {addr}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream
}

async fn serve(registry: &Registry) -> (Server, String) {
    let tokens = Tokens::default();
    let token = tokens.mint("bench");
    (Server::start(registry.clone(), tokens, None).await.expect("a port"), token)
}

/// From the request to the last byte of the answer.
async fn lists(kind: &'static Kind, make: fn(usize) -> Value) {
    let (registry, _) = registry();
    fill(&registry, kind, make, 0);
    let (server, token) = serve(&registry).await;
    let path = format!("{}/{}", kind.path(), kind.plural);
    let (mut times, mut size) = (Vec::new(), 0);
    let mut answer = Vec::new();
    for _ in 0..LISTS {
        answer.clear();
        let started = Instant::now();
        let mut stream = request(server.addr(), &token, &path).await;
        stream.read_to_end(&mut answer).await.expect("read");
        times.push(started.elapsed());
        size = answer.len();
    }
    // Later ones find the JSON made.
    let first = times.remove(0);
    println!(
        "list: {OBJECTS} {} ({:.1} MB): first {first:?}, then {}",
        kind.plural,
        size as f64 / 1e6,
        quantiles(&mut times)
    );
}

/// From the start of a write to the moment that the last of the watchers has read its event.
async fn watches(watchers: usize) {
    let (registry, options) = registry();
    registry.create(&kinds::CONFIG_MAP, Some("app"), map(0), &options).expect("created");
    let (server, token) = serve(&registry).await;
    let mut lines = Vec::new();
    for _ in 0..watchers {
        let path = "/api/v1/configmaps?watch=1";
        let mut stream = BufReader::new(request(server.addr(), &token, path).await);
        // Up to the event of what is there already.
        read_event(&mut stream).await;
        lines.push(stream);
    }
    let mut times = Vec::new();
    let mut next = Instant::now();
    for round in 0..EVENTS {
        tokio::time::sleep_until(next.into()).await;
        next += PACE;
        let started = Instant::now();
        registry
            .modify(&kinds::CONFIG_MAP, Some("app"), "m00000", None, &options, |map| {
                map["data"] = json!({"round": round.to_string()});
                Ok(())
            })
            .expect("changed");
        for stream in &mut lines {
            read_event(stream).await;
        }
        times.push(started.elapsed());
    }
    println!("watch: {watchers} watchers, {EVENTS} changes: {}", quantiles(&mut times));
}

/// Reads the line of one event, past heads and sizes of chunks.
async fn read_event(stream: &mut BufReader<TcpStream>) {
    let mut line = Vec::new();
    loop {
        line.clear();
        stream.read_until(b'\n', &mut line).await.expect("read");
        assert!(!line.is_empty(), "the watch goes on");
        if line.starts_with(b"{\"type\"") {
            return;
        }
    }
}

fn quantiles(times: &mut [Duration]) -> String {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    format!("p50 {:?}, p99 {:?}, max {:?}", at(0.5), at(0.99), times[times.len() - 1])
}
