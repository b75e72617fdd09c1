//! A sender that says what a test tells it to.

use std::net::SocketAddr;

use fairlead_logd::Logd;
use fairlead_wire::{
    Record,
    client::{Connection, Endpoint, connect},
    message::{Ack, Acks, Batch, Batches, File, FromLogd, FromSender, Gap, Open, Opened, Source},
    record::Flags,
};

use super::{TEN, within};

/// Lines of `app` in `namespace`, from a pod.
pub(crate) fn source(app: &str, process: &str, pod: &str) -> Source {
    let (namespace, app) = app.split_once('/').unwrap();
    let text = str::to_owned;
    Source {
        namespace: text(namespace),
        app: text(app),
        pod: text(pod),
        process: text(process),
        release: text("v2"),
        ..Source::default()
    }
}

/// The content of a file.
#[derive(Clone)]
pub(crate) struct FileName(pub(crate) File);

impl FileName {
    pub(crate) fn new(pod_uid: &str) -> Self {
        Self(File {
            pod_uid: pod_uid.to_owned(),
            container: "web".to_owned(),
            restart: 0,
            first_line: 1,
        })
    }
}

/// A sender on one stream.
pub(crate) struct Sender {
    connection: Connection,
    files: u32,
}

impl Sender {
    pub(crate) async fn connect(logd: &Logd) -> Self {
        Self::with_token(logd, None).await
    }

    pub(crate) async fn with_token(logd: &Logd, token: Option<&str>) -> Self {
        Self::to(logd.wire_addr(), token).await
    }

    pub(crate) async fn at(address: SocketAddr) -> Self {
        Self::to(address, None).await
    }

    async fn to(address: SocketAddr, token: Option<&str>) -> Self {
        let url = format!("http://{address}").parse().unwrap();
        let token = token.map(|token| format!("Bearer {token}").parse().unwrap());
        let endpoint = Endpoint { token, ..Endpoint::at(url) };
        let connection = connect(&endpoint, "test").await.unwrap();
        Self { connection, files: 0 }
    }

    pub(crate) fn instance(&self) -> &str {
        &self.connection.hello.instance
    }

    pub(crate) async fn say(&mut self, message: FromSender) {
        self.connection.sender.send(&message).await.unwrap();
    }

    pub(crate) async fn hear(&mut self) -> FromLogd {
        within("an answer", self.connection.receiver.next()).await.unwrap()
    }

    /// Opens a file; what logd knows of it.
    pub(crate) async fn open(&mut self, name: &FileName, source: Source) -> Opened {
        self.files += 1;
        let file = self.files;
        self.say(FromSender::Open(Open { file, incarnation: name.0.clone(), source })).await;
        loop {
            if let FromLogd::Opened(opened) = self.hear().await {
                assert_eq!(opened.file, file);
                return opened;
            }
        }
    }

    /// Sends a batch and waits until it is acknowledged.
    pub(crate) async fn batch(&mut self, batch: Batch) -> Ack {
        let (file, to) = (batch.file, batch.to);
        self.say(FromSender::Batches(Batches { batches: vec![batch] })).await;
        self.ack(file, |ack| ack.stored >= to).await
    }

    pub(crate) async fn gap(&mut self, gap: Gap) -> Ack {
        let (file, id) = (gap.file, gap.id);
        self.say(FromSender::Gap(gap)).await;
        self.ack(file, |ack| ack.gap == id).await
    }

    pub(crate) async fn ack(&mut self, file: u32, is_it: impl Fn(&Ack) -> bool) -> Ack {
        loop {
            if let FromLogd::Acks(Acks { acks }) = self.hear().await
                && let Some(ack) = acks.iter().find(|ack| ack.file == file && is_it(ack))
            {
                return *ack;
            }
        }
    }

    /// What was acknowledged until the end of the stream.
    pub(crate) async fn rest(&mut self) -> Vec<Ack> {
        let mut all = Vec::new();
        while let Ok(message) = within("the end", self.connection.receiver.next()).await {
            if let FromLogd::Acks(Acks { acks }) = message {
                all.extend(acks);
            }
        }
        all
    }

    /// Sends lines of a file one second apart, from an offset on; each ends with a line feed.
    pub(crate) async fn lines(&mut self, file: u32, from: u64, lines: &[&str]) -> Ack {
        self.batch(batch(file, from, TEN, lines)).await
    }
}

/// A batch of lines one second apart.
pub(crate) fn batch(file: u32, from: u64, time: i64, lines: &[&str]) -> Batch {
    let (mut records, mut end) = (Vec::new(), 0);
    for (line, time) in lines.iter().zip((time..).step_by(1_000_000_000)) {
        end += line.len() as u32 + 1;
        let payload = line.as_bytes();
        Record { end, time, flags: Flags::default(), payload }.pack(&mut records);
    }
    Batch { file, from, to: from + u64::from(end), records: records.into(), ..Batch::default() }
}
