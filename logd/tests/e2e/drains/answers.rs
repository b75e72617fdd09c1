//! Receivers over HTTP that answer something else than that all is well.

use std::collections::HashSet;

use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    balances, shown,
    written::{Got, Written, account, number, of},
};
use crate::support::{Api, Client, Web, web::json as as_json};

const LINES: usize = 2_000;

/// The numbers of the lines in a body, each of which has such an object.
fn numbers(body: &[u8]) -> Vec<usize> {
    let text = std::str::from_utf8(body).unwrap();
    let messages = text.lines().filter_map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        Some(number(line["message"].as_str()?).unwrap())
    });
    messages.collect()
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_all_arrives_without_one() {
    let api = Api::start().await;
    let mut elsewhere = Web::start(|_| String::new()).await;
    let location = format!("http://{}/", elsewhere.address);
    let redirect = move |_: &[u8]| {
        (StatusCode::FOUND, [("location", location.as_str())], "elsewhere").into_response()
    };
    let receiver = Web::with(redirect).await;
    let url = format!("json+http://{}/", receiver.address);
    api.drain("shop", "moved", json!({"url": url, "app": "web"}));
    let logd = api.logd(|_| {}).await;
    let client = Client::of(&logd);
    shown(&client, "shop/moved", |_| true).await;
    let mut web = Written::at(logd.wire_addr(), "shop/web").await;
    web.write(LINES).await;
    let drain = shown(&client, "shop/moved", |drain| {
        assert!(balances(drain), "{drain}");
        drain["failures"].as_u64() >= Some(3)
    })
    .await;
    assert_eq!(drain["last_error"]["kind"], "denied");
    assert_eq!(drain["last_error"]["message"], "status 302: redirects are not followed");
    assert_eq!((web.settled(), of(&drain, "delivered")), (0, 0));
    let (taken, mut got) = mpsc::unbounded_channel();
    receiver.answers(move |body| {
        taken.send(numbers(body)).unwrap();
        StatusCode::OK.into_response()
    });
    web.all_settled().await;
    let drain = account(&client, "shop/moved", LINES).await;
    assert_eq!(of(&drain, "delivered"), LINES);
    let mut all = Got::default();
    while let Ok(numbers) = got.try_recv() {
        all.0.extend(numbers);
    }
    assert_eq!(all.again(LINES), 0);
    assert!(elsewhere.is_quiet());
}

/// Which lines a bulk request's receiver has taken, and which it takes never.
#[derive(Default)]
struct Bulk {
    taken: Vec<usize>,
    asked: HashSet<usize>,
}

impl Bulk {
    /// One of ten is too much at first, and one of 500 is never understood.
    fn answer(&mut self, body: &[u8]) -> Response {
        let items: Vec<Value> = numbers(body)
            .into_iter()
            .map(|number| {
                let first = self.asked.insert(number);
                let (status, error) = match number {
                    _ if number % 500 == 7 => (400, Some("document_parsing_exception")),
                    _ if number % 10 == 3 && first => {
                        (429, Some("es_rejected_execution_exception"))
                    }
                    _ => (201, None),
                };
                self.taken.extend(error.is_none().then_some(number));
                let error = error.map(|kind| json!({"type": kind, "reason": "so it is"}));
                json!({"create": {"status": status, "error": error}})
            })
            .collect();
        as_json(json!({"errors": true, "items": items}).to_string())
    }
}

#[tokio::test]
async fn items_that_a_bulk_request_s_answer_has_errors_for_go_again_or_are_counted() {
    let api = Api::start().await;
    let (taken, mut got) = mpsc::unbounded_channel();
    let mut bulk = Bulk::default();
    let receiver = Web::with(move |body| {
        let answer = bulk.answer(body);
        taken.send(std::mem::take(&mut bulk.taken)).unwrap();
        answer
    })
    .await;
    let url = format!("elasticsearch+http://{}", receiver.address);
    api.drain("shop", "bulk", json!({"url": url, "app": "web"}));
    let logd = api.logd(|_| {}).await;
    let client = Client::of(&logd);
    shown(&client, "shop/bulk", |_| true).await;
    let mut web = Written::at(logd.wire_addr(), "shop/web").await;
    web.write(LINES).await;
    web.all_settled().await;
    let drain = account(&client, "shop/bulk", LINES).await;
    let rejected = LINES / 500;
    assert_eq!(
        (of(&drain, "delivered"), of(&drain, "lost_rejected"), of(&drain, "resent")),
        (LINES - rejected, rejected, LINES / 10)
    );
    assert_eq!(drain["last_error"]["kind"], "rejected");
    let mut all = Got::default();
    while let Ok(numbers) = got.try_recv() {
        all.0.extend(numbers);
    }
    // Those that are never taken are in no other account.
    all.0.extend((7..LINES).step_by(500));
    assert_eq!(all.again(LINES), 0);
}
