//! Limits of an app, as flags and as its pods state them: which line leaves first.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use fairlead_logd::Logd;
use fairlead_wire::message::{Batch, Close, FromSender, Limits, Loss, LossReason};

use crate::support::{Client, FileName, SECOND, Sender, TEN, sender::batch, source, with, within};

/// The numbers of the lines that are left of 200 lines of 1,000 bytes, a second apart, the last of
/// which was just written. An earlier logd had them.
async fn left(logd: &Logd, limits: Option<Limits>) -> Vec<u64> {
    let mut sender = Sender::connect(logd).await;
    let mut source = source("web/web", "web", "web-1-a");
    source.limits = limits;
    sender.open(&FileName::new("a"), source).await;
    let lines: Vec<String> = (0..200).map(|n| format!("{n:01000}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let now = i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap();
    let lines = batch(1, 0, now - 199 * SECOND, &lines);
    sender.batch(Batch { history: true, ..lines }).await;
    held(logd).await
}

async fn held(logd: &Logd) -> Vec<u64> {
    let answer = Client::of(logd).get("/logs/web?log_lines=1000").await;
    let number = |line: &&str| line.rsplit(' ').next().unwrap().parse().unwrap();
    answer.lines().iter().map(number).collect()
}

#[tokio::test]
async fn over_the_bytes_the_oldest_lines_leave_a_sixteenth_at_once() {
    let by_flag = with(|logd| logd.limits.bytes = 100_000);
    let by_annotation = with(|_| {});
    let stated = Limits { bytes: 100_000, lines: 0, age: 0 };
    for (logd, limits) in [(by_flag, None), (by_annotation, Some(stated))] {
        let left = left(&logd, limits).await;
        assert!((90..=100).contains(&left.len()), "{}", left.len());
        assert_eq!(left, (200 - left.len() as u64..200).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn over_the_number_of_lines_exactly_the_oldest_leave() {
    let by_flag = with(|logd| logd.limits.lines = 7);
    let by_annotation = with(|_| {});
    let stated = Limits { bytes: 0, lines: 7, age: 0 };
    for (logd, limits) in [(by_flag, None), (by_annotation, Some(stated))] {
        assert_eq!(left(&logd, limits).await, (193..200).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn over_the_age_the_oldest_lines_leave_and_no_younger_one() {
    let age = 100;
    let by_flag = with(|logd| logd.limits.age = Duration::from_secs(age));
    let by_annotation = with(|_| {});
    let stated = Limits { bytes: 0, lines: 0, age };
    for (logd, limits) in [(by_flag, None), (by_annotation, Some(stated))] {
        let mut left = left(&logd, limits).await;
        let expired = async {
            // It is looked at once a second.
            while left.len() > age as usize {
                tokio::time::sleep(Duration::from_millis(50)).await;
                left = held(&logd).await;
            }
        };
        within("the oldest leave", expired).await;
        // Some more may have become too old by now.
        let first = left[0];
        assert!((100..150).contains(&first), "{first}");
        assert_eq!(left, (first..200).collect::<Vec<_>>());
    }
}

/// Clocks of nodes may be wrong, and logd's own may be set: what a line claims is not its age.
#[tokio::test]
async fn lines_leave_by_when_they_came_and_not_by_what_they_claim() {
    let years = |years: i64| TEN + years * 365 * 24 * 3_600 * SECOND;
    let logd = with(|logd| logd.limits.age = Duration::from_secs(3_600));
    let client = Client::of(&logd);
    let mut sender = Sender::connect(&logd).await;
    sender.open(&FileName::new("a"), source("web/web", "web", "web-1-a")).await;
    sender.batch(batch(1, 0, years(-27), &["0"])).await;
    // What was lost is told when ages were looked at.
    let loss = Loss { reason: LossReason::QueueFull.into(), records: 1, bytes: 1 };
    sender.batch(Batch { losses: vec![loss], ..batch(1, 2, years(73), &["1"]) }).await;
    let told = client.until("/logs/web", |answer| answer.body.contains("Error L12")).await;
    let lines = told.lines();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].ends_with(": 0") && lines[2].ends_with(": 1"), "{lines:?}");

    let logd = with(|logd| logd.limits.age = Duration::from_millis(10));
    let client = Client::of(&logd);
    let mut sender = Sender::connect(&logd).await;
    sender.open(&FileName::new("a"), source("web/web", "web", "web-1-a")).await;
    sender.batch(batch(1, 0, years(73), &["0"])).await;
    sender.batch(batch(1, 2, years(0), &["1"])).await;
    client.until("/logs/web", |answer| answer.status == http::StatusCode::NO_CONTENT).await;
    let ledger = client.get("/ledger/web").await.json();
    assert_eq!(ledger["evicted"]["records"], 2);
}

/// What pods state is theirs: an app without limits of its own has logd's.
#[tokio::test]
async fn limits_of_one_app_are_not_another_s() {
    let logd = with(|_| {});
    let mut sender = Sender::connect(&logd).await;
    let mut limited = source("a/a", "web", "web-1-a");
    limited.limits = Some(Limits { bytes: 0, lines: 1, age: 0 });
    sender.open(&FileName::new("a"), limited).await;
    sender.open(&FileName::new("b"), source("b/b", "web", "web-1-b")).await;
    sender.batch(batch(1, 0, TEN, &["0", "1"])).await;
    sender.batch(batch(2, 0, TEN, &["0", "1"])).await;
    let client = Client::of(&logd);
    assert_eq!(client.get("/logs/a").await.lines().len(), 1);
    assert_eq!(client.get("/logs/b").await.lines().len(), 2);
}

/// What pods of an app say differently: the largest counts, and what is said no more has no effect.
#[tokio::test]
async fn the_largest_limit_that_pods_state_counts_as_long_as_one_states_it() {
    let logd = with(|logd| logd.limits.lines = 4);
    let client = Client::of(&logd);
    let mut sender = Sender::connect(&logd).await;
    let said = |lines: Option<u64>| {
        let mut source = source("web/web", "web", "web-1-a");
        source.limits = lines.map(|lines| Limits { bytes: 0, lines, age: 0 });
        source
    };
    let mut from = 0;
    let mut file = 0;
    let lines: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    for (name, states, left) in [
        ("a", None, 4),
        ("a", Some(2), 2),
        ("b", Some(7), 7),
        ("a", Some(3), 7),
        ("b", None, 3),
        ("a", None, 4),
    ] {
        let opened = sender.open(&FileName::new(name), said(states)).await;
        file += 1;
        // It holds before anything comes.
        let now = client.get("/logs/web?log_lines=1000").await.lines().len();
        assert!(now <= left, "{now} lines, {name} says {states:?}");
        from = opened.to.unwrap_or(from);
        from = sender.lines(file, from, &lines).await.stored;
        let held = client.get("/logs/web?log_lines=1000").await.lines().len();
        assert_eq!(held, left, "{name} says {states:?}");
    }
    // One that is read to its end says nothing any more.
    sender.open(&FileName::new("c"), said(Some(9))).await;
    sender.say(FromSender::Close(Close { file: file + 1 })).await;
    sender.open(&FileName::new("d"), said(None)).await;
    sender.lines(file + 2, 0, &lines).await;
    assert_eq!(client.get("/logs/web?log_lines=1000").await.lines().len(), 4);
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The address that the program says it listens on.
fn said(line: &str, name: &str) -> Option<String> {
    let (_, rest) = line.split_once(&format!("{name}="))?;
    rest.split_whitespace().next().map(str::to_owned)
}

#[tokio::test]
async fn row_43_the_program_takes_the_limit_of_lines_from_deis_s_variable() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_fairlead-logd"));
    program.args(["--no-auth", "--http=127.0.0.1:0", "--wire=127.0.0.1:0", "--app-age=36500d"]);
    let mut program =
        Killed(program.env("NUMBER_OF_LINES", "3").stderr(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(program.0.stderr.take().unwrap()).lines();
    let (http, wire) = lines
        .find_map(|line| {
            let line = line.unwrap();
            Some((said(&line, "http")?, said(&line, "wire")?))
        })
        .unwrap();
    let mut sender = Sender::at(wire.parse().unwrap()).await;
    sender.open(&FileName::new("a"), source("web/web", "web", "web-1-a")).await;
    sender.lines(1, 0, &["0", "1", "2", "3", "4"]).await;
    let answer = Client::at(http.parse().unwrap()).get("/logs/web?log_lines=1000").await;
    let numbers: Vec<_> = answer.lines().iter().map(|l| l.rsplit(' ').next().unwrap()).collect();
    assert_eq!(numbers, ["2", "3", "4"]);
}
