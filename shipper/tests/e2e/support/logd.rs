//! A logd that does as it is told, over a real socket.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use fairlead_wire::message::{
    Ack, Acks, Batch, Fetch, File, FromLogd, FromSender, Gap, LogdHello, Loss, Opened, Source,
    VERSION,
};
use fairlead_wire::record::{Flags, Records};
use fairlead_wire::server::{Sender, Stream, serve};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Pod uid, container, restart, hash of the first line, and the app: each has its own log.
type Key = (String, String, u32, u64, String);

/// Files by their numbers on a connection.
type Numbers = HashMap<u32, Key>;

/// A line as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) end: u64,
    pub(crate) time: i64,
    pub(crate) flags: Flags,
    pub(crate) payload: Vec<u8>,
    pub(crate) history: bool,
}

/// What it has of a file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Received {
    pub(crate) source: Source,
    pub(crate) from: Option<u64>,
    pub(crate) to: Option<u64>,
    pub(crate) lines: Vec<Line>,
    pub(crate) losses: Vec<Loss>,
    pub(crate) opened: usize,
    pub(crate) closed: bool,
    open: (Option<u64>, Option<u64>),
    settled: u64,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) files: BTreeMap<Key, Received>,
    /// In the order in which they were opened.
    pub(crate) order: Vec<Key>,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) fetched: Vec<Batch>,
    pub(crate) unanswered: Vec<Gap>,
    pub(crate) faults: Vec<String>,
    senders: HashMap<usize, (Sender, Numbers)>,
}

/// How it behaves.
#[derive(Debug, Clone)]
pub(crate) struct Manner {
    pub(crate) instance: String,
    pub(crate) history: u64,
    /// Says what it stored.
    pub(crate) acknowledges: bool,
    /// What is stored is settled.
    pub(crate) settles: bool,
    pub(crate) acknowledges_gaps: bool,
    /// Takes what is sent to it.
    pub(crate) reads: bool,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            instance: "one".to_owned(),
            history: 0,
            acknowledges: true,
            settles: true,
            acknowledges_gaps: true,
            reads: true,
        }
    }
}

/// A running one. Dropping it breaks its connections.
#[derive(Debug)]
pub(crate) struct Logd {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    manner: watch::Sender<Manner>,
    changed: watch::Sender<u64>,
    connections: Mutex<usize>,
    cut: watch::Sender<u64>,
}

impl Logd {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            manner: watch::Sender::new(manner),
            changed: watch::Sender::new(0),
            connections: Mutex::new(0),
            cut: watch::Sender::new(0),
        });
        let mut tasks = JoinSet::new();
        let taking = shared.clone();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((connection, _)) = listener.accept().await {
                let shared = taking.clone();
                connections.spawn(async move {
                    let Manner { instance, history, .. } = shared.manner.borrow().clone();
                    let hello = LogdHello { version: VERSION, instance, history };
                    let mut cut = shared.cut.subscribe();
                    let handle = move |stream| take(stream, shared.clone());
                    tokio::select! {
                        _ = serve(connection, hello, |_| Ok(()), handle) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Self { address, shared, _tasks: tasks }
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> http::Uri {
        format!("http://{}", self.address).parse().unwrap()
    }

    /// Behaves otherwise from now on.
    pub(crate) fn be(&self, change: impl FnOnce(&mut Manner)) {
        self.shared.manner.send_modify(change);
    }

    /// Breaks all connections.
    pub(crate) fn cut(&self) {
        self.shared.cut.send_modify(|count| *count += 1);
    }

    /// Is another instance from now on, with nothing in its memory.
    pub(crate) fn restart(&self, instance: &str) {
        // Whoever comes back is told so.
        self.be(|manner| manner.instance = instance.to_owned());
        self.forget();
    }

    /// Forgets all files, though it is the same instance.
    pub(crate) fn forget(&self) {
        self.cut();
        *self.shared.state.lock() = State::default();
    }

    /// Looks at what it has.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.shared.state.lock())
    }

    /// Waits until something is so.
    pub(crate) async fn until<T>(
        &self,
        what: &str,
        mut look: impl FnMut(&State) -> Option<T>,
    ) -> T {
        let mut changed = self.shared.changed.subscribe();
        let wait = async {
            loop {
                changed.borrow_and_update();
                if let Some(found) = look(&self.shared.state.lock()) {
                    return found;
                }
                changed.changed().await.unwrap();
            }
        };
        match tokio::time::timeout(std::time::Duration::from_secs(60), wait).await {
            Ok(found) => found,
            Err(_) => panic!("{what} did not come to be: {:#?}", self.shared.state.lock()),
        }
    }

    /// Waits until an app's log ends with this line.
    pub(crate) async fn ends(&self, app: &str, line: &str) {
        self.until(&format!("{app}: {line}"), |state| {
            let last = state.of(app).pop()?.lines.last()?;
            (last.payload == line.as_bytes()).then_some(())
        })
        .await;
    }

    /// Waits for these lines, over all files, in this order.
    pub(crate) async fn lines(&self, expected: &[&str]) {
        self.until(&format!("{expected:?}"), |state| {
            let lines = state.texts();
            if lines.len() > expected.len() {
                assert_eq!(lines, expected);
            }
            (lines == expected).then_some(())
        })
        .await;
    }

    /// Says that everything is stored and settled.
    pub(crate) async fn acknowledge(&self) {
        let senders: Vec<_> = {
            let mut state = self.shared.state.lock();
            for file in state.files.values_mut() {
                file.settled = file.to.unwrap_or_default();
            }
            let files = state.files.clone();
            state
                .senders
                .values()
                .map(|(sender, numbers)| (sender.clone(), acks(&files, numbers)))
                .collect()
        };
        for (sender, acks) in senders {
            let _ = sender.send(&FromLogd::Acks(Acks { acks })).await;
        }
    }

    /// Asks for a range of the file whose lines contain this one.
    pub(crate) async fn fetch(&self, number: u32, line: &str, from: u64, to: u64) {
        let (sender, file) = {
            let state = self.shared.state.lock();
            let has =
                |key: &Key| state.files[key].lines.iter().any(|l| l.payload == line.as_bytes());
            state
                .senders
                .values()
                .find_map(|(sender, numbers)| {
                    let (file, _) = numbers.iter().find(|(_, key)| has(key))?;
                    Some((sender.clone(), *file))
                })
                .expect("an open file with the line")
        };
        let fetch = Fetch { fetch: number, file, from, to };
        sender.send(&FromLogd::Fetch(fetch)).await.unwrap();
    }
}

impl State {
    /// All lines by files in the order of their opening.
    pub(crate) fn texts(&self) -> Vec<String> {
        let lines = self.order.iter().flat_map(|key| &self.files[key].lines);
        lines.map(|line| String::from_utf8_lossy(&line.payload).into_owned()).collect()
    }

    /// What it has of an app's files, in the order of their opening.
    pub(crate) fn of(&self, app: &str) -> Vec<&Received> {
        let files = self.order.iter().filter(|key| key.4 == app);
        files.map(|key| &self.files[key]).collect()
    }

    /// What it has of the file in which this line is.
    pub(crate) fn with(&self, line: &str) -> Option<&Received> {
        self.files.values().find(|file| file.lines.iter().any(|l| l.payload == line.as_bytes()))
    }
}

fn acks(files: &BTreeMap<Key, Received>, numbers: &Numbers) -> Vec<Ack> {
    let ack = |(number, key): (&u32, &Key)| {
        let file = &files[key];
        Ack { file: *number, stored: file.to.unwrap_or_default(), settled: file.settled, gap: 0 }
    };
    numbers.iter().map(ack).collect()
}

async fn take(mut stream: Stream<()>, shared: Arc<Shared>) {
    let id = {
        let mut connections = shared.connections.lock();
        *connections += 1;
        *connections
    };
    shared.state.lock().senders.insert(id, (stream.sender.clone(), HashMap::new()));
    let mut manner = shared.manner.subscribe();
    while manner.wait_for(|manner| manner.reads).await.is_ok() {
        let Ok(Some(message)) = stream.receiver.next().await else { break };
        let answers = shared.message(id, message);
        shared.changed.send_modify(|count| *count += 1);
        for answer in answers {
            if stream.sender.send(&answer).await.is_err() {
                break;
            }
        }
    }
    shared.state.lock().senders.remove(&id);
}

impl Shared {
    fn message(&self, id: usize, message: FromSender) -> Vec<FromLogd> {
        let manner = self.manner.borrow().clone();
        let mut state = self.state.lock();
        let state = &mut *state;
        let Some((_, numbers)) = state.senders.get_mut(&id) else { return Vec::new() };
        match message {
            FromSender::Hello(_) => Vec::new(),
            FromSender::Open(open) => {
                let File { pod_uid, container, restart, first_line } = open.incarnation;
                let app = format!("{}/{}", open.source.namespace, open.source.app);
                let key = (pod_uid, container, restart, first_line, app);
                if numbers.insert(open.file, key.clone()).is_some() {
                    state.faults.push(format!("file {} was opened twice", open.file));
                }
                if !state.files.contains_key(&key) {
                    state.order.push(key.clone());
                }
                let file = state.files.entry(key).or_default();
                file.opened += 1;
                file.closed = false;
                file.source = open.source;
                let (open_stdout, open_stderr) = file.open;
                let (to, settled) = (file.to, file.settled);
                let file = open.file;
                vec![FromLogd::Opened(Opened { file, to, open_stdout, open_stderr, settled })]
            }
            FromSender::Batches(batches) => {
                let mut changed = Numbers::new();
                for batch in batches.batches {
                    let Some(key) = numbers.get(&batch.file).cloned() else {
                        state.faults.push(format!("file {} is not open", batch.file));
                        continue;
                    };
                    changed.insert(batch.file, key.clone());
                    if batch.fetch != 0 {
                        state.fetched.push(batch);
                    } else if let Some(file) = state.files.get_mut(&key) {
                        state.faults.extend(file.take(&batch, manner.settles));
                    }
                }
                if manner.acknowledges {
                    vec![FromLogd::Acks(Acks { acks: acks(&state.files, &changed) })]
                } else {
                    Vec::new()
                }
            }
            FromSender::Gap(gap) => {
                let known = numbers.get(&gap.file).and_then(|key| state.files.get(key));
                let Some(file) = known else {
                    state.faults.push(format!("gap of file {}, which is not open", gap.file));
                    return Vec::new();
                };
                let (stored, settled) = (file.to.unwrap_or_default(), file.settled);
                let (file, id) = (gap.file, gap.id);
                // A gap's own name is a hash, a fetch's a small number.
                if gap.id <= u64::from(u32::MAX) {
                    state.unanswered.push(gap);
                    return Vec::new();
                }
                state.gaps.push(gap);
                if !manner.acknowledges_gaps {
                    return Vec::new();
                }
                vec![FromLogd::Acks(Acks { acks: vec![Ack { file, stored, settled, gap: id }] })]
            }
            FromSender::Close(close) => {
                match numbers.remove(&close.file) {
                    Some(key) => {
                        if let Some(file) = state.files.get_mut(&key) {
                            file.closed = true;
                        }
                    }
                    None => state.faults.push(format!("{close:?} is not open")),
                }
                Vec::new()
            }
        }
    }
}

impl Received {
    /// Takes what is new in a batch, and says what is wrong with it.
    fn take(&mut self, batch: &Batch, settles: bool) -> Option<String> {
        let range = batch.to.saturating_sub(batch.from);
        let records = match Records::check(batch.records.clone(), range) {
            Ok(records) => records,
            Err(error) => return Some(error.to_string()),
        };
        let known = self.to.unwrap_or_default();
        let mut fault = None;
        if self.to.is_some_and(|to| to != batch.from) {
            fault = Some(format!("{} follows {:?}", batch.from, self.to));
        }
        self.from.get_or_insert(batch.from);
        for record in records.iter() {
            let end = batch.from + u64::from(record.end);
            if end > known {
                self.lines.push(Line {
                    end,
                    time: record.time,
                    flags: record.flags,
                    payload: record.payload.to_vec(),
                    history: batch.history,
                });
            }
        }
        self.losses.extend(&batch.losses);
        if batch.to > known {
            self.to = Some(batch.to);
            self.open = (batch.open_stdout, batch.open_stderr);
        }
        if settles {
            self.settled = self.to.unwrap_or_default();
        }
        fault
    }
}
