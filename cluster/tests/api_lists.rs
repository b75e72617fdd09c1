//! Lists: selectors, pages, revisions and other forms.

mod client;

use client::Api;
use serde_json::{Value, json};

const MAPS: &str = "/api/v1/namespaces/smp/configmaps";

async fn with_maps(names: &[&str]) -> Api {
    let api = Api::with_namespace("smp").await;
    for name in names {
        let body = format!(
            r#"{{"metadata": {{"name": "{name}", "labels": {{"x": "{name}"}}}}, "data": {{"k": "1"}}}}"#
        );
        assert_eq!(api.post(MAPS, &body).await.code, 201);
    }
    api
}

fn names(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().expect("items").iter();
    items.map(|item| item["metadata"]["name"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test]
async fn items_are_ordered_and_do_not_repeat_their_kind() {
    let api = with_maps(&["b", "a"]).await;
    let list = api.get(MAPS).await.json();
    assert_eq!((&list["kind"], &list["apiVersion"]), (&json!("ConfigMapList"), &json!("v1")));
    assert_eq!(names(&list), ["a", "b"]);
    let last = api.get(&format!("{MAPS}/a")).await.json();
    assert_eq!(list["metadata"], json!({"resourceVersion": last["metadata"]["resourceVersion"]}));
    let fields: Vec<&String> = list["items"][0].as_object().expect("an item").keys().collect();
    assert_eq!(fields, ["data", "metadata"]);
    assert_eq!(names(&api.get("/api/v1/configmaps").await.json()), ["a", "b"]);
    assert_eq!(names(&api.get("/api/v1/namespaces/other/configmaps").await.json()), [""; 0]);
}

#[tokio::test]
async fn selectors_narrow() {
    let api = with_maps(&["a", "b"]).await;
    for (query, expected) in [
        ("labelSelector=x%3Da", &["a"][..]),
        ("labelSelector=x%20in%20(a,b)", &["a", "b"]),
        ("labelSelector=x!%3Da", &["b"]),
        ("labelSelector=!x", &[]),
        ("fieldSelector=metadata.name%3Da", &["a"]),
        ("fieldSelector=metadata.name!%3Da", &["b"]),
        ("fieldSelector=metadata.namespace%3Dother", &[]),
    ] {
        let list = api.get(&format!("{MAPS}?{query}")).await.json();
        assert_eq!(names(&list), expected, "{query}");
    }
    for (query, message) in [
        ("labelSelector=%3D%3D%3D", "found '==', expected: !, identifier, or 'end of string'"),
        (
            "fieldSelector=data.k%3D1",
            "\"data.k\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
        ),
    ] {
        let answer = api.get(&format!("{MAPS}?{query}")).await;
        assert_eq!((answer.code, &answer.json()["message"]), (400, &json!(message)), "{query}");
    }
}

#[tokio::test]
async fn fields_of_pods_secrets_and_events_select_them() {
    let api = Api::with_namespace("smp").await;
    let pods = "/api/v1/namespaces/smp/pods";
    for (name, node) in [("a", "n1"), ("b", "n2")] {
        let body = format!(
            r#"{{"metadata": {{"name": "{name}"}}, "spec": {{"nodeName": "{node}", "containers": [{{"name": "c", "image": "i"}}]}}}}"#
        );
        api.post(pods, &body).await;
    }
    let secrets = "/api/v1/namespaces/smp/secrets";
    for (name, kind) in [("a", "Opaque"), ("b", "ex.io/x")] {
        api.post(secrets, &format!(r#"{{"metadata": {{"name": "{name}"}}, "type": "{kind}"}}"#))
            .await;
    }
    let events = "/api/v1/namespaces/smp/events";
    for (name, object) in [("a", "x"), ("b", "y")] {
        let body = format!(
            r#"{{"metadata": {{"name": "{name}"}}, "involvedObject": {{"kind": "Pod", "name": "{object}", "namespace": "smp"}}, "reason": "R", "type": "Normal"}}"#
        );
        assert_eq!(api.post(events, &body).await.code, 201);
    }
    for (path, selector, expected) in [
        (pods, "spec.nodeName%3Dn1", &["a"][..]),
        (pods, "status.phase%3DPending", &["a", "b"]),
        (pods, "status.phase%3DRunning,spec.nodeName%3Dn1", &[]),
        (secrets, "type%3Dex.io/x", &["b"]),
        (events, "involvedObject.name%3Dx,involvedObject.kind%3DPod", &["a"]),
        (events, "reason%3DR", &["a", "b"]),
    ] {
        let list = api.get(&format!("{path}?fieldSelector={selector}")).await.json();
        assert_eq!(names(&list), expected, "{selector}");
    }
    let answer = api.get(&format!("{pods}?fieldSelector=spec.nothing%3D1")).await;
    assert_eq!(
        (answer.code, &answer.json()["message"]),
        (400, &json!("field label not supported: spec.nothing"))
    );
}

#[tokio::test]
async fn pages_show_one_snapshot() {
    let api = with_maps(&["a", "b", "c"]).await;
    let first = api.get(&format!("{MAPS}?limit=1")).await.json();
    assert_eq!(
        (names(&first), &first["metadata"]["remainingItemCount"]),
        (vec!["a".to_owned()], &json!(2))
    );
    // What happens between pages does not show.
    api.send("DELETE", &format!("{MAPS}/b"), &[], "").await;
    api.post(MAPS, r#"{"metadata": {"name": "ab"}}"#).await;
    let token = first["metadata"]["continue"].as_str().expect("a continue value");
    let second = api.get(&format!("{MAPS}?limit=1&continue={token}")).await.json();
    assert_eq!(
        (names(&second), &second["metadata"]["remainingItemCount"]),
        (vec!["b".to_owned()], &json!(1))
    );
    assert_eq!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    let token = second["metadata"]["continue"].as_str().expect("a continue value");
    let last = api.get(&format!("{MAPS}?limit=1&continue={token}")).await.json();
    assert_eq!(names(&last), ["c"]);
    assert_eq!(
        (&last["metadata"]["continue"], &last["metadata"]["remainingItemCount"]),
        (&Value::Null, &Value::Null)
    );

    let all = api.get("/api/v1/configmaps?limit=2").await.json();
    let token = all["metadata"]["continue"].as_str().expect("a continue value");
    let rest = api.get(&format!("/api/v1/configmaps?limit=2&continue={token}")).await.json();
    assert_eq!([names(&all), names(&rest)].concat(), ["a", "ab", "c"]);

    let answer = api.get(&format!("{MAPS}?limit=1&continue=abc")).await;
    assert_eq!((answer.code, &answer.json()["reason"]), (400, &json!("BadRequest")));
    api.post(MAPS, r#"{"metadata": {"name": "d"}}"#).await;
    api.registry.compact();
    let answer = api.get(&format!("{MAPS}?limit=1&continue={token}")).await;
    assert_eq!((answer.code, &answer.json()["reason"]), (410, &json!("Expired")));
}

#[tokio::test]
async fn revisions_past_and_to_come() {
    let api = with_maps(&["a"]).await;
    let before = api.get(MAPS).await.json()["metadata"]["resourceVersion"]
        .as_str()
        .expect("a version")
        .to_owned();
    api.post(MAPS, r#"{"metadata": {"name": "b"}}"#).await;
    assert_eq!(names(&api.get(&format!("{MAPS}?resourceVersion=0")).await.json()), ["a", "b"]);
    assert_eq!(
        names(&api.get(&format!("{MAPS}?resourceVersion={before}")).await.json()),
        ["a", "b"]
    );
    let exact = format!("{MAPS}?resourceVersion={before}&resourceVersionMatch=Exact");
    assert_eq!(names(&api.get(&exact).await.json()), ["a"]);
    let answer = api.get(&format!("{MAPS}?resourceVersion=99999999")).await;
    let current = before.parse::<u64>().expect("a number") + 1;
    assert_eq!(
        (answer.code, answer.json()),
        (
            504,
            json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": format!("Timeout: Too large resource version: 99999999, current: {current}"),
                "reason": "Timeout",
                "details": {
                    "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
                    "retryAfterSeconds": 1,
                },
                "code": 504,
            })
        )
    );
    assert!(answer.head.contains("retry-after: 1"), "{}", answer.head);
}

#[tokio::test]
async fn metadata_alone() {
    let api = with_maps(&["a"]).await;
    let accept =
        "Accept: application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json";
    let full = api.get(&format!("{MAPS}/a")).await.json();
    let list = api.send("GET", MAPS, &[accept], "").await.json();
    let partial = json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": full["metadata"],
    });
    assert_eq!(
        list,
        json!({
            "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
            "metadata": {"resourceVersion": full["metadata"]["resourceVersion"]},
            "items": [partial],
        })
    );
    let accept =
        "Accept: application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json";
    assert_eq!(api.send("GET", &format!("{MAPS}/a"), &[accept], "").await.json(), partial);
}

#[tokio::test]
async fn discovery_tells_what_is_served() {
    let api = Api::start().await;
    assert_eq!(api.get("/version").await.json()["minor"], "36");
    assert_eq!(api.get("/api").await.json()["versions"], json!(["v1"]));
    let groups = api.get("/apis").await.json();
    let groups: Vec<&Value> =
        groups["groups"].as_array().expect("groups").iter().map(|g| &g["name"]).collect();
    assert!(
        groups.contains(&&json!("apps")) && groups.contains(&&json!("networking.k8s.io")),
        "{groups:?}"
    );
    let apps = api.get("/apis/apps/v1").await.json();
    let deployments = apps["resources"]
        .as_array()
        .expect("resources")
        .iter()
        .find(|r| r["name"] == "deployments");
    assert_eq!(
        *deployments.expect("deployments"),
        json!({
            "name": "deployments", "singularName": "deployment", "namespaced": true,
            "kind": "Deployment", "shortNames": ["deploy"], "categories": ["all"],
            "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        })
    );
    assert_eq!(api.get("/apis/apps").await.json()["preferredVersion"]["groupVersion"], "apps/v1");
    for path in ["/healthz", "/livez", "/readyz"] {
        let answer = api.get(path).await;
        assert_eq!((answer.code, answer.text.as_str()), (200, "ok"), "{path}");
    }
}

#[tokio::test]
async fn tables_are_what_kubectl_prints() {
    let api = with_maps(&["a"]).await;
    let accept = "Accept: application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let full = api.get(&format!("{MAPS}/a")).await.json();
    let table = api.send("GET", MAPS, &[accept], "").await.json();
    assert_eq!((&table["kind"], &table["apiVersion"]), (&json!("Table"), &json!("meta.k8s.io/v1")));
    let columns: Vec<(&Value, &Value, &Value)> = table["columnDefinitions"]
        .as_array()
        .expect("columns")
        .iter()
        .map(|column| (&column["name"], &column["format"], &column["priority"]))
        .collect();
    assert_eq!(
        columns,
        [
            (&json!("Name"), &json!("name"), &json!(0)),
            (&json!("Data"), &json!(""), &json!(0)),
            (&json!("Age"), &json!(""), &json!(0)),
        ]
    );
    let name = table["columnDefinitions"][0]["description"].as_str().expect("a description");
    assert!(name.starts_with("Name must be unique within a namespace."), "{name}");
    let row = &table["rows"][0];
    assert_eq!((&row["cells"][0], &row["cells"][1]), (&json!("a"), &json!(1)));
    assert_eq!(
        row["object"],
        json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": full["metadata"]})
    );
    let bare = api.send("GET", &format!("{MAPS}?includeObject=None"), &[accept], "").await.json();
    assert_eq!(bare["rows"][0]["object"], Value::Null);
    let whole =
        api.send("GET", &format!("{MAPS}/a?includeObject=Object"), &[accept], "").await.json();
    assert_eq!(whole["rows"][0]["object"], full);

    api.post(MAPS, r#"{"metadata": {"name": "b"}}"#).await;
    let watched = api.send("GET", &format!("{MAPS}?watch=1&timeoutSeconds=1"), &[accept], "").await;
    let lines: Vec<Value> =
        watched.text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect();
    assert_eq!(
        (&lines[0]["object"]["kind"], &lines[0]["object"]["rows"][0]["cells"][0]),
        (&json!("Table"), &json!("a"))
    );
    assert!(lines[0]["object"]["columnDefinitions"].is_array());
    assert_eq!(lines[1]["object"]["columnDefinitions"], Value::Null, "told once");
}

#[tokio::test]
async fn discovery_comes_in_one_document_for_those_who_ask() {
    let api = Api::start().await;
    let accept = "Accept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
    let core = api.send("GET", "/api", &[accept], "").await;
    assert!(core.head.contains(
        "content-type: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    ));
    let resources = core.json()["items"][0]["versions"][0]["resources"].clone();
    let maps =
        resources.as_array().expect("resources").iter().find(|r| r["resource"] == "configmaps");
    assert_eq!(
        *maps.expect("configmaps"),
        json!({
            "resource": "configmaps", "responseKind": {"group": "", "version": "", "kind": "ConfigMap"},
            "scope": "Namespaced", "singularResource": "configmap", "shortNames": ["cm"],
            "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        })
    );
    let groups = api.send("GET", "/apis", &[accept], "").await.json();
    assert!(
        groups["items"].as_array().expect("groups").iter().any(|g| g["metadata"]["name"] == "apps")
    );
    let tag = core.head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("an ETag");
    let again = api.send("GET", "/api", &[accept, &format!("If-None-Match: {tag}")], "").await;
    assert_eq!((again.code, again.text.as_str()), (304, ""));
}

#[tokio::test]
async fn openapi_tells_kubectl_that_fields_are_validated() {
    let api = Api::start().await;
    let root = api.get("/openapi/v3").await.json();
    let url = root["paths"]["apis/apps/v1"]["serverRelativeURL"].as_str().expect("an address");
    let apps = api.get(url).await.json();
    let patch = &apps["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
    assert_eq!(
        patch["x-kubernetes-group-version-kind"],
        json!({"group": "apps", "kind": "Deployment", "version": "v1"})
    );
    let parameters = patch["parameters"].as_array().expect("parameters");
    assert!(parameters.iter().any(|p| p["name"] == "fieldValidation" && p["in"] == "query"));
    let schemas = &apps["components"]["schemas"];
    assert_eq!(
        schemas["io.k8s.api.apps.v1.Deployment"]["properties"]["spec"]["$ref"],
        "#/components/schemas/io.k8s.api.apps.v1.DeploymentSpec"
    );
    assert!(schemas["io.k8s.api.core.v1.Container"].is_object(), "what is referred to is there");
    assert!(schemas["io.k8s.api.core.v1.ConfigMap"].is_null(), "and nothing else");
    assert_eq!(api.get("/openapi/v3/apis/nothing/v1").await.code, 404);
}
