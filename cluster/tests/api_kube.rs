//! kube-rs, unchanged: what the router and the control service are built on.

mod real;
mod target;

use std::time::Duration;

use futures::{Stream, StreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt;
use kube::api::{
    Api, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams,
};
use kube::core::PartialObjectMeta;
use kube::discovery::pinned_kind;
use kube::runtime::wait::{await_condition, conditions};
use kube::runtime::{WatchStreamExt, reflector, watcher};
use serde_json::json;
use target::{Target, on_both};

on_both! {
    objects_are_created_replaced_patched_and_deleted,
    a_watcher_follows_changes,
    a_reflector_holds_what_is_there_page_by_page,
    pages_show_one_snapshot,
    streaming_lists_end_with_their_bookmark,
    metadata_of_secrets_is_watched_without_their_data,
    apply_creates_conflicts_and_forces,
    typed_objects_make_the_round_trip,
    custom_kinds_are_followed_and_applied,
    the_groups_are_told,
}

/// A ConfigMap that is told apart from those that a real server makes.
fn map(name: &str, value: &str) -> ConfigMap {
    serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {"made-by": "test"}}, "data": {"k": value},
    }))
    .expect("a ConfigMap")
}

fn own() -> watcher::Config {
    watcher::Config::default().labels("made-by=test")
}

/// The next item, bounded in time.
async fn next<T>(stream: &mut (impl Stream<Item = T> + Unpin)) -> T {
    tokio::time::timeout(Duration::from_secs(30), stream.next())
        .await
        .expect("in time")
        .expect("more")
}

async fn objects_are_created_replaced_patched_and_deleted(target: &Target) {
    let maps: Api<ConfigMap> = target.api();
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

async fn a_watcher_follows_changes(target: &Target) {
    let maps: Api<ConfigMap> = target.api();
    maps.create(&PostParams::default(), &map("a", "1")).await.expect("created");
    let mut events = Box::pin(watcher(maps.clone(), own()).default_backoff());
    assert!(matches!(next(&mut events).await, Ok(watcher::Event::Init)));
    assert!(
        matches!(next(&mut events).await, Ok(watcher::Event::InitApply(object)) if object.name_any() == "a")
    );
    assert!(matches!(next(&mut events).await, Ok(watcher::Event::InitDone)));
    maps.create(&PostParams::default(), &map("b", "1")).await.expect("created");
    assert!(
        matches!(next(&mut events).await, Ok(watcher::Event::Apply(object)) if object.name_any() == "b")
    );
    maps.delete("a", &DeleteParams::default()).await.expect("deleted");
    assert!(
        matches!(next(&mut events).await, Ok(watcher::Event::Delete(object)) if object.name_any() == "a")
    );
}

async fn with_25_maps(target: &Target) -> Api<ConfigMap> {
    let maps: Api<ConfigMap> = target.api();
    for index in 0..25 {
        let map = map(&format!("m{index:02}"), "1");
        maps.create(&PostParams::default(), &map).await.expect("created");
    }
    maps
}

async fn a_reflector_holds_what_is_there_page_by_page(target: &Target) {
    let maps = with_25_maps(target).await;
    let (store, writer) = reflector::store();
    let mut stream = Box::pin(reflector(writer, watcher(maps, own().page_size(10))));
    while !matches!(next(&mut stream).await.expect("an event"), watcher::Event::InitDone) {}
    assert_eq!(store.state().len(), 25);
}

async fn pages_show_one_snapshot(target: &Target) {
    let maps = with_25_maps(target).await;
    let page = ListParams::default().labels("made-by=test").limit(10);
    let first = maps.list(&page).await.expect("a page");
    // What happens between pages does not show.
    maps.delete("m15", &DeleteParams::default()).await.expect("deleted");
    maps.create(&PostParams::default(), &map("m10a", "1")).await.expect("created");
    let mut names: Vec<String> = first.iter().map(ResourceExt::name_any).collect();
    let mut token = first.metadata.continue_;
    let mut pages = 1;
    while let Some(next) = token.filter(|token| !token.is_empty()) {
        let list = maps.list(&page.clone().continue_token(&next)).await.expect("a page");
        names.extend(list.iter().map(ResourceExt::name_any));
        token = list.metadata.continue_;
        pages += 1;
    }
    let expected: Vec<String> = (0..25).map(|index| format!("m{index:02}")).collect();
    assert_eq!((names, pages), (expected, 3));
}

async fn streaming_lists_end_with_their_bookmark(target: &Target) {
    let maps: Api<ConfigMap> = target.api();
    maps.create(&PostParams::default(), &map("a", "1")).await.expect("created");
    let mut events = Box::pin(watcher(maps, own().streaming_lists()));
    assert!(matches!(next(&mut events).await, Ok(watcher::Event::Init)));
    assert!(
        matches!(next(&mut events).await, Ok(watcher::Event::InitApply(object)) if object.name_any() == "a")
    );
    assert!(matches!(next(&mut events).await, Ok(watcher::Event::InitDone)));
}

async fn metadata_of_secrets_is_watched_without_their_data(target: &Target) {
    let secrets: Api<Secret> = target.api();
    let secret: Secret =
        serde_json::from_value(json!({"metadata": {"name": "s"}, "stringData": {"a": "b"}}))
            .expect("a Secret");
    secrets.create(&PostParams::default(), &secret).await.expect("created");
    let metadata: Api<PartialObjectMeta<Secret>> = target.api();
    let config = watcher::Config::default().fields("metadata.name=s");
    let mut stream = Box::pin(watcher(metadata, config).applied_objects());
    let seen: PartialObjectMeta<Secret> = next(&mut stream).await.expect("an object");
    assert_eq!(seen.name_any(), "s");
    let labels = json!({"metadata": {"labels": {"x": "1"}}});
    secrets.patch("s", &PatchParams::default(), &Patch::Merge(labels)).await.expect("patched");
    let seen: PartialObjectMeta<Secret> = next(&mut stream).await.expect("an object");
    assert_eq!(seen.labels().get("x").map(String::as_str), Some("1"));
}

async fn apply_creates_conflicts_and_forces(target: &Target) {
    let services: Api<Service> = target.api();
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

async fn typed_objects_make_the_round_trip(target: &Target) {
    let deployments: Api<Deployment> = target.api();
    let deployment: Deployment = serde_json::from_value(json!({
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "web:1"}]},
            },
        },
    }))
    .expect("a Deployment");
    let created = deployments.create(&PostParams::default(), &deployment).await.expect("created");
    let spec = created.spec.expect("a spec");
    assert_eq!((spec.replicas, spec.revision_history_limit), (Some(0), Some(10)));

    let ingresses: Api<Ingress> = target.api();
    let ingress: Ingress = serde_json::from_value(json!({
        "metadata": {"name": "i"},
        "spec": {
            "ingressClassName": "none",
            "rules": [{"host": "a.example", "http": {"paths": [{
                "path": "/", "pathType": "Prefix", "backend": {"service": {"name": "s", "port": {"number": 80}}},
            }]}}],
        },
    }))
    .expect("an Ingress");
    ingresses.create(&PostParams::default(), &ingress).await.expect("created");
    let status = json!({"status": {"loadBalancer": {"ingress": [{"hostname": "b.example"}]}}});
    let patched = ingresses
        .patch_status("i", &PatchParams::default(), &Patch::Merge(status))
        .await
        .expect("patched");
    let balancer = patched.status.and_then(|status| status.load_balancer);
    let hosts: Vec<_> =
        balancer.and_then(|lb| lb.ingress).into_iter().flatten().map(|i| i.hostname).collect();
    assert_eq!(hosts, [Some("b.example".to_owned())]);
}

async fn custom_kinds_are_followed_and_applied(target: &Target) {
    // Definitions are shared by all who use a server.
    let group = format!("{}.example", target.namespace);
    let name = format!("foos.{group}");
    let definitions: Api<CustomResourceDefinition> = Api::all(target.client.clone());
    let definition: CustomResourceDefinition = serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {
            "group": group, "scope": "Namespaced", "names": {"plural": "foos", "kind": "Foo"},
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
    let established = await_condition(definitions.clone(), &name, conditions::is_crd_established());
    let established = tokio::time::timeout(Duration::from_secs(30), established).await;
    established.expect("in time").expect("established");

    let gvk = GroupVersionKind::gvk(&group, "v1", "Foo");
    let (resource, _) = pinned_kind(&target.client, &gvk).await.expect("discovered");
    let foos: Api<DynamicObject> =
        Api::namespaced_with(target.client.clone(), &target.namespace, &resource);
    let mut events = Box::pin(watcher(foos.clone(), watcher::Config::default()));
    while !matches!(next(&mut events).await.expect("an event"), watcher::Event::InitDone) {}
    let config = json!({
        "apiVersion": format!("{group}/v1"), "kind": "Foo", "metadata": {"name": "a"}, "spec": {},
    });
    let me = PatchParams::apply("me");
    let applied = foos.patch("a", &me, &Patch::Apply(config)).await.expect("applied");
    assert_eq!(applied.data["spec"], json!({"n": 3}));
    assert!(
        matches!(next(&mut events).await, Ok(watcher::Event::Apply(object)) if object.name_any() == "a")
    );
    let status = json!({"status": {"seen": 3}});
    foos.patch_status("a", &PatchParams::default(), &Patch::Merge(status)).await.expect("patched");
    assert!(
        matches!(next(&mut events).await, Ok(watcher::Event::Apply(object)) if object.data["status"] == json!({"seen": 3}))
    );
    let wrong = json!({"spec": {"n": "many"}});
    let refused = foos.patch("a", &PatchParams::default(), &Patch::Merge(wrong)).await;
    assert!(matches!(refused, Err(kube::Error::Api(status)) if status.code == 422));
    foos.delete("a", &DeleteParams::default()).await.expect("deleted");
    assert!(matches!(next(&mut events).await, Ok(watcher::Event::Delete(_))));
    definitions.delete(&name, &DeleteParams::default()).await.expect("deleted");
}

async fn the_groups_are_told(target: &Target) {
    target.client.apiserver_version().await.expect("a version");
    let groups = target.client.list_api_groups().await.expect("groups");
    assert!(groups.groups.iter().any(|group| group.name == "apps"));
}

/// What only the embedded server does on demand.
mod on_demand {
    use std::collections::BTreeMap;

    use fairlead_cluster::http::Refusal;

    use super::*;

    #[tokio::test]
    async fn a_watcher_survives_a_cut() {
        let target = Target::embedded().await;
        let cluster = target.embedded.as_ref().expect("embedded");
        let maps: Api<ConfigMap> = target.api();
        maps.create(&PostParams::default(), &map("a", "1")).await.expect("created");
        let mut events = Box::pin(watcher(maps.clone(), own()).default_backoff());
        while !matches!(next(&mut events).await, Ok(watcher::Event::InitDone)) {}
        cluster.drop_watches();
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
        let target = Target::embedded().await;
        let cluster = target.embedded.as_ref().expect("embedded");
        let maps: Api<ConfigMap> = target.api();
        let mut events = Box::pin(watcher(maps.clone(), own()).default_backoff());
        while !matches!(next(&mut events).await, Ok(watcher::Event::InitDone)) {}
        cluster.drop_watches();
        maps.create(&PostParams::default(), &map("a", "1")).await.expect("created");
        cluster.registry().compact();
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
    async fn a_page_after_its_version_was_forgotten_is_refused() {
        let target = Target::embedded().await;
        let maps = with_25_maps(&target).await;
        let page = ListParams::default().limit(10);
        let token = maps.list(&page).await.expect("a page").metadata.continue_.expect("more");
        maps.create(&PostParams::default(), &map("z", "1")).await.expect("created");
        target.embedded.as_ref().expect("embedded").registry().compact();
        let refused = maps.list(&page.continue_token(&token)).await.expect_err("forgotten");
        assert!(
            matches!(refused, kube::Error::Api(status) if status.code == 410 && status.reason == "Expired")
        );
    }

    #[tokio::test]
    async fn a_watcher_begins_once_refusals_end() {
        let target = Target::embedded().await;
        let faults = target.embedded.as_ref().expect("embedded").faults();
        let maps: Api<ConfigMap> = target.api();
        maps.create(&PostParams::default(), &map("a", "1")).await.expect("created");
        faults.refuse(2, Refusal::InternalError);
        let mut events = Box::pin(watcher(maps, own()).default_backoff());
        let mut refused = 0;
        loop {
            match next(&mut events).await {
                Ok(watcher::Event::InitApply(object)) => {
                    assert_eq!(object.name_any(), "a");
                    break;
                }
                Ok(_) => {}
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 0, "the refusals were seen");
    }

    #[tokio::test]
    async fn what_a_component_did_is_recorded_by_its_token() {
        let target = Target::embedded().await;
        let cluster = target.embedded.as_ref().expect("embedded");
        let mut config = kube::Config::new(cluster.url().parse().expect("a URL"));
        config.auth_info.token = Some(cluster.mint("router").into());
        let client = kube::Client::try_from(config).expect("a client");
        let services: Api<Service> = Api::all(client.clone());
        let mut events = Box::pin(watcher(services, watcher::Config::default()));
        while !matches!(next(&mut events).await, Ok(watcher::Event::InitDone)) {}
        // The watch begins when more is asked for.
        let other: Api<Service> = target.api();
        let service = json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}});
        let service: Service = serde_json::from_value(service).expect("a Service");
        let params = PostParams::default();
        let create = other.create(&params, &service);
        let (seen, _) = tokio::join!(next(&mut events), create);
        assert!(matches!(seen, Ok(watcher::Event::Apply(_))));
        let secrets: Api<Secret> = Api::namespaced(client, &target.namespace);
        assert!(secrets.get_opt("none").await.expect("an answer").is_none());
        let verbs: BTreeMap<String, u64> = cluster
            .tokens()
            .accesses("router")
            .into_iter()
            .map(|(access, count)| (format!("{} {}", access.verb, access.resource), count))
            .collect();
        let expected = ["get secrets", "list services", "watch services"];
        assert_eq!(verbs.keys().map(String::as_str).collect::<Vec<_>>(), expected);
    }
}
