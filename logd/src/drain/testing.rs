//! A store, and drains whose sinks do what a test tells them to.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use async_trait::async_trait;
use fairlead_drain::{Batch, Failure, FailureKind, Limits, Line, Reason, Sink, Stage, Verdict};
use fairlead_wire::{
    Incarnation, Record,
    message::{self, Ack, FromLogd, Source as Writer},
    record::Flags,
};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::{
    Feeds, Scope,
    host::Host,
    manager::{Declared, Drains, Shown, Source},
    pump::{Open, Settings},
    status::Doing,
};
use crate::{
    app::AppId,
    options::AppLimits,
    read::filter::Filter,
    store::{
        Store,
        message::{Message, OpenFile},
        outbox::{self, Answers},
    },
};

/// Long enough for anything that happens at all.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("not in time: {what}"),
    }
}

/// A store and its drains.
pub(super) struct Rig {
    pub(super) store: Store,
    pub(super) drains: Drains,
    pub(super) sources: Vec<Source>,
}

impl Rig {
    /// With drains of so many sources.
    pub(super) fn start(sources: usize, limits: AppLimits) -> Self {
        let (store, tell) = Store::start(1, 64 << 20, limits, Feeds::none(sources == 0)).unwrap();
        tokio::spawn(tell);
        let (drains, sources) = Drains::start(store.clone(), sources, Arc::default());
        Self { store, drains, sources }
    }

    /// One drain, that there was from the first on.
    pub(super) async fn with(scope: Scope) -> (Self, Script) {
        let rig = Self::start(1, AppLimits::default());
        let (drain, script) = drain("shop/drain", scope);
        rig.set(0, vec![drain]).await;
        (rig, script)
    }

    pub(super) async fn set(&self, source: usize, drains: Vec<Declared>) {
        self.sources[source].set(drains, Vec::new()).await;
    }

    pub(super) fn doing(&self) -> Doing {
        self.drains.seen().running[0].status.doing()
    }

    /// Waits until the first drain does as wanted.
    pub(super) async fn until(&self, what: &str, wanted: impl Fn(&Doing) -> bool) -> Doing {
        let wait = async {
            loop {
                let doing = self.drains.seen().running.first().map(|one| one.status.doing());
                if let Some(doing) = doing.filter(&wanted) {
                    return doing;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        within(what, wait).await
    }

    /// What the app's log has, as it came.
    pub(super) fn lines(&self, app: &str) -> Vec<String> {
        let Some(app) = self.store.app(&app.parse().unwrap()) else { return Vec::new() };
        let mut reader = app.log.reader(0);
        let mut lines = Vec::new();
        loop {
            match reader.next() {
                fairlead_ring::Next::Entry(entry) => {
                    lines.push(String::from_utf8(entry.record.payload.to_vec()).unwrap());
                }
                fairlead_ring::Next::Missed(_) => {}
                fairlead_ring::Next::Idle => return lines,
            }
        }
    }

    /// Waits until the app's log has a line that is as wanted.
    pub(super) async fn told(&self, app: &str, wanted: &str) -> String {
        let wait = async {
            loop {
                if let Some(line) = self.lines(app).into_iter().find(|line| line.contains(wanted)) {
                    return line;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        within(wanted, wait).await
    }
}

/// A file of an app whose lines are written.
pub(super) struct Log {
    store: Store,
    file: Arc<OpenFile>,
    answers: Answers,
    to: u64,
}

impl Log {
    pub(super) async fn open(rig: &Rig, app: &str, process: &str) -> Self {
        let app: AppId = app.parse().unwrap();
        let (outbox, answers) = outbox::channel();
        let incarnation = Incarnation {
            pod_uid: format!("{app}-{process}").into(),
            container: "web".into(),
            restart: 0,
            first_line: 1,
        };
        let source = Writer {
            namespace: app.namespace().to_owned(),
            app: app.name().to_owned(),
            pod: "web-1".to_owned(),
            process: process.to_owned(),
            ..Writer::default()
        };
        let outbox = Some(Arc::new(outbox));
        let file = Arc::new(OpenFile { app: app.clone(), incarnation, number: 1, outbox });
        rig.store.put(&app, Message::Open(file.clone(), source)).await.unwrap();
        Self { store: rig.store.clone(), file, answers, to: 0 }
    }

    /// Writes a batch of lines. Gives where it ends.
    pub(super) async fn write(&mut self, lines: &[&str]) -> u64 {
        self.batch(lines, false).await
    }

    pub(super) async fn batch(&mut self, lines: &[&str], history: bool) -> u64 {
        let (mut packed, mut end) = (Vec::new(), 0);
        for line in lines {
            end += line.len() as u32 + 1;
            let record = Record { end, time: 0, flags: Flags::default(), payload: line.as_bytes() };
            record.pack(&mut packed);
        }
        let (from, to) = (self.to, self.to + u64::from(end));
        self.to = to;
        let mut batch = message::Batch {
            file: 1,
            from,
            to,
            history,
            records: packed.into(),
            ..message::Batch::default()
        };
        let records = batch.records().unwrap();
        batch.records.clear();
        let message = Message::Batch(self.file.clone(), batch, records);
        self.store.put(&self.file.app, message).await.unwrap();
        to
    }

    /// The next acknowledgement.
    pub(super) async fn ack(&mut self) -> Ack {
        loop {
            let told = within("an acknowledgement", self.answers.take()).await.unwrap();
            let mut acks = told.into_iter().filter_map(|message| match message {
                FromLogd::Acks(acks) => acks.acks.last().copied(),
                _ => None,
            });
            if let Some(ack) = acks.next_back() {
                return ack;
            }
        }
    }

    /// Waits until it is settled up to `to`.
    pub(super) async fn settled(&mut self, to: u64) {
        let mut last = 0;
        while last < to {
            let ack = self.ack().await;
            assert!(last <= ack.settled && ack.settled <= ack.stored, "{ack:?} after {last}");
            last = ack.settled;
        }
        assert_eq!(last, to);
    }
}

/// Sinks of a drain, told what to do.
pub(super) struct Script {
    calls: mpsc::UnboundedReceiver<Call>,
    late: mpsc::UnboundedSender<Answer>,
    opened: Arc<Mutex<usize>>,
}

/// A batch that a sink is to send.
pub(super) struct Call {
    pub(super) lines: Vec<String>,
    reply: oneshot::Sender<Answer>,
}

pub(super) type Answer = Result<Vec<Verdict>, Failure>;

/// A drain with sinks that do as they are told.
pub(super) fn drain(id: &str, scope: Scope) -> (Declared, Script) {
    drain_with(id, scope, Filter::default(), Arc::default())
}

pub(super) fn drain_with(
    id: &str,
    scope: Scope,
    filter: Filter,
    host: Arc<Host>,
) -> (Declared, Script) {
    let (calls, called) = mpsc::unbounded_channel();
    let (late, answers) = mpsc::unbounded_channel();
    let opened = Arc::<Mutex<usize>>::default();
    let answers = Arc::new(tokio::sync::Mutex::new(answers));
    let sinks =
        Scripted { calls, late: answers, opened: opened.clone(), under_way: 0, complains: false };
    let sinks = Box::new(sinks);
    let settings = Settings { filter, sinks, host, totals: Arc::default() };
    let shown = Shown { url: "scripted://".to_owned(), kind: "scripted", filter: None };
    let declared = Declared {
        id: id.into(),
        scope,
        shown: Arc::new(shown),
        hash: fastrand::u64(..),
        settings: Arc::new(settings),
    };
    (declared, Script { calls: called, late, opened })
}

impl Script {
    /// The next batch that is sent.
    pub(super) async fn call(&mut self) -> Call {
        within("a batch", self.calls.recv()).await.unwrap()
    }

    /// Confirms all that comes until there are so many lines.
    pub(super) async fn take(&mut self, count: usize) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.len() < count {
            let call = self.call().await;
            lines.extend(call.lines.iter().cloned());
            call.deliver();
        }
        lines
    }

    /// Tells verdicts of lines that were sent before.
    pub(super) fn confirm(&self, verdicts: Vec<Verdict>) {
        self.late.send(Ok(verdicts)).unwrap();
    }

    /// Whether nothing is asked of it.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.calls.try_recv().is_err()
    }

    pub(super) fn opened(&self) -> usize {
        *self.opened.lock()
    }
}

impl Call {
    pub(super) fn deliver(self) {
        let verdicts = vec![Verdict::Delivered; self.lines.len()];
        self.answer(verdicts);
    }

    pub(super) fn answer(self, verdicts: Vec<Verdict>) {
        // The drain may be gone.
        let _ = self.reply.send(Ok(verdicts));
    }

    pub(super) fn fail(self, kind: FailureKind) {
        let _ = self.reply.send(Err(Failure::new(kind, "as told")));
    }

    pub(super) fn fail_at(self, stage: Stage) {
        let _ = self.reply.send(Err(Failure::new(FailureKind::Connect, "as told").at(stage)));
    }

    /// Whether nobody waits for its answer.
    pub(super) fn is_given_up(&self) -> bool {
        self.reply.is_closed()
    }

    /// Waits until nobody does.
    pub(super) async fn given_up(&mut self) {
        within("the end of a batch", self.reply.closed()).await;
    }
}

#[derive(Clone)]
struct Scripted {
    calls: mpsc::UnboundedSender<Call>,
    late: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Answer>>>,
    opened: Arc<Mutex<usize>>,
    under_way: usize,
    complains: bool,
}

impl Open for Scripted {
    fn open(&self) -> Box<dyn Sink> {
        *self.opened.lock() += 1;
        Box::new(self.clone())
    }
}

#[async_trait]
impl Sink for Scripted {
    fn limits(&self) -> Limits {
        Limits { lines: 100, bytes: 10_000, linger: Duration::ZERO }
    }

    fn encode(&mut self, line: &Line<'_>, batch: &mut Batch) -> Option<Verdict> {
        if line.payload == b"too long" {
            return Some(Verdict::Rejected(Reason::TooLong));
        }
        let first = *self.opened.lock() == 1;
        assert!(!first || line.payload != b"panic", "as told");
        batch.bytes.extend_from_slice(line.payload);
        batch.end_line();
        None
    }

    async fn send(&mut self, batch: &mut Batch) -> Result<Vec<Verdict>, Failure> {
        let mut starts: VecDeque<usize> = batch.ends.iter().copied().collect();
        starts.push_front(0);
        let text = |(from, to): (usize, &usize)| {
            String::from_utf8(batch.bytes[from..*to].to_vec()).unwrap()
        };
        let lines: Vec<String> = starts.into_iter().zip(&batch.ends).map(text).collect();
        self.under_way += lines.len();
        batch.left = true;
        let (reply, answer) = oneshot::channel();
        let gone = |_| Failure::new(FailureKind::Connect, "the test has ended");
        self.calls.send(Call { lines, reply }).map_err(|_| gone(()))?;
        let answer = answer.await.map_err(|_| gone(()))?;
        self.under_way -= answer.as_ref().map_or(0, Vec::len);
        let refused = Verdict::Rejected(Reason::Refused);
        self.complains |= answer.as_ref().is_ok_and(|verdicts| verdicts.contains(&refused));
        answer
    }

    fn complaint(&mut self) -> Option<String> {
        std::mem::take(&mut self.complains).then(|| "no, as told".to_owned())
    }

    async fn confirm(&mut self) -> Result<Vec<Verdict>, Failure> {
        let answer = self.late.lock().await.recv().await;
        match answer {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }

    async fn close(&mut self) {}
}
