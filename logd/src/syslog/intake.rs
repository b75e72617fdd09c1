//! What came from one side, on its way into the store: a file for each host and program, which exists
//! nowhere else. One task adds to a file, so that its batches come in order.

use std::{collections::HashMap, fmt::Write as _, net::IpAddr, sync::Arc};

use fairlead_wire::{
    Incarnation, Record, Records,
    message::{Batch, Loss, LossReason, Source},
    record::Flags,
};
use uuid::Uuid;

use super::{Shared, Transport, frame::Frame, message::Message, rule};
use crate::{
    app::AppId,
    store::{
        Ending,
        message::{Message as Letter, OpenFile},
    },
    time,
};

/// Hosts and programs that a side may send for at a time. One more, and all begin anew.
const FILES: usize = 1_024;
/// The program of messages that do not name one.
const PROCESS: &str = "syslog";

/// Takes messages of one side.
pub(super) struct Intake {
    shared: Arc<Shared>,
    transport: Transport,
    /// By host and program; none for those that no rule takes.
    files: HashMap<String, Option<File>>,
    /// Those with something to be sent.
    changed: Vec<String>,
    key: String,
}

struct File {
    open: Arc<OpenFile>,
    source: Option<Source>,
    from: u64,
    end: u64,
    packed: Vec<u8>,
    oversize: u64,
}

impl Intake {
    pub(super) fn new(shared: Arc<Shared>, transport: Transport) -> Self {
        let (files, changed) = (HashMap::new(), Vec::new());
        Self { shared, transport, files, changed, key: String::new() }
    }

    /// Takes a message that came from `peer`. It is stored with the next [`flush`](Self::flush).
    pub(super) fn take(&mut self, frame: Frame<'_>, peer: IpAddr) {
        let counters = &self.shared.counters;
        counters.messages(self.transport).add(1);
        let now = time::now();
        let message = Message::parse(frame.message, now);
        if !message.has_header() {
            counters.without_header.add(1);
        }
        let process = message.process.unwrap_or(PROCESS);
        self.key.clear();
        match message.host {
            Some(host) => self.key.push_str(host),
            None => write!(self.key, "{}", peer.to_canonical()).expect("a string grows"),
        }
        let host = self.key.len();
        // No name has a space.
        self.key.push(' ');
        self.key.push_str(process);
        if !self.files.contains_key(&self.key) {
            let file = rule::app(&self.shared.rules, &self.key[..host], process)
                .map(|app| File::new(app, &self.key[..host], process));
            self.files.insert(self.key.clone(), file);
        }
        match self.files.get_mut(&self.key) {
            Some(Some(file)) => {
                if file.end == file.from {
                    self.changed.push(self.key.clone());
                }
                file.add(&message, &frame, now);
            }
            _ => counters.unmatched.add(1),
        }
    }

    /// Has the store take what came, once it has room.
    pub(super) async fn flush(&mut self) -> Result<(), Ending> {
        for key in std::mem::take(&mut self.changed) {
            if let Some(Some(file)) = self.files.get_mut(&key) {
                let app = file.open.app.clone();
                if let Some(source) = file.source.take() {
                    self.shared.store.put(&app, Letter::Open(file.open.clone(), source)).await?;
                }
                let (batch, records) = file.seal();
                let letter = Letter::Batch(file.open.clone(), batch, records);
                self.shared.store.put(&app, letter).await?;
            }
        }
        if self.files.len() > FILES {
            self.close().await?;
        }
        Ok(())
    }

    /// Flushes, and tells that nothing more comes of these files.
    pub(super) async fn finish(mut self) -> Result<(), Ending> {
        self.flush().await?;
        self.close().await
    }

    async fn close(&mut self) -> Result<(), Ending> {
        for file in std::mem::take(&mut self.files).into_values().flatten() {
            let app = file.open.app.clone();
            self.shared.store.put(&app, Letter::Close(file.open)).await?;
        }
        Ok(())
    }
}

impl File {
    fn new(app: &AppId, host: &str, process: &str) -> Self {
        let incarnation = Incarnation {
            pod_uid: Uuid::new_v4().to_string().into(),
            container: process.into(),
            restart: 0,
            first_line: 0,
        };
        let open = Arc::new(OpenFile { app: app.clone(), incarnation, number: 0, outbox: None });
        let source = Source {
            namespace: app.namespace().to_owned(),
            app: app.name().to_owned(),
            pod: host.to_owned(),
            process: process.to_owned(),
            ..Source::default()
        };
        Self { open, source: Some(source), from: 0, end: 0, packed: Vec::new(), oversize: 0 }
    }

    fn add(&mut self, message: &Message<'_>, frame: &Frame<'_>, now: i64) {
        let Message { error, time, payload, .. } = *message;
        let mut flags = if error { Flags::STDERR } else { Flags::default() };
        if frame.missing > 0 || frame.unfinished {
            flags = flags.with(Flags::TRUNCATED);
        }
        self.oversize += frame.missing;
        // As in a file, a line feed ends the line.
        self.end += payload.len() as u64 + 1;
        let end = u32::try_from(self.end - self.from).expect("what is taken at once is short");
        Record { end, time: time.unwrap_or(now), flags, payload }.pack(&mut self.packed);
    }

    /// A batch of what came since the last one.
    fn seal(&mut self) -> (Batch, Records) {
        let length = self.end - self.from;
        let records = Records::check(std::mem::take(&mut self.packed).into(), length);
        let reason = LossReason::Oversize.into();
        let loss = Loss { reason, records: 0, bytes: std::mem::take(&mut self.oversize) };
        let losses = if loss.bytes > 0 { vec![loss] } else { Vec::new() };
        let batch = Batch { from: self.from, to: self.end, losses, ..Batch::default() };
        self.from = self.end;
        (batch, records.expect("packed here, in order"))
    }
}
