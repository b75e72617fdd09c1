//! Watches: what they tell, where they start and how they end.

mod client;

use client::Api;
use serde_json::{Value, json};

const MAPS: &str = "/api/v1/namespaces/smp/configmaps";

/// Events as (type, name, resourceVersion).
fn events(text: &str) -> Vec<(String, String, String)> {
    text.lines()
        .map(|line| {
            let event: Value = serde_json::from_str(line).expect("a JSON line");
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let metadata = &event["object"]["metadata"];
            (text(&event["type"]), text(&metadata["name"]), text(&metadata["resourceVersion"]))
        })
        .collect()
}

fn kinds(text: &str) -> Vec<(String, String)> {
    events(text).into_iter().map(|(event, name, _)| (event, name)).collect()
}

fn told(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(event, name)| ((*event).to_owned(), (*name).to_owned())).collect()
}

/// Three changes: `a` is made and changed, `b` is made and deleted. Tells the version after `a` was made.
async fn with_history() -> (Api, String) {
    let api = Api::with_namespace("smp").await;
    let body = r#"{"metadata": {"name": "a", "labels": {"x": "1"}}, "data": {"k": "1"}}"#;
    let made = api.post(MAPS, body).await.json();
    api.merge(&format!("{MAPS}/a"), r#"{"data": {"k": "2"}}"#).await;
    api.post(MAPS, r#"{"metadata": {"name": "b"}}"#).await;
    api.send("DELETE", &format!("{MAPS}/b"), &[], "").await;
    (api, made["metadata"]["resourceVersion"].as_str().expect("a version").to_owned())
}

#[tokio::test]
async fn a_watch_resumes_after_a_version() {
    let (api, version) = with_history().await;
    let answer =
        api.get(&format!("{MAPS}?watch=1&resourceVersion={version}&timeoutSeconds=1")).await;
    assert_eq!(answer.code, 200);
    assert_eq!(kinds(&answer.text), told(&[("MODIFIED", "a"), ("ADDED", "b"), ("DELETED", "b")]));
    let versions: Vec<u64> =
        events(&answer.text).iter().map(|e| e.2.parse().expect("a number")).collect();
    let first: u64 = version.parse().expect("a number");
    assert_eq!(versions, [first + 1, first + 2, first + 3], "a deletion has a version of its own");
    let line: Value =
        serde_json::from_str(answer.text.lines().next().expect("a line")).expect("JSON");
    assert_eq!(
        (&line["object"]["kind"], &line["object"]["data"]),
        (&json!("ConfigMap"), &json!({"k": "2"}))
    );
}

#[tokio::test]
async fn a_watch_without_a_version_starts_with_what_is_there() {
    let (api, _) = with_history().await;
    for query in ["", "&resourceVersion=0"] {
        let answer = api.get(&format!("{MAPS}?watch=true{query}&timeoutSeconds=1")).await;
        assert_eq!(kinds(&answer.text), told(&[("ADDED", "a")]), "{query}");
    }
}

#[tokio::test]
async fn initial_events_end_with_a_bookmark_where_bookmarks_are_wanted() {
    let (api, _) = with_history().await;
    let base = format!(
        "{MAPS}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=1"
    );
    let answer = api.get(&format!("{base}&allowWatchBookmarks=true")).await;
    assert_eq!(kinds(&answer.text), told(&[("ADDED", "a"), ("BOOKMARK", "")]));
    let end: Value =
        serde_json::from_str(answer.text.lines().last().expect("a line")).expect("JSON");
    let version = api.get(MAPS).await.json()["metadata"]["resourceVersion"].clone();
    assert_eq!(
        end["object"],
        json!({
            "kind": "ConfigMap", "apiVersion": "v1",
            "metadata": {"resourceVersion": version, "annotations": {"k8s.io/initial-events-end": "true"}},
        })
    );
    assert_eq!(kinds(&api.get(&base).await.text), told(&[("ADDED", "a")]));
    let answer = api.get(&format!("{MAPS}?watch=1&sendInitialEvents=true")).await;
    assert_eq!((answer.code, &answer.json()["reason"]), (422, &json!("Invalid")));
}

#[tokio::test]
async fn a_version_that_is_forgotten_is_told_in_the_stream() {
    let (api, version) = with_history().await;
    api.registry.compact();
    let answer =
        api.get(&format!("{MAPS}?watch=1&resourceVersion={version}&timeoutSeconds=1")).await;
    assert_eq!(answer.code, 200);
    let line: Value = serde_json::from_str(&answer.text).expect("one line");
    let current = api.get(MAPS).await.json()["metadata"]["resourceVersion"]
        .as_str()
        .expect("a version")
        .to_owned();
    assert_eq!(
        line,
        json!({
            "type": "ERROR",
            "object": {
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": format!("too old resource version: {version} ({current})"),
                "reason": "Expired", "code": 410,
            },
        })
    );
}

#[tokio::test]
async fn selectors_turn_changes_into_additions_and_deletions() {
    let (api, version) = with_history().await;
    let path = format!("{MAPS}/a");
    api.merge(&path, r#"{"metadata": {"labels": {"x": "2"}}}"#).await;
    api.merge(&path, r#"{"metadata": {"labels": {"y": "1"}}}"#).await;
    api.merge(&path, r#"{"metadata": {"labels": {"x": "1"}}}"#).await;
    let answer = api
        .get(&format!(
            "{MAPS}?watch=1&labelSelector=x%3D1&resourceVersion={version}&timeoutSeconds=1"
        ))
        .await;
    assert_eq!(kinds(&answer.text), told(&[("MODIFIED", "a"), ("DELETED", "a"), ("ADDED", "a")]));
    let left: Value =
        serde_json::from_str(answer.text.lines().nth(1).expect("a line")).expect("JSON");
    assert_eq!(
        left["object"]["metadata"]["labels"],
        json!({"x": "1"}),
        "as it was when it matched"
    );
    let answer = api
        .get(&format!("{MAPS}?watch=1&fieldSelector=metadata.name%3Db&resourceVersion={version}&timeoutSeconds=1"))
        .await;
    assert_eq!(kinds(&answer.text), told(&[("ADDED", "b"), ("DELETED", "b")]));
    let answer = api
        .get(&format!(
            "/api/v1/namespaces/other/configmaps?watch=1&resourceVersion={version}&timeoutSeconds=1"
        ))
        .await;
    assert_eq!(answer.text, "");
}

#[tokio::test]
async fn metadata_alone_can_be_watched() {
    let (api, version) = with_history().await;
    let accept = "Accept: application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
    let path = format!("{MAPS}?watch=1&resourceVersion={version}&timeoutSeconds=1");
    let answer = api.send("GET", &path, &[accept], "").await;
    let line: Value =
        serde_json::from_str(answer.text.lines().next().expect("a line")).expect("JSON");
    assert_eq!(
        (&line["object"]["kind"], &line["object"]["apiVersion"], &line["object"]["data"]),
        (&json!("PartialObjectMetadata"), &json!("meta.k8s.io/v1"), &Value::Null)
    );
}

mod in_process {
    use fairlead_cluster::{EventType, Registry, Selector, WriteOptions, kinds};
    use serde_json::json;

    fn registry() -> (Registry, WriteOptions) {
        let (registry, options) = (Registry::new(), WriteOptions::by("tester"));
        let namespace = json!({"metadata": {"name": "smp"}});
        registry.create(&kinds::NAMESPACE, None, namespace, &options).expect("created");
        (registry, options)
    }

    #[tokio::test]
    async fn list_watch_tells_what_is_there_then_what_happens() {
        let (registry, options) = registry();
        let map = |name: &str| json!({"metadata": {"name": name}});
        registry.create(&kinds::CONFIG_MAP, Some("smp"), map("a"), &options).expect("created");
        let mut watch = registry.list_watch(&kinds::CONFIG_MAP, None, &Selector::everything());
        registry.create(&kinds::CONFIG_MAP, Some("smp"), map("b"), &options).expect("created");
        let mut seen = Vec::new();
        for _ in 0..3 {
            let event = watch.next().await.expect("within the window");
            seen.push((event.event, event.object["metadata"]["name"].as_str().map(str::to_owned)));
        }
        let named = |name: &str| Some(name.to_owned());
        assert_eq!(
            seen,
            [
                (EventType::Added, named("a")),
                (EventType::Bookmark, None),
                (EventType::Added, named("b")),
            ]
        );
        assert!(watch.ready().expect("within the window").is_none());
    }

    #[tokio::test]
    async fn a_watch_that_does_not_keep_up_is_refused_and_costs_no_memory() {
        let (registry, options) = registry();
        let list = registry.list(&kinds::CONFIG_MAP, None, &Selector::everything());
        let everything = Selector::everything();
        let mut slow = registry
            .watch(&kinds::CONFIG_MAP, None, &everything, list.revision)
            .expect("within the window");
        let map = json!({"metadata": {"name": "a"}});
        registry.create(&kinds::CONFIG_MAP, Some("smp"), map, &options).expect("created");
        for round in 0..5000 {
            registry
                .modify(&kinds::CONFIG_MAP, Some("smp"), "a", None, &options, |map| {
                    map["data"] = json!({"round": round.to_string()});
                    Ok(())
                })
                .expect("changed");
        }
        assert_eq!(slow.next().await.expect_err("fallen behind").code, 410);
        let again = registry.watch(&kinds::CONFIG_MAP, None, &everything, list.revision);
        assert_eq!(again.expect_err("forgotten").code, 410);
    }

    #[tokio::test]
    async fn a_watch_that_waits_is_woken_by_a_change() {
        let (registry, options) = registry();
        let mut watch = registry.list_watch(&kinds::CONFIG_MAP, None, &Selector::everything());
        watch.next().await.expect("the bookmark");
        let waiting = tokio::spawn(async move { watch.next().await });
        tokio::task::yield_now().await;
        let map = json!({"metadata": {"name": "a"}});
        registry.create(&kinds::CONFIG_MAP, Some("smp"), map, &options).expect("created");
        let event = waiting.await.expect("no panic").expect("within the window");
        assert_eq!(event.event, EventType::Added);
    }
}
