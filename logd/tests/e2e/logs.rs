//! Reading what is there.

use futures::future::join_all;
use http::StatusCode;
use serde_json::json;

use crate::support::{
    Answer, Client, FileName, SECOND, Sender, TEN, sender::batch, source, start, with, within,
};

async fn sent(logd: &fairlead_logd::Logd, lines: &[&str]) -> Sender {
    let mut sender = Sender::connect(logd).await;
    let file = sender.open(&FileName::new("a"), source("web/web", "web", "web-1-abcde")).await.file;
    sender.lines(file, 0, lines).await;
    sender
}

#[tokio::test]
async fn row_43_the_bytes_of_an_app_are_bounded_and_its_lines_where_that_is_set() {
    let numbers: Vec<String> = (0..2_000).map(|n| format!("{n:0100}")).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();

    let logd = with(|options| options.limits.bytes = 100_000);
    sent(&logd, &numbers).await;
    let answer = Client::of(&logd).get("/logs/web?log_lines=5000").await;
    let lines = answer.lines();
    assert!((900..=1_000).contains(&lines.len()), "{}", lines.len());
    for (line, number) in lines.iter().rev().zip(numbers.iter().rev()) {
        assert!(line.ends_with(&format!(" web[web.v2.abcde]: {number}")), "{line}");
    }

    let logd = with(|options| options.limits.lines = 3);
    sent(&logd, &numbers).await;
    let answer = Client::of(&logd).get("/logs/web?log_lines=1000").await;
    let lines = answer.lines();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].ends_with("1997") && lines[2].ends_with("1999"), "{lines:?}");
}

#[tokio::test]
async fn row_44_the_newest_lines_come_oldest_first() {
    let logd = start();
    let client = Client::of(&logd);
    assert_eq!(client.get("/logs/web").await.status, StatusCode::NO_CONTENT);

    let numbers: Vec<String> = (0..150).map(|n| n.to_string()).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let _sender = sent(&logd, &numbers).await;
    let shown = async |path: &str| {
        let answer = client.get(path).await;
        assert_eq!(answer.status, StatusCode::OK);
        answer.lines().iter().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect()
    };
    let newest = |count: usize| -> Vec<String> {
        numbers[150 - count..].iter().map(|&number| number.to_owned()).collect()
    };
    for (path, count) in [
        ("/logs/web", 100),
        ("/logs/web/", 100),
        ("/logs/web/web?log_lines=100", 100),
        ("/logs/web?log_lines=x", 100),
        ("/logs/web?log_lines=-1", 100),
        ("/logs/web?log_lines=1", 1),
        ("/logs/web?log_lines=120", 120),
        ("/logs/web?log_lines=1000", 150),
    ] {
        let lines: Vec<String> = shown(path).await;
        assert_eq!(lines, newest(count), "{path}");
    }
    assert_eq!(client.get("/logs/other").await.status, StatusCode::NO_CONTENT);
    assert_eq!(client.get("/logs/web?log_lines=0").await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn row_45_delete_empties_a_log_and_healthz_answers() {
    let logd = start();
    let client = Client::of(&logd);
    let mut sender = sent(&logd, &["a"]).await;
    assert_eq!(client.delete("/logs/web").await.status, StatusCode::OK);
    assert_eq!(client.get("/logs/web").await.status, StatusCode::NO_CONTENT);
    assert_eq!(client.delete("/logs/unknown").await.status, StatusCode::OK);
    // What comes later is there again.
    sender.lines(1, 2, &["b"]).await;
    assert_eq!(client.get("/logs/web").await.lines().len(), 1);
    for path in ["/healthz", "/healthz/", "/livez", "/readyz"] {
        assert_eq!(client.get(path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn row_46_lines_have_the_form_of_deis() {
    let logd = start();
    let mut sender = Sender::connect(&logd).await;
    let web = source("shop/front", "web", "front-web-2341-abcde");
    sender.open(&FileName::new("a"), web).await;
    sender.lines(1, 0, &["listening on :5000"]).await;
    let mut controller = source("shop/front", "controller", "");
    controller.release.clear();
    sender.open(&FileName::new("b"), controller).await;
    sender.batch(batch(2, 0, TEN + SECOND, &["INFO admin deployed v2"])).await;

    let answer = Client::of(&logd).get("/logs/shop/front").await;
    assert_eq!(
        answer.lines(),
        [
            "2026-11-20T10:00:00.000000+00:00 front[web.v2.abcde]: listening on :5000",
            "2026-11-20T10:00:01.000000+00:00 deis[controller]: INFO admin deployed v2",
        ]
    );
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
}

#[tokio::test]
async fn row_75_lines_keep_their_event_time_and_are_sorted_by_it() {
    let logd = start();
    let mut sender = Sender::connect(&logd).await;
    sender.open(&FileName::new("a"), source("web/web", "web", "web-1-a")).await;
    sender.open(&FileName::new("b"), source("web/web", "web", "web-1-b")).await;
    sender.batch(batch(1, 0, TEN + 2 * SECOND, &["a2", "a3"])).await;
    sender.batch(batch(2, 0, TEN, &["b0", "b1", "b2"])).await;
    let answer = Client::of(&logd).get("/logs/web?format=json").await;
    let lines: Vec<_> = answer
        .lines()
        .iter()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| json!([line["time"], line["message"]]))
        .collect();
    // Of one time, in the order in which they came.
    let expected = [
        json!(["2026-11-20T10:00:00.000000000Z", "b0"]),
        json!(["2026-11-20T10:00:01.000000000Z", "b1"]),
        json!(["2026-11-20T10:00:02.000000000Z", "a2"]),
        json!(["2026-11-20T10:00:02.000000000Z", "b2"]),
        json!(["2026-11-20T10:00:03.000000000Z", "a3"]),
    ];
    assert_eq!(lines, expected);
}

/// It takes minutes for [`slow_lines`].
const SLOW: &str = "regex=(?-u)[ab][^c]{800}[^d]{800}e";

fn slow_lines() -> Vec<String> {
    let mut state = 1_u32;
    let mut letter = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ["a", "b", "x", "y"][(state >> 30) as usize]
    };
    (0..50).map(|_| (0..60_000).map(|_| letter()).collect()).collect()
}

/// Asks without waiting for the answer.
fn ask(logd: &fairlead_logd::Logd, path: String) -> tokio::task::JoinHandle<Answer> {
    let client = Client::of(logd);
    tokio::spawn(async move { client.get(&path).await })
}

#[tokio::test]
async fn who_wants_the_newest_lines_waits_for_no_pattern() {
    let logd = start();
    let mut sender = Sender::connect(&logd).await;
    let lines = slow_lines();
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    for file in 1..=8 {
        let app = format!("web-{file}");
        let source = source(&format!("{app}/{app}"), "web", "web-1-a");
        sender.open(&FileName::new(&app), source).await;
        sender.lines(file, 0, &lines[..10]).await;
    }
    let paths = (1..=8)
        .flat_map(|app| [format!("/logs/web-{app}?{SLOW}"), format!("/logs/web-{app}?{SLOW}")]);
    let slow: Vec<_> = paths.map(|path| ask(&logd, path)).collect();
    let client = Client::of(&logd);
    for _ in 0..20 {
        let newest = within("the newest line", client.get("/logs/web-1?log_lines=1")).await;
        assert_eq!(newest.lines().len(), 1);
    }
    assert!(slow.iter().all(|asked| !asked.is_finished()), "the pattern is not slow");
}

#[tokio::test]
async fn patterns_that_take_long_hold_neither_senders_nor_probes_nor_other_apps_up() {
    let logd = start();
    let lines = slow_lines();
    let mut sender = sent(&logd, &lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
    sender.open(&FileName::new("b"), source("other/other", "web", "web-1-b")).await;
    let client = Client::of(&logd);
    let newest = client.get("/logs/web?log_lines=1&format=json").await.json();
    let (epoch, _) = newest["cursor"].as_str().unwrap().split_once('.').unwrap();
    // They look at all that is there.
    let follow = format!("/logs/web?follow=true&{SLOW}&after={epoch}.0.0.0.0.0.0.0");
    let followers = join_all((0..4).map(|_| client.follow(&follow))).await;
    let plain: Vec<_> = (0..20).map(|_| ask(&logd, format!("/logs/web?{SLOW}"))).collect();
    assert_eq!(client.get("/livez").await.status, StatusCode::OK);
    within("what others send", sender.lines(2, 0, &["else"])).await;
    let other = client.get("/logs/other?regex=e.se").await;
    assert_eq!(other.lines().len(), 1);
    assert!(plain.iter().all(|asked| !asked.is_finished()), "the pattern is not slow");
    // Nobody goes on for those that have left.
    drop(followers);
    plain.iter().for_each(tokio::task::JoinHandle::abort);
    assert_eq!(client.get("/logs/web?log_lines=3&regex=[ab].").await.lines().len(), 3);
}
