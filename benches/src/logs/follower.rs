//! A reader of logd's HTTP API: follows an app, comes back by cursor when the connection ends, and drops
//! names that it has seen.

use std::borrow::Cow;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use fairlead_wire::Stream;
use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::arrivals::Arrivals;
use super::checker::Seen;

/// Between a connection that ended and the next.
const PAUSE: Duration = Duration::from_millis(50);
/// For logd to accept a connection and to begin an answer, which may be about many lines.
const PATIENCE: Duration = Duration::from_secs(30);

/// Follows an app until dropped.
#[derive(Debug)]
pub struct Follower {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    connections: AtomicU64,
    repeated: AtomicU64,
    notices: Mutex<Vec<String>>,
    trouble: Mutex<Option<String>>,
}

/// A line as logd shows it.
#[derive(Debug, Deserialize)]
pub struct Line<'a> {
    /// The pod's name.
    #[serde(default)]
    pub pod: &'a str,
    /// The container's name.
    #[serde(default)]
    pub container: &'a str,
    /// `stdout` or `stderr`.
    #[serde(default)]
    pub stream: &'a str,
    /// What was written.
    #[serde(borrow)]
    pub message: Cow<'a, str>,
    /// Whether the stream's next line continues it.
    #[serde(default)]
    pub cut: bool,
    /// Whether it is about the log.
    #[serde(default)]
    pub notice: bool,
    /// The record's name; none where it is for this reader alone.
    #[serde(default)]
    pub name: &'a str,
    /// Where to go on.
    pub cursor: &'a str,
}

impl Line<'_> {
    /// Hands it to a checker.
    pub fn seen<T>(&self, take: impl FnOnce(&Seen<'_>) -> T) -> T {
        take(&Seen {
            stream: if self.stream == "stderr" { Stream::Stderr } else { Stream::Stdout },
            pod: self.pod,
            container: self.container,
            cut: self.cut,
            payload: self.message.as_bytes(),
        })
    }
}

impl Follower {
    /// Follows `app`, NAMESPACE/NAME, at any of these logds. What comes goes to `arrivals`.
    #[must_use]
    pub fn start(logds: Vec<SocketAddr>, app: &str, arrivals: Arrivals) -> Self {
        let shared = Arc::new(Shared::default());
        let (app, follow) = (app.to_owned(), shared.clone());
        let task = tokio::spawn(async move {
            let mut place = Place::default();
            for logd in logds.iter().cycle() {
                let error = follow.once(*logd, &app, &mut place, &arrivals).await;
                *follow.trouble.lock() = Some(error.to_string());
                sleep(PAUSE).await;
            }
        });
        Self { shared, task }
    }

    /// How many connections there have been.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// How many lines came again and were dropped.
    #[must_use]
    pub fn repeated(&self) -> u64 {
        self.shared.repeated.load(Ordering::Relaxed)
    }

    /// What was told about the log.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        self.shared.notices.lock().clone()
    }

    /// Why the last connection ended.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.shared.trouble.lock().clone()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where a follower is.
#[derive(Debug, Default)]
struct Place {
    cursor: Option<String>,
    names: HashSet<String>,
}

/// Why there is no answer.
pub type Trouble = Box<dyn std::error::Error + Send + Sync>;

impl Shared {
    /// One connection; why it ended.
    async fn once(
        &self,
        logd: SocketAddr,
        app: &str,
        place: &mut Place,
        arrivals: &Arrivals,
    ) -> Trouble {
        let from = match &place.cursor {
            Some(cursor) => format!("after={cursor}"),
            None => format!("log_lines={}", u32::MAX),
        };
        let path = format!("/logs/{app}?follow=true&format=json&{from}");
        let mut answer = match get(logd, &path).await {
            Ok(answer) => answer,
            Err(error) => return error,
        };
        self.connections.fetch_add(1, Ordering::Relaxed);
        let mut buffer = BytesMut::new();
        loop {
            match answer.next().await {
                Err(error) => return error,
                Ok(None) => return "the answer ended".into(),
                Ok(Some(bytes)) => buffer.extend_from_slice(&bytes),
            }
            let whole = buffer.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            let mut taking = arrivals.take();
            for line in buffer[..whole].split(|byte| *byte == b'\n') {
                // A pause is filled with empty lines.
                if line.is_empty() {
                    continue;
                }
                let line: Line<'_> = match serde_json::from_slice(line) {
                    Ok(line) => line,
                    Err(error) => return format!("{error}: {}", line.escape_ascii()).into(),
                };
                place.cursor = Some(line.cursor.to_owned());
                if line.notice {
                    self.notices.lock().push(line.message.into_owned());
                } else if place.names.insert(line.name.to_owned()) {
                    line.seen(|seen| taking.record(seen));
                } else {
                    self.repeated.fetch_add(1, Ordering::Relaxed);
                }
            }
            drop(taking);
            buffer.advance(whole);
        }
    }
}

/// An answer, piece by piece.
pub struct Answer {
    body: hyper::body::Incoming,
    _connection: JoinSet<()>,
}

impl Answer {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// Where the connection breaks.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Trouble> {
        loop {
            match self.body.frame().await.transpose()? {
                None => return Ok(None),
                Some(frame) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }
}

/// Asks for a path.
///
/// # Errors
/// Where logd does not answer, or refuses.
pub async fn get(logd: SocketAddr, path: &str) -> Result<Answer, Trouble> {
    let open = async {
        let stream = TcpStream::connect(logd).await?;
        let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // What broke it shows in the body.
            let _ = connection.await;
        });
        let request =
            Request::get(path).header("host", logd.to_string()).body(Empty::<Bytes>::new())?;
        let answer = requests.send_request(request).await?;
        if !answer.status().is_success() {
            return Err(format!("{path}: {}", answer.status()).into());
        }
        Ok(Answer { body: answer.into_body(), _connection: tasks })
    };
    timeout(PATIENCE, open).await?
}

/// The whole of an answer that is not followed.
///
/// # Errors
/// Where logd does not answer, or refuses.
pub async fn read(logd: SocketAddr, path: &str) -> Result<Vec<u8>, Trouble> {
    let mut answer = get(logd, path).await?;
    let mut whole = Vec::new();
    while let Some(bytes) = answer.next().await? {
        whole.extend_from_slice(&bytes);
    }
    Ok(whole)
}
