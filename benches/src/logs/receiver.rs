//! The least that a shipper can send to: it parses, remembers how far each file is, and acknowledges.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use fairlead_wire::message::{
    Ack, Acks, Batch, Edge, File, FromLogd, FromSender, LogdHello, Opened, VERSION,
};
use fairlead_wire::record::{Flags, Records};
use fairlead_wire::server::{Stream, serve};
use fairlead_wire::{Incarnation, message};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::arrivals::Arrivals;
use super::checker::{Gap, Seen};
use super::truth::Position;

/// Takes streams until dropped.
#[derive(Debug)]
pub struct Receiver {
    /// Where it listens, on a loopback address.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    arrivals: Arrivals,
    files: Mutex<HashMap<File, Progress>>,
    /// By number, those that senders told; and those that are between batches.
    gaps: Mutex<(HashMap<u64, Gap>, Vec<Gap>)>,
    faults: Mutex<Vec<String>>,
}

impl Receiver {
    /// Listens, and fills `arrivals`.
    ///
    /// # Errors
    /// Where it cannot listen.
    pub async fn start(arrivals: Arrivals) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            arrivals,
            files: Mutex::default(),
            gaps: Mutex::default(),
            faults: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        let taking = shared.clone();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((connection, _)) = listener.accept().await {
                let shared = taking.clone();
                connections.spawn(async move {
                    let instance = "receiver".to_owned();
                    let hello = LogdHello { version: VERSION, instance, history: u64::MAX };
                    let handle = move |stream| take(stream, shared.clone());
                    // A sender may be killed at any time.
                    let _ = serve(connection, hello, |_| Ok(()), handle).await;
                });
            }
        });
        Ok(Self { address, shared, _tasks: tasks })
    }

    /// What senders say is missing.
    #[must_use]
    pub fn gaps(&self) -> Vec<Gap> {
        let gaps = self.shared.gaps.lock();
        gaps.0.values().chain(&gaps.1).cloned().collect()
    }

    /// What was wrong with what senders said.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        self.shared.faults.lock().clone()
    }
}

/// How far a file is, and where records began that are open there.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    to: Option<u64>,
    open_stdout: Option<u64>,
    open_stderr: Option<u64>,
}

async fn take(mut stream: Stream<()>, shared: Arc<Shared>) {
    let mut open = HashMap::new();
    loop {
        let answers = match stream.receiver.next().await {
            Ok(Some(message)) => shared.message(message, &mut open),
            // A sender may be killed at any time.
            Ok(None) => return,
            Err(_) => return,
        };
        match answers {
            Ok(answers) => {
                for answer in answers {
                    if stream.sender.send(&answer).await.is_err() {
                        return;
                    }
                }
            }
            Err(fault) => {
                shared.faults.lock().push(fault.clone());
                return stream.sender.end(fault).await;
            }
        }
    }
}

impl Shared {
    fn message(
        &self,
        message: FromSender,
        open: &mut HashMap<u32, message::Open>,
    ) -> Result<Vec<FromLogd>, String> {
        match message {
            FromSender::Hello(_) => Err("a second hello".to_owned()),
            FromSender::Open(file) => {
                let Progress { to, open_stdout, open_stderr } =
                    *self.files.lock().entry(file.incarnation.clone()).or_default();
                let (number, settled) = (file.file, to.unwrap_or_default());
                let opened = Opened { file: number, to, open_stdout, open_stderr, settled };
                if open.insert(number, file).is_some() {
                    return Err(format!("file {number} was opened twice"));
                }
                Ok(vec![FromLogd::Opened(opened)])
            }
            FromSender::Batches(batches) => {
                let mut acks: Vec<Ack> = Vec::new();
                for batch in &batches.batches {
                    let number = batch.file;
                    let file =
                        open.get(&number).ok_or_else(|| format!("file {number} is not open"))?;
                    let stored = self.batch(file, batch)?;
                    let ack = Ack { file: number, stored, settled: stored, gap: 0 };
                    match acks.iter_mut().find(|ack| ack.file == number) {
                        Some(earlier) => *earlier = ack,
                        None => acks.push(ack),
                    }
                }
                Ok(vec![FromLogd::Acks(Acks { acks })])
            }
            FromSender::Gap(gap) => {
                let (file, id) = (gap.file, gap.id);
                let stored = open
                    .get(&file)
                    .and_then(|open| self.files.lock().get(&open.incarnation)?.to)
                    .unwrap_or_default();
                let told = Gap {
                    before: gap.before.map(position),
                    after: gap.after.map(position),
                    bytes: gap.bytes,
                };
                self.gaps.lock().0.insert(id, told);
                let acks = vec![Ack { file, stored, settled: stored, gap: id }];
                Ok(vec![FromLogd::Acks(Acks { acks })])
            }
            FromSender::Close(close) => {
                open.remove(&close.file).ok_or_else(|| format!("{close:?} is not open"))?;
                Ok(Vec::new())
            }
        }
    }

    /// Takes a batch. Returns how far the file is.
    fn batch(&self, open: &message::Open, batch: &Batch) -> Result<u64, String> {
        let range = batch.to.checked_sub(batch.from).ok_or("a range ends before it begins")?;
        let records = Records::check(batch.records.clone(), range).map_err(|e| e.to_string())?;
        let mut files = self.files.lock();
        let progress = files.entry(open.incarnation.clone()).or_default();
        if let Some(to) = progress.to.filter(|to| *to < batch.from) {
            let at = |offset| {
                Some(Position { incarnation: incarnation(open.incarnation.clone()), offset })
            };
            let bytes = Some(batch.from - to);
            self.gaps.lock().1.push(Gap { before: at(to), after: at(batch.from), bytes });
        }
        let known = progress.to.unwrap_or_default();
        let mut taking = self.arrivals.take();
        for record in records.iter() {
            if batch.from + u64::from(record.end) > known {
                taking.record(&Seen {
                    stream: record.flags.stream(),
                    pod: &open.source.pod,
                    container: &open.incarnation.container,
                    cut: record.flags.contains(Flags::CUT),
                    payload: record.payload,
                });
            }
        }
        if batch.to >= known {
            let Batch { to, open_stdout, open_stderr, .. } = *batch;
            *progress = Progress { to: Some(to), open_stdout, open_stderr };
        }
        Ok(known.max(batch.to))
    }
}

fn position(edge: Edge) -> Position {
    Position { incarnation: incarnation(edge.incarnation), offset: edge.offset }
}

fn incarnation(file: File) -> Incarnation {
    let File { pod_uid, container, restart, first_line } = file;
    let (pod_uid, container) = (pod_uid.into(), container.into());
    Incarnation { pod_uid, container, restart, first_line }
}

#[cfg(test)]
mod tests {
    use fairlead_wire::Record;
    use fairlead_wire::client::{Connection, Endpoint, connect};
    use fairlead_wire::message::{Batches, Open, Source};

    use super::*;
    use crate::logs::Lines;

    async fn exchange(connection: &mut Connection, message: FromSender) -> FromLogd {
        connection.sender.send(&message).await.unwrap();
        connection.receiver.next().await.unwrap()
    }

    /// Lines 0 and 1 as records that end at 100 and 200, those that end in the range.
    fn batch(from: u64, to: u64) -> FromSender {
        let lines = Lines::new(1);
        let mut records = Vec::new();
        for (number, end) in
            [(0, 100), (1, 200)].into_iter().filter(|(_, end)| *end > from && *end <= to)
        {
            let mut payload = Vec::new();
            lines.write(0, number, &mut payload);
            let end = u32::try_from(end - from).unwrap();
            Record { end, time: 0, flags: Flags::default(), payload: &payload }.pack(&mut records);
        }
        let batch = Batch { file: 1, from, to, records: records.into(), ..Batch::default() };
        FromSender::Batches(Batches { batches: vec![batch] })
    }

    #[tokio::test]
    async fn what_is_sent_again_is_taken_once_and_what_is_left_out_is_a_gap() {
        let arrivals = Arrivals::new(Lines::new(1));
        let receiver = Receiver::start(arrivals.clone()).await.unwrap();
        let url = format!("http://{}", receiver.address).parse().unwrap();
        let endpoint = Endpoint::at(url);
        let file = File {
            pod_uid: "a".to_owned(),
            container: "web".to_owned(),
            restart: 0,
            first_line: 7,
        };
        let [namespace, app, pod] = ["shop", "web", "web-1"].map(str::to_owned);
        let source = Source { namespace, app, pod, ..Source::default() };
        let open = Open { file: 1, incarnation: file.clone(), source };

        let mut connection = connect(&endpoint, "test").await.unwrap();
        let opened = exchange(&mut connection, FromSender::Open(open.clone())).await;
        assert_eq!(opened, FromLogd::Opened(Opened { file: 1, ..Opened::default() }));
        let ack = |stored, gap| {
            FromLogd::Acks(Acks { acks: vec![Ack { file: 1, stored, settled: stored, gap }] })
        };
        assert_eq!(exchange(&mut connection, batch(0, 100)).await, ack(100, 0));
        assert_eq!(arrivals.lines(), 1);

        drop(connection);
        let mut connection = connect(&endpoint, "test").await.unwrap();
        let opened = exchange(&mut connection, FromSender::Open(open)).await;
        let known = Opened { file: 1, to: Some(100), settled: 100, ..Opened::default() };
        assert_eq!(opened, FromLogd::Opened(known));
        assert_eq!(exchange(&mut connection, batch(0, 200)).await, ack(200, 0));
        assert_eq!(exchange(&mut connection, batch(300, 400)).await, ack(400, 0));
        let edge = Edge { incarnation: file, offset: 400, time: 0 };
        let told = message::Gap { file: 1, id: 9, before: Some(edge), ..message::Gap::default() };
        assert_eq!(exchange(&mut connection, FromSender::Gap(told)).await, ack(400, 9));
        let tally = arrivals.check(|checker| checker.tally());
        assert_eq!((tally.lines, tally.duplicated, tally.records), (2, 0, 2));
        let mut gaps: Vec<_> = receiver
            .gaps()
            .into_iter()
            .map(|gap| (gap.before.map(|at| at.offset), gap.after.map(|at| at.offset), gap.bytes))
            .collect();
        gaps.sort();
        assert_eq!(gaps, [(Some(200), Some(300), Some(100)), (Some(400), None, None)]);
        assert!(receiver.faults().is_empty());
    }
}
