//! kube-rs, unchanged, against the API: what the router and the control service are built on.

mod client;

use std::time::Duration;

use client::Api as Server;
use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, Service};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{
    Api, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams,
};
use kube::core::PartialObjectMeta;
use kube::discovery::pinned_kind;
use kube::runtime::wait::{await_condition, conditions};
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Client, Config, ResourceExt};
use serde_json::json;

fn connect(server: &Server) -> Client {
    let url = format!("http://{}", server.server.addr()).parse().expect("a URL");
    let mut config = Config::new(url);
    config.auth_info.token = Some(server.token.clone().into());
    Client::try_from(config).expect("a client")
}

fn map(name: &str, value: &str) -> ConfigMap {
    serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {"app": name}}, "data": {"k": value},
    }))
    .expect("a ConfigMap")
}

/// The next item, bounded in time.
async fn next<T>(stream: &mut (impl Stream<Item = T> + Unpin)) -> T {
    tokio::time::timeout(Duration::from_secs(10), stream.next())
        .await
        .expect("in time")
        .expect("more")
}

#[tokio::test]
async fn objects_are_created_replaced_patched_and_deleted() {
    let server = Server::with_namespace("smp").await;
    let maps: Api<ConfigMap> = Api::namespaced(connect(&server), "smp");
    let created = maps.create(&PostParams::default(), &map("a", "1")).await.expect("created");
    assert!(created.uid().is_some() && created.creation_timestamp().is_some());
    let mut changed = created.clone();
    changed.data = Some([("k".to_owned(), "2".to_owned())].into());
    maps.replace("a", &PostParams::default(), &changed).await.expect("replaced");
    let stale = maps.replace("a", &PostParams::default(), &changed).await.expect_err("stale");
    assert!(
        matches!(stale, kube::Error::Api(status) if status.code == 409 && status.reason == "Conflict")
    );
    let patch = json!({"data": {"k": "3"}});
    let patched =
        maps.patch("a", &PatchParams::default(), &Patch::Merge(patch)).await.expect("patched");
    assert_eq!(patched.data.as_ref().and_then(|data| data.get("k")).map(String::as_str), Some("3"));
    maps.delete("a", &DeleteParams::default()).await.expect("deleted");
    assert!(maps.get_opt("a").await.expect("an answer").is_none());
}

#[tokio::test]
async fn a_watcher_follows_changes_and_survives_a_cut() {
    let server = Server::with_namespace("smp").await;
    let client = connect(&server);
    let maps: Api<ConfigMap> = Api::namespaced(client, "smp");
    maps.create(&PostParams::default(), &map("a", "1")).await.expect("created");
    let mut events = Box::pin(watcher(maps.clone(), watcher::Config::default()).default_backoff());
    assert!(matches!(next(&mut events).await, Ok(watcher::Event::Init)));
    assert!(
        matches!(next(&mut events).await, Ok(watcher::Event::InitApply(object)) if object.name_any() == "a")
    );
    assert!(matches!(next(&mut events).await, Ok(watcher::Event::InitDone)));
    maps.create(&PostParams::default(), &map("b", "1")).await.expect("created");
    assert!(
        matches!(next(&mut events).await, Ok(watcher::Event::Apply(object)) if object.name_any() == "b")
    );
    server.server.drop_watches();
    maps.delete("a", &DeleteParams::default()).await.expect("deleted");
    let deleted = loop {
        if let Ok(watcher::Event::Delete(object)) = next(&mut events).await {
            break object;
        }
    };
    assert_eq!(deleted.name_any(), "a");
}

#[tokio::test]
async fn a_watcher_lists_again_after_its_version_was_forgotten() {
    let server = Server::with_namespace("smp").await;
    let maps: Api<ConfigMap> = Api::namespaced(connect(&server), "smp");
    let mut events = Box::pin(watcher(maps.clone(), watcher::Config::default()).default_backoff());
    assert!(matches!(next(&mut events).await, Ok(watcher::Event::Init)));
    assert!(matches!(next(&mut events).await, Ok(watcher::Event::InitDone)));
    server.server.drop_watches();
    maps.create(&PostParams::default(), &map("a", "1")).await.expect("created");
    server.registry.compact();
    // Either the event itself, or the object in a new list.
    let seen = loop {
        if let Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) =
            next(&mut events).await
        {
            break object;
        }
    };
    assert_eq!(seen.name_any(), "a");
}

#[tokio::test]
async fn a_reflector_holds_what_is_there_page_by_page() {
    let server = Server::with_namespace("smp").await;
    let client = connect(&server);
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "smp");
    for index in 0..25 {
        maps.create(&PostParams::default(), &map(&format!("m{index:02}"), "1"))
            .await
            .expect("created");
    }
    let (store, writer) = reflector::store();
    let config = watcher::Config::default().page_size(10);
    let mut stream = Box::pin(reflector(writer, watcher(Api::<ConfigMap>::all(client), config)));
    while !matches!(next(&mut stream).await.expect("an event"), watcher::Event::InitDone) {}
    assert_eq!(store.state().len(), 25);
}

#[tokio::test]
async fn streaming_lists_end_with_their_bookmark() {
    let server = Server::with_namespace("smp").await;
    let maps: Api<ConfigMap> = Api::namespaced(connect(&server), "smp");
    maps.create(&PostParams::default(), &map("a", "1")).await.expect("created");
    let mut events = Box::pin(watcher(maps, watcher::Config::default().streaming_lists()));
    assert!(matches!(next(&mut events).await, Ok(watcher::Event::Init)));
    assert!(
        matches!(next(&mut events).await, Ok(watcher::Event::InitApply(object)) if object.name_any() == "a")
    );
    assert!(matches!(next(&mut events).await, Ok(watcher::Event::InitDone)));
}

#[tokio::test]
async fn metadata_of_secrets_is_watched_without_their_data() {
    let server = Server::with_namespace("smp").await;
    let client = connect(&server);
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "smp");
    let secret: Secret =
        serde_json::from_value(json!({"metadata": {"name": "s"}, "stringData": {"a": "b"}}))
            .expect("a Secret");
    secrets.create(&PostParams::default(), &secret).await.expect("created");
    let metadata: Api<PartialObjectMeta<Secret>> = Api::namespaced(client, "smp");
    let stream = watcher(metadata, watcher::Config::default()).applied_objects();
    let mut stream = Box::pin(stream);
    let seen: PartialObjectMeta<Secret> = next(&mut stream).await.expect("an object");
    assert_eq!(seen.name_any(), "s");
    let labels = json!({"metadata": {"labels": {"x": "1"}}});
    secrets.patch("s", &PatchParams::default(), &Patch::Merge(labels)).await.expect("patched");
    let seen: PartialObjectMeta<Secret> = next(&mut stream).await.expect("an object");
    assert_eq!(seen.labels().get("x").map(String::as_str), Some("1"));
}

#[tokio::test]
async fn apply_creates_conflicts_and_forces() {
    let server = Server::with_namespace("smp").await;
    let services: Api<Service> = Api::namespaced(connect(&server), "smp");
    let config = |port: u16| {
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
            "spec": {"selector": {"app": "s"}, "ports": [{"name": "http", "port": 80, "targetPort": port}]},
        })
    };
    let one = PatchParams::apply("one");
    let two = PatchParams::apply("two");
    let applied = services.patch("s", &one, &Patch::Apply(config(8080))).await.expect("created");
    let spec = applied.spec.expect("a spec");
    assert_eq!(
        (spec.type_.as_deref(), spec.session_affinity.as_deref()),
        (Some("ClusterIP"), Some("None"))
    );
    let refused =
        services.patch("s", &two, &Patch::Apply(config(9090))).await.expect_err("owned by one");
    assert!(matches!(refused, kube::Error::Api(status) if status.code == 409));
    services.patch("s", &two.force(), &Patch::Apply(config(9090))).await.expect("forced");
}

#[tokio::test]
async fn typed_workloads_and_leases_make_the_round_trip() {
    let server = Server::with_namespace("smp").await;
    let client = connect(&server);
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), "smp");
    let deployment: Deployment = serde_json::from_value(json!({
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "web:1"}]},
            },
        },
    }))
    .expect("a Deployment");
    let created = deployments.create(&PostParams::default(), &deployment).await.expect("created");
    assert_eq!(created.spec.and_then(|spec| spec.replicas), Some(1));
    let status = json!({"status": {"replicas": 2}});
    let patched = deployments
        .patch_status("web", &PatchParams::default(), &Patch::Merge(status))
        .await
        .expect("patched");
    assert_eq!(patched.status.and_then(|status| status.replicas), Some(2));

    let leases: Api<Lease> = Api::namespaced(client.clone(), "smp");
    let lease: Lease = serde_json::from_value(json!({
        "metadata": {"name": "l"},
        "spec": {"holderIdentity": "x", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"},
    }))
    .expect("a Lease");
    leases.create(&PostParams::default(), &lease).await.expect("created");
    let taken = leases.create(&PostParams::default(), &lease).await.expect_err("taken");
    assert!(matches!(taken, kube::Error::Api(status) if status.reason == "AlreadyExists"));

    let namespaces: Api<Namespace> = Api::all(client);
    let listed = namespaces
        .list(&ListParams::default().labels("kubernetes.io/metadata.name=smp"))
        .await
        .expect("a list");
    assert_eq!(listed.items.len(), 1);
}

#[tokio::test]
async fn custom_kinds_are_followed_and_applied() {
    let server = Server::with_namespace("smp").await;
    let client = connect(&server);
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let definition: CustomResourceDefinition = serde_json::from_value(json!({
        "metadata": {"name": "foos.ex.io"},
        "spec": {
            "group": "ex.io", "scope": "Namespaced", "names": {"plural": "foos", "kind": "Foo"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "properties": {"n": {"type": "integer", "default": 3}}},
                    "status": {"type": "object", "properties": {"seen": {"type": "integer"}}},
                }}},
            }],
        },
    }))
    .expect("a definition");
    definitions.create(&PostParams::default(), &definition).await.expect("created");
    let established = await_condition(definitions, "foos.ex.io", conditions::is_crd_established());
    tokio::time::timeout(Duration::from_secs(10), established)
        .await
        .expect("in time")
        .expect("established");

    let gvk = GroupVersionKind::gvk("ex.io", "v1", "Foo");
    let (resource, _) = pinned_kind(&client, &gvk).await.expect("discovered");
    let foos: Api<DynamicObject> = Api::namespaced_with(client, "smp", &resource);
    let mut events = Box::pin(watcher(foos.clone(), watcher::Config::default()));
    while !matches!(next(&mut events).await.expect("an event"), watcher::Event::InitDone) {}
    let config =
        json!({"apiVersion": "ex.io/v1", "kind": "Foo", "metadata": {"name": "a"}, "spec": {}});
    let applied =
        foos.patch("a", &PatchParams::apply("me"), &Patch::Apply(config)).await.expect("applied");
    assert_eq!(applied.data["spec"], json!({"n": 3}));
    assert!(
        matches!(next(&mut events).await, Ok(watcher::Event::Apply(object)) if object.name_any() == "a")
    );
    let status = json!({"status": {"seen": 3}});
    foos.patch_status("a", &PatchParams::default(), &Patch::Merge(status)).await.expect("patched");
    assert!(
        matches!(next(&mut events).await, Ok(watcher::Event::Apply(object)) if object.data["status"] == json!({"seen": 3}))
    );
    foos.delete("a", &DeleteParams::default()).await.expect("deleted");
    assert!(matches!(next(&mut events).await, Ok(watcher::Event::Delete(_))));
}

#[tokio::test]
async fn the_version_is_told() {
    let server = Server::start().await;
    let client = connect(&server);
    assert_eq!(client.apiserver_version().await.expect("a version").minor, "36");
    let groups = client.list_api_groups().await.expect("groups");
    assert!(groups.groups.iter().any(|group| group.name == "apps"));
    let maps: Api<ConfigMap> = Api::all(client);
    let none: Vec<ConfigMap> =
        futures::stream::iter(maps.list(&ListParams::default()).await.expect("a list"))
            .map(Ok::<_, kube::Error>)
            .try_collect()
            .await
            .expect("no error");
    assert!(none.is_empty());
}
