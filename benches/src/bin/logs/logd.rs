//! A logd under measurement, and a sender that fills it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use fairlead_benches::{
    Process,
    logs::{component::address, follower},
    machine::Cores,
};
use fairlead_wire::{
    Record,
    client::{Connection, Endpoint, connect},
    message::{Batch, Batches, File, FromLogd, FromSender, Open, Source},
    record::Flags,
};
use tokio::time::{sleep, timeout};

use crate::{BenchError, peers::Program};

/// Bytes of a payload: the mean of container logs.
pub(crate) const PAYLOAD: usize = 216;
/// For logd to come up, and to take a batch.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(5);

/// A process.
pub(crate) struct Logd {
    pub(crate) process: Process,
    pub(crate) http: SocketAddr,
    pub(crate) wire: SocketAddr,
}

impl Logd {
    /// Starts one with one shard, which takes anybody's lines.
    pub(crate) async fn start(
        program: &Program,
        flags: &[&str],
        cores: &Cores,
    ) -> Result<Self, BenchError> {
        Self::run(program.command(), flags, cores).await
    }

    /// The same of one that trusts a certificate.
    pub(crate) async fn trusting(
        program: &Program,
        flags: &[&str],
        certificate: &Path,
        cores: &Cores,
    ) -> Result<Self, BenchError> {
        let mut command = program.command();
        command.env("SSL_CERT_FILE", certificate);
        Self::run(command, flags, cores).await
    }

    async fn run(mut command: Command, flags: &[&str], cores: &Cores) -> Result<Self, BenchError> {
        let (http, wire) = (address()?, address()?);
        command.args(["--no-auth", "--shards", "1", "--log", "error"]).args(flags);
        command.arg("--http").arg(http.to_string()).arg("--wire").arg(wire.to_string());
        let process = Process::start("logd", &mut command, cores)?;
        let up = async {
            while follower::read(http, "/healthz").await.is_err() {
                sleep(LOOK).await;
            }
        };
        timeout(PATIENCE, up).await.map_err(|_| BenchError::Logd("it does not answer".into()))?;
        Ok(Self { process, http, wire })
    }

    /// The process of one that takes syslog over TCP at `from`, and trusts `certificate`, where there
    /// is one.
    pub(crate) fn relay(
        program: &Program,
        flags: &[&str],
        from: SocketAddr,
        certificate: &Path,
        cores: &Cores,
    ) -> Result<Process, BenchError> {
        let mut command = program.command();
        command.args(["--no-auth", "--shards", "1", "--log", "error"]).args(flags);
        command.args(["--http", "127.0.0.1:0", "--wire", "127.0.0.1:0"]);
        command.arg("--syslog").arg(from.to_string()).env("SSL_CERT_FILE", certificate);
        Ok(Process::start("logd", &mut command, cores)?)
    }

    /// A metric without labels.
    pub(crate) async fn metric(&self, name: &str) -> Result<u64, BenchError> {
        let text = follower::read(self.http, "/metrics").await;
        let text = text.map_err(|error| BenchError::Logd(error.to_string()))?;
        let text = String::from_utf8_lossy(&text);
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let value = value.and_then(|value| value.trim().parse().ok());
        value.ok_or_else(|| BenchError::Logd(format!("it has no metric {name}")))
    }

    /// Bytes of memory that is its own.
    pub(crate) fn memory(&self) -> Result<f64, BenchError> {
        Ok(self.process.pss()? as f64)
    }
}

/// Sends lines of apps `app-0`, `app-1` and so on, in namespace `shop`.
pub(crate) struct Sender {
    connection: Connection,
    /// How far each app's file is.
    files: HashMap<u32, u64>,
}

impl Sender {
    pub(crate) async fn start(logd: &Logd) -> Result<Self, BenchError> {
        let url = format!("http://{}", logd.wire).parse().expect("made of an address");
        let endpoint = Endpoint::at(url);
        let connection = connect(&endpoint, "bench").await.map_err(failed)?;
        Ok(Self { connection, files: HashMap::new() })
    }

    /// Sends so many lines of an app, and waits until they are stored.
    pub(crate) async fn send(&mut self, app: u32, lines: u32) -> Result<(), BenchError> {
        self.send_each(app..=app, lines).await
    }

    /// Sends so many lines of each of some apps, and waits until all are stored: logd gathers its
    /// answers for some milliseconds.
    pub(crate) async fn send_each(
        &mut self,
        apps: RangeInclusive<u32>,
        lines: u32,
    ) -> Result<(), BenchError> {
        let records = records(lines);
        let mut missing = HashMap::new();
        for app in apps {
            if !self.files.contains_key(&app) {
                self.open(app).await?;
            }
            let from = self.files[&app];
            let to = from + u64::from(lines) * (PAYLOAD as u64 + 1);
            let batch =
                Batch { file: app + 1, from, to, records: records.clone(), ..Batch::default() };
            let batches = FromSender::Batches(Batches { batches: vec![batch] });
            self.connection.sender.send(&batches).await.map_err(failed)?;
            self.files.insert(app, to);
            missing.insert(app + 1, to);
        }
        self.until(|message| {
            if let FromLogd::Acks(acks) = message {
                for ack in &acks.acks {
                    if missing.get(&ack.file).is_some_and(|to| ack.stored >= *to) {
                        missing.remove(&ack.file);
                    }
                }
            }
            missing.is_empty()
        })
        .await
    }

    async fn open(&mut self, app: u32) -> Result<(), BenchError> {
        let incarnation = File {
            pod_uid: format!("00000000-0000-4000-8000-{app:012}"),
            container: "web".to_owned(),
            restart: 0,
            first_line: u64::from(app),
        };
        let source = Source {
            namespace: "shop".to_owned(),
            app: format!("app-{app}"),
            pod: format!("app-{app}-6f7c-x7k2p"),
            process: "web".to_owned(),
            ..Source::default()
        };
        let open = FromSender::Open(Open { file: app + 1, incarnation, source });
        // Nobody has sent the file before, so that there is no need to wait for where it was left.
        self.connection.sender.send(&open).await.map_err(failed)?;
        self.files.insert(app, 0);
        Ok(())
    }

    async fn until(&mut self, mut found: impl FnMut(&FromLogd) -> bool) -> Result<(), BenchError> {
        let receiver = &mut self.connection.receiver;
        let wait = async {
            while !found(&receiver.next().await.map_err(failed)?) {}
            Ok(())
        };
        timeout(PATIENCE, wait).await.map_err(|_| BenchError::Logd("it does not answer".into()))?
    }
}

/// Packed lines; each has a number, so that they do not compress to nothing.
fn records(lines: u32) -> Bytes {
    let mut records = Vec::with_capacity(lines as usize * (PAYLOAD + 17));
    let now = jiff::Timestamp::now().as_nanosecond();
    let time = i64::try_from(now).expect("before 2262");
    for n in 1..=lines {
        let hash = u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let text = format!("{{\"level\":\"info\",\"request_id\":\"{hash:032x}\",\"n\":{n}}}");
        let payload = format!("{text:PAYLOAD$}");
        let end = n * (PAYLOAD as u32 + 1);
        let (time, flags, payload) = (time + i64::from(n), Flags::default(), payload.as_bytes());
        Record { end, time, flags, payload }.pack(&mut records);
    }
    records.into()
}

fn failed(error: impl std::fmt::Display) -> BenchError {
    BenchError::Logd(error.to_string())
}
