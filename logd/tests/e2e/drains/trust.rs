//! Receivers whose certificate is not to be trusted.

use serde_json::json;

use super::{
    balances, shown,
    written::{Got, Written, account, of},
};
use crate::support::{Api, Certificates, Client, Receiver};

const LINES: usize = 2_000;

#[tokio::test]
async fn nothing_is_sent_to_wrong_and_expired_certificates_and_all_once_the_receiver_mends_it() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [own, other] = [0, 1].map(|index: usize| Certificates::new(folders[index].path()));
    let mut receiver = Receiver::secure(&other.identity("wrong")).await;
    let api = Api::start().await;
    let ca = std::fs::read_to_string(&own.authority).unwrap();
    api.drain("shop", "tls", json!({"url": receiver.url(), "app": "web", "ca.crt": ca}));
    let logd = api.logd(|_| {}).await;
    let client = Client::of(&logd);
    shown(&client, "shop/tls", |_| true).await;
    let mut web = Written::at(logd.wire_addr(), "shop/web").await;
    web.write(LINES).await;
    for (what, identity) in [
        ("BadSignature", None),
        ("expired", Some(own.expired("expired"))),
        ("not valid for name", Some(own.identity_for("elsewhere", "logs.example"))),
    ] {
        if let Some(identity) = identity {
            receiver.shows(&identity);
        }
        let drain = shown(&client, "shop/tls", |drain| {
            assert!(balances(drain), "{drain}");
            let message = drain["last_error"]["message"].as_str();
            message.is_some_and(|message| message.contains(what))
        })
        .await;
        assert_eq!(drain["last_error"]["kind"], "certificate");
        assert_eq!((web.settled(), of(&drain, "sent")), (0, 0));
    }
    client
        .until("/logs/shop/web?contains=Error", |answer| {
            answer.body.contains("Error L14 (Certificate validation error): the drain shop/tls: ")
        })
        .await;
    assert!(receiver.is_quiet());
    receiver.shows(&own.identity("right"));
    let mut got = Got::default();
    got.until(&mut receiver, LINES).await;
    web.all_settled().await;
    let drain = account(&client, "shop/tls", LINES).await;
    assert_eq!((of(&drain, "sent"), got.again(LINES)), (LINES, 0));
}
