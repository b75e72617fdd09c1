//! Bounds of memory.

use std::time::Duration;

use fairlead_wire::message::{Close, Edge, File, FromLogd, FromSender, Gap, Open, Source};

use crate::support::{Client, FileName, Sender, TEN, sender::batch, source, start, with, within};

fn lines(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{n:01000}")).collect()
}

async fn held(client: &Client, app: &str) -> u64 {
    let ledger = client.get(&format!("/ledger/{app}")).await.json();
    let of = |name: &str| ledger[name]["bytes"].as_u64().unwrap();
    assert_eq!(of("accepted"), of("held") + of("evicted"));
    of("held")
}

async fn memory(client: &Client) -> u64 {
    let metrics = client.get("/metrics").await.body;
    let line = metrics.lines().find_map(|line| line.strip_prefix("fairlead_logd_memory_bytes "));
    line.unwrap().parse().unwrap()
}

/// A file with as many labels as there may be: 128 KiB.
fn labelled(file: u32) -> Open {
    let labels = (0..64).map(|n| (format!("{n:01000}"), "v".repeat(1_024))).collect();
    let source = Source { labels, ..source("web/web", "web", "web-1-a") };
    Open { file, incarnation: FileName::new(&file.to_string()).0, source }
}

#[tokio::test]
async fn names_and_labels_of_files_are_counted_and_bounded() {
    let logd = start();
    let client = Client::of(&logd);
    let mut sender = Sender::connect(&logd).await;
    for file in 1..=100 {
        let Open { incarnation, source, .. } = labelled(file);
        sender.open(&FileName(incarnation), source).await;
    }
    let open = memory(&client).await;
    assert!((12_800_000..14_000_000).contains(&open), "{open}");
    // Positions of files that nobody has open are worth 4 MiB for an app.
    for file in 1..=100 {
        sender.say(FromSender::Close(Close { file })).await;
    }
    let forgotten = async {
        while memory(&client).await > 4_300_000 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    within("the longest closed are forgotten", forgotten).await;
}

/// Of 16 MiB 2 are for names and labels of open files, over all streams: no record of another app leaves for
/// them, and a file beyond that waits until others are closed.
#[tokio::test]
async fn names_of_all_streams_have_a_bound_and_what_is_beyond_waits_alone() {
    let logd = with(|options| {
        options.memory = 16 << 20;
        options.shards = std::num::NonZeroUsize::MIN;
    });
    let client = Client::of(&logd);
    let mut quiet = Sender::connect(&logd).await;
    quiet.open(&FileName::new("quiet"), source("quiet/quiet", "web", "web-1-a")).await;
    let written = lines(5_000);
    let written: Vec<&str> = written.iter().map(String::as_str).collect();
    let stored = quiet.lines(1, 0, &written).await.stored;
    let stored = quiet.lines(1, stored, &written).await.stored;
    let before = held(&client, "quiet").await;
    assert_eq!(before, 10_000_000);

    let mut senders = Vec::new();
    for stream in 0..3 {
        let mut sender = Sender::connect(&logd).await;
        for file in 1..=10 {
            let open = labelled(stream * 100 + file);
            sender.say(FromSender::Open(Open { file, ..open })).await;
        }
        // What is open is not disturbed, and one that is small has room.
        sender.say(FromSender::Close(Close { file: 77 })).await;
        let small = Open {
            file: 11,
            incarnation: FileName::new(&format!("small-{stream}")).0,
            source: source("web/web", "web", "web-1-a"),
        };
        sender.say(FromSender::Open(small)).await;
        let mut opened = Vec::new();
        while opened.last() != Some(&11) {
            if let FromLogd::Opened(answer) = sender.hear().await {
                opened.push(answer.file);
            }
        }
        senders.push((sender, opened));
    }
    let open: Vec<usize> = senders.iter().map(|(_, opened)| opened.len() - 1).collect();
    let all: usize = open.iter().sum();
    assert!(open[0] == 10 && (15..=16).contains(&all), "{open:?}");
    assert_eq!(held(&client, "quiet").await, before);
    quiet.lines(1, stored, &["more"]).await;
    assert_eq!(held(&client, "quiet").await, before + 4);
    // A stream ends: there is room for what was refused.
    drop(senders.remove(0));
    let (mut sender, _) = senders.pop().unwrap();
    let mut number = 1_000;
    let taken = async {
        loop {
            number += 1;
            sender.say(FromSender::Open(Open { file: number, ..labelled(number) })).await;
            sender
                .say(FromSender::Open(Open {
                    file: number + 1_000,
                    incarnation: FileName::new("again").0,
                    source: source("web/web", "web", "web-1-a"),
                }))
                .await;
            let mut last = 0;
            let mut found = false;
            while last != number + 1_000 {
                if let FromLogd::Opened(answer) = sender.hear().await {
                    last = answer.file;
                    found |= last == number;
                }
            }
            if found {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within("one that was refused", taken).await;
}

#[tokio::test]
async fn names_that_only_lines_still_have_are_counted_and_gaps_too() {
    let logd = start();
    let client = Client::of(&logd);
    let mut sender = Sender::connect(&logd).await;
    // Each says that it has other labels, and writes a line.
    for file in 1..=100 {
        let Open { source, .. } = labelled(file);
        let source = Source { release: file.to_string(), ..source };
        sender.open(&FileName::new("a"), source).await;
        sender.lines(file, 2 * u64::from(file - 1), &["a"]).await;
    }
    let lines = memory(&client).await;
    assert!((12_800_000..14_000_000).contains(&lines), "{lines}");
    client.delete("/logs/web").await;
    let deleted = memory(&client).await;
    assert!((128_000..200_000).contains(&deleted), "{deleted}");

    let before = File { container: "c".repeat(1_024), ..FileName::new(&"u".repeat(1_024)).0 };
    let before = Some(Edge { incarnation: before, offset: 0, time: 0 });
    for id in 1..=300 {
        sender.gap(Gap { file: 100, id, before: before.clone(), ..Gap::default() }).await;
    }
    let gaps = memory(&client).await - deleted;
    assert!((2_048 * 256..2_500 * 256).contains(&gaps), "{gaps}");
}

#[tokio::test]
async fn an_app_of_names_alone_lets_others_give_back() {
    let logd = with(|options| {
        options.memory = 8 << 20;
        options.shards = std::num::NonZeroUsize::MIN;
    });
    let client = Client::of(&logd);
    let mut sender = Sender::connect(&logd).await;
    // They are closed, and how far they are is remembered.
    for file in 1..=30 {
        let Open { incarnation, source, .. } = labelled(file);
        sender.open(&FileName(incarnation), source).await;
        sender.say(FromSender::Close(Close { file })).await;
    }
    sender.open(&FileName::new("b"), source("noisy/noisy", "web", "web-1-b")).await;
    let noisy = lines(1_000);
    let noisy: Vec<&str> = noisy.iter().map(String::as_str).collect();
    let mut from = 0;
    for _ in 0..20 {
        from = sender.lines(31, from, &noisy).await.stored;
    }
    let memory = memory(&client).await;
    assert!((7 << 20..=8 << 20).contains(&memory), "{memory}");
}

#[tokio::test]
async fn apps_that_come_and_go_take_no_room_of_lines() {
    let logd = with(|options| {
        options.memory = 8 << 20;
        options.limits.age = Duration::from_secs(600);
        options.shards = std::num::NonZeroUsize::MIN;
    });
    let client = Client::of(&logd);
    let mut sender = Sender::connect(&logd).await;
    sender.open(&FileName::new("a"), source("quiet/quiet", "web", "web-1-a")).await;
    let quiet = lines(1_000);
    let quiet: Vec<&str> = quiet.iter().map(String::as_str).collect();
    sender.lines(1, 0, &quiet).await;
    // As the pods of jobs: each an app of its own.
    for file in 2..=1_000 {
        let Open { incarnation, source, .. } = labelled(file);
        let labels = source.labels.into_iter().take(1).collect();
        let source = Source { app: format!("job-{file}"), labels, ..source };
        sender.open(&FileName(incarnation), source).await;
        sender.say(FromSender::Close(Close { file })).await;
    }
    let most = 1_000_000 + (512 << 10) + 200_000;
    let forgotten = async {
        while memory(&client).await > most {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    within("they are forgotten", forgotten).await;
    assert_eq!(held(&client, "quiet").await, 1_000 * 1_000);
}

#[tokio::test]
async fn row_76_bytes_are_capped_per_app_and_in_all_and_idle_apps_expire() {
    // In all: a noisy app gives back, a quiet one keeps what it has.
    let logd = with(|options| {
        options.memory = 4 << 20;
        options.limits.bytes = 16 << 20;
    });
    let client = Client::of(&logd);
    let mut sender = Sender::connect(&logd).await;
    sender.open(&FileName::new("a"), source("quiet/quiet", "web", "web-1-a")).await;
    sender.open(&FileName::new("b"), source("noisy/noisy", "web", "web-1-b")).await;
    let quiet = lines(100);
    let quiet: Vec<&str> = quiet.iter().map(String::as_str).collect();
    sender.lines(1, 0, &quiet).await;
    let noisy = lines(1_000);
    let noisy: Vec<&str> = noisy.iter().map(String::as_str).collect();
    let mut from = 0;
    for _ in 0..20 {
        from = sender.lines(2, from, &noisy).await.stored;
    }
    assert_eq!(held(&client, "quiet").await, 100_000);
    let noisy = held(&client, "noisy").await;
    assert!((3_000_000..4 << 20).contains(&noisy), "{noisy}");
    let memory = memory(&client).await;
    assert!(memory <= 4 << 20, "{memory}");

    // Per app, as its pods say.
    let mut limited = source("capped/capped", "web", "web-1-c");
    limited.limits = Some(fairlead_wire::message::Limits { bytes: 50_000, lines: 0, age: 0 });
    sender.open(&FileName::new("c"), limited).await;
    sender.lines(3, 0, &quiet).await;
    let capped = held(&client, "capped").await;
    assert!((40_000..=50_000).contains(&capped), "{capped}");

    // Idle: when its lines are too old and nobody needs it, nothing is left of it.
    let logd = with(|options| options.limits.age = Duration::from_millis(10));
    let client = Client::of(&logd);
    let mut sender = Sender::connect(&logd).await;
    sender.open(&FileName::new("a"), source("web/web", "web", "web-1-a")).await;
    sender.batch(batch(1, 0, TEN, &["a"])).await;
    drop(sender);
    let gone = async {
        while client.get("/ledger/web").await.status == http::StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    within("the app is forgotten", gone).await;
    let metrics = client.get("/metrics").await.body;
    assert!(metrics.contains("\nfairlead_logd_apps 0\n"), "{metrics}");
    assert!(metrics.contains("\nfairlead_logd_memory_bytes 0\n"), "{metrics}");
}
