//! JSON patch and strategic merge patch, with the literal requests and answers of a real server.

mod client;

use client::{Answer, Api};
use serde_json::{Value, json};

const MAP: &str = "/api/v1/namespaces/app/configmaps/a";
const WEB: &str = "/apis/apps/v1/namespaces/app/deployments/web";

async fn json_patch(api: &Api, path: &str, body: &str) -> Answer {
    api.send("PATCH", path, &["Content-Type: application/json-patch+json"], body).await
}

async fn strategic(api: &Api, path: &str, body: &str) -> Answer {
    api.send("PATCH", path, &["Content-Type: application/strategic-merge-patch+json"], body).await
}

#[tokio::test]
async fn json_patch_is_carried_out_wholly_or_not_at_all() {
    let api = Api::with_namespace("app").await;
    api.post(
        "/api/v1/namespaces/app/configmaps",
        r#"{"metadata": {"name": "a"}, "data": {"m": "1"}}"#,
    )
    .await;
    let patched =
        json_patch(&api, MAP, r#"[{"op": "add", "path": "/data/j", "value": "1"}]"#).await;
    assert_eq!((patched.code, &patched.json()["data"]), (200, &json!({"j": "1", "m": "1"})));
    let refused = json_patch(
        &api,
        MAP,
        r#"[{"op": "add", "path": "/data/z", "value": "1"}, {"op": "test", "path": "/data/j", "value": "9"}]"#,
    )
    .await;
    assert_eq!(
        (refused.code, refused.json()),
        (
            422,
            json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": "the server rejected our request due to an error in our request",
                "reason": "Invalid", "details": {}, "code": 422,
            })
        )
    );
    assert_eq!(api.get(MAP).await.json(), patched.json());
    for bad in [
        r#"{"op": "add"}"#,
        r#"[{"op": "nothing", "path": "/a"}]"#,
        "[",
        r#"[{"op": "add", "path": "a", "value": 1}]"#,
    ] {
        assert_eq!(json_patch(&api, MAP, bad).await.code, 400, "{bad}");
    }
}

async fn with_deployment() -> Api {
    let api = Api::with_namespace("app").await;
    let body = r#"{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "web:1", "env": [{"name": "LEVEL", "value": "info"}, {"name": "MODE", "value": "a"}]}]}}}}"#;
    assert_eq!(api.post("/apis/apps/v1/namespaces/app/deployments", body).await.code, 201);
    api
}

fn env(deployment: &Value) -> Value {
    deployment["spec"]["template"]["spec"]["containers"][0]["env"].clone()
}

#[tokio::test]
async fn strategic_patches_find_list_elements_by_name() {
    let api = with_deployment().await;
    let patched = strategic(
        &api,
        WEB,
        r#"{"spec": {"template": {"spec": {"containers": [{"name": "web", "env": [{"name": "MODE", "value": "b"}, {"name": "NEW", "value": "1"}]}]}}}}"#,
    )
    .await;
    assert_eq!(patched.code, 200);
    assert_eq!(
        env(&patched.json()),
        json!([{"name": "LEVEL", "value": "info"}, {"name": "MODE", "value": "b"}, {"name": "NEW", "value": "1"}])
    );
    let patched = strategic(
        &api,
        WEB,
        r#"{"spec": {"template": {"spec": {"containers": [{"name": "web", "$setElementOrder/env": [{"name": "NEW"}, {"name": "MODE"}, {"name": "LEVEL"}], "env": [{"$patch": "delete", "name": "MODE"}]}]}}}}"#,
    )
    .await;
    assert_eq!(
        env(&patched.json()),
        json!([{"name": "NEW", "value": "1"}, {"name": "LEVEL", "value": "info"}])
    );
    let dry = strategic(&api, &format!("{WEB}?dryRun=All"), r#"{"spec": {"replicas": 7}}"#).await;
    assert_eq!(dry.json()["spec"]["replicas"], 7);
    assert_eq!(api.get(WEB).await.json()["spec"]["replicas"], 1);
}

#[tokio::test]
async fn patches_are_checked_like_other_writes() {
    let api = with_deployment().await;
    let answer = api
        .merge(WEB, r#"{"spec": {"template": {"spec": {"containers": [{"name": "web"}]}}}}"#)
        .await;
    assert_eq!(
        (answer.code, &answer.json()["message"]),
        (
            422,
            &json!(
                "Deployment.apps \"web\" is invalid: spec.template.spec.containers[0].image: Required value"
            )
        )
    );
    let answer =
        api.merge(WEB, r#"{"spec": {"selector": {"matchLabels": {"app": "other"}}}}"#).await;
    assert_eq!(
        (answer.code, answer.json()),
        (
            422,
            json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": "Deployment.apps \"web\" is invalid: [spec.template.metadata.labels: Invalid value: {\"app\":\"web\"}: `selector` does not match template `labels`, spec.selector: Invalid value: {\"matchLabels\":{\"app\":\"other\"}}: field is immutable]",
                "reason": "Invalid",
                "details": {
                    "name": "web", "group": "apps", "kind": "Deployment",
                    "causes": [
                        {"reason": "FieldValueInvalid", "message": "Invalid value: {\"app\":\"web\"}: `selector` does not match template `labels`", "field": "spec.template.metadata.labels"},
                        {"reason": "FieldValueInvalid", "message": "Invalid value: {\"matchLabels\":{\"app\":\"other\"}}: field is immutable", "field": "spec.selector"},
                    ],
                },
                "code": 422,
            })
        )
    );
    let answer =
        strategic(&api, &format!("{WEB}?fieldValidation=Strict"), r#"{"spec": {"replica": 2}}"#)
            .await;
    assert_eq!(answer.code, 400);
    assert!(answer.text.contains("unknown field \\\"spec.replica\\\""), "{}", answer.text);
}

#[tokio::test]
async fn workloads_are_scaled_through_their_scale() {
    let api = with_deployment().await;
    let path = format!("{WEB}/scale");
    let scale = api.get(&path).await.json();
    assert_eq!((&scale["kind"], &scale["apiVersion"]), (&json!("Scale"), &json!("autoscaling/v1")));
    assert_eq!(
        (&scale["spec"], &scale["status"]),
        (&json!({"replicas": 1}), &json!({"replicas": 0, "selector": "app=web"}))
    );
    let mut more = scale.clone();
    more["spec"]["replicas"] = 2.into();
    let answer = api.put(&path, &more.to_string()).await;
    assert_eq!((answer.code, &answer.json()["spec"]), (200, &json!({"replicas": 2})));
    let web = api.get(WEB).await.json();
    assert_eq!((&web["spec"]["replicas"], &web["metadata"]["generation"]), (&json!(2), &json!(2)));
    let owner = web["metadata"]["managedFields"]
        .as_array()
        .expect("owners")
        .iter()
        .find(|e| e["subresource"] == "scale");
    assert_eq!(owner.expect("an owner")["fieldsV1"], json!({"f:spec": {"f:replicas": {}}}));

    let stale = api.put(&path, &more.to_string()).await;
    assert_eq!(
        (stale.code, &stale.json()["details"]),
        (409, &json!({"name": "web", "group": "apps", "kind": "deployments"}))
    );
    let answer = api.merge(&path, r#"{"spec": {"replicas": 1}}"#).await;
    assert_eq!((answer.code, &answer.json()["spec"]), (200, &json!({"replicas": 1})));
    let answer = api
        .put(&path, r#"{"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web", "namespace": "app"}, "spec": {"replicas": -1}}"#)
        .await;
    assert_eq!(
        (answer.code, answer.json()),
        (
            422,
            json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": "Scale.autoscaling \"web\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0",
                "reason": "Invalid",
                "details": {
                    "name": "web", "group": "autoscaling", "kind": "Scale",
                    "causes": [{"reason": "FieldValueInvalid", "message": "Invalid value: -1: must be greater than or equal to 0", "field": "spec.replicas"}],
                },
                "code": 422,
            })
        )
    );
}
