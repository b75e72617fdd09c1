//! What drains that lead nowhere cost those that do not.

use std::net::SocketAddr;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};
use std::time::{Duration, Instant};

use fairlead_benches::{
    Column, Row, Scenario,
    logs::{relay, server::Server},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::{sleep, timeout},
};

use super::drain;
use crate::{
    BenchError,
    logd::{Logd, PAYLOAD, Sender},
    stage::Stage,
};

pub(crate) const NAME: &str = "drains";
/// A row that others are compared with.
pub(crate) const ALONE: &str = "no lame drains";

const APPS: u32 = 10;
/// Lines that an app writes at once.
const BATCH: u32 = 50;
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(5);

pub(crate) async fn run(stage: &Stage) -> Result<Scenario, BenchError> {
    let (drains, lines) = (stage.extent.drains, stage.extent.lines / 100);
    let rounds = u32::try_from(lines).unwrap_or(u32::MAX).div_ceil(APPS * BATCH);
    let (well, lame) = (drains * 8 / 10, drains * 2 / 10);
    let mut rows = vec![Row::new("Fairlead"), Row::new(ALONE)];
    for round in 0..stage.extent.rounds {
        for turn in 0..rows.len() {
            let number = (round + turn) % rows.len();
            let lame = if number == 0 { lame } else { 0 };
            rows[number].samples.push(drained(stage, well, lame, rounds).await?);
        }
    }
    let lines = rounds * APPS * BATCH;
    Ok(Scenario {
        name: NAME,
        title: "Drains beside lame ones".to_owned(),
        setting: format!(
            "{APPS} apps write {lines} lines of {PAYLOAD} bytes, and each of {well} drains has all of them: eight \
             of ten by syslog over TCP, one over TLS, one by HTTP as JSON, to receivers on the other core that \
             count them. Beside them are {lame} lame drains in the same mixture, each with a receiver of its \
             own: half of these accept and never read, half take 1 KB a second. Time is from the first line \
             written to the last one received, for each line of each of the {well}; memory (Pss) is logd's \
             then. Targets: at most 1.01 × the time without the lame ones (99 % of their rate), and 1.05 × the \
             memory.",
        ),
        columns: vec![Column::compared("µs per line of a drain", 3), Column::compared("MiB", 1)],
        rows,
    })
}

/// Time for each line of each drain that is well, and memory.
async fn drained(
    stage: &Stage,
    well: usize,
    lame: usize,
    rounds: u32,
) -> Result<Vec<f64>, BenchError> {
    let folder = stage.folder()?;
    let (certificate, acceptor) = drain::identity(&folder)?;
    let count = Arc::<AtomicU64>::default();
    let counter = || count.clone();
    let plain = counting(counter(), |stream, count| async move { syslog(stream, &count).await });
    let http = counting(counter(), |stream, count| async move { requests(stream, &count).await });
    let secure = counting(counter(), move |stream, count| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                syslog(stream, &count).await;
            }
        }
    });
    let (plain, http, secure) = (plain.await?, http.await?, secure.await?);
    let mut receivers = Vec::new();
    for number in 0..lame {
        receivers.push(if number % 2 == 0 { hole()? } else { slow()? });
    }
    let url = |number: usize, [plain, secure, http]: [SocketAddr; 3]| match number % 10 {
        0 => format!("syslog+tls://{secure}"),
        1 => format!("json+http://{http}/"),
        _ => format!("syslog+tcp://{plain}"),
    };
    let of_well = [plain.address, secure.address, http.address];
    let urls = (0..well).map(|number| url(number, of_well));
    // Of two in a row one never reads and one is slow.
    let of_lame = receivers.iter().enumerate();
    let urls = urls.chain(of_lame.map(|(number, it)| url(number / 2, [it.address; 3])));
    let urls = urls.collect::<Vec<_>>().join(",");
    let flags = ["--memory", "1Gi", "--app-bytes", "1Gi", "--drain", &urls];
    let logd = Logd::trusting(&stage.logd, &flags, &certificate, &stage.core).await?;
    let mut sender = Sender::start(&logd).await?;
    let lines = u64::from(rounds * APPS * BATCH) * well as u64;
    let begin = Instant::now();
    for _ in 0..rounds {
        sender.send_each(0..=APPS - 1, BATCH).await?;
    }
    let all = async {
        while count.load(Relaxed) < lines {
            sleep(LOOK).await;
        }
    };
    if timeout(PATIENCE, all).await.is_err() {
        let arrived = count.load(Relaxed);
        return Err(BenchError::Stalled { peer: "Fairlead", arrived, lines });
    }
    let took = begin.elapsed().as_secs_f64() * 1e6 / lines as f64;
    if count.load(Relaxed) > lines {
        return Err(BenchError::Logd("lines came twice".to_owned()));
    }
    Ok(vec![took, logd.memory()? / 1_048_576.0])
}

/// A receiver that counts lines.
async fn counting<F, Fut>(count: Arc<AtomicU64>, serve: F) -> std::io::Result<Server>
where
    F: Fn(TcpStream, Arc<AtomicU64>) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    Server::start(move |stream| serve(stream, count.clone())).await
}

/// Counts messages, each behind its length.
async fn syslog(mut stream: impl AsyncRead + Unpin, count: &AtomicU64) {
    let mut buffer = Vec::with_capacity(64 << 10);
    while stream.read_buf(&mut buffer).await.is_ok_and(|length| length > 0) {
        let mut rest = &buffer[..];
        while let Ok(Some((_, behind))) = relay::first(rest) {
            count.fetch_add(1, Relaxed);
            rest = behind;
        }
        let taken = buffer.len() - rest.len();
        buffer.drain(..taken);
        buffer.reserve(64 << 10);
    }
}

/// Counts lines of requests' bodies, and says that all is well.
async fn requests(mut stream: TcpStream, count: &AtomicU64) {
    let mut buffer = Vec::with_capacity(64 << 10);
    while stream.read_buf(&mut buffer).await.is_ok_and(|length| length > 0) {
        while let Some(end) = request(&buffer) {
            let lines = buffer[..end].iter().filter(|byte| **byte == b'\n').count();
            let head = head(&buffer).map_or(0, |(head, _)| head);
            let lines_of_head = buffer[..head].iter().filter(|byte| **byte == b'\n').count();
            count.fetch_add((lines - lines_of_head) as u64, Relaxed);
            buffer.drain(..end);
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            if stream.write_all(answer).await.is_err() {
                return;
            }
        }
    }
}

/// Where the first request ends, once all of it has come.
fn request(bytes: &[u8]) -> Option<usize> {
    let (head, body) = head(bytes)?;
    (bytes.len() >= head + body).then_some(head + body)
}

/// The lengths of a request's head and body.
fn head(bytes: &[u8]) -> Option<(usize, usize)> {
    let end = memchr::memmem::find(bytes, b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    Some((end, length.unwrap_or(0)))
}

/// Accepts, and never reads.
fn hole() -> std::io::Result<Server> {
    narrow(|stream| async move {
        let _held = stream;
        std::future::pending::<()>().await;
    })
}

/// Takes 1 KB a second.
fn slow() -> std::io::Result<Server> {
    narrow(|mut stream| async move {
        let mut buffer = [0; 1_000];
        while stream.read(&mut buffer).await.is_ok_and(|length| length > 0) {
            sleep(Duration::from_secs(1)).await;
        }
    })
}

/// A receiver whose system takes little that nobody reads.
fn narrow<F, Fut>(serve: F) -> std::io::Result<Server>
where
    F: Fn(TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4_096)?;
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    Server::on(socket.listen(16)?, serve)
}
