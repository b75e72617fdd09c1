//! A source's lines at a logd that breaks off, is away, or is another one.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fairlead_wire::members::Member;
use fairlead_wire::message::*;
use fairlead_wire::server::{self, Stream};
use fairlead_wire::source::{CAPACITY, Credentials, Source, SourceOptions, Task};
use fairlead_wire::{Members, Stream as Output};
use http::request::Parts;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
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
    /// Whether it reads what it is sent.
    reads: watch::Sender<bool>,
    tasks: JoinSet<()>,
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
        let reads = watch::Sender::new(true);
        let shared = (stored.clone(), Arc::new(news_in), reads.subscribe());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                let hello = LogdHello { version: VERSION, instance: "one".into(), history: 0 };
                let shared = shared.clone();
                let handle = move |stream| {
                    let (stored, news, reads) = shared.clone();
                    async move {
                        let _ = take(stream, &stored, &news, reads, patience).await;
                    }
                };
                connections.spawn(async move {
                    let _ = server::serve(tcp, hello, |_: &Parts| Ok(()), handle).await;
                });
            }
        });
        let member = Member { name: name.into(), ..Member::at(url) };
        Self { stored, news, member, reads, tasks }
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

async fn take(
    mut stream: Stream<()>,
    stored: &Mutex<Stored>,
    news: &watch::Sender<()>,
    mut reads: watch::Receiver<bool>,
    patience: usize,
) -> Option<()> {
    let mut files = HashMap::new();
    let mut taken = 0;
    loop {
        reads.wait_for(|reads| *reads).await.ok()?;
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
    let members = Members::new(vec![Member { name: "logd-0".into(), ..Member::at(url) }]);
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
    // A line has one name wherever it is, until a name would tell of a gap where there is none.
    let other = logds[0].stored.lock();
    let names = |stored: &Stored| stored.to.keys().cloned().collect::<HashSet<_>>();
    assert!(names(&other).is_subset(&names(&stored)));
    assert_eq!((other.to.len(), stored.to.len()), (1, 2));
}

/// How a logd is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Away {
    /// Its connections break, and nobody listens.
    Gone,
    /// Its connections stay, and nobody reads.
    Silent,
}

/// Two workers log, 50,000 lines a second for a minute where there is time for that, else as fast as
/// they can while nobody runs the task: whoever waited for it would wait for ever.
async fn log_numbers(source: &Source) -> u64 {
    let soaking = fairlead_test_support::soaking();
    let lines: u64 = if soaking { 50_000 * 60 } else { 100_000 };
    let work = {
        let source = source.clone();
        move || {
            std::thread::scope(|scope| {
                for worker in 0..2 {
                    let source = &source;
                    scope.spawn(move || {
                        let started = Instant::now();
                        for n in 0..lines / 2 {
                            let app = if worker == 0 { "shop/web" } else { "shop/api" };
                            let text = format!("{n:0100}");
                            source.log(worker, app, Output::Stdout, 7, |payload| {
                                payload.extend_from_slice(text.as_bytes());
                            });
                            if soaking && n % 250 == 0 {
                                let due = started + Duration::from_millis(n / 25);
                                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                            }
                        }
                    });
                }
            });
        }
    };
    if soaking {
        tokio::task::spawn_blocking(work).await.unwrap();
    } else {
        work();
    }
    lines
}

#[tokio::test]
async fn while_logd_is_away_no_line_waits_and_the_missing_ones_are_those_counted() {
    for away in [Away::Gone, Away::Silent] {
        let mut logd = Logd::start("logd-0", usize::MAX).await;
        let address = logd.member.url.authority().unwrap().to_string();
        let members = watch::Sender::new(Members::new(vec![logd.member.clone()]));
        let (source, task) = source(members.subscribe());
        log(&source, "shop/first", "one");
        logd.until(|stored| stored.lines.len() == 1).await;
        let silent = match away {
            Away::Gone => {
                logd.tasks.shutdown().await;
                None
            }
            Away::Silent => {
                logd.reads.send_replace(false);
                Some(logd)
            }
        };
        let lines = log_numbers(&source).await;
        assert!(source.dropped() > 0, "{away:?}: what waits is bounded");
        let mut logd = match silent {
            None => Logd::on(TcpListener::bind(address).await.unwrap(), "logd-0", usize::MAX),
            Some(logd) => {
                logd.reads.send_replace(true);
                logd
            }
        };
        let total = |stored: &Stored| {
            let apps = ["shop/web", "shop/api"];
            let has = |app| stored.lines.get(app).map_or(0, Vec::len) as u64;
            let lacks = |app| stored.lost.get(app).copied().unwrap_or_default();
            apps.map(|app| has(app) + lacks(app)).iter().sum::<u64>()
        };
        logd.until(|stored| total(stored) >= lines).await;
        task.finish(PATIENCE).await;
        let stored = logd.stored.lock();
        for app in ["shop/web", "shop/api"] {
            let numbers: Vec<u64> =
                stored.lines[app].iter().map(|line| line.parse().unwrap()).collect();
            assert!(numbers.is_sorted_by(|a, b| a < b), "{away:?}: in order, each once");
            assert_eq!(lines / 2 - numbers.len() as u64, stored.lost[app], "{away:?}: {app}");
        }
        assert_eq!(stored.lost.values().sum::<u64>(), source.dropped(), "{away:?}");
        assert_eq!(stored.gaps, 0, "{away:?}");
    }
}

/// It keeps what is not stored yet and nothing else, and says so.
#[tokio::test]
async fn what_is_asked_for_again_is_answered_with_a_gap() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let (gap_in, gap) = tokio::sync::oneshot::channel();
    let gap_in = Arc::new(Mutex::new(Some(gap_in)));
    let serving = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let hello = LogdHello { version: VERSION, instance: "one".into(), history: 0 };
        let handle = move |mut stream: Stream<()>| {
            let gap_in = gap_in.lock().take();
            async move {
                while let Ok(Some(message)) = stream.receiver.next().await {
                    let answer = match message {
                        FromSender::Open(open) => {
                            FromLogd::Opened(Opened { file: open.file, ..Opened::default() })
                        }
                        FromSender::Batches(batches) => {
                            let Batch { file, from, to, .. } = batches.batches[0];
                            FromLogd::Fetch(Fetch { fetch: 7, file, from, to })
                        }
                        FromSender::Gap(gap) => {
                            let _ = gap_in.unwrap().send(gap);
                            break;
                        }
                        other => panic!("{other:?}"),
                    };
                    stream.sender.send(&answer).await.unwrap();
                }
            }
        };
        let _ = server::serve(tcp, hello, |_: &Parts| Ok(()), handle).await;
    });
    let members = watch::Sender::new(Members::new(vec![Member::at(url)]));
    let (source, _task) = source(members.subscribe());
    log(&source, "shop/web", "line");
    let gap = timeout(PATIENCE, gap).await.unwrap().unwrap();
    assert_eq!((gap.file, gap.id, gap.reason(), gap.bytes), (1, 7, GapReason::Deleted, Some(5)));
    serving.abort();
}
