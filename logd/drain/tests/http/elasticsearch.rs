//! Elasticsearch and OpenSearch: a strict double, which keeps what it takes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use fairlead_drain::{FailureKind, Keys, Reason, Verdict};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::receiver::{Fault, Receiver, Reply, Request};
use crate::sender::{Sender, TIME};

/// What an index holds: documents by their ids.
type Indices = BTreeMap<String, BTreeMap<String, Value>>;

/// A double that answers documents with these statuses instead of taking them, then takes all.
#[derive(Clone, Default)]
struct Double {
    indices: Arc<Mutex<Indices>>,
    statuses: Arc<Mutex<VecDeque<Option<u16>>>>,
}

impl Double {
    fn statuses(&self, statuses: impl IntoIterator<Item = u16>) {
        *self.statuses.lock() =
            statuses.into_iter().map(|status| (status != 201).then_some(status)).collect();
    }

    /// As `_bulk` answers; a request that breaks its rules fails the test that sent it.
    fn bulk(&self, request: &Request) -> Value {
        let (path, query) = request.line["POST ".len()..].split_once('?').unwrap();
        assert!(path.ends_with("/_bulk"), "{path}");
        assert_eq!(
            query,
            "filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason HTTP/1.1"
        );
        assert_eq!(request.headers["content-type"], "application/x-ndjson");
        let body = str::from_utf8(&request.body).unwrap();
        let body = body.strip_suffix('\n').expect("a bulk request ends with a line feed");
        let lines: Vec<Value> =
            body.split('\n').map(|line| serde_json::from_str(line).expect(line)).collect();
        let items: Vec<Value> = lines.chunks(2).map(|pair| self.item(&pair[0], &pair[1])).collect();
        let errors = items.iter().any(|item| item["create"]["status"] != 201);
        json!({"took": 3, "errors": errors, "items": items})
    }

    fn item(&self, action: &Value, document: &Value) -> Value {
        let [(kind, about)] = &action.as_object().unwrap().iter().collect::<Vec<_>>()[..] else {
            panic!("one action: {action}")
        };
        assert_eq!(*kind, "create", "data streams take nothing else");
        let [index, id] = ["_index", "_id"].map(|name| about[name].as_str().unwrap().to_owned());
        let mut indices = self.indices.lock();
        let index = indices.entry(index).or_default();
        let (status, error) = match self.statuses.lock().pop_front().flatten() {
            Some(status) => (status, json!({"type": "injected", "reason": format!("a {status}")})),
            None if index.contains_key(&id) => {
                (409, json!({"type": "version_conflict_engine_exception", "reason": "exists"}))
            }
            None => {
                index.insert(id, document.clone());
                return json!({"create": {"status": 201}});
            }
        };
        json!({"create": {"status": status, "error": error}})
    }

    async fn receiver(&self) -> Receiver {
        let double = self.clone();
        Receiver::new(move |request| Reply::status(200, &double.bulk(request).to_string())).await
    }

    /// All messages of an index, in order of their ends.
    fn messages(&self, index: &str) -> Vec<String> {
        let indices = self.indices.lock();
        let message = |document: &Value| document["message"].as_str().unwrap().to_owned();
        let mut messages: Vec<_> = indices[index].values().map(message).collect();
        messages.sort();
        messages
    }
}

fn url(receiver: &Receiver, rest: &str) -> String {
    format!("elasticsearch+http://127.0.0.1:{}{rest}", receiver.port)
}

#[tokio::test]
async fn lines_are_created_once_however_often_they_are_sent() {
    let double = Double::default();
    let receiver = double.receiver().await;
    let mut sender = Sender::new(&url(&receiver, ""));
    for _ in 0..2 {
        assert_eq!(sender.send(&["a", "b", "c"]).await.unwrap(), [Verdict::Delivered; 3]);
    }
    assert_eq!(double.messages("logs-front-shop"), ["a", "b", "c"]);
    let requests = receiver.requests();
    assert_eq!(requests[0].headers["content-encoding"], "gzip");
    assert_eq!(requests[0].body, requests[1].body);
}

#[tokio::test]
async fn each_item_has_its_own_fate() {
    let double = Double::default();
    let receiver = double.receiver().await;
    double.statuses([201, 429, 503, 400, 201, 413]);
    let mut sender = Sender::new(&url(&receiver, ""));
    assert_eq!(
        sender.send(&["a", "b", "c", "d", "e", "f", "g"]).await.unwrap(),
        [
            Verdict::Delivered,
            Verdict::Again,
            Verdict::Again,
            Verdict::Rejected(Reason::Refused),
            Verdict::Delivered,
            Verdict::Rejected(Reason::TooLong),
            Verdict::Delivered,
        ]
    );
    assert_eq!(sender.sink.complaint().as_deref(), Some("status 413 injected: a 413"));
    assert_eq!(double.messages("logs-front-shop"), ["a", "e", "g"]);
}

#[tokio::test]
async fn where_nothing_is_taken_the_receiver_is_left_alone() {
    let double = Double::default();
    let receiver = double.receiver().await;
    let mut sender = Sender::new(&url(&receiver, ""));
    for (status, kind) in
        [(429, FailureKind::Busy), (503, FailureKind::Busy), (403, FailureKind::Denied)]
    {
        double.statuses([status; 3]);
        let failure = sender.send(&["a", "b", "c"]).await.unwrap_err();
        assert_eq!(
            (failure.kind, failure.to_string()),
            (kind, format!("no item was taken: status {status} injected: a {status}"))
        );
    }
    assert_eq!(sender.send(&["a", "b", "c"]).await.unwrap(), [Verdict::Delivered; 3]);
}

#[tokio::test]
async fn what_is_too_large_is_taken_apart() {
    let double = Double::default();
    let taking = double.clone();
    let receiver = Receiver::new(move |request: &Request| match request.body.len() {
        ..10_000 => Reply::status(200, &taking.bulk(request).to_string()),
        _ => Reply::status(413, ""),
    })
    .await;
    let mut sender = Sender::new(&url(&receiver, ""));
    let long = "x".repeat(20_000);
    let mut lines = vec!["a"; 100];
    lines[99] = &long;
    let mut expected = vec![Verdict::Delivered; 100];
    expected[99] = Verdict::Rejected(Reason::TooLong);
    assert_eq!(sender.send(&lines).await.unwrap(), expected);
    assert_eq!(double.messages("logs-front-shop").len(), 99);
}

#[tokio::test]
async fn after_a_broken_answer_nothing_is_there_twice_and_nothing_is_missing() {
    let double = Double::default();
    let taking = double.clone();
    let mut broken = 0;
    let receiver = Receiver::new(move |request: &Request| {
        let answer = taking.bulk(request).to_string();
        broken += 1;
        match broken {
            1 => Reply::Half(answer.into()),
            2 => Reply::Nothing,
            3 => Reply::status(503, ""),
            _ => Reply::status(200, &answer),
        }
    })
    .await;
    receiver.faults([Fault::Reset]);
    let mut sender = Sender::new(&url(&receiver, ""));
    let mut failures = Vec::new();
    let verdicts = loop {
        match sender.send(&["a", "b"]).await {
            Ok(verdicts) => break verdicts,
            Err(failure) => failures.push(failure.kind),
        }
    };
    use FailureKind::{Busy, Connect};
    assert_eq!(failures, [Connect, Connect, Connect, Busy]);
    assert_eq!(verdicts, [Verdict::Delivered; 2]);
    // A kept connection that breaks is replaced, and the request goes again.
    receiver.faults([Fault::Reset]);
    assert_eq!(sender.send(&["a", "b"]).await.unwrap(), [Verdict::Delivered; 2]);
    assert_eq!(double.messages("logs-front-shop"), ["a", "b"]);
}

#[tokio::test]
async fn an_answer_that_is_none_confirms_nothing() {
    let item = r#"{"create":{"status":201}}"#;
    for (answer, kind) in [
        ("<html>".to_owned(), FailureKind::Protocol),
        (format!(r#"{{"errors":true,"items":[{item}]}}"#), FailureKind::Protocol),
        (format!(r#"{{"items":[{item},{item},{item}]}}"#), FailureKind::Protocol),
        (" ".repeat(5 << 20), FailureKind::Protocol),
    ] {
        let receiver = Receiver::new(move |_: &Request| Reply::status(200, &answer)).await;
        let failure = Sender::new(&url(&receiver, "")).send(&["a", "b"]).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{failure}");
    }
}

#[tokio::test]
async fn row_39_elasticsearch_scheme_auth_daily_index_prefix_fixed_index_index_from_field_time_key()
{
    let sent = async |scheme: &str, rest: &str, token: Option<&[u8]>| {
        let double = Double::default();
        let receiver = double.receiver().await;
        let (user, rest) = rest.split_once('@').unwrap_or(("", rest));
        let user = if user.is_empty() { String::new() } else { format!("{user}@") };
        let url = format!("{scheme}+http://{user}127.0.0.1:{}{rest}", receiver.port);
        let keys = Keys { token, ..Keys::default() };
        let mut sender = Sender::with(&url, keys, std::time::Duration::from_secs(30));
        assert_eq!(sender.send(&["hello"]).await.unwrap(), [Verdict::Delivered]);
        let request = receiver.requests().remove(0);
        let (index, documents) = double.indices.lock().pop_first().unwrap();
        let document = documents.into_values().next().unwrap();
        assert_eq!(document["message"], "hello");
        let authorization = request.headers.get("authorization").cloned().unwrap_or_default();
        let path = request.line.split(['?', ' ']).nth(1).unwrap().to_owned();
        (index, authorization, path, document)
    };
    assert_eq!(TIME, 1_795_168_800_000_000_000, "2026-11-20T10:00:00Z");
    let time = "2026-11-20T10:00:00.000000000Z";

    let (index, authorization, path, document) = sent("elasticsearch", "", None).await;
    assert_eq!([&*index, &*authorization, &*path], ["logs-front-shop", "", "/_bulk"]);
    assert_eq!(document["@timestamp"], time);

    let (index, authorization, path, _) =
        sent("elasticsearch", "elastic:s%2Fcret@/es/?prefix=logstash", None).await;
    assert_eq!(index, "logstash-2026.11.20");
    assert_eq!(authorization, "Basic ZWxhc3RpYzpzL2NyZXQ=");
    assert_eq!(path, "/es/_bulk");

    let (index, authorization, ..) =
        sent("elasticsearch", "/?index=platform", Some(b"aWQ6a2V5")).await;
    assert_eq!([&*index, &*authorization], ["platform", "ApiKey aWQ6a2V5"]);

    let (index, authorization, ..) =
        sent("opensearch", "/?data-stream=logs-all", Some(b"aWQ6a2V5")).await;
    assert_eq!([&*index, &*authorization], ["logs-all", "Bearer aWQ6a2V5"]);

    let (index, ..) = sent("opensearch", "/?index-from=kubernetes.namespace", None).await;
    assert_eq!(index, "shop");
    let (index, ..) = sent("opensearch", "/?index-from=kubernetes.labels.team", None).await;
    assert_eq!(index, "blue");
    let (index, ..) = sent("opensearch", "/?index-from=kubernetes.labels.none", None).await;
    assert_eq!(index, "logs-front-shop");

    let (.., document) = sent("elasticsearch", "/?prefix=deis&time-key=time", None).await;
    assert_eq!((&document["time"], &document["@timestamp"]), (&json!(time), &Value::Null));
}
