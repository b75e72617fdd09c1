//! A source's lines at a logd that breaks off, is away, or is another one.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use fairlead_wire::members::Member;
use fairlead_wire::message::*;
use fairlead_wire::server::{self, Stream};
use fairlead_wire::source::{CAPACITY, Credentials, Source, SourceOptions, Task};
use fairlead_wire::{Members, Stream as Output};
use http::request::Parts;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);

/// What a logd has been told, by app.
#[derive(Debug, Default)]
struct Stored {
    to: HashMap<String, u64>,
    lines: HashMap<String, Vec<String>>,
    lost: HashMap<String, u64>,
    gaps: u64,
    batches: usize,
}

/// Stores what it is sent, and breaks a stream off after some batches without acknowledging the last.
struct Logd {
    stored: Arc<Mutex<Stored>>,
    news: watch::Receiver<()>,
    member: Member,
    accept: JoinHandle<()>,
}

impl Logd {
    async fn start(name: &str, patience: usize) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        Self::on(listener, name, patience)
    }

    fn on(listener: TcpListener, name: &str, patience: usize) -> Self {
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let stored = Arc::new(Mutex::new(Stored::default()));
        let (news_in, news) = watch::channel(());
        let shared = (stored.clone(), Arc::new(news_in));
        let accept = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let hello = LogdHello { version: VERSION, instance: "one".into(), history: 0 };
                let shared = shared.clone();
                let handle = move |stream| {
                    let (stored, news) = shared.clone();
                    async move {
                        let _ = take(stream, &stored, &news, patience).await;
                    }
                };
                tokio::spawn(server::serve(tcp, hello, |_: &Parts| Ok(()), handle));
            }
        });
        Self { stored, news, member: Member { name: name.into(), url }, accept }
    }

    /// Waits until `done` says so.
    async fn until(&mut self, done: impl Fn(&Stored) -> bool) {
        let wait = async {
            while !done(&self.stored.lock()) {
                self.news.changed().await.unwrap();
            }
        };
        let timely = timeout(PATIENCE, wait).await;
        assert!(timely.is_ok(), "{:?}", self.stored.lock().lost);
    }
}

impl Drop for Logd {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

async fn take(
    mut stream: Stream<()>,
    stored: &Mutex<Stored>,
    news: &watch::Sender<()>,
    patience: usize,
) -> Option<()> {
    let mut files = HashMap::new();
    let mut taken = 0;
    loop {
        match stream.receiver.next().await.ok()?? {
            FromSender::Open(open) => {
                let id = open.incarnation.pod_uid;
                let to = stored.lock().to.get(&id).copied();
                assert_eq!(
                    (open.source.process.as_str(), open.incarnation.container.as_str()),
                    ("router", "router")
                );
                files.insert(
                    open.file,
                    (id, format!("{}/{}", open.source.namespace, open.source.app)),
                );
                let opened =
                    Opened { file: open.file, to, settled: to.unwrap_or(0), ..Opened::default() };
                stream.sender.send(&FromLogd::Opened(opened)).await.ok()?;
            }
            FromSender::Batches(batches) => {
                let mut acks = Vec::new();
                for batch in batches.batches {
                    let (id, app) = &files[&batch.file];
                    let mut stored = stored.lock();
                    let had = stored.to.get(id).copied();
                    stored.gaps += u64::from(had.is_some_and(|had| had < batch.from));
                    for record in batch.records().unwrap().iter() {
                        if had.is_none_or(|had| batch.from + u64::from(record.end) > had) {
                            let line = String::from_utf8(record.payload.to_vec()).unwrap();
                            stored.lines.entry(app.clone()).or_default().push(line);
                        }
                    }
                    if had.is_none_or(|had| had < batch.to) {
                        let lost: u64 = batch.losses.iter().map(|loss| loss.records).sum();
                        *stored.lost.entry(app.clone()).or_default() += lost;
                        stored.to.insert(id.clone(), batch.to);
                    }
                    acks.push(Ack {
                        file: batch.file,
                        stored: batch.to,
                        settled: batch.to,
                        gap: 0,
                    });
                }
                stored.lock().batches += 1;
                news.send_replace(());
                taken += 1;
                if taken == patience {
                    return None;
                }
                stream.sender.send(&FromLogd::Acks(Acks { acks })).await.ok()?;
            }
            FromSender::Close(close) => {
                files.remove(&close.file);
            }
            other => panic!("{other:?}"),
        }
    }
}

fn source(members: watch::Receiver<Members>) -> (Source, Task) {
    let options = SourceOptions {
        name: "router/test".into(),
        process: "router".into(),
        pod: "router-abc".into(),
        credentials: Credentials::default(),
    };
    let source = Source::new(2);
    let task = source.start(options, members);
    (source, task)
}

fn log(source: &Source, app: &str, line: &str) {
    source.log(0, app, Output::Stdout, 7, |payload| payload.extend_from_slice(line.as_bytes()));
}

#[tokio::test]
async fn every_line_is_stored_once_though_streams_break_off() {
    let mut logd = Logd::start("logd-0", 3).await;
    let members = watch::Sender::new(Members::new(vec![logd.member.clone()]));
    let (source, task) = source(members.subscribe());
    let apps = ["shop/web", "shop/api", "blog/web"];
    // Each line is a batch or shares one with few, so that many streams break off.
    for n in 0..30 {
        for app in apps {
            log(&source, app, &format!("{app} {n}"));
        }
        let seen = logd.stored.lock().batches;
        logd.until(|stored| stored.batches > seen).await;
    }
    task.finish(PATIENCE).await;
    let stored = logd.stored.lock();
    for app in apps {
        let expected: Vec<_> = (0..30).map(|n| format!("{app} {n}")).collect();
        assert_eq!(stored.lines[app], expected);
    }
    assert!(stored.batches >= 30);
    assert_eq!((source.stored(), source.dropped(), stored.gaps), (90, 0, 0));
}

#[tokio::test]
async fn what_a_full_queue_drops_is_counted_and_told_exactly() {
    const LINES: u64 = 60_000;
    // A port where nobody listens yet.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let url = format!("http://{address}").parse().unwrap();
    drop(listener);
    let members = Members::new(vec![Member { name: "logd-0".into(), url }]);
    let members = watch::Sender::new(members);
    let (source, task) = source(members.subscribe());
    let text = "x".repeat(100);
    for n in 0..LINES {
        log(&source, if n % 3 == 0 { "shop/web" } else { "shop/api" }, &text);
        // Lets the task take what is there.
        if n % 1000 == 0 {
            tokio::task::yield_now().await;
        }
    }
    assert!(source.dropped() > 0, "the queue is never full");
    assert!((LINES - source.dropped()) * 100 <= CAPACITY as u64);

    let mut logd = Logd::on(TcpListener::bind(address).await.unwrap(), "logd-0", usize::MAX);
    let total = |stored: &Stored| {
        let lines: usize = stored.lines.values().map(Vec::len).sum();
        lines as u64 + stored.lost.values().sum::<u64>()
    };
    logd.until(|stored| total(stored) >= LINES).await;
    task.finish(PATIENCE).await;
    let stored = logd.stored.lock();
    assert_eq!(stored.lines["shop/web"].len() as u64 + stored.lost["shop/web"], LINES / 3);
    assert_eq!(stored.lines["shop/api"].len() as u64 + stored.lost["shop/api"], LINES / 3 * 2);
    assert_eq!(stored.lost.values().sum::<u64>(), source.dropped());
    assert_eq!(source.stored() + source.dropped(), LINES);
}

#[tokio::test]
async fn an_app_goes_to_its_owner_and_moves_with_it() {
    let mut logds =
        [Logd::start("logd-0", usize::MAX).await, Logd::start("logd-1", usize::MAX).await];
    let both = Members::new(logds.iter().map(|logd| logd.member.clone()).collect());
    let app =
        (0..).map(|n| format!("shop/{n}")).find(|app| both.owner(app) == Some(&logds[1].member));
    let app = app.unwrap();
    let members = watch::Sender::new(both.clone());
    let (source, task) = source(members.subscribe());
    log(&source, &app, "one");
    // What is stored and not yet acknowledged would be sent to the next owner too.
    let acknowledged = async |lines| {
        while source.stored() < lines {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, acknowledged(1)).await.unwrap();

    members.send_replace(Members::new(vec![logds[0].member.clone()]));
    log(&source, &app, "two");
    logds[0].until(|stored| !stored.lines.is_empty()).await;
    assert_eq!(logds[0].stored.lock().lines[&app], ["two"]);

    timeout(PATIENCE, acknowledged(2)).await.unwrap();
    members.send_replace(both);
    log(&source, &app, "three");
    logds[1].until(|stored| stored.lines[&app].len() == 2).await;
    task.finish(PATIENCE).await;
    let stored = logds[1].stored.lock();
    assert_eq!(stored.lines[&app], ["one", "three"]);
    assert_eq!(stored.gaps, 0);
}
