//! Following what comes.

use serde_json::Value;

use crate::support::{Client, FileName, SECOND, Sender, TEN, sender::batch, source, start};

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
