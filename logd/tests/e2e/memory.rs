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

    // One stream has 64 MiB for those that it has open.
    for file in 101..=580 {
        sender.say(FromSender::Open(labelled(file))).await;
    }
    let mut file = 580;
    let reason = loop {
        match sender.hear().await {
            FromLogd::End(end) => break end.reason,
            FromLogd::Opened(opened) if opened.file == file => {
                file += 1;
                sender.say(FromSender::Open(labelled(file))).await;
            }
            _ => {}
        }
    };
    assert!((600..610).contains(&file), "{file}");
    assert!(reason.ends_with("names and labels of more than 67108864 bytes"), "{reason}");
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
        options.memory = 16 << 20;
        options.shards = std::num::NonZeroUsize::MIN;
    });
    let client = Client::of(&logd);
    let mut sender = Sender::connect(&logd).await;
    for file in 1..=80 {
        let Open { incarnation, source, .. } = labelled(file);
        sender.open(&FileName(incarnation), source).await;
    }
    sender.open(&FileName::new("b"), source("noisy/noisy", "web", "web-1-b")).await;
    let noisy = lines(1_000);
    let noisy: Vec<&str> = noisy.iter().map(String::as_str).collect();
    let mut from = 0;
    for _ in 0..20 {
        from = sender.lines(81, from, &noisy).await.stored;
    }
    let memory = memory(&client).await;
    assert!((14 << 20..=16 << 20).contains(&memory), "{memory}");
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
