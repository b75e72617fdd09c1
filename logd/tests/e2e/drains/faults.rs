//! Receivers that are away or not to be trusted, and logds that end.

use std::time::Duration;

use fairlead_logd::PlatformDrain;
use serde_json::{Value, json};

use super::{App, balances, shown, until_drain};
use crate::support::{
    Api, Certificates, Client, Process, Receiver, TEN, nobody, sender::batch, with, within,
};

/// Row 41: it is tried for ever, and what waits is bounded.
#[tokio::test]
async fn row_41_a_receiver_that_is_away_gets_all_when_it_is_back() {
    let address = nobody().await;
    let platform = PlatformDrain { name: "1".to_owned(), url: format!("syslog+tcp://{address}") };
    let logd = with(|options| options.drains.platform.push(platform));
    let mut web = App::open(&logd, "shop/web", "a").await;
    let client = Client::of(&logd);
    assert_eq!(web.write(&["one", "two"]).await, 0);
    let failing = |drain: &Value| drain["failures"].as_u64() >= Some(6);
    let drain = shown(&client, "_flag/1", failing).await;
    assert!(balances(&drain), "{drain}");
    assert_eq!(
        (&drain["last_error"]["kind"], &drain["lag"]["records"]),
        (&json!("connect"), &json!(2))
    );
    let mut receiver = Receiver::at(address).await;
    assert_eq!(receiver.texts(2).await, ["one", "two"]);
    web.settled().await;
    shown(&client, "_flag/1", |drain| drain["breaker"] == "closed" && drain["failures"] == 0).await;
}

/// Row 79, with the node's files as the spool: a receiver is away, memory is bounded, what is lost is
/// counted.
#[tokio::test]
async fn row_79_what_a_receiver_that_is_away_misses_is_bounded_by_the_ring_and_counted() {
    let api = Api::start().await;
    let address = nobody().await;
    api.drain("shop", "away", json!({"url": format!("syslog+tcp://{address}"), "app": "web"}));
    let logd = api.logd(|options| options.limits.lines = 1_000).await;
    until_drain(&logd, "shop/away").await;
    let mut web = App::open(&logd, "shop/web", "a").await;
    let lines: Vec<String> = (0..5_000).map(|no| no.to_string()).collect();
    for lines in lines.chunks(500) {
        web.write(&lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    let client = Client::of(&logd);
    let told = client
        .until("/logs/shop/web", |answer| {
            answer.body.contains("Error L10 (output buffer overflow)")
        })
        .await;
    assert!(told.body.contains(", for the drain shop/away."));
    let mut receiver = Receiver::at(address).await;
    let told = receiver.text().await;
    assert!(told.starts_with("Error L10 (output buffer overflow): "), "{told}");
    web.settled().await;
    let drain = shown(&client, "shop/away", |drain| drain["lag"]["records"] == 0).await;
    let of = |name: &str| drain["lines"][name].as_u64().unwrap();
    assert!(balances(&drain) && of("pending") == 0, "{drain}");
    // In order, and the last is there.
    let got: Vec<usize> = receiver
        .texts(of("sent") as usize)
        .await
        .iter()
        .filter_map(|text| text.parse().ok())
        .collect();
    assert!(got.is_sorted() && got.last() == Some(&4_999), "{got:?}");
    assert_eq!((of("sent"), of("sent") + of("lost_lag")), (got.len() as u64, of("matched")));
    assert_eq!(of("lost_lag"), 5_000 - got.len() as u64);
}

/// A logd that is gone has what was not settled sent again to the next one, and it is drained there.
#[tokio::test]
async fn what_was_not_settled_when_a_logd_ended_is_drained_by_the_next() {
    let api = Api::start().await;
    let address = nobody().await;
    api.drain("fairlead", "all", json!({"url": format!("syslog+tcp://{address}")}));
    let first = api.logd(|_| {}).await;
    let mut web = App::open(&first, "shop/web", "a").await;
    assert_eq!(web.write(&["one"]).await, 0);
    drop((web, first));
    let second = api.logd(|_| {}).await;
    let mut receiver = Receiver::at(address).await;
    let mut web = App::open(&second, "shop/web", "a").await;
    assert_eq!(web.from, 0);
    web.write(&["one", "two"]).await;
    assert_eq!(receiver.texts(2).await, ["one", "two"]);
    web.settled().await;
}

#[tokio::test]
async fn what_drains_had_from_an_earlier_logd_is_for_readers_alone() {
    let api = Api::start().await;
    let mut receiver = Receiver::start().await;
    api.drain("fairlead", "all", json!({"url": receiver.url()}));
    let logd = api.logd(|_| {}).await;
    let mut web = App::open(&logd, "shop/web", "a").await;
    let mut old = batch(1, 0, TEN, &["old"]);
    (old.history, web.from) = (true, old.to);
    web.sender.batch(old).await;
    web.write(&["new"]).await;
    assert_eq!(receiver.text().await, "new");
    web.settled().await;
    let lines = Client::of(&logd).get("/logs/shop/web").await;
    assert_eq!(lines.lines().len(), 2);
}

#[tokio::test]
async fn on_an_orderly_end_what_is_there_is_sent_and_senders_learn_that_it_is_settled() {
    let api = Api::start().await;
    let address = nobody().await;
    api.drain("fairlead", "all", json!({"url": format!("syslog+tcp://{address}")}));
    let logd = api.logd(|_| {}).await;
    let mut web = App::open(&logd, "shop/web", "a").await;
    web.write(&["one"]).await;
    let failing = |drain: &Value| drain["failures"].as_u64() >= Some(1);
    shown(&Client::of(&logd), "fairlead/all", failing).await;
    let mut receiver = Receiver::at(address).await;
    let end = tokio::spawn(async move { logd.shutdown(Duration::ZERO).await });
    assert_eq!(receiver.text().await, "one");
    web.settled().await;
    receiver.left().await;
    within("the end", end).await.unwrap();
}

/// `kill -9`: the next logd gets what was not settled, and what it had settled is not sent again.
#[tokio::test]
async fn each_drain_gets_what_was_not_settled_when_logd_was_killed() {
    let (api, folder) = (Api::start().await, tempfile::tempdir().unwrap());
    let (mut steady, away) = (Receiver::start().await, nobody().await);
    api.drain("fairlead", "steady", json!({"url": steady.url()}));
    let args = ["--namespace", "fairlead", "--app-age=36500d"];
    let mut first = Process::with(&api, "first", folder.path(), &args);
    let mut web = App::at(first.wire, "shop/web", "a").await;
    web.write(&["one"]).await;
    assert_eq!(steady.text().await, "one");
    web.settled().await;
    let settled = web.settled;
    api.drain("fairlead", "away", json!({"url": format!("syslog+tcp://{away}")}));
    shown(&first.client(), "fairlead/away", |_| true).await;
    web.write(&["two", "three"]).await;
    assert_eq!(steady.texts(2).await, ["two", "three"]);
    assert_eq!(web.settled, settled);
    first.kill();
    let second = Process::with(&api, "second", folder.path(), &args);
    let mut late = Receiver::at(away).await;
    let mut web = App::at(second.wire, "shop/web", "a").await;
    // As a shipper does: the files from the beginning on, with what was settled as history.
    let mut old = batch(1, 0, TEN, &["one"]);
    (old.history, web.from) = (true, old.to);
    assert_eq!(old.to, settled);
    web.sender.batch(old).await;
    web.write(&["two", "three"]).await;
    assert_eq!(late.texts(2).await, ["two", "three"]);
    assert_eq!(steady.texts(2).await, ["two", "three"], "at least once");
    web.settled().await;
    assert!(late.is_quiet() && steady.is_quiet());
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_told_in_the_stream_and_one_by_the_secret_s_ca_is() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [own, other] = [0, 1].map(|index: usize| Certificates::new(folders[index].path()));
    let mut receiver = Receiver::secure(&own.identity("receiver")).await;
    let api = Api::start().await;
    let drain = |by: &Certificates<'_>| {
        let ca = std::fs::read_to_string(&by.authority).unwrap();
        json!({"url": receiver.url(), "app": "web", "ca.crt": ca})
    };
    api.drain("shop", "tls", drain(&other));
    let logd = api.logd(|_| {}).await;
    let client = Client::of(&logd);
    shown(&client, "shop/tls", |_| true).await;
    let mut web = App::open(&logd, "shop/web", "a").await;
    web.write(&["hello"]).await;
    let told = "Error L14 (Certificate validation error): the drain shop/tls: ";
    client.until("/logs/shop/web", |answer| answer.body.contains(told)).await;
    let error = shown(&client, "shop/tls", |drain| !drain["last_error"].is_null()).await;
    assert_eq!(error["last_error"]["kind"], "certificate");
    // Mended, it goes at once.
    api.drain("shop", "tls", drain(&own));
    assert_eq!(receiver.text().await, "hello");
    web.settled().await;
}
