//! What senders are told, and what of it readers see.

use fairlead_wire::message::{Edge, FromLogd, Gap, GapReason, Loss, LossReason, Opened};
use serde_json::json;

use crate::support::{Client, FileName, SECOND, Sender, TEN, sender::batch, source, start, within};

#[tokio::test]
async fn a_file_is_opened_where_it_was_left() {
    let logd = start();
    let (name, web) = (FileName::new("a"), source("web/web", "web", "web-1-a"));
    let mut sender = Sender::connect(&logd).await;
    assert_eq!(sender.instance(), logd.instance());
    let opened = sender.open(&name, web.clone()).await;
    assert_eq!(opened, Opened { file: 1, ..Opened::default() });
    let ack = sender.lines(1, 10, &["a", "b"]).await;
    assert_eq!((ack.stored, ack.settled), (14, 14));
    drop(sender);

    let mut sender = Sender::connect(&logd).await;
    let opened = sender.open(&name, web).await;
    assert_eq!(opened, Opened { file: 1, to: Some(14), settled: 14, ..Opened::default() });
    // Sent again, and some more.
    sender.lines(1, 10, &["a", "b", "c"]).await;
    let answer = Client::of(&logd).get("/logs/web").await;
    let texts: Vec<&str> =
        answer.lines().iter().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(texts, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_gap_is_told_once_in_the_stream_of_its_app_and_listed() {
    let logd = start();
    let client = Client::of(&logd);
    let mut sender = Sender::connect(&logd).await;
    let name = FileName::new("a");
    sender.open(&name, source("web/web", "web", "web-1-a")).await;
    sender.lines(1, 0, &["a"]).await;
    let edge = |offset, time| Edge { incarnation: name.0.clone(), offset, time };
    let gap = Gap {
        file: 1,
        id: 77,
        reason: GapReason::Deleted.into(),
        before: Some(edge(2, TEN)),
        after: Some(edge(10, TEN + SECOND)),
        bytes: Some(8),
    };
    assert_eq!(sender.gap(gap.clone()).await.gap, 77);
    assert_eq!(sender.gap(gap).await.gap, 77);
    // A batch that begins after the end of the last one.
    sender.lines(1, 12, &["b"]).await;

    let answer = client.get("/logs/web?format=json").await;
    let mut lines: Vec<serde_json::Value> =
        answer.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.sort_by_key(|line| line["name"].to_string());
    let notices: Vec<_> = lines.iter().filter(|line| line["notice"] == true).collect();
    let told: Vec<_> = notices.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(
        told,
        [
            "Error L12 (log file deleted): 8 bytes missing after 2026-11-20T10:00:00.000000000Z before 2026-11-20T10:00:01.000000000Z, from web-1-a.",
            "Error L12 (not sent): 10 bytes missing, from web-1-a.",
        ]
    );
    let ledger = client.get("/ledger/web").await.json();
    assert_eq!(ledger["gaps"], 2);
    let listed: Vec<_> = ledger["newest_gaps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|gap| json!([gap["reason"], gap["pod"], gap["bytes"], gap["before"]["offset"]]))
        .collect();
    assert_eq!(listed, [json!(["deleted", "web-1-a", 8, 2]), json!(["skipped", "web-1-a", 10, 2])]);
}

#[tokio::test]
async fn losses_are_counted_and_told_together() {
    let logd = start();
    let client = Client::of(&logd);
    let mut follow = client.follow("/logs/web?follow=true").await;
    let mut sender = Sender::connect(&logd).await;
    sender.open(&FileName::new("a"), source("web/web", "web", "web-1-a")).await;
    let loss = |records, bytes| Loss { reason: LossReason::RateLimited.into(), records, bytes };
    let mut first = batch(1, 0, TEN, &["a"]);
    first.losses = vec![loss(3, 30)];
    let mut second = batch(1, 2, TEN, &["b"]);
    second.losses = vec![loss(4, 40)];
    sender.batch(first).await;
    sender.batch(second).await;
    let told = async {
        let mut dropped = 0;
        while dropped < 7 {
            let line = follow.line().await.unwrap();
            if let Some((_, told)) = line.split_once("deis[logd]: Error L12 (rate limit): ") {
                dropped += told.split(' ').next().unwrap().parse::<u64>().unwrap();
            }
        }
        dropped
    };
    assert_eq!(within("the notices", told).await, 7);
    let ledger = client.get("/ledger/web").await.json();
    let expected = json!([
        {"pod": "web-1-a", "container": "web", "reason": "rate_limited", "records": 7, "bytes": 70}
    ]);
    assert_eq!(ledger["losses"], expected);
}

#[tokio::test]
async fn a_batch_that_breaks_the_rules_ends_its_stream_and_no_other() {
    let logd = start();
    let mut other = Sender::connect(&logd).await;
    other.open(&FileName::new("b"), source("web/web", "web", "web-1-b")).await;
    let mut sender = Sender::connect(&logd).await;
    let unknown = batch(7, 0, TEN, &["a"]);
    let batches = fairlead_wire::message::Batches { batches: vec![unknown] };
    sender.say(fairlead_wire::message::FromSender::Batches(batches)).await;
    match sender.hear().await {
        FromLogd::End(end) => assert_eq!(end.reason, "file 7 is not open"),
        other => panic!("{other:?}"),
    }
    other.lines(1, 0, &["b"]).await;
}
