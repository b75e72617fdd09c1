//! What is under way to each logd.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use fairlead_wire::Members;
use fairlead_wire::members::Member;
use fairlead_wire::message::{Batch, Batches, Close, FromSender, LogdHello};
use tokio::sync::mpsc;

use crate::link::{self, LinkEvent, LinkId, LinkTask};
use crate::metrics::Metrics;
use crate::options::Credentials;

/// Bytes of records that are compressed together, about; a file's turn may add as much again.
const COMBINED: usize = 512 * 1024;

/// Buffers of batches that are kept to be used again.
const SPARE: usize = 4;

/// Since when an app is sent of what drains had, and how many bytes at most.
pub(super) type Begins = HashMap<String, (i64, u64)>;

/// A logd, and the connection to it if there is one.
#[derive(Debug)]
pub(super) struct Link {
    member: Member,
    pub(super) up: Option<Up>,
    /// Containers that have something to send and may not.
    pub(super) waiting: Vec<u32>,
    _task: LinkTask,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Up {
    out: mpsc::UnboundedSender<FromSender>,
    pub(super) instance: Arc<str>,
    /// Bytes of an app that it may be sent of what drains had, where no pod says otherwise.
    pub(super) history: u64,
    /// Since when that is, by app; and when this was found out.
    pub(super) begins: Option<(Instant, Begins)>,
    last_number: u32,
    /// Containers and files by their numbers on this connection.
    pub(super) numbers: HashMap<u32, (u32, u64)>,
    batches: Vec<Batch>,
    combined: usize,
    /// Bytes of files that were sent and that logd did not report as stored.
    pub(super) unacknowledged: u64,
    /// Bytes of answers to fetches that the connection has not taken yet.
    pub(super) answering: u64,
    spare: Vec<Vec<u8>>,
    /// Files that are done. They are closed once the checkpoint says so: it must not happen that
    /// logd has forgotten what a shipper that is started again asks for.
    done: Vec<u32>,
    closing: Vec<u32>,
}

impl Up {
    fn new(hello: LogdHello, out: mpsc::UnboundedSender<FromSender>) -> Self {
        Self {
            out,
            instance: hello.instance.into(),
            history: hello.history,
            begins: None,
            last_number: 0,
            numbers: HashMap::new(),
            batches: Vec::new(),
            combined: 0,
            unacknowledged: 0,
            answering: 0,
            spare: Vec::new(),
            done: Vec::new(),
            closing: Vec::new(),
        }
    }

    /// So many bytes that were sent are not waited for any more.
    pub(super) const fn forget(&mut self, bytes: u64) {
        self.unacknowledged = self.unacknowledged.saturating_sub(bytes);
    }

    /// Nothing is left to do for a file.
    pub(super) fn done(&mut self, number: u32) {
        self.done.push(number);
    }

    /// A checkpoint is being written.
    pub(super) fn saving(&mut self) {
        self.closing.append(&mut self.done);
    }

    /// It is written.
    pub(super) fn saved(&mut self, metrics: &Metrics) {
        for number in std::mem::take(&mut self.closing) {
            self.close(number, metrics);
        }
    }

    /// Closes a file.
    pub(super) fn close(&mut self, number: u32, metrics: &Metrics) {
        self.numbers.remove(&number);
        self.say(FromSender::Close(Close { file: number }), metrics);
    }

    /// A number for a file.
    pub(super) fn number(&mut self, container: u32, file: u64) -> u32 {
        self.last_number += 1;
        self.numbers.insert(self.last_number, (container, file));
        self.last_number
    }

    /// Says something, after the batches so far.
    pub(super) fn say(&mut self, message: FromSender, metrics: &Metrics) {
        self.flush(metrics);
        // Where the connection broke, that is told apart.
        let _ = self.out.send(message);
    }

    /// An empty buffer for the records of a batch.
    pub(super) fn buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// A buffer that was not needed.
    pub(super) fn give_back(&mut self, mut buffer: Vec<u8>) {
        if self.spare.len() < SPARE {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    /// Adds a batch; it is sent together with others.
    pub(super) fn push(&mut self, batch: Batch, metrics: &Metrics) {
        self.combined += batch.records.len();
        self.batches.push(batch);
        if self.combined >= COMBINED || self.batches.len() >= 1024 {
            self.flush(metrics);
        }
    }

    /// Sends the batches so far.
    pub(super) fn flush(&mut self, metrics: &Metrics) {
        if self.batches.is_empty() {
            return;
        }
        metrics.batches.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let batches = std::mem::take(&mut self.batches);
        self.combined = 0;
        let _ = self.out.send(FromSender::Batches(Batches { batches }));
    }
}

/// All logds.
#[derive(Debug)]
pub(super) struct Links {
    name: String,
    credentials: Credentials,
    members: Members,
    links: BTreeMap<LinkId, Link>,
    next: LinkId,
    events: mpsc::Sender<(LinkId, LinkEvent)>,
}

impl Links {
    pub(super) fn new(
        name: String,
        credentials: Credentials,
        events: mpsc::Sender<(LinkId, LinkEvent)>,
    ) -> Self {
        let (members, links) = (Members::default(), BTreeMap::new());
        Self { name, credentials, members, links, next: 0, events }
    }

    pub(super) fn get_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        self.links.get_mut(&id)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Link> {
        self.links.values_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Link> {
        self.links.values()
    }

    /// These are the logds from now on.
    pub(super) fn set(&mut self, members: Members) {
        self.links.retain(|_, link| members.iter().any(|member| *member == link.member));
        for member in members.iter() {
            if self.links.values().any(|link| link.member == *member) {
                continue;
            }
            let id = self.next;
            self.next += 1;
            let (name, events) = (self.name.clone(), self.events.clone());
            let task = link::start(id, member.clone(), self.credentials.clone(), name, events);
            let link = Link { member: member.clone(), up: None, waiting: Vec::new(), _task: task };
            self.links.insert(id, link);
        }
        self.members = members;
    }

    /// The logd that has an app.
    pub(super) fn owner(&self, app: &str) -> Option<LinkId> {
        let owner = self.members.owner(app)?;
        self.links.iter().find(|(_, link)| link.member == *owner).map(|(id, _)| *id)
    }

    /// There is a connection, or none any more.
    pub(super) fn connected(
        &mut self,
        id: LinkId,
        up: Option<(LogdHello, mpsc::UnboundedSender<FromSender>)>,
    ) {
        if let Some(link) = self.links.get_mut(&id) {
            link.up = up.map(|(hello, out)| Up::new(hello, out));
        }
    }
}
