//! Who may do what.

use std::time::{SystemTime, UNIX_EPOCH};

use fairlead_logd::{Auth, Claims, Keys, Logd, LogdOptions, Role, StartError, TokenKey, mint};
use fairlead_wire::{
    client::{Endpoint, WireError, connect},
    message::{Batch, Batches, FromLogd, FromSender, Open},
    tls,
};
use http::StatusCode;

use crate::support::{Certificates, Client, FileName, Sender, source, with};

pub(crate) fn key(id: &str) -> TokenKey {
    TokenKey::new(id, id.repeat(32).as_bytes()).unwrap()
}

pub(crate) fn token(id: &str, role: Role, apps: &[&str]) -> String {
    let apps = apps.iter().map(|&app| app.to_owned()).collect();
    mint(&key(id), &Claims { role, apps, exp: 1 << 40 })
}

fn token_until(id: &str, role: Role, apps: &[&str], seconds: u64) -> String {
    let apps = apps.iter().map(|&app| app.to_owned()).collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    mint(&key(id), &Claims { role, apps, exp: now + seconds })
}

fn guarded() -> Logd {
    with(|options| options.auth = Auth::Tokens(Keys::new(vec![key("a"), key("b")]).unwrap()))
}

#[tokio::test]
async fn a_token_opens_its_apps_to_its_role_and_nothing_else_is_there() {
    let logd = guarded();
    let mut sender = Sender::with_token(&logd, Some(&token("a", Role::Ingest, &["*"]))).await;
    sender.open(&FileName::new("a"), source("shop/web", "web", "web-1-a")).await;
    sender.lines(1, 0, &["a"]).await;

    let (ok, unknown) = (StatusCode::OK, StatusCode::NOT_FOUND);
    let cases = [
        (token("a", Role::Read, &["shop/web"]), [ok, ok, unknown]),
        (token("b", Role::Read, &["shop/*"]), [ok, ok, unknown]),
        (token("a", Role::Write, &["*"]), [ok, ok, ok]),
        (token("a", Role::Read, &["shop/other", "web/web"]), [unknown; 3]),
        (token("a", Role::Ingest, &["*"]), [unknown; 3]),
        (token("c", Role::Admin, &["*"]), [StatusCode::UNAUTHORIZED; 3]),
        ("x".to_owned(), [StatusCode::UNAUTHORIZED; 3]),
    ];
    for (token, expected) in cases {
        let client = Client::with_token(&logd, &token);
        let statuses = [
            client.get("/logs/shop/web?format=json").await.status,
            client.get("/ledger/shop/web").await.status,
            client.delete("/logs/shop/web").await.status,
        ];
        assert_eq!(statuses, expected, "{token}");
        sender.lines(1, 2, &["b"]).await;
    }
    let client = Client::of(&logd);
    assert_eq!(client.get("/logs/shop/web").await.status, StatusCode::UNAUTHORIZED);
    for path in ["/healthz", "/livez", "/readyz", "/metrics"] {
        assert_eq!(client.get(path).await.status, StatusCode::OK, "{path}");
    }
}

/// Whether an app that is not the caller's has lines cannot be told from the answer.
#[tokio::test]
async fn a_foreign_app_answers_as_one_that_does_not_exist() {
    let logd = guarded();
    let mut sender = Sender::with_token(&logd, Some(&token("a", Role::Ingest, &["*"]))).await;
    sender.open(&FileName::new("a"), source("shop/web", "web", "web-1-a")).await;
    sender.lines(1, 0, &["a"]).await;
    let client = Client::with_token(&logd, &token("a", Role::Read, &["blog/*"]));
    for path in ["/logs/shop/web", "/logs/shop/web?follow=true", "/ledger/shop/web"] {
        let foreign = client.get(path).await;
        let missing = client.get(&path.replace("web", "nothing")).await;
        assert_eq!(foreign.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!((foreign.status, foreign.body), (missing.status, missing.body), "{path}");
    }
}

#[tokio::test]
async fn a_sender_may_send_for_the_apps_of_its_token_alone() {
    let logd = guarded();
    let mut sender = Sender::with_token(&logd, Some(&token("a", Role::Ingest, &["shop/*"]))).await;
    sender.open(&FileName::new("a"), source("shop/web", "web", "web-1-a")).await;
    // What it may not send for is not answered; the others go on.
    let (incarnation, foreign) = (FileName::new("b").0, source("blog/web", "web", "web-1-b"));
    sender.say(FromSender::Open(Open { file: 9, incarnation, source: foreign })).await;
    let (incarnation, odd) = (FileName::new("c").0, source("shop/a b", "web", "web-1-c"));
    sender.say(FromSender::Open(Open { file: 10, incarnation, source: odd })).await;
    sender.open(&FileName::new("d"), source("shop/other", "web", "web-1-d")).await;
    // To send of it all the same is against the protocol.
    let batch = Batch { file: 9, from: 0, to: 1, ..Batch::default() };
    sender.say(FromSender::Batches(Batches { batches: vec![batch] })).await;
    match sender.hear().await {
        FromLogd::End(end) => assert_eq!(end.reason, "file 9 is not open"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_sender_is_heard_until_its_token_ends() {
    let logd = guarded();
    let token = token_until("a", Role::Ingest, &["*"], 2);
    let mut sender = Sender::with_token(&logd, Some(&token)).await;
    match sender.hear().await {
        FromLogd::End(end) => assert_eq!(end.reason, "the token has ended"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn without_tokens_only_this_machine_is_served() {
    let mut options = LogdOptions::new(Auth::Off);
    options.wire = "127.0.0.1:0".parse().unwrap();
    let error = Logd::start(options).err().unwrap();
    assert!(matches!(error, StartError::NoAuth { flag: "--http", .. }), "{error}");

    let logd = with(|_| {});
    let client = Client::of(&logd);
    let foreign = [("host", "logs.example")];
    assert_eq!(client.ask("GET", "/logs/web", &foreign).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_sender_with_a_certificate_that_logd_trusts_needs_no_token() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::new(folder.path());
    let authority = certificates.authority.clone();
    let (own, senders) = (certificates.identity("logd"), certificates.identity("sender"));
    let logd = with(|options| {
        options.auth = Auth::Tokens(Keys::new(vec![key("a")]).unwrap());
        options.wire_tls = Some(tls::server_config(&own, Some(&authority)).unwrap());
    });
    let url: http::Uri = format!("https://{}", logd.wire_addr()).parse().unwrap();
    let shows = |identity| {
        let tls = Some(tls::client_config(&authority, identity).unwrap());
        Endpoint { tls, ..Endpoint::at(url.clone()) }
    };
    connect(&shows(Some(&senders)), "test").await.unwrap();
    let refused = connect(&shows(None), "test").await.unwrap_err();
    assert!(
        matches!(refused, WireError::Refused { status: StatusCode::UNAUTHORIZED, .. }),
        "{refused}"
    );
}
