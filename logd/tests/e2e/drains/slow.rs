//! Receivers that accept lines and hardly take them.

use std::time::Duration;

use fairlead_test_support::figure;
use serde_json::json;

use super::{
    balances, shown,
    written::{Got, Written, account, of},
};
use crate::support::{Api, Client, Pace, Process, Receiver, nobody};

const LINES: usize = 2_000;

/// Beside one that is well there is one that reads like this. In the end it reads all.
async fn one_reads(pace: Pace) {
    let api = Api::start().await;
    let (mut well, mut lame) = (Receiver::start().await, Receiver::narrow(pace));
    api.drain("fairlead", "well", json!({"url": well.url()}));
    api.drain("shop", "lame", json!({"url": lame.url()}));
    let logd = api.logd(|options| options.drains.timeouts.stall = Duration::from_millis(500)).await;
    let client = Client::of(&logd);
    shown(&client, "shop/lame", |_| true).await;
    let mut web = Written::at(logd.wire_addr(), "shop/web").await;
    web.write(LINES).await;
    // The other one is not held up.
    let mut got = Got::default();
    got.until(&mut well, LINES).await;
    assert!(got.0.iter().copied().eq(0..LINES), "in order, and once");
    account(&client, "fairlead/well", LINES).await;
    // It is tried again and again, and each time some is left in the system.
    shown(&client, "shop/lame", |drain| {
        assert!(balances(drain), "{drain}");
        of(drain, "resent") > 3 * LINES && drain["last_error"]["kind"] == "timeout"
    })
    .await;
    let unsettled = LINES - web.settled();
    assert!(unsettled > LINES / 2, "{unsettled}");
    lame.reads(Pace::All);
    let mut got = Got::default();
    got.until(&mut lame, LINES).await;
    web.all_settled().await;
    let drain = account(&client, "shop/lame", LINES).await;
    assert_eq!(of(&drain, "sent"), LINES);
    drop(logd);
    lame.left().await;
    got.rest(&mut lame);
    let again = got.again(LINES);
    assert!(again <= unsettled && again <= of(&drain, "resent"), "{again} of {unsettled}: {drain}");
}

#[tokio::test]
async fn a_receiver_that_accepts_and_never_reads_gets_all_once_it_reads() {
    one_reads(Pace::Never).await;
}

#[tokio::test]
async fn a_receiver_that_takes_a_byte_a_second_gets_all_once_it_takes_more() {
    one_reads(Pace::Slowly(1, Duration::from_secs(1))).await;
}

/// Row 79: what is kept for receivers that are away, or take nothing, is the ring, however much comes.
#[tokio::test]
async fn row_79_memory_is_bounded_while_receivers_are_away() {
    let test = "row_79_memory_is_bounded_while_receivers_are_away";
    let (api, folder) = (Api::start().await, tempfile::tempdir().unwrap());
    let (away, hole) = (nobody().await, Receiver::narrow(Pace::Never));
    let away = format!("syslog+tcp://{away},json+http://{away}/,{}", hole.url());
    let args = ["--memory=8Mi", "--app-bytes=8Mi", "--shards=1", "--drain", &away];
    let logd = Process::with(&api, "logd", folder.path(), &args);
    let client = logd.client();
    let mut web = Written::at(logd.wire, "shop/web").await;
    let mut write = async |mib: usize| {
        // A line has 100 bytes in the mean.
        web.write((mib << 20) / 100).await;
        (web.count(), logd.resident())
    };
    let full = write(12).await.1;
    let (lines, after) = write(36).await;
    figure(
        test,
        &format!(
            "8 MiB for lines, 3 drains that take none: {full} kB resident after 12 MiB, {after} kB after 48 MiB"
        ),
    );
    assert!(after < full + 4_096, "{full} kB, then {after} kB");
    let metrics = client.get("/metrics").await.body;
    let memory = metrics.lines().find_map(|line| line.strip_prefix("fairlead_logd_memory_bytes "));
    assert!(memory.unwrap().parse::<u64>().unwrap() <= 8 << 20, "{memory:?}");
    // What is not in the ring any more is counted.
    for id in ["_flag/1", "_flag/2"] {
        shown(&client, id, |drain| {
            assert!(balances(drain), "{drain}");
            let waiting = drain["lag"]["records"].as_u64().unwrap() as usize;
            let done = of(drain, "lost_lag") + of(drain, "sent");
            waiting < (8 << 20) / 100 && done + waiting == lines
        })
        .await;
    }
    let drain = shown(&client, "_flag/3", |_| true).await;
    assert!(balances(&drain), "{drain}");
}
