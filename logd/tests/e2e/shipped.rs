//! Lines from a node's files to logd: who is let in, whose lines they are.

use std::path::Path;

use clap::Parser as _;
use fairlead_logd::{Auth, Keys, Logd, Role};
use fairlead_shipper::{Credentials, Flags, Shipper, Token};
use fairlead_wire::{Logds, tls};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    access::{key, token},
    support::{
        Api, Certificates, Client, Container, Node, Process, SERVICE, logd_name, metric, start,
        until_metric, with,
    },
};

/// A node with one container of the app `shop/web`.
struct Shop {
    api: Api,
    node: Node,
    log: Container,
}

impl Shop {
    async fn new() -> Self {
        let (api, node) = (Api::start().await, Node::new());
        let log = node.container(&api.pod("shop", "web", json!({})));
        Self { api, node, log }
    }

    async fn ship(&self, logds: Logds, credentials: Credentials) -> Shipper {
        self.node.ship(&self.api, logds, |options| options.credentials = credentials).await
    }
}

/// A file that logd had stored is gone when the next logd comes.
#[tokio::test]
async fn what_was_stored_and_not_shown_and_is_gone_is_told_to_whom_it_was_not_shown() {
    let mut shop = Shop::new().await;
    let logd = start();
    let (http, wire) = (logd.http_addr(), logd.wire_addr());
    let shipper = shop.ship(at("http", &logd), Credentials::default()).await;
    for line in ["a0", "a1", "a2"] {
        shop.log.write(line);
    }
    messages(&logd, 3).await;
    shop.log.rotate();
    shop.log.write("b0");
    messages(&logd, 4).await;
    let path = "/logs/shop/web?follow=true&format=json";
    let had = Client::of(&logd).follow(path).await.json(4).await;
    // The shipper knows that they are stored.
    until_metric(&shipper, "fairlead_shipper_unacknowledged_bytes", |bytes| bytes == 0).await;
    shipper.shutdown().await;
    drop(logd);
    shop.log.remove_oldest();

    let logd = with(|options| (options.http, options.wire) = (http, wire));
    let _shipper = shop.ship(at("http", &logd), Credentials::default()).await;
    shop.log.write("b1");
    messages(&logd, 2).await;
    let after = async |line: &Value, count| {
        let cursor = line["cursor"].as_str().unwrap();
        let lines = Client::of(&logd).follow(&format!("{path}&after={cursor}")).await;
        let lines = { lines }.json(count).await;
        lines.iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let since = had[3]["time"].as_str().unwrap();
    let told = format!(
        "Error L11 (Log restarted): messages from before {since} are gone, of which some may not have been shown, from web."
    );
    assert_eq!(after(&had[0], 3).await, [&told, "b0", "b1"]);
    // Who had all, and who comes anew, hears of no loss.
    assert_eq!(after(&had[3], 1).await, ["b1"]);
    assert_eq!(messages(&logd, 2).await, ["b0", "b1"]);
    let ledger = Client::of(&logd).get("/ledger/shop/web").await.json();
    assert_eq!(ledger["gaps"], 0);
}

/// Also where files were read to their end long ago.
#[tokio::test]
async fn a_lost_checkpoint_costs_a_rewind_that_logd_discards() {
    let mut shop = Shop::new().await;
    let logd = start();
    let shipper = shop.ship(at("http", &logd), Credentials::default()).await;
    for file in 0..3 {
        shop.log.write(&format!("{file}.0"));
        shop.log.write(&format!("{file}.1"));
        messages(&logd, 2 * file + 2).await;
        shop.log.rotate();
    }
    shop.log.write("last");
    messages(&logd, 7).await;
    // All but the last one are closed.
    let client = Client::of(&logd);
    client.until("/metrics", |answer| answer.body.contains("\nfairlead_logd_files 4\n")).await;
    shipper.shutdown().await;
    shop.node.forget();
    shop.log.write("more");
    let _shipper = shop.ship(at("http", &logd), Credentials::default()).await;
    let all = ["0.0", "0.1", "1.0", "1.1", "2.0", "2.1", "last", "more"];
    assert_eq!(messages(&logd, all.len()).await, all);
    let ledger = client.get("/ledger/shop/web").await.json();
    assert_eq!((&ledger["gaps"], &ledger["accepted"]["records"]), (&json!(0), &json!(all.len())));
}

/// Attempts to connect that failed.
async fn refused(shipper: &Shipper) {
    let failures = "fairlead_shipper_connect_failures_total";
    until_metric(shipper, failures, |count| count >= 2).await;
    assert_eq!(metric(shipper, "fairlead_shipper_connections").await, 0);
    assert_eq!(metric(shipper, "fairlead_shipper_connects_total").await, 0);
}

/// The messages that logd has of `shop/web`, once there are so many.
async fn messages(logd: &Logd, count: usize) -> Vec<String> {
    let reader = Client::with_token(logd, &token("a", Role::Read, &["*"]));
    let answer = reader.until("/logs/shop/web", |answer| answer.lines().len() >= count).await;
    let message = |line: &str| line.split_once("]: ").unwrap().1.to_owned();
    answer.lines().into_iter().map(message).collect()
}

fn guarded(identity: Option<&tls::Identity>, senders: Option<&Path>) -> Logd {
    with(|options| {
        options.auth = Auth::Tokens(Keys::new(vec![key("a")]).unwrap());
        options.wire_tls = identity.map(|own| tls::server_config(own, senders).unwrap());
    })
}

fn at(scheme: &str, logd: &Logd) -> Logds {
    format!("{scheme}://{}", logd.wire_addr()).parse().unwrap()
}

#[tokio::test]
async fn with_a_wrong_token_nothing_is_sent_and_with_the_right_one_nothing_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let mut shop = Shop::new().await;
    let logd = guarded(None, None);
    let file = folder.path().join("token");
    shop.log.write("one");
    let credentials = Credentials { token: Some(Token::File(file.clone())), tls: None };
    let shipper = shop.ship(at("http", &logd), credentials).await;
    // No file, a key that logd does not have, a token to read with.
    refused(&shipper).await;
    for wrong in [token("b", Role::Ingest, &["*"]), token("a", Role::Read, &["*"])] {
        std::fs::write(&file, wrong).unwrap();
        shop.log.write("another");
        let failures = "fairlead_shipper_connect_failures_total";
        let before = metric(&shipper, failures).await;
        until_metric(&shipper, failures, |count| count >= before + 2).await;
    }
    refused(&shipper).await;
    shop.log.rotate();
    shop.log.write("last");
    let reader = Client::with_token(&logd, &token("a", Role::Read, &["*"]));
    assert_eq!(reader.get("/logs/shop/web").await.status, StatusCode::NO_CONTENT);
    // It is read again for each attempt.
    std::fs::write(&file, token("a", Role::Ingest, &["shop/*"])).unwrap();
    assert_eq!(messages(&logd, 4).await, ["one", "another", "another", "last"]);
    let ledger = reader.get("/ledger/shop/web").await.json();
    assert_eq!((&ledger["gaps"], &ledger["duplicates"]["records"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn a_logd_that_another_authority_signed_is_sent_nothing() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [own, other] = [0, 1].map(|index: usize| Certificates::new(folders[index].path()));
    let mut shop = Shop::new().await;
    let logd = guarded(Some(&own.identity("logd")), None);
    let right: http::HeaderValue =
        format!("Bearer {}", token("a", Role::Ingest, &["*"])).parse().unwrap();
    let trusting = |by: &Certificates<'_>| Credentials {
        token: Some(Token::Header(right.clone())),
        tls: Some(tls::client_config(&by.authority, None).unwrap()),
    };
    shop.log.write("one");
    let shipper = shop.ship(at("https", &logd), trusting(&other)).await;
    refused(&shipper).await;
    shipper.shutdown().await;
    // Neither is one that is spoken to in plain where it wants TLS, nor the other way round.
    let shipper = shop.ship(at("http", &logd), trusting(&own)).await;
    refused(&shipper).await;
    shipper.shutdown().await;
    shop.log.write("two");
    let _shipper = shop.ship(at("https", &logd), trusting(&own)).await;
    assert_eq!(messages(&logd, 2).await, ["one", "two"]);
}

#[tokio::test]
async fn a_shipper_s_certificate_lets_it_in_where_logd_trusts_it() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [own, other] = [0, 1].map(|index: usize| Certificates::new(folders[index].path()));
    let mut shop = Shop::new().await;
    let logd = guarded(Some(&own.identity("logd")), Some(&own.authority));
    let showing = |identity: Option<&tls::Identity>| Credentials {
        token: None,
        tls: Some(tls::client_config(&own.authority, identity).unwrap()),
    };
    shop.log.write("one");
    for stranger in [None, Some(other.identity("stranger"))] {
        let shipper = shop.ship(at("https", &logd), showing(stranger.as_ref())).await;
        refused(&shipper).await;
        shipper.shutdown().await;
        shop.log.write("another");
    }
    let known = own.identity("shipper");
    let _shipper = shop.ship(at("https", &logd), showing(Some(&known))).await;
    assert_eq!(messages(&logd, 3).await, ["one", "another", "another"]);
}

/// Addresses come and go, so a certificate is for the Service.
#[tokio::test]
async fn endpoints_of_a_service_show_a_certificate_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Certificates::new(folder.path());
    let right = authority.identity_for("logd", "logd.fairlead.svc");
    let wrong = authority.identity("other");
    let known = authority.identity("shipper");
    let credentials = Credentials {
        token: None,
        tls: Some(tls::client_config(&authority.authority, Some(&known)).unwrap()),
    };
    let mut shop = Shop::new().await;
    shop.log.write("one");
    let stranger = guarded(Some(&wrong), Some(&authority.authority));
    shop.api.endpoint("logd-0", stranger.http_addr(), stranger.wire_addr());
    let shipper = shop.ship(SERVICE.parse().unwrap(), credentials).await;
    refused(&shipper).await;
    let logd = guarded(Some(&right), Some(&authority.authority));
    shop.api.no_endpoint("logd-0");
    shop.api.endpoint("logd-0", logd.http_addr(), logd.wire_addr());
    assert_eq!(messages(&logd, 1).await, ["one"]);
}

#[tokio::test]
async fn a_label_reaches_no_other_namespace() {
    let (api, node, logd) = (Api::start().await, Node::new(), guarded(None, None));
    let pod = api.pod("shop", "web", json!({"fairlead.dev/app": "bank"}));
    let right: http::HeaderValue =
        format!("Bearer {}", token("a", Role::Ingest, &["*"])).parse().unwrap();
    let _shipper = node
        .ship(&api, at("http", &logd), |options| {
            options.credentials = Credentials { token: Some(Token::Header(right)), tls: None };
        })
        .await;
    node.container(&pod).write("of the shop");
    let shop = Client::with_token(&logd, &token("a", Role::Read, &["shop/*"]));
    shop.until("/logs/shop/bank", |answer| answer.lines().len() == 1).await;
    let bank = Client::with_token(&logd, &token("a", Role::Read, &["bank/*"]));
    for path in ["/logs/bank", "/logs/bank/bank"] {
        assert_eq!(bank.get(path).await.status, StatusCode::NO_CONTENT, "{path}");
    }
    assert_eq!(bank.get("/logs/shop/bank").await.status, StatusCode::NOT_FOUND);
}

/// What the flags say where the shipper is in a pod of this namespace.
fn excluded(args: &[&str]) -> Vec<String> {
    let args = ["fairlead-shipper", "--logd=service:fairlead/logd"].iter().chain(args);
    Flags::parse_from(args).options(Some("fairlead".to_owned())).unwrap().excluded_namespaces
}

/// logd tells what it is doing, and what it tells is a container's log.
#[tokio::test]
async fn what_logd_says_is_not_shipped_to_it_unless_that_is_wished_for() {
    for (args, loops) in [(&[][..], false), (&["--ship-own-namespace"][..], true)] {
        let (api, node) = (Api::start().await, Node::new());
        let folder = tempfile::tempdir().unwrap();
        let logd = Process::start(&api, &logd_name(0), folder.path());
        api.endpoint(&logd_name(0), logd.http, logd.wire);
        let mut own = node.container(&api.pod("fairlead", "logd-0", json!({})));
        let mut web = node.container(&api.pod("shop", "web", json!({})));
        let namespaces = excluded(args);
        let shipper = node
            .ship(&api, SERVICE.parse().unwrap(), |options| {
                options.excluded_namespaces = namespaces;
            })
            .await;
        let mut said = 0;
        for line in 1..=20 {
            web.write(&format!("line {line}"));
            let there = |answer: &crate::support::Answer| answer.lines().len() == line;
            logd.client().until("/logs/shop/web", there).await;
            // As the runtime does with what a container says.
            for text in logd.said.try_iter().chain([format!("took line {line}")]) {
                own.write(&text);
                said += 1;
            }
            let read = "fairlead_shipper_records_total{fate=\"read\"}";
            until_metric(&shipper, read, |count| count == said + line as u64).await;
        }
        let counted = metric(&shipper, "fairlead_shipper_records_total{fate=\"excluded\"}").await;
        assert_eq!(counted, if loops { 0 } else { said });
        let path = "/logs/fairlead/logd-0?log_lines=100000";
        if loops {
            let all = |answer: &crate::support::Answer| answer.lines().len() as u64 == said;
            logd.client().until(path, all).await;
        } else {
            assert_eq!(logd.client().get(path).await.status, StatusCode::NO_CONTENT);
        }
    }
}
