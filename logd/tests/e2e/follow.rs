//! Following what comes.

use std::{collections::HashSet, time::Duration};

use fairlead_wire::message::Batch;
use http::StatusCode;
use serde_json::Value;

use crate::support::{
    Client, FileName, SECOND, Sender, TEN, sender::batch, source, start, with, within,
};

fn texts(lines: &[String]) -> Vec<&str> {
    lines.iter().map(|line| line.rsplit(' ').next().unwrap()).collect()
}

fn messages(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["message"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_was_there_is_followed_by_what_comes() {
    let logd = start();
    let mut sender = Sender::connect(&logd).await;
    sender.open(&FileName::new("a"), source("web/web", "web", "web-1-a")).await;
    sender.lines(1, 0, &["0", "1", "2"]).await;
    let mut follow = Client::of(&logd).follow("/logs/web?follow=true&log_lines=2").await;
    assert_eq!(follow.headers["content-type"], "text/plain; charset=utf-8");
    sender.lines(1, 6, &["3"]).await;
    sender.lines(1, 8, &["4", "5"]).await;
    assert_eq!(texts(&follow.lines(5).await), ["1", "2", "3", "4", "5"]);
}

#[tokio::test]
async fn an_app_can_be_followed_before_its_first_line() {
    let logd = start();
    let mut follow = Client::of(&logd).follow("/logs/web?follow=true").await;
    let mut sender = Sender::connect(&logd).await;
    sender.open(&FileName::new("a"), source("web/web", "web", "web-1-a")).await;
    sender.lines(1, 0, &["0"]).await;
    assert_eq!(texts(&follow.lines(1).await), ["0"]);
}

#[tokio::test]
async fn a_cursor_goes_on_after_its_line() {
    let logd = start();
    let client = Client::of(&logd);
    let mut sender = Sender::connect(&logd).await;
    sender.open(&FileName::new("a"), source("web/web", "web", "web-1-a")).await;
    sender.lines(1, 0, &["0", "1", "2"]).await;
    let mut follow = client.follow("/logs/web?follow=true&format=json").await;
    let lines = follow.json(3).await;
    assert_eq!(messages(&lines), ["0", "1", "2"]);
    drop(follow);
    sender.lines(1, 6, &["3"]).await;
    let cursor = lines[1]["cursor"].as_str().unwrap();
    let path = format!("/logs/web?follow=true&format=json&after={cursor}");
    let mut follow = client.follow(&path).await;
    assert_eq!(messages(&follow.json(2).await), ["2", "3"]);
}

#[tokio::test]
async fn events_carry_cursors_as_their_ids() {
    let logd = start();
    let mut sender = Sender::connect(&logd).await;
    sender.open(&FileName::new("a"), source("web/web", "web", "web-1-a")).await;
    sender.batch(batch(1, 0, TEN + SECOND, &["0"])).await;
    let client = Client::of(&logd);
    let accept = [("accept", "text/event-stream")];
    let mut follow = client.follow_with("/logs/web?follow=true", &accept).await;
    assert_eq!(follow.headers["content-type"], "text/event-stream");
    let lines = follow.lines(3).await;
    let cursor = lines[0].strip_prefix("id: ").unwrap();
    assert_eq!(lines[1], "data: 2026-11-20T10:00:01.000000+00:00 web[web.v2.a]: 0");
    assert_eq!(lines[2], "");
    sender.lines(1, 2, &["1"]).await;
    let path = format!("/logs/web?follow=true&after={cursor}");
    assert_eq!(texts(&client.follow(&path).await.lines(1).await), ["1"]);
}

#[tokio::test]
async fn row_74_lines_are_followed_by_process_and_time_and_a_slow_reader_is_told() {
    let logd = with(|options| options.limits.bytes = 500_000);
    let client = Client::of(&logd);
    let mut sender = Sender::connect(&logd).await;
    sender.open(&FileName::new("a"), source("web/web", "web", "web-1-a")).await;
    sender.open(&FileName::new("b"), source("web/web", "worker", "web-1-b")).await;
    sender.lines(1, 0, &["web0", "web1"]).await;
    sender.lines(2, 0, &["worker0", "worker1"]).await;
    let path = "/logs/web?follow=true&process=worker&since=2026-11-20T10:00:01Z";
    let mut follow = client.follow(path).await;
    sender.lines(1, 10, &["web0", "web1"]).await;
    sender.batch(batch(2, 16, TEN + 5 * SECOND, &["worker2"])).await;
    assert_eq!(texts(&follow.lines(2).await), ["worker1", "worker2"]);

    // A reader that does not read for a while.
    let mut slow = client.follow("/logs/web?follow=true&log_lines=0&process=web").await;
    let (mut total, mut from) = (0, 20);
    for round in 0..40 {
        let lines: Vec<String> = (0..1_000).map(|n| format!("{round}-{n:01000}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        from = sender.lines(1, from, &lines).await.stored;
        total += lines.len() as u64;
    }
    sender.lines(1, from, &["last"]).await;
    let (mut seen, mut missed) = (0, 0);
    loop {
        let line = slow.line().await.unwrap();
        if line.ends_with(": last") {
            break;
        }
        match line.split_once(" deis[logd]: Error L11 (Tail buffer overflow): ") {
            Some((_, told)) => missed += told.split(' ').next().unwrap().parse::<u64>().unwrap(),
            None => seen += 1,
        }
    }
    assert!(missed > 0, "the reader was not slow");
    assert_eq!(seen + missed, total);
}

/// The sender has its files: it sends again what the new logd does not have.
#[tokio::test]
async fn a_follower_that_comes_back_after_a_restart_sees_every_line_once() {
    let logd = start();
    let (http, wire) = (logd.http_addr(), logd.wire_addr());
    let (name, web) = (FileName::new("a"), source("web/web", "web", "web-1-a"));
    let mut sender = Sender::connect(&logd).await;
    sender.open(&name, web.clone()).await;
    let numbers: Vec<String> = (0..30).map(|n| format!("{n:02}")).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    sender.lines(1, 0, &numbers[..20]).await;
    let mut follow =
        Client::of(&logd).follow("/logs/web?follow=true&format=json&log_lines=1000").await;
    // The last five were stored, and not yet shown.
    let mut shown = follow.json(15).await;
    drop((follow, sender, logd));

    let logd = with(|options| (options.http, options.wire) = (http, wire));
    let cursor = shown[14]["cursor"].as_str().unwrap();
    let path = format!("/logs/web?follow=true&format=json&after={cursor}");
    let mut follow = Client::of(&logd).follow(&path).await;
    let mut sender = Sender::connect(&logd).await;
    assert_eq!(sender.open(&name, web).await.to, None);
    let mut history = batch(1, 0, TEN, &numbers[..20]);
    history.history = true;
    sender.batch(history).await;
    sender.batch(batch(1, 60, TEN + 20 * SECOND, &numbers[20..])).await;

    let mut names: HashSet<String> = shown.iter().map(|line| line["name"].to_string()).collect();
    let mut again = 0;
    while shown.len() < 30 {
        let line = follow.json(1).await.remove(0);
        if names.insert(line["name"].to_string()) { shown.push(line) } else { again += 1 }
    }
    assert_eq!(messages(&shown), numbers);
    // Of the file that the cursor's line is from it is known what was shown.
    assert_eq!(again, 0);
}

/// A node that catches up, or whose clock is behind: what arrived last is not what is newest.
#[tokio::test]
async fn what_a_file_that_is_behind_had_unshown_before_a_restart_is_told() {
    let logd = start();
    let (http, wire) = (logd.http_addr(), logd.wire_addr());
    let (ahead, behind) = (FileName::new("a"), FileName::new("b"));
    let web = |pod| source("web/web", "web", pod);
    let mut sender = Sender::connect(&logd).await;
    sender.open(&ahead, web("web-1-a")).await;
    sender.open(&behind, web("web-1-b")).await;
    sender.batch(batch(1, 0, TEN + 60 * SECOND, &["a0", "a1", "a2"])).await;
    let path = "/logs/web?follow=true&format=json";
    let lines = Client::of(&logd).follow(path).await.json(2).await;
    assert_eq!(messages(&lines), ["a0", "a1"]);
    // Stored, and not shown.
    sender.batch(batch(2, 0, TEN, &["b0", "b1", "b2", "b3"])).await;
    drop((sender, logd));

    let logd = with(|options| (options.http, options.wire) = (http, wire));
    let cursor = lines[1]["cursor"].as_str().unwrap();
    let mut follow = Client::of(&logd).follow(&format!("{path}&after={cursor}")).await;
    let mut sender = Sender::connect(&logd).await;
    sender.open(&ahead, web("web-1-a")).await;
    sender.open(&behind, web("web-1-b")).await;
    let history = |batch| Batch { history: true, ..batch };
    sender.batch(history(batch(2, 0, TEN, &["b0", "b1", "b2", "b3"]))).await;
    sender.batch(history(batch(1, 0, TEN + 60 * SECOND, &["a0", "a1", "a2"]))).await;
    sender.batch(batch(2, 12, TEN + 4 * SECOND, &["b4"])).await;
    let lines = follow.json(3).await;
    let left_out = "Error L11 (Log restarted): 4 messages from before 2026-11-20T10:00:56.000000000Z left out, of which some may not have been shown.";
    assert_eq!(messages(&lines), ["a2", "b4", left_out]);
    // A client that goes before it is told hears of it when it comes back, and only then.
    let again = async |line: &Value| {
        let cursor = line["cursor"].as_str().unwrap();
        Client::of(&logd).follow(&format!("{path}&after={cursor}")).await.json(1).await
    };
    assert_eq!(messages(&again(&lines[1]).await), [left_out]);
    sender.batch(batch(2, 15, TEN + 5 * SECOND, &["b5"])).await;
    assert_eq!(messages(&again(&lines[2]).await), ["b5"]);
}

#[tokio::test]
async fn filters_choose_lines() {
    let logd = start();
    let client = Client::of(&logd);
    let mut sender = Sender::connect(&logd).await;
    sender.open(&FileName::new("a"), source("web/web", "web", "web-1-a")).await;
    sender.open(&FileName::new("b"), source("web/web", "worker", "web-1-b")).await;
    sender.lines(1, 0, &["apple", "banana", "cherry"]).await;
    sender.batch(batch(2, 0, TEN + 3 * SECOND, &["avocado"])).await;
    for (filter, expected) in [
        ("", &["apple", "banana", "cherry", "avocado"][..]),
        ("process=web", &["apple", "banana", "cherry"]),
        ("process=worker,other", &["avocado"]),
        ("process=web&process=worker", &["apple", "banana", "cherry", "avocado"]),
        ("pod=web-1-b", &["avocado"]),
        ("stream=stderr", &[]),
        ("contains=an", &["banana"]),
        ("contains=.", &[]),
        ("regex=^a", &["apple", "avocado"]),
        ("regex=^a&invert=true", &["banana", "cherry"]),
        ("regex=(%3Fi)APPLE", &["apple"]),
        ("since=2026-11-20T10:00:01Z", &["banana", "cherry", "avocado"]),
        ("until=2026-11-20T10:00:01Z", &["apple"]),
        ("contains=a&log_lines=2", &["banana", "avocado"]),
    ] {
        let answer = client.get(&format!("/logs/web?{filter}")).await;
        let lines: Vec<String> = answer.lines().iter().map(|&line| line.to_owned()).collect();
        assert_eq!(texts(&lines), expected, "{filter}");
    }
    let answer = client.get("/logs/web?regex=(").await;
    assert_eq!(answer.status, http::StatusCode::BAD_REQUEST);
    assert!(answer.body.starts_with("regex=\"(\": "), "{}", answer.body);
}

/// What is remembered for a pattern is memory.
#[tokio::test]
async fn one_caller_follows_with_so_many_patterns_and_leaves_room_for_others() {
    let logd = start();
    let client = Client::of(&logd);
    let mut followers = Vec::new();
    for _ in 0..32 {
        followers.push(client.follow("/logs/web?follow=true&regex=a").await);
    }
    let more = async |path: &str| client.try_follow(path, &[]).await;
    let refused = more("/logs/web?follow=true&regex=a").await.err();
    assert_eq!(refused, Some(StatusCode::TOO_MANY_REQUESTS));
    more("/logs/web?follow=true&contains=a").await.unwrap();
    more("/logs/other?follow=true&regex=a").await.unwrap();
    drop(followers);
    let again = async {
        while more("/logs/web?follow=true&regex=a").await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within("room for another one", again).await;
}
