//! A logd that stands still: its connections stay, new ones are taken, and nobody serves them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fairlead_benches::logs::{Rotation, follower};
use fairlead_test_support::{figure, soaking};
use fairlead_wire::{
    Members, Stream,
    members::Member,
    source::{Credentials, Source, SourceOptions},
};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::world::{PATIENCE, World};

#[tokio::test]
async fn while_logd_stands_still_lines_wait_in_their_files() {
    let (rotation, rate, pause) = if soaking() {
        (Rotation::every(8, 6), 20_000, Duration::from_secs(15))
    } else {
        (Rotation::at(256, Duration::from_secs(3)), 2_000, Duration::ZERO)
    };
    let (mut world, following) = World::running(rotation, 2, &[]).await;
    world.node.rate(rate);
    world.rotations(0, 1).await;
    let before = world.node.rotations(0);
    world.logd(0).freeze().unwrap();
    sleep(pause).await;
    world.rotations(0, before + 2).await;
    let meanwhile = world.node.rotations(0) - before;
    world.logd(0).thaw().unwrap();
    world.rotations(0, before + meanwhile + 1).await;
    let truth = world.node.stop().unwrap();
    let verdict = world.verdict(&truth, &following).await;
    assert!(verdict.complete(), "{verdict}\n{}\n{}", following.told(), world.told());
    let ring = world.ring(&truth).await.len();
    figure(
        "while_logd_stands_still_lines_wait_in_their_files",
        &format!("{meanwhile} rotations meanwhile, {verdict}; logd holds {ring}"),
    );
}

const APPS: [&str; 2] = ["shop/web", "shop/api"];

/// Two workers log as many lines in all; 50,000 a second where there is time for that, else as fast as they
/// can. A line is its number.
fn log(source: &Source, lines: u64) {
    std::thread::scope(|scope| {
        for (worker, app) in APPS.iter().enumerate() {
            scope.spawn(move || {
                let started = Instant::now();
                for number in 0..lines / 2 {
                    source.log(worker, app, Stream::Stdout, 7, |payload| {
                        payload.extend_from_slice(format!("{number:0100}").as_bytes());
                    });
                    if soaking() && number % 250 == 0 {
                        let due = started + Duration::from_millis(number / 25);
                        std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    }
                }
            });
        }
    });
}

/// What logd accepted of an app but its own lines, and what it was told to be lost.
fn account(ledger: &Value) -> (u64, u64) {
    let records = |name: &str| ledger[name]["records"].as_u64().unwrap_or_default();
    let losses = ledger["losses"].as_array().into_iter().flatten();
    let lost = losses.map(|loss| loss["records"].as_u64().unwrap_or_default()).sum();
    (records("accepted") - records("notices"), lost)
}

/// Who logs is never held up: what does not fit is dropped, and those lines and no others are missing.
#[tokio::test]
async fn while_logd_stands_still_whoever_logs_goes_on_and_what_is_missing_is_counted() {
    let lines: u64 = if soaking() { 50_000 * 60 } else { 100_000 };
    let mut world = World::new(Rotation::DEFAULT, 1).await;
    world.start_logd(0);
    let url = format!("http://{}", world.logds[0].wire).parse().unwrap();
    let members = Members::new(vec![Member { name: "logd-0".into(), ..Member::at(url) }]);
    let members = watch::Sender::new(members);
    let source = Source::new(APPS.len());
    let options = SourceOptions {
        name: "router/test".into(),
        process: "router".into(),
        pod: "router-1".into(),
        credentials: Credentials::default(),
    };
    let task = source.start(options, members.subscribe());
    source.log(0, "shop/first", Stream::Stdout, 7, |payload| payload.extend_from_slice(b"first"));
    let stored = async {
        while source.stored() == 0 {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, stored).await.unwrap();

    world.logd(0).freeze().unwrap();
    let logging = source.clone();
    timeout(PATIENCE * 2, spawn_blocking(move || log(&logging, lines))).await.unwrap().unwrap();
    assert_eq!(source.stored(), 1, "nothing is taken");
    assert!(source.dropped() > 0, "what waits is bounded");
    world.logd(0).thaw().unwrap();
    task.finish(PATIENCE).await;

    let mut accounts = BTreeMap::new();
    for app in APPS {
        let http = world.logds[0].http;
        let ledger = follower::read(http, &format!("/ledger/{app}")).await.unwrap();
        let (accepted, lost) = account(&serde_json::from_slice(&ledger).unwrap());
        let path = format!("/logs/{app}?format=json&log_lines={}", u32::MAX);
        let answer = follower::read(http, &path).await.unwrap();
        let mut numbers = Vec::new();
        for line in answer.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line: follower::Line<'_> = serde_json::from_slice(line).unwrap();
            if !line.notice {
                numbers.push(line.message.parse::<u64>().unwrap());
            }
        }
        assert!(numbers.is_sorted_by(|one, next| one < next), "{app}: in order, each once");
        assert_eq!(numbers.len() as u64, accepted, "{app}");
        assert_eq!(lines / 2 - accepted, lost, "{app}: {}", String::from_utf8_lossy(&ledger));
        accounts.insert(app, (accepted, lost));
    }
    let accepted: u64 = accounts.values().map(|account| account.0).sum();
    assert_eq!((source.stored() - 1, source.dropped()), (accepted, lines - accepted));
    figure(
        "while_logd_stands_still_whoever_logs_goes_on_and_what_is_missing_is_counted",
        &format!("{lines} lines logged, {accepted} came, {} counted as dropped", lines - accepted),
    );
}
