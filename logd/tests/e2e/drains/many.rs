//! Many drains at once.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use fairlead_test_support::{figure, soaking};
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpSocket},
    task::JoinHandle,
};

use super::App;
use crate::support::{Api, Process, Receiver};

/// A listener whose system takes little that nobody reads.
fn narrow() -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    socket.listen(1_024).unwrap()
}

/// Accepts, and never reads.
fn black_hole() -> (SocketAddr, JoinHandle<()>) {
    let listener = narrow();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    (address, task)
}

/// Takes 1 KB a second.
fn slow() -> (SocketAddr, JoinHandle<()>) {
    let listener = narrow();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 1_000];
                while stream.read(&mut buffer).await.is_ok_and(|length| length > 0) {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            });
        }
    });
    (address, task)
}

/// How long it takes until so many drains have all of an app's lines, in order, while as many others
/// as `lame` lead nowhere or to slow receivers; and kilobytes of memory of logd then.
async fn drained(healthy: usize, lame: usize, lines: usize) -> (Duration, u64) {
    let ((hole, holding), (slow, reading)) = (black_hole(), slow());
    let mut receiver = Receiver::start().await;
    let healthy_url = receiver.url();
    let lame_url = |number| {
        let address = if number % 2 == 0 { hole } else { slow };
        format!("syslog+tcp://{address}")
    };
    let urls = (0..healthy).map(|_| healthy_url.clone()).chain((0..lame).map(lame_url));
    let urls = urls.collect::<Vec<_>>().join(",");
    let (api, folder) = (Api::start().await, tempfile::tempdir().unwrap());
    let args = ["--drain", &urls, "--app-age=36500d", "--log=info"];
    let logd = Process::with(&api, "logd", folder.path(), &args);
    let mut web = App::at(logd.wire, "shop/web", "a").await;
    let text = "x".repeat(200);
    let all: Vec<String> = (0..lines).map(|no| format!("{no} {text}")).collect();
    let begin = std::time::Instant::now();
    for lines in all.chunks(500) {
        web.write(&lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    let mut next: HashMap<usize, usize> = HashMap::new();
    for _ in 0..healthy * lines {
        let (connection, text) = receiver.numbered().await;
        let no: usize = text.split(' ').next().unwrap().parse().unwrap();
        let next = next.entry(connection).or_default();
        assert_eq!(no, *next, "in order, and once");
        *next += 1;
    }
    assert_eq!(next.len(), healthy);
    let took = begin.elapsed();
    let resident = logd.resident();
    holding.abort();
    reading.abort();
    (took, resident)
}

/// Many drains, of which a tenth lead nowhere and a tenth take 1 KB/s: the others get every line, once
/// and in order. With all numbers, 1,000 of them; how long it takes is told, and compared by people.
#[tokio::test]
async fn drains_that_lead_nowhere_or_are_slow_hold_no_other_up() {
    let (drains, lines) = if soaking() { (1_000, 5_000) } else { (50, 1_000) };
    let test = "drains_that_lead_nowhere_or_are_slow_hold_no_other_up";
    if soaking() {
        let (took, kilobytes) = drained(drains * 8 / 10, 0, lines).await;
        figure(test, &format!("800 healthy drains alone: {took:.2?}, {kilobytes} kB resident"));
    }
    let (took, kilobytes) = drained(drains * 8 / 10, drains * 2 / 10, lines).await;
    if soaking() {
        figure(test, &format!("with 200 lame ones: {took:.2?}, {kilobytes} kB resident"));
    }
}
