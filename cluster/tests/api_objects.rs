//! Creating, reading, updating and deleting, with the literal requests and answers of a real server.

mod client;

use client::Api;
use serde_json::{Value, json};

const MAPS: &str = "/api/v1/namespaces/smp/configmaps";

async fn with_map() -> Api {
    let api = Api::with_namespace("smp").await;
    let body = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "labels": {"x": "1"}}, "data": {"k": "1"}}"#;
    assert_eq!(api.post(&format!("{MAPS}?fieldManager=t"), body).await.code, 201);
    api
}

fn failure(code: u16, reason: &str, message: &str, details: Value) -> Value {
    let mut status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    if !details.is_null() {
        status["details"] = details;
    }
    status
}

/// Replaces what differs from run to run.
fn steady(mut object: Value) -> Value {
    let metadata = object["metadata"].as_object_mut().expect("metadata");
    for field in ["uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = metadata.get_mut(field) {
            *value = "*".into();
        }
    }
    for entry in
        metadata.get_mut("managedFields").into_iter().flat_map(|m| m.as_array_mut()).flatten()
    {
        entry["time"] = "*".into();
    }
    object
}

#[tokio::test]
async fn a_created_object_has_what_the_server_sets() {
    let api = with_map().await;
    let answer = api.get(&format!("{MAPS}/a")).await;
    assert_eq!(answer.code, 200);
    let object = answer.json();
    assert_eq!(object["metadata"]["uid"].as_str().map(str::len), Some(36));
    assert_eq!(
        steady(object),
        json!({
            "kind": "ConfigMap", "apiVersion": "v1",
            "metadata": {
                "name": "a", "namespace": "smp", "uid": "*", "resourceVersion": "*",
                "creationTimestamp": "*", "labels": {"x": "1"},
                "managedFields": [{
                    "manager": "t", "operation": "Update", "apiVersion": "v1", "time": "*",
                    "fieldsType": "FieldsV1",
                    "fieldsV1": {
                        "f:data": {".": {}, "f:k": {}},
                        "f:metadata": {"f:labels": {".": {}, "f:x": {}}},
                    },
                }],
            },
            "data": {"k": "1"},
        })
    );
}

#[tokio::test]
async fn generate_name_makes_up_a_name() {
    let api = with_map().await;
    let body = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "g-"}}"#;
    let answer = api.post(MAPS, body).await;
    assert_eq!(answer.code, 201);
    let object = answer.json();
    let name = object["metadata"]["name"].as_str().expect("a name");
    assert!(name.starts_with("g-") && name.len() == 7, "{name}");
    assert_eq!(object["metadata"]["generateName"], "g-");
    assert_eq!(
        object["metadata"]["managedFields"][0]["fieldsV1"],
        json!({"f:metadata": {"f:generateName": {}}})
    );
}

#[tokio::test]
async fn creates_that_are_refused() {
    let api = with_map().await;
    let subdomain = "Invalid value: \"A_B\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
    for (path, body, expected) in [
        (
            "/api/v1/namespaces",
            r#"{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "smp"}}"#,
            failure(
                409,
                "AlreadyExists",
                "namespaces \"smp\" already exists",
                json!({"name": "smp", "kind": "namespaces"}),
            ),
        ),
        (
            "/api/v1/namespaces/nope/configmaps",
            r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}"#,
            failure(
                404,
                "NotFound",
                "namespaces \"nope\" not found",
                json!({"name": "nope", "kind": "namespaces"}),
            ),
        ),
        (
            MAPS,
            r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "A_B"}}"#,
            failure(
                422,
                "Invalid",
                &format!("ConfigMap \"A_B\" is invalid: metadata.name: {subdomain}"),
                json!({
                    "name": "A_B", "kind": "ConfigMap",
                    "causes": [{"reason": "FieldValueInvalid", "message": subdomain, "field": "metadata.name"}],
                }),
            ),
        ),
        (
            MAPS,
            r#"{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "z"}}"#,
            failure(
                400,
                "BadRequest",
                "Secret in version \"v1\" cannot be handled as a ConfigMap: converting (v1.Secret) to (core.ConfigMap): unknown conversion",
                Value::Null,
            ),
        ),
        (
            MAPS,
            r#"{"apiVersion": "apps/v1", "kind": "ConfigMap", "metadata": {"name": "z"}}"#,
            failure(
                400,
                "BadRequest",
                "the API version in the data (apps/v1) does not match the expected API version (v1)",
                Value::Null,
            ),
        ),
        (
            "/api/v1/namespaces/smp/configmaps?fieldValidation=Strict",
            r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "z"}, "foo": 1}"#,
            failure(
                400,
                "BadRequest",
                "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \"foo\"",
                Value::Null,
            ),
        ),
        (
            MAPS,
            r#"{"metadata": {"name": "z"}, "data": {"k": 1}}"#,
            failure(
                400,
                "BadRequest",
                "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
                Value::Null,
            ),
        ),
        (
            MAPS,
            r#"{"metadata": {"name": "z", "namespace": "other"}}"#,
            failure(
                400,
                "BadRequest",
                "the namespace of the provided object does not match the namespace sent on the request",
                Value::Null,
            ),
        ),
        (
            "/apis/networking.k8s.io/v1/namespaces/smp/ingresses",
            r#"{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "bad"}, "spec": {"rules": [{"host": "a.example", "http": {"paths": [{"path": "rel", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 0}}}}]}}]}}"#,
            failure(
                422,
                "Invalid",
                "Ingress.networking.k8s.io \"bad\" is invalid: [spec.rules[0].http.paths[0].path: Invalid value: \"rel\": must be an absolute path, spec.rules[0].http.paths[0].backend: Required value: port name or number is required]",
                json!({
                    "name": "bad", "group": "networking.k8s.io", "kind": "Ingress",
                    "causes": [
                        {"reason": "FieldValueInvalid", "message": "Invalid value: \"rel\": must be an absolute path", "field": "spec.rules[0].http.paths[0].path"},
                        {"reason": "FieldValueRequired", "message": "Required value: port name or number is required", "field": "spec.rules[0].http.paths[0].backend"},
                    ],
                }),
            ),
        ),
    ] {
        let answer = api.post(path, body).await;
        assert_eq!(u64::from(answer.code), expected["code"].as_u64().unwrap_or_default(), "{body}");
        assert_eq!(answer.json(), expected, "{body}");
    }
    let answer = api.post(MAPS, "{nope").await;
    assert_eq!((answer.code, answer.json()["reason"].as_str()), (400, Some("BadRequest")));
    let message = answer.json()["message"].as_str().expect("a message").to_owned();
    assert!(
        message.starts_with("the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: "),
        "{message}"
    );
    for (body, text) in [("[]", "array"), ("1", "number"), ("\"a\"", "string"), ("null", "null")] {
        let answer = api.post(MAPS, body).await;
        assert_eq!(answer.code, 400, "{text}");
    }
}

#[tokio::test]
async fn an_unknown_field_is_a_warning_and_a_dry_run_stores_nothing() {
    let api = with_map().await;
    let body = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "z"}, "foo": 1}"#;
    let answer = api.post(&format!("{MAPS}?fieldValidation=Warn&dryRun=All"), body).await;
    assert_eq!(answer.code, 201);
    assert!(
        answer.head.contains("warning: 299 - \"unknown field \\\"foo\\\"\""),
        "{}",
        answer.head
    );
    assert_eq!(
        steady(answer.json()),
        json!({
            "kind": "ConfigMap", "apiVersion": "v1",
            "metadata": {"name": "z", "namespace": "smp", "uid": "*", "creationTimestamp": "*"},
        })
    );
    assert_eq!(api.get(&format!("{MAPS}/z")).await.code, 404);
    let answer = api.post(&format!("{MAPS}?dryRun=Some"), body).await;
    assert_eq!(answer.code, 400);
}

#[tokio::test]
async fn what_is_not_there_or_not_served_is_not_found() {
    let api = with_map().await;
    let answer = api.get(&format!("{MAPS}/none")).await;
    assert_eq!(
        (answer.code, answer.json()),
        (
            404,
            failure(
                404,
                "NotFound",
                "configmaps \"none\" not found",
                json!({"name": "none", "kind": "configmaps"})
            )
        )
    );
    let answer = api.get("/api/v1/nothings").await;
    assert_eq!(
        (answer.code, answer.json()),
        (
            404,
            failure(404, "NotFound", "the server could not find the requested resource", json!({}))
        )
    );
    let answer = api.get("/apis/apps/v1/namespaces/smp/deployments/none").await;
    assert_eq!(
        answer.json(),
        failure(
            404,
            "NotFound",
            "deployments.apps \"none\" not found",
            json!({"name": "none", "group": "apps", "kind": "deployments"})
        )
    );
    for path in [
        "/api/v1/namespaces/smp/pods/a/exec",
        "/api/v1/namespaces/smp/pods/a/attach",
        "/api/v1/persistentvolumes",
        "/apis/storage.k8s.io/v1/storageclasses",
    ] {
        assert_eq!(api.get(path).await.code, 404, "{path}");
    }
    assert_eq!(api.post(&format!("{MAPS}/a"), "{}").await.code, 405);
    assert_eq!(api.send("PUT", MAPS, &["Content-Type: application/json"], "{}").await.code, 405);
    assert_eq!(api.send("DELETE", "/api/v1/namespaces", &[], "").await.code, 405);
    let answer = api.send("GET", MAPS, &["Accept: text/csv"], "").await;
    assert_eq!((answer.code, answer.json()["reason"].as_str()), (406, Some("NotAcceptable")));
}

#[tokio::test]
async fn updates_need_the_current_version_and_a_no_op_keeps_it() {
    let api = with_map().await;
    let path = format!("{MAPS}/a");
    let first = api.get(&path).await.json();
    let mut changed = first.clone();
    changed["data"]["k"] = "2".into();
    let answer = api.put(&path, &changed.to_string()).await;
    assert_eq!(answer.code, 200);
    let second = answer.json();
    assert_ne!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    let owners: Vec<Value> = second["metadata"]["managedFields"]
        .as_array()
        .expect("owners")
        .iter()
        .map(|entry| json!([entry["manager"], entry["fieldsV1"]]))
        .collect();
    assert_eq!(
        owners,
        [
            json!(["t", {"f:data": {}, "f:metadata": {"f:labels": {".": {}, "f:x": {}}}}]),
            json!(["unknown", {"f:data": {"f:k": {}}}]),
        ]
    );

    let stale = "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again";
    let details = json!({"name": "a", "kind": "configmaps"});
    let answer = api.put(&path, &changed.to_string()).await;
    assert_eq!(
        (answer.code, answer.json()),
        (409, failure(409, "Conflict", stale, details.clone()))
    );

    let plain = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "4"}}"#;
    let third = api.put(&path, plain).await.json();
    assert_eq!(third["data"], json!({"k": "4"}));
    assert_eq!(third["metadata"]["labels"], Value::Null);
    assert_eq!(api.put(&path, plain).await.json(), third, "a no-op changes nothing");

    let answer = api
        .put(&path, r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}}"#)
        .await;
    assert_eq!(
        (answer.code, answer.json()),
        (
            400,
            failure(
                400,
                "BadRequest",
                "the name of the object (b) does not match the name on the URL (a)",
                Value::Null
            )
        )
    );
    let answer = api.put(&format!("{MAPS}/new"), r#"{"metadata": {"name": "new"}}"#).await;
    assert_eq!(answer.code, 404);
    let answer = api
        .put(&path, r#"{"metadata": {"name": "a", "uid": "11111111-1111-1111-1111-111111111111"}}"#)
        .await;
    let uid = first["metadata"]["uid"].as_str().expect("a uid");
    let message = format!(
        "Operation cannot be fulfilled on configmaps \"a\": StorageError: invalid object, Code: 4, Key: /registry/configmaps/smp/a, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: 11111111-1111-1111-1111-111111111111, UID in object meta: {uid}"
    );
    assert_eq!(
        (answer.code, answer.json()),
        (409, failure(409, "Conflict", &message, details.clone()))
    );

    let fourth = api.merge(&path, r#"{"data": {"m": "1", "k": null}}"#).await.json();
    assert_eq!(fourth["data"], json!({"m": "1"}));
    let version = first["metadata"]["resourceVersion"].as_str().expect("a version");
    let answer = api
        .merge(
            &path,
            &format!(r#"{{"metadata": {{"resourceVersion": "{version}"}}, "data": {{"m": "2"}}}}"#),
        )
        .await;
    assert_eq!((answer.code, answer.json()), (409, failure(409, "Conflict", stale, details)));
}

#[tokio::test]
async fn the_status_of_an_ingress_is_written_apart_from_its_spec() {
    let api = Api::with_namespace("smp").await;
    let base = "/apis/networking.k8s.io/v1/namespaces/smp/ingresses";
    let body = r#"{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i"}, "spec": {"rules": [{"host": "a.example", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "s", "port": {"number": 80}}}}]}}]}}"#;
    let created = api.post(base, body).await.json();
    assert_eq!(created["metadata"]["generation"], 1);
    assert_eq!(created["status"], json!({"loadBalancer": {}}));
    assert_eq!(
        created["metadata"]["managedFields"][0]["fieldsV1"],
        json!({"f:spec": {"f:rules": {}}})
    );

    let path = format!("{base}/i");
    let answer = api
        .merge(&format!("{path}/status"), r#"{"status": {"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}]}}, "spec": {"ingressClassName": "no"}}"#)
        .await;
    let patched = answer.json();
    assert_eq!(patched["status"], json!({"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}]}}));
    assert_eq!(
        (&patched["metadata"]["generation"], &patched["spec"]),
        (&json!(1), &created["spec"])
    );
    let owner = &patched["metadata"]["managedFields"][1];
    assert_eq!(owner["subresource"], "status");
    assert_eq!(owner["fieldsV1"], json!({"f:status": {"f:loadBalancer": {"f:ingress": {}}}}));

    let answer = api
        .merge(&path, r#"{"spec": {"ingressClassName": "edge"}, "status": {"loadBalancer": {"ingress": [{"ip": "9.9.9.9"}]}}}"#)
        .await;
    let bumped = answer.json();
    assert_eq!(bumped["metadata"]["generation"], 2);
    assert_eq!(bumped["status"], patched["status"]);
    assert_eq!(api.get(&format!("{path}/status")).await.json(), bumped);
}

#[tokio::test]
async fn services_and_secrets_are_filled_in() {
    let api = Api::with_namespace("smp").await;
    let body = r#"{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"selector": {"a": "b"}, "ports": [{"port": 80}]}}"#;
    let service = api.post("/api/v1/namespaces/smp/services", body).await.json();
    assert_eq!(
        service["spec"],
        json!({
            "ports": [{"protocol": "TCP", "port": 80, "targetPort": 80}], "selector": {"a": "b"},
            "type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster",
            "clusterIP": "None", "clusterIPs": ["None"],
        })
    );
    assert_eq!(service["status"], json!({"loadBalancer": {}}));
    assert_eq!(
        service["metadata"]["managedFields"][0]["fieldsV1"],
        json!({"f:spec": {
            "f:internalTrafficPolicy": {},
            "f:ports": {
                ".": {},
                "k:{\"port\":80,\"protocol\":\"TCP\"}": {
                    ".": {}, "f:port": {}, "f:protocol": {}, "f:targetPort": {},
                },
            },
            "f:selector": {}, "f:sessionAffinity": {}, "f:type": {},
        }})
    );
    let body = r#"{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "b"}}"#;
    let secret = api.post("/api/v1/namespaces/smp/secrets", body).await.json();
    assert_eq!((&secret["data"], &secret["type"]), (&json!({"a": "Yg=="}), &json!("Opaque")));
    assert_eq!(secret["stringData"], Value::Null);
}

#[tokio::test]
async fn deletes_answer_and_check_preconditions() {
    let api = with_map().await;
    let path = format!("{MAPS}/a");
    let uid = api.get(&path).await.json()["metadata"]["uid"].as_str().expect("a uid").to_owned();
    let answer = api
        .delete(&path, r#"{"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "11111111-1111-1111-1111-111111111111"}}"#)
        .await;
    let message = format!(
        "Operation cannot be fulfilled on ConfigMap \"a\": the UID in the precondition (11111111-1111-1111-1111-111111111111) does not match the UID in record ({uid}). The object might have been deleted and then recreated"
    );
    assert_eq!(
        (answer.code, answer.json()),
        (409, failure(409, "Conflict", &message, json!({"name": "a", "kind": "ConfigMap"})))
    );
    let answer = api.send("DELETE", &path, &[], "").await;
    assert_eq!(
        (answer.code, answer.json()),
        (
            200,
            json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
                "details": {"name": "a", "kind": "configmaps", "uid": uid},
            })
        )
    );
    assert_eq!(api.get(&path).await.code, 404);
}

#[tokio::test]
async fn an_object_with_a_finalizer_stays_until_it_is_removed() {
    let api = with_map().await;
    let path = format!("{MAPS}/a");
    let held = api.merge(&path, r#"{"metadata": {"finalizers": ["ex.io/f"]}}"#).await.json();
    assert_eq!(
        held["metadata"]["managedFields"][1]["fieldsV1"],
        json!({"f:metadata": {"f:finalizers": {".": {}, "v:\"ex.io/f\"": {}}}})
    );
    let marked = api.send("DELETE", &path, &[], "").await.json();
    assert!(marked["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(marked["metadata"]["deletionGracePeriodSeconds"], 0);
    assert_eq!(api.get(&path).await.json(), marked);
    assert_eq!(api.send("DELETE", &path, &[], "").await.json(), marked, "marked once");
    let answer = api.merge(&path, r#"{"metadata": {"finalizers": ["ex.io/f", "ex.io/g"]}}"#).await;
    assert_eq!(answer.code, 422, "no finalizer can be added any more");
    let last = api.merge(&path, r#"{"metadata": {"finalizers": null}}"#).await;
    assert_eq!(last.code, 200);
    assert_eq!(last.json()["metadata"]["resourceVersion"], marked["metadata"]["resourceVersion"]);
    assert_eq!(api.get(&path).await.code, 404);
}

#[tokio::test]
async fn collections_are_deleted_by_selector() {
    let api = with_map().await;
    for name in ["b", "c"] {
        let body = format!(r#"{{"metadata": {{"name": "{name}", "labels": {{"x": "2"}}}}}}"#);
        api.post(MAPS, &body).await;
    }
    let answer = api.send("DELETE", &format!("{MAPS}?labelSelector=nothing%3D1"), &[], "").await;
    assert_eq!((answer.code, &answer.json()["items"]), (200, &json!([])));
    let answer = api.send("DELETE", &format!("{MAPS}?labelSelector=x%3D2"), &[], "").await;
    assert_eq!(answer.json()["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(api.get(MAPS).await.json()["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_pod_that_runs_is_given_its_grace_period() {
    let api = Api::with_namespace("smp").await;
    let base = "/api/v1/namespaces/smp/pods";
    let body = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"nodeName": "n", "terminationGracePeriodSeconds": 7, "containers": [{"name": "c", "image": "i"}]}}"#;
    let pod = api.post(base, body).await.json();
    assert_eq!(pod["status"], json!({"phase": "Pending", "qosClass": "BestEffort"}));
    assert_eq!(
        pod["spec"],
        json!({
            "nodeName": "n", "terminationGracePeriodSeconds": 7, "restartPolicy": "Always",
            "dnsPolicy": "ClusterFirst", "securityContext": {}, "schedulerName": "default-scheduler",
            "enableServiceLinks": true,
            "containers": [{
                "name": "c", "image": "i", "imagePullPolicy": "Always", "resources": {},
                "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
            }],
        })
    );
    let path = format!("{base}/p");
    let marked = api.delete(&path, "{}").await.json();
    assert_eq!(marked["kind"], "Pod");
    assert_eq!(marked["metadata"]["deletionGracePeriodSeconds"], 7);
    assert_eq!(marked["metadata"]["generation"], 2);
    let shorter = api.delete(&path, r#"{"gracePeriodSeconds": 1}"#).await.json();
    assert_eq!(shorter["metadata"]["deletionGracePeriodSeconds"], 1);
    let longer = api.delete(&path, r#"{"gracePeriodSeconds": 60}"#).await.json();
    assert_eq!(longer["metadata"]["deletionGracePeriodSeconds"], 1);
    let gone = api.delete(&path, r#"{"gracePeriodSeconds": 0}"#).await;
    assert_eq!((gone.code, &gone.json()["kind"]), (200, &json!("Pod")));
    assert_eq!(api.get(&path).await.code, 404);

    // Not yet run anywhere: nothing needs time.
    let body =
        r#"{"metadata": {"name": "q"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}"#;
    api.post(base, body).await;
    api.delete(&format!("{base}/q"), "{}").await;
    assert_eq!(api.get(&format!("{base}/q")).await.code, 404);
}

#[tokio::test]
async fn a_namespace_being_deleted_takes_no_new_objects() {
    let api = with_map().await;
    let answer = api.send("DELETE", "/api/v1/namespaces/smp", &[], "").await;
    let namespace = answer.json();
    assert_eq!(
        (&namespace["status"]["phase"], &namespace["spec"]["finalizers"]),
        (&json!("Terminating"), &json!(["kubernetes"]))
    );
    let answer = api
        .post(MAPS, r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "t"}}"#)
        .await;
    assert_eq!(
        (answer.code, answer.json()),
        (
            403,
            failure(
                403,
                "Forbidden",
                "configmaps \"t\" is forbidden: unable to create new content in namespace smp because it is being terminated",
                json!({
                    "name": "t", "kind": "configmaps",
                    "causes": [{
                        "reason": "NamespaceTerminating", "message": "namespace smp is being terminated",
                        "field": "metadata.namespace",
                    }],
                })
            )
        )
    );
}

#[tokio::test]
async fn yaml_is_taken_too() {
    let api = Api::with_namespace("smp").await;
    let body = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: yaml\ndata:\n  port: \"80\"\n";
    let answer = api.send("POST", MAPS, &["Content-Type: application/yaml"], body).await;
    assert_eq!((answer.code, &answer.json()["data"]), (201, &json!({"port": "80"})));
    let answer = api.send("POST", MAPS, &["Content-Type: application/yaml"], "a: [").await;
    assert_eq!(answer.code, 400);
}

#[tokio::test]
async fn everybody_may_do_everything() {
    let api = Api::start().await;
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let body = r#"{"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}"#;
    let answer = api.post(path, body).await;
    assert_eq!(answer.code, 201);
    let review = answer.json();
    assert_eq!(review["status"], json!({"allowed": true}));
    assert_eq!(
        review["metadata"]["managedFields"][0]["fieldsV1"],
        json!({"f:spec": {"f:resourceAttributes": {".": {}, "f:resource": {}, "f:verb": {}}}})
    );
    assert_eq!(api.get(path).await.code, 405, "nothing is kept");
}

#[tokio::test]
async fn protobuf_is_spoken_for_a_few_kinds_only() {
    let api = with_map().await;
    let accept = "Accept: application/vnd.kubernetes.protobuf,application/json";
    let map = api.send("GET", &format!("{MAPS}/a"), &[accept], "").await;
    assert!(map.head.contains("content-type: application/vnd.kubernetes.protobuf"), "{}", map.head);
    assert!(map.text.starts_with("k8s\0"), "{:?}", map.text);
    let pods = api.send("GET", "/api/v1/namespaces/smp/pods", &[accept], "").await;
    assert!(pods.head.contains("content-type: application/json"), "{}", pods.head);
    let only = "Accept: application/vnd.kubernetes.protobuf";
    assert_eq!(api.send("GET", "/api/v1/namespaces/smp/pods", &[only], "").await.code, 406);
    let body = "Content-Type: application/vnd.kubernetes.protobuf";
    assert_eq!(api.send("POST", "/api/v1/namespaces/smp/pods", &[body], "k8s\0").await.code, 415);
    let answer = api.send("POST", MAPS, &[body], "{}").await;
    assert_eq!((answer.code, answer.json()["reason"].as_str()), (400, Some("BadRequest")));
    let written = "k8s\0\x0a\x0f\x0a\x02v1\x12\x09ConfigMap\x12\x05\x0a\x03\x0a\x01p";
    let answer = api.send("POST", MAPS, &[body, "Accept: application/json"], written).await;
    assert_eq!((answer.code, answer.json()["metadata"]["name"].as_str()), (201, Some("p")));
}

#[tokio::test]
async fn events_have_a_second_name() {
    let api = Api::with_namespace("smp").await;
    let (events, core) =
        ("/apis/events.k8s.io/v1/namespaces/smp/events", "/api/v1/namespaces/smp/events");
    let body = r#"{"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "e"}, "regarding": {"kind": "Pod", "name": "p", "namespace": "smp"}, "note": "n", "reason": "R", "type": "Normal", "reportingController": "c", "reportingInstance": "i", "action": "A", "eventTime": "2026-01-01T00:00:00.000000Z"}"#;
    let created = api.post(events, body).await;
    assert_eq!(created.code, 201);
    let event = created.json();
    assert_eq!(
        (&event["apiVersion"], &event["note"], &event["regarding"]["name"]),
        (&json!("events.k8s.io/v1"), &json!("n"), &json!("p"))
    );
    let kept = api.get(&format!("{core}/e")).await.json();
    assert_eq!(
        (&kept["apiVersion"], &kept["message"], &kept["involvedObject"]["name"]),
        (&json!("v1"), &json!("n"), &json!("p"))
    );
    assert_eq!(kept["metadata"]["uid"], event["metadata"]["uid"]);
    let list = api.get(&format!("{events}?fieldSelector=regarding.name%3Dp")).await.json();
    assert_eq!(
        (&list["apiVersion"], &list["items"][0]["note"]),
        (&json!("events.k8s.io/v1"), &json!("n"))
    );
    let series = r#"{"series": {"count": 2, "lastObservedTime": "2026-01-01T00:00:01.000000Z"}, "note": "again"}"#;
    let patched = api.merge(&format!("{events}/e"), series).await.json();
    assert_eq!((&patched["note"], &patched["series"]["count"]), (&json!("again"), &json!(2)));
    assert_eq!(api.get(&format!("{core}/e")).await.json()["message"], "again");
    let watched = api.get(&format!("{events}?watch=1&timeoutSeconds=1")).await;
    let line: Value =
        serde_json::from_str(watched.text.lines().next().expect("a line")).expect("JSON");
    assert_eq!(
        (&line["object"]["apiVersion"], &line["object"]["note"]),
        (&json!("events.k8s.io/v1"), &json!("again"))
    );
    assert_eq!(api.apply(&format!("{events}/e?fieldManager=m"), body).await.code, 415);
    assert_eq!(api.send("DELETE", &format!("{events}/e"), &[], "").await.code, 200);
    assert_eq!(api.get(&format!("{core}/e")).await.code, 404);
}

#[tokio::test]
async fn a_sub_path_stays_within_its_volume() {
    let api = Api::with_namespace("smp").await;
    for (path, expected) in [
        ("a/b", None),
        ("a..b", None),
        ("../x", Some("must not contain '..'")),
        ("a/../x", Some("must not contain '..'")),
        ("/x", Some("must be a relative path")),
    ] {
        let body = json!({
            "metadata": {"generateName": "p-"},
            "spec": {
                "volumes": [{"name": "v", "emptyDir": {}}],
                "containers": [{
                    "name": "c", "image": "i",
                    "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": path}],
                }],
            },
        });
        let answer = api.post("/api/v1/namespaces/smp/pods", &body.to_string()).await;
        let Some(why) = expected else {
            assert_eq!(answer.code, 201, "{path}");
            continue;
        };
        assert_eq!(
            (answer.code, &answer.json()["details"]["causes"]),
            (
                422,
                &json!([{
                    "reason": "FieldValueInvalid", "field": "spec.containers[0].volumeMounts[0].subPath",
                    "message": format!("Invalid value: {path:?}: {why}"),
                }])
            )
        );
    }
}
