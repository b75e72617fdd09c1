//! What is wrong with one application stays with it.

use fairlead_cluster::{Cluster, ClusterOptions, Selector, kinds};
use fairlead_router::{HTTP, HTTPS, Router};
use serde_json::json;

use crate::support::{Api, Backend, Connection, Pair, World, eventually, options, within};

const APP: &str = r#"
    apiVersion: v1
    kind: Service
    metadata:
      name: NAME
      namespace: shop
      labels: {router.deis.io/routable: "true"}
      annotations:
        router.deis.io/domains: DOMAIN
        router.deis.io/certificates: "DOMAIN:NAME"
    spec: {ports: [{port: 80}]}
    ---
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {name: NAME, namespace: shop, labels: {kubernetes.io/service-name: NAME}}
    addressType: IPv4
    ports: [{port: $POD_PORT}]
    endpoints: [{addresses: [$POD]}]
"#;

fn app(name: &str, domain: &str) -> String {
    APP.replace("NAME", name).replace("DOMAIN", domain)
}

/// A slice of app `a` with a name where an address has to be.
const BAD_SLICE: &str = r#"
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {name: a-bad, namespace: shop, labels: {kubernetes.io/service-name: a}}
    addressType: FQDN
    ports: [{port: 80}]
    endpoints: [{addresses: [pod.example]}]
"#;

#[tokio::test]
async fn a_fault_stays_local() {
    let (world, pod) = (World::start().await, Backend::named("pod").await);
    world.put(Pair::of("a.example").secret("a-cert"));
    world.put(Pair::of("b.example").secret("b-cert"));
    world.write(&app("a", "a.example"), &[("POD", &pod)]);
    world.apply(&app("b", "b.example"), &[("POD", &pod)]).await;
    assert_eq!(world.get("https://a.example/").await.brief(), (200, "pod"));

    // All that can be wrong with app A, and a change of app B, in one go.
    world.put(Pair::of("a.example").partial_secret("a-cert", &["tls.key"]));
    let bad = app("a", "a.example")
        .replace("domains: a.example", "domains: \"a.example,no domain.example\"");
    world.write(&bad, &[("POD", &pod)]);
    world.write(BAD_SLICE, &[]);
    let renewed = Pair::of("new.example");
    world.put(renewed.secret("b-cert"));
    world.apply(&app("b", "new.example"), &[("POD", &pod)]).await;

    let mut connection = world.connect_tls("new.example").await;
    assert_eq!(connection.certificate, Some(renewed.certificate));
    assert_eq!(connection.get("new.example", "/").await.brief(), (200, "pod"));
    assert_eq!(world.get("http://b.example/").await.status, 404);
    // What is right with app A is served as before.
    assert_eq!(world.get("https://a.example/").await.brief(), (200, "pod"));

    let told = world.admin_json("/diagnostics").await["objects"].clone();
    let expected = json!([
        {
            "kind": "Service", "namespace": "shop", "name": "a",
            "findings": [{
                "field": "metadata.annotations[router.deis.io/domains]",
                "severity": "error",
                "reason": "\"no domain.example\" is not a host name; write a name such as \
                           web.example.org or *.example.org",
            }],
        },
        {
            "kind": "EndpointSlice", "namespace": "shop", "name": "a-bad",
            "findings": [{
                "field": "endpoints[0].addresses[0]",
                "severity": "error",
                "reason": "\"pod.example\" is not an IP address; requests are not sent to it",
            }],
        },
        {
            "kind": "Secret", "namespace": "shop", "name": "a-cert",
            "findings": [{
                "field": "data[tls.crt]",
                "severity": "error",
                "reason": "the Secret has no data[tls.crt]; add it. The last good certificate \
                           stays in use",
            }],
        },
    ]);
    assert_eq!(told, expected, "{told:#}");
}

#[tokio::test]
async fn a_finding_is_written_as_an_event_of_its_object_once() {
    let (world, pod) = (World::start().await, Backend::named("pod").await);
    world.put(Pair::of("a.example").secret("a-cert"));
    let bad = |app: String| app.replace(".example\n", ".example,no domain.example\n");
    world.apply(&bad(app("a", "a.example")), &[("POD", &pod)]).await;
    let events = eventually("the Event is written", async || {
        let list = world.cluster.registry().list(&kinds::EVENT, Some("shop"), &Selector::default());
        if list.items.is_empty() { Err(()) } else { Ok(list.items) }
    })
    .await;
    let service = world.cluster.registry().get(&kinds::SERVICE, Some("shop"), "a").unwrap();
    let event = &events[0];
    let object = json!({
        "apiVersion": "v1", "kind": "Service", "namespace": "shop", "name": "a",
        "uid": service["metadata"]["uid"],
    });
    assert_eq!(event["involvedObject"], object);
    assert_eq!((&event["type"], &event["reason"]), (&json!("Warning"), &json!("NotServed")));
    assert_eq!(event["source"], json!({"component": "fairlead-router"}));
    assert!(event["message"].as_str().unwrap().contains("no domain"), "{event}");

    // The same finding again, by a router that has just started.
    let again = fairlead_router::Router::start(crate::support::options(), world.api.client().await);
    let again = again.unwrap();
    crate::support::within("the other router is ready", again.ready()).await;
    world.put(Pair::of("b.example").secret("other-cert"));
    world.apply(&bad(app("other", "b.example")), &[("POD", &pod)]).await;
    let written = eventually("both routers have written of the other app", async || {
        let list = world.cluster.registry().list(&kinds::EVENT, Some("shop"), &Selector::default());
        let names: Vec<_> =
            list.items.iter().map(|e| e["involvedObject"]["name"].clone()).collect();
        let others = names.iter().filter(|name| **name == "other").count();
        if others > 0 { Ok((names.len() - others, others)) } else { Err(names) }
    })
    .await;
    assert_eq!(written, (1, 1));
}

/// What is wrong with the Secret of one app when a router starts keeps it from nothing but that.
#[tokio::test]
async fn a_router_starts_though_a_secret_is_faulty() {
    let cluster = Cluster::start(ClusterOptions::default()).await.unwrap();
    let pod = Backend::named("pod").await;
    // The first router only stands for whoever writes objects.
    let world = World::on(cluster, |_| {}, |_| {}).await;
    let good = Pair::of("good.example");
    world.put(good.secret("good-cert"));
    // A key that belongs to another certificate; a Secret that the server does not give; a name that is none.
    let (mut torn, other) =
        (Pair::of("torn.example").secret("torn-cert"), Pair::of("torn.example"));
    torn["data"]["tls.key"] = other.secret("other")["data"]["tls.key"].clone();
    world.put(torn);
    world.put(Pair::of("refused.example").secret("refused-cert"));
    let named = app("named", "named.example").replace("named.example:named", "named.example:a b");
    for app in ["good", "torn", "refused"].map(|name| app(name, &format!("{name}.example"))) {
        world.write(&app, &[("POD", &pod)]);
    }
    world.write(&named, &[("POD", &pod)]);

    for status in [400, 403] {
        let api = Api::of(&world.cluster);
        api.refuse("/api/v1/namespaces/shop/secrets/refused-cert", status);
        let router = Router::start(options(), api.client().await).unwrap();
        within("the router is ready", router.ready()).await;
        let ready = Connection::plain(router.admin_addr()).await.get("localhost", "/readyz").await;
        assert_eq!(ready.status, 200, "{ready:?}");
        for host in ["good.example", "torn.example", "refused.example", "named.example"] {
            let mut connection = Connection::plain(router.addr(HTTP).unwrap()).await;
            assert_eq!(connection.get(host, "/").await.brief(), (200, "pod"), "{host}");
        }
        let https = router.addr(HTTPS).unwrap();
        let connection = Connection::tls(https, "good.example", &[b"http/1.1"]).await;
        assert_eq!(connection.certificate.as_ref(), Some(&good.certificate));
        router.shutdown().await;
    }
}
