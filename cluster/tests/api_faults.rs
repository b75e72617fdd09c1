//! Faults on demand, as a client meets them.

mod client;

use std::time::{Duration, Instant};

use client::Api;
use fairlead_cluster::http::Refusal;
use serde_json::json;

const MAPS: &str = "/api/v1/namespaces/smp/configmaps";

#[tokio::test]
async fn requests_are_refused_as_often_as_asked() {
    let api = Api::with_namespace("smp").await;
    api.server.faults().refuse(2, Refusal::TooManyRequests);
    for _ in 0..2 {
        let answer = api.get(MAPS).await;
        assert_eq!((answer.code, &answer.json()["reason"]), (429, &json!("TooManyRequests")));
        assert!(answer.head.contains("retry-after: 1"), "{}", answer.head);
    }
    assert_eq!(api.get(MAPS).await.code, 200);
    api.server.faults().refuse(1, Refusal::InternalError);
    let answer = api.get(MAPS).await;
    assert_eq!((answer.code, &answer.json()["reason"]), (500, &json!("InternalError")));
    api.server.faults().refuse(1, Refusal::InternalError);
    api.server.faults().clear();
    assert_eq!(api.get(MAPS).await.code, 200);
    // Liveness is no request for objects.
    api.server.faults().refuse(1, Refusal::InternalError);
    assert_eq!(api.get("/livez").await.code, 200);
}

#[tokio::test]
async fn answers_come_late() {
    let api = Api::with_namespace("smp").await;
    let late = Duration::from_millis(200);
    api.server.faults().delay(late);
    let started = Instant::now();
    assert_eq!(api.get(MAPS).await.code, 200);
    assert!(started.elapsed() >= late);
}

#[tokio::test]
async fn lists_lag_behind() {
    let api = Api::with_namespace("smp").await;
    let before = api.get(MAPS).await.json()["metadata"]["resourceVersion"]
        .as_str()
        .and_then(|v| v.parse().ok());
    api.post(MAPS, r#"{"metadata": {"name": "a"}}"#).await;
    api.server.faults().stale_lists(before.expect("a version"));
    assert_eq!(api.get(MAPS).await.json()["items"], json!([]));
    assert_eq!(api.get(&format!("{MAPS}/a")).await.code, 200, "objects themselves are current");
    api.server.faults().clear();
    assert_eq!(api.get(MAPS).await.json()["items"].as_array().map(Vec::len), Some(1));
}
