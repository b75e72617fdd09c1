//! Custom kinds: what a CustomResourceDefinition makes, over HTTP.

mod client;

use client::Api;
use serde_json::{Value, json};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const FOOS: &str = "/apis/ex.io/v1/namespaces/smp/foos";

/// A definition of `foos.ex.io` with a schema for `spec`.
fn definition(spec: &Value) -> Value {
    json!({
        "metadata": {"name": "foos.ex.io"},
        "spec": {
            "group": "ex.io", "scope": "Namespaced",
            "names": {"plural": "foos", "kind": "Foo", "shortNames": ["fo"], "categories": ["all"]},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": spec,
                    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                }}},
            }],
        },
    })
}

fn size() -> Value {
    json!({"type": "object", "required": ["size"], "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 9},
        "color": {"type": "string", "enum": ["red", "blue"], "default": "red"},
        "ports": {
            "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
            "items": {"type": "object", "required": ["name"], "properties": {
                "name": {"type": "string"}, "port": {"x-kubernetes-int-or-string": true},
            }},
        },
    }})
}

async fn define(api: &Api, definition: &Value) {
    let answer = api.post(DEFINITIONS, &definition.to_string()).await;
    assert_eq!(answer.code, 201, "{}", answer.text);
}

async fn with(definition: &Value) -> Api {
    let api = Api::with_namespace("smp").await;
    define(&api, definition).await;
    api
}

fn foo(name: &str, spec: &Value) -> String {
    json!({"apiVersion": "ex.io/v1", "kind": "Foo", "metadata": {"name": name}, "spec": spec})
        .to_string()
}

fn conditions(definition: &Value) -> Vec<String> {
    let list = definition["status"]["conditions"].as_array().expect("conditions").iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    list.map(|c| format!("{} {} {}", text(&c["type"]), text(&c["status"]), text(&c["reason"])))
        .collect()
}

#[tokio::test]
async fn objects_are_filled_in_pruned_and_checked() {
    let api = with(&definition(&size())).await;
    let made = api.post(FOOS, &foo("a", &json!({"size": 3, "junk": {"x": 1}}))).await;
    assert_eq!(made.code, 201, "{}", made.text);
    assert_eq!(made.json()["spec"], json!({"size": 3, "color": "red"}));
    assert!(made.head.contains(r#"warning: 299 - "unknown field \"spec.junk\"""#), "{}", made.head);
    let strict = api
        .post(&format!("{FOOS}?fieldValidation=Strict"), &foo("b", &json!({"size": 3, "junk": 1})))
        .await;
    assert_eq!(
        (strict.code, &strict.json()["message"]),
        (
            400,
            &json!(
                "Foo in version \"v1\" cannot be handled as a Foo: strict decoding error: unknown field \"spec.junk\""
            )
        )
    );
    let refused = api
        .post(
            FOOS,
            &foo(
                "b",
                &json!({"color": "green", "ports": [{"name": "a", "port": true}, {"name": "a"}]}),
            ),
        )
        .await;
    assert_eq!(refused.code, 422);
    assert_eq!(
        refused.json()["details"]["causes"],
        json!([
            {"reason": "FieldValueRequired", "message": "Required value", "field": "spec.size"},
            {
                "reason": "FieldValueNotSupported", "field": "spec.color",
                "message": "Unsupported value: \"green\": supported values: \"red\", \"blue\"",
            },
            {
                "reason": "FieldValueDuplicate", "field": "spec.ports[1]",
                "message": "Duplicate value: {\"name\":\"a\"}",
            },
            {
                "reason": "FieldValueTypeInvalid", "field": "spec.ports[0].port",
                "message": "Invalid value: \"boolean\": spec.ports[0].port in body must be of type integer,string: \"boolean\"",
            },
        ])
    );
    let named = api.post(FOOS, &foo("Not_A_Name", &json!({"size": 3}))).await;
    assert_eq!(
        (named.code, &named.json()["details"]["causes"][0]["field"]),
        (422, &json!("metadata.name"))
    );
}

#[tokio::test]
async fn patches_and_applies_follow_the_schema() {
    let api = with(&definition(&size())).await;
    let one = json!({"size": 3, "ports": [{"name": "a", "port": 1}]});
    let path = format!("{FOOS}/a");
    let applied = api.apply(&format!("{path}?fieldManager=one"), &foo("a", &one)).await;
    assert_eq!(applied.code, 201, "{}", applied.text);
    let two = json!({"size": 3, "ports": [{"name": "b", "port": "http"}]});
    let merged = api.apply(&format!("{path}?fieldManager=two"), &foo("a", &two)).await.json();
    assert_eq!(
        merged["spec"],
        json!({
            "size": 3, "color": "red",
            "ports": [{"name": "a", "port": 1}, {"name": "b", "port": "http"}],
        })
    );
    let owned = |manager: &str| {
        let owners = merged["metadata"]["managedFields"].as_array().expect("owners");
        let owner = owners.iter().find(|owner| owner["manager"] == manager).expect("an owner");
        owner["fieldsV1"].clone()
    };
    assert_eq!(
        owned("two"),
        json!({"f:spec": {
            "f:size": {}, "f:ports": {"k:{\"name\":\"b\"}": {".": {}, "f:name": {}, "f:port": {}}},
        }})
    );
    let bigger = foo("a", &json!({"size": 4}));
    assert_eq!(api.apply(&format!("{path}?fieldManager=two"), &bigger).await.code, 409);

    let merge = api.merge(&path, r#"{"spec": {"color": "blue", "ports": null}}"#).await.json();
    assert_eq!(merge["spec"], json!({"size": 3, "color": "blue"}));
    let patch = r#"[{"op": "replace", "path": "/spec/size", "value": 5}]"#;
    let json_patch = "Content-Type: application/json-patch+json";
    let patched = api.send("PATCH", &path, &[json_patch], patch).await.json();
    assert_eq!(patched["spec"], json!({"size": 5, "color": "blue"}));
    let wrong = r#"[{"op": "replace", "path": "/spec/size", "value": 50}]"#;
    assert_eq!(api.send("PATCH", &path, &[json_patch], wrong).await.code, 422);
    let strategic = "Content-Type: application/strategic-merge-patch+json";
    assert_eq!(api.send("PATCH", &path, &[strategic], "{}").await.code, 415);
}

#[tokio::test]
async fn what_is_unknown_is_owned_key_by_key_where_it_is_kept() {
    let free = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let api = with(&definition(&free)).await;
    let made = api.post(FOOS, &foo("a", &json!({"x": {"y": 1}, "list": [{"z": 1}]}))).await.json();
    assert_eq!(made["spec"], json!({"x": {"y": 1}, "list": [{"z": 1}]}));
    assert_eq!(
        made["metadata"]["managedFields"][0]["fieldsV1"],
        json!({"f:spec": {".": {}, "f:list": {}, "f:x": {".": {}, "f:y": {}}}})
    );
}

#[tokio::test]
async fn status_and_scale_are_written_apart_where_they_are_declared() {
    let mut with_parts = definition(&json!({"type": "object", "properties": {
        "n": {"type": "integer"}, "x": {"type": "integer"},
    }}));
    with_parts["spec"]["versions"][0]["subresources"] = json!({
        "status": {},
        "scale": {
            "specReplicasPath": ".spec.n", "statusReplicasPath": ".status.n", "labelSelectorPath": ".status.selector",
        },
    });
    let api = with(&with_parts).await;
    let body = json!({
        "apiVersion": "ex.io/v1", "kind": "Foo", "metadata": {"name": "a"},
        "spec": {"n": 1}, "status": {"n": 9},
    });
    let made = api.post(FOOS, &body.to_string()).await.json();
    assert_eq!((&made["status"], &made["metadata"]["generation"]), (&Value::Null, &json!(1)));
    let (path, status) = (format!("{FOOS}/a"), format!("{FOOS}/a/status"));
    let change = r#"{"spec": {"n": 7}, "status": {"n": 2, "selector": "app=a"}, "metadata": {"labels": {"x": "1"}}}"#;
    let written = api.merge(&status, change).await.json();
    assert_eq!(
        (&written["spec"], &written["status"], &written["metadata"]["labels"]),
        (&json!({"n": 1}), &json!({"n": 2, "selector": "app=a"}), &Value::Null)
    );
    assert_eq!(written["metadata"]["generation"], 1);
    let changed = api.merge(&path, r#"{"spec": {"x": 1}, "status": {"n": 5}}"#).await.json();
    assert_eq!(
        (&changed["status"]["n"], &changed["metadata"]["generation"]),
        (&json!(2), &json!(2))
    );
    let scale = api.get(&format!("{path}/scale")).await.json();
    assert_eq!(
        (&scale["kind"], &scale["spec"], &scale["status"]),
        (&json!("Scale"), &json!({"replicas": 1}), &json!({"replicas": 2, "selector": "app=a"}))
    );
    let scaled = api.merge(&format!("{path}/scale"), r#"{"spec": {"replicas": 4}}"#).await;
    assert_eq!((scaled.code, &scaled.json()["spec"]["replicas"]), (200, &json!(4)));
    assert_eq!(api.get(&path).await.json()["spec"], json!({"n": 4, "x": 1}));
    api.merge(&path, r#"{"spec": {"n": null}}"#).await;
    let scale = api.get(&format!("{path}/scale")).await;
    assert_eq!(
        (scale.code, &scale.json()["message"]),
        (
            500,
            &json!("Internal error occurred: the spec replicas field \".spec.n\" does not exist")
        )
    );

    // Where they are not declared, there are none, and status is a field like any other.
    let api = with(&definition(&json!({"type": "object"}))).await;
    let made = api.post(FOOS, &body.to_string()).await.json();
    assert_eq!(made["status"], json!({"n": 9}));
    for part in ["status", "scale"] {
        assert_eq!(api.get(&format!("{path}/{part}")).await.code, 404, "{part}");
    }
    let changed = api.merge(&path, r#"{"status": {"n": 5}}"#).await.json();
    assert_eq!(changed["metadata"]["generation"], 2);
}

#[tokio::test]
async fn columns_are_those_of_the_definition() {
    let mut with_columns = definition(&size());
    with_columns["spec"]["versions"][0]["additionalPrinterColumns"] = json!([
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
        {"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"},
    ]);
    let api = with(&with_columns).await;
    api.post(FOOS, &foo("a", &json!({"size": 3}))).await;
    let status = r#"{"status": {"conditions": [{"type": "Ready", "status": "True"}]}}"#;
    api.merge(&format!("{FOOS}/a"), status).await;
    let accept = "Accept: application/json;as=Table;v=v1;g=meta.k8s.io";
    let table = api.send("GET", FOOS, &[accept], "").await.json();
    let names: Vec<&Value> = table["columnDefinitions"]
        .as_array()
        .expect("columns")
        .iter()
        .map(|column| &column["name"])
        .collect();
    assert_eq!(names, ["Name", "Size", "Ready"]);
    assert_eq!(table["rows"][0]["cells"], json!(["a", 3, "True"]));
}

#[tokio::test]
async fn fields_select_where_the_definition_says_so() {
    let mut selectable = definition(&size());
    selectable["spec"]["versions"][0]["selectableFields"] = json!([{"jsonPath": ".spec.color"}]);
    let api = with(&selectable).await;
    for (name, color) in [("a", "red"), ("b", "blue")] {
        api.post(FOOS, &foo(name, &json!({"size": 1, "color": color}))).await;
    }
    let found = api.get(&format!("{FOOS}?fieldSelector=spec.color%3Dblue")).await.json();
    let names: Vec<&Value> =
        found["items"].as_array().expect("items").iter().map(|i| &i["metadata"]["name"]).collect();
    assert_eq!(names, ["b"]);
    assert_eq!(api.get(&format!("{FOOS}?fieldSelector=spec.size%3D1")).await.code, 400);
}

#[tokio::test]
async fn discovery_and_openapi_tell_of_custom_kinds_while_they_are_defined() {
    let api = Api::with_namespace("smp").await;
    let before = api.get("/openapi/v3").await.json();
    define(&api, &definition(&size())).await;
    let groups = api.get("/apis").await.json();
    let group = |groups: &Value| {
        let groups = groups["groups"].as_array().expect("groups");
        groups.iter().find(|group| group["name"] == "ex.io").cloned()
    };
    assert_eq!(
        group(&groups),
        Some(json!({
            "name": "ex.io", "versions": [{"groupVersion": "ex.io/v1", "version": "v1"}],
            "preferredVersion": {"groupVersion": "ex.io/v1", "version": "v1"},
        }))
    );
    let resources = api.get("/apis/ex.io/v1").await.json();
    assert_eq!(
        resources["resources"],
        json!([{
            "name": "foos", "singularName": "foo", "namespaced": true, "kind": "Foo",
            "shortNames": ["fo"], "categories": ["all"],
            "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        }])
    );
    let accept = "Accept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let aggregated = api.send("GET", "/apis", &[accept], "").await.json();
    let items = aggregated["items"].as_array().expect("groups");
    let own = items.iter().find(|group| group["metadata"]["name"] == "ex.io").expect("the group");
    assert_eq!(
        own["versions"][0]["resources"][0]["responseKind"],
        json!({"group": "ex.io", "version": "v1", "kind": "Foo"})
    );
    let root = api.get("/openapi/v3").await.json();
    let address = root["paths"]["apis/ex.io/v1"]["serverRelativeURL"].as_str().expect("an address");
    let document = api.get(address).await.json();
    let patch = &document["paths"]["/apis/ex.io/v1/namespaces/{namespace}/foos/{name}"]["patch"];
    assert!(
        patch["parameters"]
            .as_array()
            .expect("parameters")
            .iter()
            .any(|parameter| parameter["name"] == "fieldValidation")
    );
    let foo = &document["components"]["schemas"]["io.ex.v1.Foo"];
    assert_eq!(foo["properties"]["spec"]["properties"]["size"]["maximum"], 9);
    assert_eq!(
        foo["x-kubernetes-group-version-kind"],
        json!([{"group": "ex.io", "version": "v1", "kind": "Foo"}])
    );
    let metadata = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
    assert!(
        document["components"]["schemas"][metadata].is_object(),
        "what is referred to is there"
    );
    // Nothing else has changed.
    let mut others = root;
    others["paths"].as_object_mut().expect("paths").remove("apis/ex.io/v1");
    assert_eq!(others, before);
    let dry = definition(&size()).to_string().replace("foos", "bars").replace("Foo", "Bar");
    assert_eq!(api.post(&format!("{DEFINITIONS}?dryRun=All"), &dry).await.code, 201);
    assert_eq!(api.get("/apis/ex.io/v1/bars").await.code, 404);
}

#[tokio::test]
async fn versions_show_the_same_objects() {
    let mut two = definition(&size());
    let mut newer = two["spec"]["versions"][0].clone();
    newer["name"] = "v2beta1".into();
    newer["storage"] = false.into();
    newer["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["size"]["maximum"] =
        json!(99);
    let mut hidden = newer.clone();
    hidden["name"] = "v0".into();
    hidden["served"] = false.into();
    two["spec"]["versions"] = json!([newer, hidden, two["spec"]["versions"][0]]);
    let api = with(&two).await;
    let newer = "/apis/ex.io/v2beta1/namespaces/smp/foos";
    assert_eq!(api.get("/apis/ex.io/v0/namespaces/smp/foos").await.code, 404);
    let versions = api.get("/apis/ex.io").await.json()["versions"].clone();
    let names: Vec<&Value> =
        versions.as_array().expect("versions").iter().map(|version| &version["version"]).collect();
    assert_eq!(names, ["v1", "v2beta1"], "the best first");

    let made = api.post(FOOS, &foo("a", &json!({"size": 3}))).await.json();
    let shown = api.get(&format!("{newer}/a")).await.json();
    assert_eq!(shown["apiVersion"], "ex.io/v2beta1");
    assert_eq!(shown["metadata"]["uid"], made["metadata"]["uid"]);
    let list = api.get(newer).await.json();
    assert_eq!(
        (&list["apiVersion"], &list["items"][0]["apiVersion"]),
        (&json!("ex.io/v2beta1"), &json!("ex.io/v2beta1"))
    );
    let same = api.put(&format!("{newer}/a"), &shown.to_string()).await.json();
    assert_eq!(
        same["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"],
        "nothing changed"
    );
    // Each version has rules of its own.
    let grown = r#"{"spec": {"size": 50}}"#;
    assert_eq!(api.merge(&format!("{FOOS}/a"), grown).await.code, 422);
    assert_eq!(api.merge(&format!("{newer}/a"), grown).await.code, 200);
    assert_eq!(api.get(&format!("{FOOS}/a")).await.json()["spec"]["size"], 50);
    // What was valid in the other version can still be changed elsewhere.
    assert_eq!(api.merge(&format!("{FOOS}/a"), r#"{"spec": {"color": "blue"}}"#).await.code, 200);
    let watched = api.get(&format!("{newer}?watch=1&timeoutSeconds=1")).await;
    let line: Value =
        serde_json::from_str(watched.text.lines().next().expect("a line")).expect("JSON");
    assert_eq!(line["object"]["apiVersion"], "ex.io/v2beta1");
}

#[tokio::test]
async fn a_changed_definition_holds_for_what_is_written_from_then_on() {
    let api = with(&definition(&size())).await;
    api.post(FOOS, &foo("a", &json!({"size": 3}))).await;
    let path = format!("{DEFINITIONS}/foos.ex.io");
    let patch = r#"[{"op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/size/maximum", "value": 99},
        {"op": "add", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/new", "value": {"type": "string", "default": "x"}}]"#;
    let changed =
        api.send("PATCH", &path, &["Content-Type: application/json-patch+json"], patch).await;
    assert_eq!((changed.code, &changed.json()["metadata"]["generation"]), (200, &json!(2)));
    assert_eq!(api.get(&format!("{FOOS}/a")).await.json()["spec"]["size"], 3, "objects stay");
    let grown = api.merge(&format!("{FOOS}/a"), r#"{"spec": {"size": 50}}"#).await.json();
    assert_eq!(grown["spec"], json!({"size": 50, "color": "red", "new": "x"}));
    for (patch, field) in [
        (r#"{"spec": {"scope": "Cluster"}}"#, "spec.scope"),
        (r#"{"spec": {"names": {"kind": "Other"}}}"#, "spec.names.kind"),
    ] {
        let refused = api.merge(&path, patch).await;
        assert_eq!(
            (refused.code, &refused.json()["details"]["causes"][0]["field"]),
            (422, &json!(field))
        );
    }
}

#[tokio::test]
async fn names_that_are_taken_are_not_accepted() {
    let api = with(&definition(&size())).await;
    let mut other = definition(&size());
    other["metadata"]["name"] = "bars.ex.io".into();
    other["spec"]["names"] = json!({"plural": "bars", "kind": "Foo"});
    define(&api, &other).await;
    let kept = api.get(&format!("{DEFINITIONS}/bars.ex.io")).await.json();
    assert_eq!(
        conditions(&kept),
        ["NamesAccepted False ListKindConflict", "Established False NotAccepted"]
    );
    assert_eq!(api.get("/apis/ex.io/v1/bars").await.code, 404);
    let renamed = api
        .merge(
            &format!("{DEFINITIONS}/bars.ex.io"),
            r#"{"spec": {"names": {"kind": "Bar", "singular": "bar", "listKind": "BarList"}}}"#,
        )
        .await;
    assert_eq!(renamed.code, 200, "{}", renamed.text);
    let kept = api.get(&format!("{DEFINITIONS}/bars.ex.io")).await.json();
    assert_eq!(
        conditions(&kept),
        ["NamesAccepted True NoConflicts", "Established True InitialNamesAccepted"]
    );
    assert_eq!(api.get("/apis/ex.io/v1/bars").await.code, 200);
}

#[tokio::test]
async fn definitions_that_make_no_sense_are_refused() {
    let api = Api::start().await;
    let schema = "/spec/versions/0/schema/openAPIV3Schema";
    for (pointer, value, field, message) in [
        (
            "/metadata/name",
            json!("foo.ex.io"),
            "metadata.name",
            "must be spec.names.plural+\".\"+spec.group",
        ),
        ("/spec/group", json!("ex"), "spec.group", "should be a domain with at least one dot"),
        (
            "/spec/scope",
            json!("Local"),
            "spec.scope",
            "supported values: \"Cluster\", \"Namespaced\"",
        ),
        ("/spec/names/kind", json!("No Kind"), "spec.names.kind", "may have mixed case"),
        (
            "/spec/versions/0/storage",
            json!(false),
            "spec.versions",
            "must have exactly one version marked as storage version",
        ),
        (
            "/spec/versions/0/schema",
            json!({}),
            "spec.versions[0].schema.openAPIV3Schema",
            "schemas are required",
        ),
        (
            "/spec/conversion",
            json!({"strategy": "Webhook"}),
            "spec.conversion.strategy",
            "Unsupported value: \"Webhook\": supported values: \"None\"",
        ),
        (
            "/spec/versions/0/additionalPrinterColumns",
            json!([{"name": "X", "type": "string", "jsonPath": "spec"}]),
            "spec.versions[0].additionalPrinterColumns[0].jsonPath",
            "expected '.' or '['",
        ),
        (
            "/spec/versions/0/subresources",
            json!({"scale": {"specReplicasPath": ".status.n", "statusReplicasPath": ".status.n"}}),
            "spec.versions[0].subresources.scale.specReplicasPath",
            "should be a json path under .spec",
        ),
        (
            schema,
            json!({"type": "string"}),
            "spec.versions[0].schema.openAPIV3Schema.type",
            "must be object at the root",
        ),
        (
            schema,
            json!({"type": "object", "properties": {"spec": {"properties": {"a": {"type": "string"}}}}}),
            "spec.versions[0].schema.openAPIV3Schema.properties[spec].type",
            "must not be empty for specified object fields",
        ),
        (
            schema,
            json!({"type": "object", "properties": {"spec": {"type": "array", "items": {}}}}),
            "spec.versions[0].schema.openAPIV3Schema.properties[spec].items.type",
            "must not be empty for specified array items",
        ),
        (
            schema,
            json!({"type": "object", "properties": {"spec": {"type": "array"}}}),
            "spec.versions[0].schema.openAPIV3Schema.properties[spec].items",
            "must be specified",
        ),
        (
            schema,
            json!({"type": "object", "properties": {"spec": {"type": "string", "pattern": "("}}}),
            "spec.versions[0].schema.openAPIV3Schema.properties[spec].pattern",
            "must be a valid regular expression, but isn't",
        ),
        (
            schema,
            json!({"type": "object", "properties": {"spec": {"type": "integer", "minimum": 5, "default": 1}}}),
            "spec.versions[0].schema.openAPIV3Schema.properties[spec].default",
            "should be greater than or equal to 5",
        ),
        (
            schema,
            json!({"type": "object", "properties": {"spec": {"type": "object", "default": {"x": 1}}}}),
            "spec.versions[0].schema.openAPIV3Schema.properties[spec].default",
            "must not have unknown fields: x",
        ),
        (
            schema,
            json!({"type": "object", "properties": {"spec": {"type": "integer", "anyOf": [{"type": "integer"}]}}}),
            "spec.versions[0].schema.openAPIV3Schema.properties[spec].anyOf[0].type",
            "must be empty to be structural",
        ),
        (
            schema,
            json!({"type": "object", "properties": {"spec": {
                "type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"},
            }}}),
            "spec.versions[0].schema.openAPIV3Schema.properties[spec].additionalProperties",
            "additionalProperties and properties are mutual exclusive",
        ),
        (
            schema,
            json!({"type": "object", "properties": {"spec": {
                "type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "map",
            }}}),
            "spec.versions[0].schema.openAPIV3Schema.properties[spec].x-kubernetes-list-map-keys",
            "must not be empty if x-kubernetes-list-type is map",
        ),
    ] {
        let mut bad = definition(&size());
        let (above, last) = pointer.rsplit_once('/').expect("a pointer");
        bad.pointer_mut(above).expect("it is there")[last] = value.clone();
        let answer = api.post(DEFINITIONS, &bad.to_string()).await;
        assert_eq!(answer.code, 422, "{pointer} {value}: {}", answer.text);
        let causes = answer.json()["details"]["causes"].clone();
        let found = causes.as_array().expect("causes").iter().any(|cause| {
            cause["field"] == field
                && cause["message"].as_str().is_some_and(|m| m.contains(message))
        });
        assert!(found, "{pointer} {value}: {causes}");
    }
    // What generators write beside the extension is no mistake.
    let int_or_string = json!({
        "x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}],
    });
    define(&api, &definition(&int_or_string)).await;
    let mut protected = definition(&size());
    protected["metadata"]["name"] = "foos.ex.k8s.io".into();
    protected["spec"]["group"] = "ex.k8s.io".into();
    let answer = api.post(DEFINITIONS, &protected.to_string()).await;
    assert_eq!(
        (answer.code, &answer.json()["details"]["causes"][0]["field"]),
        (422, &json!("metadata.annotations[api-approved.kubernetes.io]"))
    );
}

mod in_a_cluster {
    use std::time::Duration;

    use fairlead_cluster::{
        Cluster, ClusterOptions, DeleteOptions, EventType, Kind, Registry, Selector, Watch,
        WriteOptions, kinds,
    };
    use serde_json::{Value, json};
    use tokio::time::timeout;

    use super::{definition, size};

    const PATIENCE: Duration = Duration::from_secs(10);

    async fn cluster() -> (Cluster, Registry, WriteOptions, &'static Kind) {
        let cluster = Cluster::start(ClusterOptions::default()).await.expect("a loopback port");
        let (registry, options) = (cluster.registry().clone(), WriteOptions::by("tester"));
        registry
            .create(&kinds::CUSTOM_RESOURCE_DEFINITION, None, definition(&size()), &options)
            .expect("defined");
        let kind = registry.served().of("ex.io/v1", "Foo").expect("served");
        (cluster, registry, options, kind)
    }

    fn foo(name: &str, finalizers: &Value) -> Value {
        json!({"metadata": {"name": name, "finalizers": finalizers}, "spec": {"size": 1}})
    }

    async fn until_deleted(watch: &mut Watch, name: &str) {
        loop {
            let event = timeout(PATIENCE, watch.next()).await.expect("in time").expect("an event");
            if event.event == EventType::Deleted && event.object["metadata"]["name"] == name {
                return;
            }
        }
    }

    #[tokio::test]
    async fn deleting_a_definition_deletes_its_objects_first() {
        let (cluster, registry, options, kind) = cluster().await;
        for (name, finalizers) in [("a", json!([])), ("held", json!(["ex.io/f"]))] {
            registry.create(kind, Some("default"), foo(name, &finalizers), &options).expect("made");
        }
        let everything = Selector::everything();
        let mut foos = registry.list_watch(kind, None, &everything);
        let definitions = &kinds::CUSTOM_RESOURCE_DEFINITION;
        let mut defined = registry.list_watch(definitions, None, &everything);
        registry
            .delete(definitions, None, "foos.ex.io", &DeleteOptions::default(), &options)
            .expect("marked");
        until_deleted(&mut foos, "a").await;
        let refused = registry.create(kind, Some("default"), foo("b", &json!([])), &options);
        assert_eq!(
            refused.expect_err("nothing new").to_string(),
            "create not allowed while custom resource definition is terminating"
        );
        assert!(registry.get(definitions, None, "foos.ex.io").is_ok(), "held by an object");
        registry
            .modify(kind, Some("default"), "held", None, &options, |object| {
                object["metadata"]["finalizers"] = json!([]);
                Ok(())
            })
            .expect("let go");
        until_deleted(&mut foos, "held").await;
        until_deleted(&mut defined, "foos.ex.io").await;
        let ended = timeout(PATIENCE, foos.next()).await.expect("in time");
        assert_eq!(ended.expect_err("the kind is gone").code, 404);
        assert!(registry.served().of("ex.io/v1", "Foo").is_none());
        // The same again, without what was there.
        registry.create(definitions, None, definition(&size()), &options).expect("defined again");
        let kind = registry.served().of("ex.io/v1", "Foo").expect("served");
        assert!(registry.list(kind, None, &everything).items.is_empty());
        cluster.shutdown().await;
    }

    #[tokio::test]
    async fn custom_objects_own_are_owned_and_go_with_their_namespace() {
        let (cluster, registry, options, kind) = cluster().await;
        let everything = Selector::everything();
        let owner = registry
            .create(kind, Some("default"), foo("owner", &json!([])), &options)
            .expect("made");
        let owned = |owner: &Value, name: &str| {
            json!({"metadata": {"name": name, "ownerReferences": [{
                "apiVersion": owner["apiVersion"], "kind": owner["kind"],
                "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"],
            }]}, "spec": {"size": 1}})
        };
        let map = owned(&owner, "map");
        let map =
            registry.create(&kinds::CONFIG_MAP, Some("default"), map, &options).expect("made");
        registry.create(kind, Some("default"), owned(&map, "leaf"), &options).expect("made");
        let mut maps = registry.list_watch(&kinds::CONFIG_MAP, Some("default"), &everything);
        let mut foos = registry.list_watch(kind, Some("default"), &everything);
        registry
            .delete(kind, Some("default"), "owner", &DeleteOptions::default(), &options)
            .expect("deleted");
        until_deleted(&mut maps, "map").await;
        until_deleted(&mut foos, "leaf").await;

        let namespace = json!({"metadata": {"name": "tmp"}});
        registry.create(&kinds::NAMESPACE, None, namespace, &options).expect("made");
        registry.create(kind, Some("tmp"), foo("a", &json!([])), &options).expect("made");
        let mut foos = registry.list_watch(kind, Some("tmp"), &everything);
        registry
            .delete(&kinds::NAMESPACE, None, "tmp", &DeleteOptions::default(), &options)
            .expect("marked");
        until_deleted(&mut foos, "a").await;
        cluster.shutdown().await;
    }

    #[tokio::test]
    async fn what_objects_of_a_kind_owned_goes_when_the_kind_goes() {
        let (cluster, registry, options, kind) = cluster().await;
        let owner = registry
            .create(kind, Some("default"), foo("owner", &json!([])), &options)
            .expect("made");
        let map = json!({"metadata": {"name": "map", "ownerReferences": [{
            "apiVersion": "ex.io/v1", "kind": "Foo", "name": "owner", "uid": owner["metadata"]["uid"],
        }]}});
        registry.create(&kinds::CONFIG_MAP, Some("default"), map, &options).expect("made");
        let everything = Selector::everything();
        let mut maps = registry.list_watch(&kinds::CONFIG_MAP, Some("default"), &everything);
        let definitions = &kinds::CUSTOM_RESOURCE_DEFINITION;
        registry
            .delete(definitions, None, "foos.ex.io", &DeleteOptions::default(), &options)
            .expect("marked");
        until_deleted(&mut maps, "map").await;
        cluster.shutdown().await;
    }

    #[tokio::test]
    async fn a_kind_may_have_the_name_of_another() {
        let (cluster, registry, options, _) = cluster().await;
        let mut pods =
            definition(&json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}));
        pods["metadata"]["name"] = "pods.other.io".into();
        pods["spec"]["group"] = "other.io".into();
        pods["spec"]["names"] = json!({"plural": "pods", "kind": "Pod"});
        registry.create(&kinds::CUSTOM_RESOURCE_DEFINITION, None, pods, &options).expect("defined");
        let kind = registry.served().of("other.io/v1", "Pod").expect("served");
        let pod = json!({"metadata": {"name": "p"}, "spec": {"nodeName": "n", "terminationGracePeriodSeconds": 60}});
        registry.create(kind, Some("default"), pod, &options).expect("made");
        let mut watch = registry.list_watch(kind, None, &Selector::everything());
        registry
            .delete(kind, Some("default"), "p", &DeleteOptions::default(), &options)
            .expect("deleted");
        until_deleted(&mut watch, "p").await;
        cluster.shutdown().await;
    }
}
