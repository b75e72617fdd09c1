//! Many apps on several shards, with senders, followers and readers at once, and too little memory.

use std::{collections::HashMap, num::NonZeroUsize, sync::Arc};

use crate::support::{Client, FileName, SECOND, Sender, TEN, sender::batch, source, with, within};

const APPS: usize = 12;
const ROUNDS: usize = 60;
const LINES: usize = 100;

/// What a follower saw of its app until the last line, and what it was told to have missed.
async fn follow(client: Arc<Client>, app: usize) -> u64 {
    let path = format!("/logs/app-{app}?follow=true&log_lines=0");
    let mut follow = client.follow(&path).await;
    let (mut next, mut seen, mut missed) = (0, 0, 0);
    loop {
        let line = follow.line().await.unwrap();
        if let Some((_, told)) = line.split_once("deis[logd]: Error L11 (Tail buffer overflow): ") {
            let told: u64 = told.split(' ').next().unwrap().parse().unwrap();
            (missed, next) = (missed + told, next + told);
            continue;
        }
        let text = line.rsplit(' ').next().unwrap();
        if text == "last" {
            return seen + missed;
        }
        // In order, untorn, and of this app.
        let (of, rest) = text.split_once('-').unwrap();
        let (number, filler) = rest.split_once('-').unwrap();
        let number: u64 = number.parse().unwrap();
        assert_eq!((of.parse::<usize>().unwrap(), number), (app, next), "{line:.60}");
        assert!(filler.len() == 300 && filler.bytes().all(|b| b == b'x'), "{line:.60}");
        (seen, next) = (seen + 1, next + 1);
    }
}

async fn send(mut sender: Sender, app: usize) {
    let app_source = source(&format!("app-{app}/app-{app}"), "web", "web-1-a");
    sender.open(&FileName::new(&format!("u-{app}")), app_source).await;
    let mut from = 0;
    for round in 0..ROUNDS {
        let line = |n| format!("{app}-{}-{}", round * LINES + n, "x".repeat(300));
        let lines: Vec<String> = (0..LINES).map(line).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        // Readers sort by time.
        let time = TEN + (round * LINES) as i64 * SECOND;
        from = sender.batch(batch(1, from, time, &lines)).await.stored;
    }
    sender.batch(batch(1, from, TEN + (ROUNDS * LINES) as i64 * SECOND, &["last"])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_seen_and_what_is_told_as_missed_is_all_on_every_shard() {
    let logd = with(|logd| {
        logd.shards = NonZeroUsize::new(4).unwrap();
        logd.memory = 3 << 20;
    });
    let client = Arc::new(Client::of(&logd));
    let mut followers = HashMap::new();
    for app in 0..APPS {
        followers.insert(app, tokio::spawn(follow(client.clone(), app)));
    }
    // A follower that nobody waits for would see less than all.
    let listening = async {
        while !client.get("/metrics").await.body.contains(&format!("_followers {APPS}\n")) {
            tokio::task::yield_now().await;
        }
    };
    within("all follow", listening).await;
    let mut senders = Vec::new();
    for app in 0..APPS {
        senders.push(tokio::spawn(send(Sender::connect(&logd).await, app)));
    }
    let dump = async {
        let all = async {
            for sender in senders {
                sender.await.unwrap();
            }
        };
        tokio::pin!(all);
        loop {
            tokio::select! {
                () = &mut all => return,
                answer = client.get("/logs/app-0?log_lines=1000000") => {
                    let numbers: Vec<u64> = answer
                        .lines()
                        .iter()
                        .filter_map(|line| line.rsplit(' ').next()?.split('-').nth(1)?.parse().ok())
                        .collect();
                    assert!(numbers.is_sorted_by(|one, next| one + 1 == *next), "a hole");
                }
            }
        }
    };
    within("all is sent", dump).await;
    for (app, follower) in followers {
        assert_eq!(within("a follower's end", follower).await.unwrap(), (ROUNDS * LINES) as u64);
        let ledger = client.get(&format!("/ledger/app-{app}")).await.json();
        let of = |name: &str| ledger[name]["records"].as_u64().unwrap();
        assert_eq!(of("accepted"), (ROUNDS * LINES) as u64 + 1);
        assert_eq!(of("accepted"), of("held") + of("evicted"));
    }
    let metrics = client.get("/metrics").await.body;
    let budget =
        metrics.lines().find(|line| line.contains("evicted_records_total{cause=\"budget\"}"));
    assert!(budget.is_some_and(|line| !line.ends_with(" 0")), "memory was not short: {budget:?}");
}
