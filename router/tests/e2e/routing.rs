//! Which requests reach which application.

use fairlead_cluster::kinds;
use serde_json::json;

use crate::support::{Backend, World, eventually};

const NOT_FOUND: (u16, &str) = (404, "No application answers at this address.\n");

#[tokio::test]
async fn row_01_routable_service_serves_and_label_removal_gives_404() {
    let (world, web) = (World::start().await, Backend::named("web").await);
    assert_eq!(world.get("http://web.example/").await.brief(), NOT_FOUND);
    let manifest = r#"
        apiVersion: v1
        kind: Service
        metadata:
          name: web
          namespace: shop
          labels: {router.deis.io/routable: "true"}
          annotations: {router.deis.io/domains: web.example}
        spec:
          ports: [{port: 80, targetPort: 5000}]
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata:
          name: web-1
          namespace: shop
          labels: {kubernetes.io/service-name: web}
        addressType: IPv4
        ports: [{port: $WEB_PORT}]
        endpoints: [{addresses: [$WEB], conditions: {ready: true}}]
    "#;
    world.apply(manifest, &[("WEB", &web)]).await;
    let answer = world.get("http://web.example/a?b=1").await;
    assert_eq!(answer.brief(), (200, "web"));
    let headers: Vec<_> = answer.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(headers, [("connection", "keep-alive"), ("content-length", "3")]);
    assert_eq!(web.requests(), 1);

    let without = json!({"metadata": {"labels": {"router.deis.io/routable": null}}});
    world.patch(&kinds::SERVICE, "shop", "web", without);
    world.settled().await;
    assert_eq!(world.get("http://web.example/a?b=1").await.brief(), NOT_FOUND);
    assert_eq!(web.requests(), 1);
}

/// Three applications: `exact`, `wild` with a wildcard, and `both` with several domains.
const DOMAINS: &str = r#"
    apiVersion: v1
    kind: Service
    metadata:
      name: exact
      namespace: shop
      labels: {router.deis.io/routable: "true"}
      annotations: {router.deis.io/domains: "www.example.org"}
    spec: {ports: [{port: 80}]}
    ---
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {name: exact, namespace: shop, labels: {kubernetes.io/service-name: exact}}
    addressType: IPv4
    ports: [{port: $EXACT_PORT}]
    endpoints: [{addresses: [$EXACT]}]
    ---
    apiVersion: v1
    kind: Service
    metadata:
      name: wild
      namespace: shop
      labels: {router.deis.io/routable: "true"}
      annotations: {router.deis.io/domains: "*.example.org,one.example,two.example"}
    spec: {ports: [{port: 80}]}
    ---
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {name: wild, namespace: shop, labels: {kubernetes.io/service-name: wild}}
    addressType: IPv4
    ports: [{port: $WILD_PORT}]
    endpoints: [{addresses: [$WILD]}]
"#;

#[tokio::test]
async fn row_03_several_domains_and_wildcards_and_exact_beats_wildcard() {
    let world = World::start().await;
    let (exact, wild) = (Backend::named("exact").await, Backend::named("wild").await);
    world.apply(DOMAINS, &[("EXACT", &exact), ("WILD", &wild)]).await;
    for (host, expected) in [
        ("one.example", (200, "wild")),
        ("two.example", (200, "wild")),
        ("TWO.Example:80", (200, "wild")),
        ("a.example.org", (200, "wild")),
        ("a.b.example.org", (200, "wild")),
        ("www.example.org", (200, "exact")),
        ("example.org", NOT_FOUND),
        ("wwwexample.org", NOT_FOUND),
        ("three.example", NOT_FOUND),
    ] {
        assert_eq!(world.get(&format!("http://{host}/")).await.brief(), expected, "{host}");
    }
}

#[tokio::test]
async fn row_04_a_service_without_domains_is_ignored_and_unknown_hosts_get_404() {
    let (world, web) = (World::start().await, Backend::named("web").await);
    let manifest = r#"
        apiVersion: v1
        kind: Service
        metadata: {name: web, namespace: shop, labels: {router.deis.io/routable: "true"}}
        spec: {ports: [{port: 80}]}
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: web, namespace: shop, labels: {kubernetes.io/service-name: web}}
        addressType: IPv4
        ports: [{port: $WEB_PORT}]
        endpoints: [{addresses: [$WEB]}]
    "#;
    world.apply(manifest, &[("WEB", &web)]).await;
    for url in ["http://web.example/", "https://web.example/", "http://web/", "http://127.0.0.1/"] {
        assert_eq!(world.get(url).await.brief(), NOT_FOUND, "{url}");
    }
    assert_eq!(world.admin_json("/routes").await, json!([]));
    assert_eq!(web.requests(), 0);
}

#[tokio::test]
async fn both_prefixes_mean_the_same_and_fairlead_wins() {
    let (world, web) = (World::start().await, Backend::named("web").await);
    let manifest = r#"
        apiVersion: v1
        kind: Service
        metadata:
          name: web
          namespace: shop
          labels: {router.fairlead.dev/routable: "true"}
          annotations:
            router.fairlead.dev/domains: new.example
            router.deis.io/domains: old.example
        spec: {ports: [{port: 80}]}
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: web, namespace: shop, labels: {kubernetes.io/service-name: web}}
        addressType: IPv4
        ports: [{port: $WEB_PORT}]
        endpoints: [{addresses: [$WEB]}]
    "#;
    world.apply(manifest, &[("WEB", &web)]).await;
    assert_eq!(world.get("http://new.example/").await.brief(), (200, "web"));
    assert_eq!(world.get("http://old.example/").await.brief(), NOT_FOUND);
}

#[tokio::test]
async fn endpoints_come_and_go_without_a_new_table() {
    let world = World::start().await;
    let (one, two) = (Backend::named("one").await, Backend::named("two").await);
    let service = r#"
        apiVersion: v1
        kind: Service
        metadata:
          name: web
          namespace: shop
          labels: {router.deis.io/routable: "true"}
          annotations: {router.deis.io/domains: web.example}
        spec: {ports: [{port: 80}]}
    "#;
    let slice = r#"
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: web, namespace: shop, labels: {kubernetes.io/service-name: web}}
        addressType: IPv4
        ports: [{port: $POD_PORT}]
        endpoints: [{addresses: [$POD]}]
    "#;
    world.apply(service, &[]).await;
    let generation = world.admin_json("/status").await["generation"].clone();
    for pod in [&one, &two, &one] {
        world.apply(slice, &[("POD", pod)]).await;
        let before = pod.requests();
        assert_eq!(world.get("http://web.example/").await.status, 200);
        assert_eq!(pod.requests(), before + 1);
    }
    assert_eq!(world.admin_json("/status").await["generation"], generation);
}

#[tokio::test]
async fn with_namespaces_only_those_are_served() {
    let world =
        World::with(|options| options.namespaces = vec!["blog".into(), "shop".into()]).await;
    let pod = Backend::named("pod").await;
    for namespace in ["blog", "shop", "other"] {
        let manifest = r#"
            apiVersion: v1
            kind: Service
            metadata:
              name: web
              namespace: NAMESPACE
              labels: {router.deis.io/routable: "true"}
              annotations: {router.deis.io/domains: NAMESPACE.example}
            spec: {ports: [{port: 80}]}
            ---
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: web, namespace: NAMESPACE, labels: {kubernetes.io/service-name: web}}
            addressType: IPv4
            ports: [{port: $POD_PORT}]
            endpoints: [{addresses: [$POD]}]
        "#;
        world.write(&manifest.replace("NAMESPACE", namespace), &[("POD", &pod)]);
    }
    for namespace in ["blog", "shop"] {
        let url = format!("http://{namespace}.example/");
        eventually("the namespace is served", async || {
            let answer = world.get(&url).await;
            if answer.brief() == (200, "pod") { Ok(()) } else { Err(answer) }
        })
        .await;
    }
    assert_eq!(world.get("http://other.example/").await.brief(), NOT_FOUND);
    let watches = world.admin_json("/status").await["watches"].clone();
    let watched =
        |w: &serde_json::Value| format!("{} {}", w["kind"], w["namespace"]).replace('"', "");
    let watched: Vec<_> = watches.as_array().unwrap().iter().map(watched).collect();
    let expected = [
        "Service blog",
        "Service shop",
        "EndpointSlice blog",
        "EndpointSlice shop",
        "Secret blog",
        "Secret shop",
        "ConfigMap blog",
        "ConfigMap shop",
        "ConfigMap blog",
        "ConfigMap shop",
    ];
    assert_eq!(watched, expected);
}
