//! Bounds of memory.

use std::time::Duration;

use crate::support::{Client, FileName, Sender, TEN, sender::batch, source, with, within};

fn lines(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{n:01000}")).collect()
}

async fn held(client: &Client, app: &str) -> u64 {
    let ledger = client.get(&format!("/ledger/{app}")).await.json();
    let of = |name: &str| ledger[name]["bytes"].as_u64().unwrap();
    assert_eq!(of("accepted"), of("held") + of("evicted"));
    of("held")
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
    let metrics = client.get("/metrics").await.body;
    let memory = metrics
        .lines()
        .find_map(|line| line.strip_prefix("fairlead_logd_memory_bytes "))
        .unwrap()
        .parse::<u64>()
        .unwrap();
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
