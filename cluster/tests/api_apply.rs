//! Server-side apply, with the literal requests and answers of a real server.

mod client;

use client::Api;
use serde_json::{Value, json};

const MAP: &str = "/api/v1/namespaces/app/configmaps/b";
const WEB: &str = "/apis/apps/v1/namespaces/app/deployments/web";

fn owners(object: &Value) -> Vec<Value> {
    let entries = object["metadata"]["managedFields"].as_array().expect("owners");
    entries.iter().map(|e| json!([e["manager"], e["operation"], e["fieldsV1"]])).collect()
}

#[tokio::test]
async fn managers_own_take_and_give_up_fields() {
    let api = Api::with_namespace("app").await;
    let first = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}, "data": {"x": "1", "y": "1"}}"#;
    let answer = api.apply(&format!("{MAP}?fieldManager=m1"), first).await;
    assert_eq!(answer.code, 201);
    let created = answer.json();
    assert_eq!(owners(&created), [json!(["m1", "Apply", {"f:data": {"f:x": {}, "f:y": {}}}])]);

    let answer = api.apply(&format!("{MAP}?fieldManager=m1"), first).await;
    assert_eq!((answer.code, answer.json()), (200, created), "applied again: nothing changes");

    let other = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}, "data": {"x": "2"}}"#;
    let answer = api.apply(&format!("{MAP}?fieldManager=m2"), other).await;
    assert_eq!(
        (answer.code, answer.json()),
        (
            409,
            json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": "Apply failed with 1 conflict: conflict with \"m1\": .data.x",
                "reason": "Conflict",
                "details": {"causes": [{
                    "reason": "FieldManagerConflict", "message": "conflict with \"m1\"", "field": ".data.x",
                }]},
                "code": 409,
            })
        )
    );

    let forced = api.apply(&format!("{MAP}?fieldManager=m2&force=true"), other).await.json();
    assert_eq!(forced["data"], json!({"x": "2", "y": "1"}));
    assert_eq!(
        owners(&forced),
        [
            json!(["m1", "Apply", {"f:data": {"f:y": {}}}]),
            json!(["m2", "Apply", {"f:data": {"f:x": {}}}]),
        ]
    );

    let empty =
        r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}, "data": {}}"#;
    let given_up = api.apply(&format!("{MAP}?fieldManager=m1"), empty).await.json();
    assert_eq!(given_up["data"], json!({"x": "2"}));
    assert_eq!(
        owners(&given_up),
        [json!(["m1", "Apply", {"f:data": {}}]), json!(["m2", "Apply", {"f:data": {"f:x": {}}}])]
    );
}

#[tokio::test]
async fn applies_that_are_refused() {
    let api = Api::with_namespace("app").await;
    let body = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}, "data": {"x": "1"}}"#;
    let answer = api.apply(MAP, body).await;
    assert_eq!(
        (answer.code, answer.json()),
        (
            422,
            json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
                "reason": "Invalid",
                "details": {
                    "group": "meta.k8s.io", "kind": "PatchOptions",
                    "causes": [{
                        "reason": "FieldValueRequired",
                        "message": "Required value: is required for apply patch", "field": "fieldManager",
                    }],
                },
                "code": 422,
            })
        )
    );
    let owned = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b", "managedFields": [{"manager": "q"}]}, "data": {}}"#;
    let answer = api.apply(&format!("{MAP}?fieldManager=m1"), owned).await;
    assert_eq!(
        (answer.code, &answer.json()["message"]),
        (400, &json!("metadata.managedFields must be nil"))
    );
    let other = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}"#;
    assert_eq!(api.apply(&format!("{MAP}?fieldManager=m1"), other).await.code, 400);
    let answer = api.merge(&format!("{MAP}?force=true"), "{}").await;
    assert_eq!(answer.code, 422);
    let answer = api.apply("/api/v1/namespaces/nope/configmaps/b?fieldManager=m1", body).await;
    assert_eq!(answer.code, 404);
    assert_eq!(api.get(MAP).await.code, 404, "nothing was stored");
}

const FULL: &str = r#"{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "web:1", "env": [{"name": "LEVEL", "value": "info"}, {"name": "MODE", "value": "a"}], "ports": [{"name": "http", "containerPort": 8080}], "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 2}}, {"name": "side", "image": "busybox:1", "command": ["sh", "-c", "while :; do date; sleep 1; done"]}], "initContainers": [{"name": "init", "image": "busybox:1", "command": ["sh", "-c", "echo prepared"]}], "terminationGracePeriodSeconds": 2}}, "replicas": 1}}"#;
const IMAGE: &str = r#"{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": {"spec": {"containers": [{"name": "web", "image": "web:2"}]}}}}"#;
const LESS: &str = r#"{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "env": [{"name": "LEVEL", "value": "info"}, {"name": "MODE", "value": "a"}], "ports": [{"name": "http", "containerPort": 8080}], "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 2}}], "initContainers": [{"name": "init", "image": "busybox:1", "command": ["sh", "-c", "echo prepared"]}], "terminationGracePeriodSeconds": 2}}, "replicas": 1}}"#;

fn m1_owns(containers: Value) -> Value {
    json!(["m1", "Apply", {"f:spec": {
        "f:replicas": {}, "f:selector": {},
        "f:template": {
            "f:metadata": {"f:labels": {"f:app": {}}},
            "f:spec": {
                "f:containers": containers,
                "f:initContainers": {"k:{\"name\":\"init\"}": {
                    ".": {}, "f:command": {}, "f:image": {}, "f:name": {},
                }},
                "f:terminationGracePeriodSeconds": {},
            },
        },
    }}])
}

#[tokio::test]
async fn containers_are_matched_by_name() {
    let api = Api::with_namespace("app").await;
    let created = api.apply(&format!("{WEB}?fieldManager=m1"), FULL).await.json();
    let side = json!({".": {}, "f:command": {}, "f:image": {}, "f:name": {}});
    let mut web = json!({
        ".": {},
        "f:env": {
            "k:{\"name\":\"LEVEL\"}": {".": {}, "f:name": {}, "f:value": {}},
            "k:{\"name\":\"MODE\"}": {".": {}, "f:name": {}, "f:value": {}},
        },
        "f:image": {}, "f:name": {},
        "f:ports": {"k:{\"containerPort\":8080,\"protocol\":\"TCP\"}": {
            ".": {}, "f:containerPort": {}, "f:name": {},
        }},
        "f:readinessProbe": {"f:httpGet": {"f:path": {}, "f:port": {}}, "f:periodSeconds": {}},
    });
    let (web_key, side_key) = ("k:{\"name\":\"web\"}", "k:{\"name\":\"side\"}");
    assert_eq!(owners(&created), [m1_owns(json!({web_key: web, side_key: side}))]);
    let spec = &created["spec"];
    assert_eq!(
        spec["strategy"],
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}})
    );
    assert_eq!(
        (&spec["revisionHistoryLimit"], &spec["progressDeadlineSeconds"]),
        (&json!(10), &json!(600))
    );
    assert_eq!(created["status"], json!({}));
    assert_eq!(
        spec["template"]["spec"]["containers"][0]["readinessProbe"],
        json!({
            "httpGet": {"path": "/", "port": "http", "scheme": "HTTP"},
            "timeoutSeconds": 1, "periodSeconds": 2, "successThreshold": 1, "failureThreshold": 3,
        })
    );
    assert_eq!(api.apply(&format!("{WEB}?fieldManager=m1"), FULL).await.json(), created);

    let answer = api.apply(&format!("{WEB}?fieldManager=m2"), IMAGE).await;
    assert_eq!(
        (answer.code, &answer.json()["message"]),
        (
            409,
            &json!(
                "Apply failed with 1 conflict: conflict with \"m1\": .spec.template.spec.containers[name=\"web\"].image"
            )
        )
    );
    let forced = api.apply(&format!("{WEB}?fieldManager=m2&force=true"), IMAGE).await.json();
    web.as_object_mut().expect("a map").remove("f:image");
    let m2 = json!(["m2", "Apply", {"f:spec": {"f:template": {"f:spec": {"f:containers": {
        "k:{\"name\":\"web\"}": {".": {}, "f:image": {}, "f:name": {}},
    }}}}}]);
    assert_eq!(owners(&forced), [m1_owns(json!({web_key: web, side_key: side})), m2.clone()]);
    assert_eq!(forced["metadata"]["generation"], 2);

    let answer = api.apply(&format!("{WEB}?fieldManager=m1"), FULL).await;
    assert_eq!(answer.json()["details"]["causes"][0]["message"], "conflict with \"m2\"");

    let less = api.apply(&format!("{WEB}?fieldManager=m1"), LESS).await.json();
    let names: Vec<&Value> = less["spec"]["template"]["spec"]["containers"]
        .as_array()
        .expect("containers")
        .iter()
        .map(|container| &container["name"])
        .collect();
    assert_eq!(names, ["web"], "the container that m1 no longer applies is gone");
    assert_eq!(less["spec"]["template"]["spec"]["containers"][0]["image"], "web:2");
    assert_eq!(owners(&less), [m1_owns(json!({web_key: web})), m2]);
}

#[tokio::test]
async fn an_updater_conflicts_by_version_and_time() {
    let api = Api::with_namespace("app").await;
    let body = r#"{"metadata": {"name": "b"}, "data": {"x": "1", "y": "1"}}"#;
    api.post("/api/v1/namespaces/app/configmaps?fieldManager=t", body).await;
    let other = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}, "data": {"x": "2", "y": "2"}}"#;
    let answer = api.apply(&format!("{MAP}?fieldManager=m2"), other).await.json();
    let causes = answer["details"]["causes"].as_array().expect("causes");
    let fields: Vec<&Value> = causes.iter().map(|cause| &cause["field"]).collect();
    assert_eq!(fields, [".data.x", ".data.y"]);
    let message = causes[0]["message"].as_str().expect("a message");
    assert!(message.starts_with("conflict with \"t\" using v1"), "{message}");
    let message = answer["message"].as_str().expect("a message");
    assert!(
        message.starts_with("Apply failed with 2 conflicts: conflicts with \"t\" using v1"),
        "{message}"
    );
    assert!(message.ends_with(":\n- .data.x\n- .data.y"), "{message}");

    let same = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}, "data": {"x": "1"}}"#;
    assert_eq!(
        api.apply(&format!("{MAP}?fieldManager=m2"), same).await.code,
        200,
        "the same value is shared"
    );
}

#[tokio::test]
async fn the_status_of_an_ingress_is_applied_apart() {
    let api = Api::with_namespace("app").await;
    let base = "/apis/networking.k8s.io/v1/namespaces/app/ingresses";
    let body = r#"{"metadata": {"name": "web"}, "spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}}"#;
    api.post(base, body).await;
    let status = r#"{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web"}, "status": {"loadBalancer": {"ingress": [{"hostname": "lb.example"}]}}}"#;
    let applied = api
        .apply(&format!("{base}/web/status?fieldManager=router&force=true"), status)
        .await
        .json();
    assert_eq!(
        applied["status"],
        json!({"loadBalancer": {"ingress": [{"hostname": "lb.example"}]}})
    );
    let entry = &applied["metadata"]["managedFields"][0];
    assert_eq!(
        (&entry["manager"], &entry["operation"], &entry["subresource"], &entry["fieldsV1"]),
        (
            &json!("router"),
            &json!("Apply"),
            &json!("status"),
            &json!({"f:status": {"f:loadBalancer": {"f:ingress": {}}}})
        )
    );
}

#[tokio::test]
async fn giving_up_the_last_owned_label_leaves_the_object_in_its_place() {
    let api = Api::with_namespace("app").await;
    let labelled = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b", "labels": {"l": "1"}}, "data": {"x": "1"}}"#;
    api.apply(&format!("{MAP}?fieldManager=m1"), labelled).await;
    let bare = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}, "data": {"x": "2"}}"#;
    let answer = api.apply(&format!("{MAP}?fieldManager=m1"), bare).await.json();
    assert_eq!(answer["metadata"]["namespace"], "app");
    assert_eq!(answer["metadata"].get("labels"), None);
    let read = api.get(MAP).await.json();
    assert_eq!((&read["data"], &read["metadata"]), (&json!({"x": "2"}), &answer["metadata"]));
}
