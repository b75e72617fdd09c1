//! Certificates.

use fairlead_cluster::kinds;
use serde_json::json;

use crate::support::{Backend, Connection, Pair, World, eventually};

const NOT_FOUND: (u16, &str) = (404, "No application answers at this address.\n");

/// Two applications, one Service each, with `certificates` for their hosts.
const APPS: &str = r#"
    apiVersion: v1
    kind: Service
    metadata:
      name: one
      namespace: shop
      labels: {router.deis.io/routable: "true"}
      annotations:
        router.deis.io/domains: one.example
        router.deis.io/certificates: "one.example:one"
    spec: {ports: [{port: 80}]}
    ---
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {name: one, namespace: shop, labels: {kubernetes.io/service-name: one}}
    addressType: IPv4
    ports: [{port: $ONE_PORT}]
    endpoints: [{addresses: [$ONE]}]
    ---
    apiVersion: v1
    kind: Service
    metadata:
      name: two
      namespace: shop
      labels: {router.deis.io/routable: "true"}
      annotations:
        router.deis.io/domains: two.example,*.two.example
        router.deis.io/certificates: "two.example:two,*.two.example:two-wild"
    spec: {ports: [{port: 80}]}
    ---
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {name: two, namespace: shop, labels: {kubernetes.io/service-name: two}}
    addressType: IPv4
    ports: [{port: $TWO_PORT}]
    endpoints: [{addresses: [$TWO]}]
"#;

/// The certificate shown for `host`, and the answer to a GET on that connection.
async fn ask(world: &World, host: &str) -> (Vec<u8>, u16, String) {
    let mut connection = world.connect_tls(host).await;
    let answer = connection.get(host, "/").await;
    (connection.certificate.unwrap().to_vec(), answer.status, answer.body)
}

#[tokio::test]
async fn row_05_the_right_certificate_by_sni_and_a_replaced_secret_without_restart() {
    let world = World::start().await;
    let (one, two) = (Backend::named("one").await, Backend::named("two").await);
    let [first, second, wild] = ["one.example", "two.example", "*.two.example"].map(Pair::of);
    world.put(first.secret("one-cert"));
    world.put(second.secret("two-cert"));
    world.put(wild.secret("two-wild-cert"));
    world.apply(APPS, &[("ONE", &one), ("TWO", &two)]).await;
    let served = |pair: &Pair, body: &str| (pair.certificate.to_vec(), 200, body.to_owned());
    assert_eq!(ask(&world, "one.example").await, served(&first, "one"));
    assert_eq!(ask(&world, "two.example").await, served(&second, "two"));
    assert_eq!(ask(&world, "a.two.example").await, served(&wild, "two"));

    let renewed = Pair::of("one.example");
    world.put(renewed.secret("one-cert"));
    world.settled().await;
    assert_eq!(ask(&world, "one.example").await, served(&renewed, "one"));
    assert_eq!(ask(&world, "two.example").await, served(&second, "two"));
}

#[tokio::test]
async fn row_07_without_a_certificate_https_gives_the_default_one_and_404_and_http_works() {
    let world = World::start().await;
    let (one, two) = (Backend::named("one").await, Backend::named("two").await);
    world.put(Pair::of("two.example").secret("two-cert"));
    let manifest = APPS.replace(r#"router.deis.io/certificates: "one.example:one""#, "");
    world.apply(&manifest, &[("ONE", &one), ("TWO", &two)]).await;
    let (default, status, body) = ask(&world, "one.example").await;
    assert_eq!((status, body.as_str()), NOT_FOUND);
    let (unknown, ..) = ask(&world, "unknown.example").await;
    assert_eq!(default, unknown, "both get the default certificate");
    assert_eq!(world.get("http://one.example/").await.brief(), (200, "one"));
    assert_eq!(world.get("https://two.example/").await.brief(), (200, "two"));
    // A client that asks for one host by SNI and another in the request is not helped either.
    let mut connection = world.connect_tls("two.example").await;
    assert_eq!(connection.get("one.example", "/").await.brief(), NOT_FOUND);
}

#[tokio::test]
async fn row_08_a_missing_secret_or_key_costs_only_that_domain_its_tls_and_is_told() {
    let world = World::start().await;
    let (one, two) = (Backend::named("one").await, Backend::named("two").await);
    let pair = Pair::of("two.example");
    world.put(pair.secret("two-cert"));
    world.put(Pair::of("*.two.example").partial_secret("two-wild-cert", &["tls.crt"]));
    world.apply(APPS, &[("ONE", &one), ("TWO", &two)]).await;
    for host in ["one.example", "a.two.example"] {
        assert_eq!(world.get(&format!("https://{host}/")).await.brief(), NOT_FOUND, "{host}");
        assert_eq!(world.get(&format!("http://{host}/")).await.status, 200, "{host}");
    }
    assert_eq!(ask(&world, "two.example").await, (pair.certificate.to_vec(), 200, "two".into()));
    let told = world.admin_json("/diagnostics").await.to_string();
    assert!(told.contains("one-cert"), "{told}");
    assert!(told.contains("data[tls.key]"), "{told}");

    // The Secret comes: the domain has TLS.
    let pair = Pair::of("one.example");
    world.put(pair.secret("one-cert"));
    world.settled().await;
    assert_eq!(ask(&world, "one.example").await, (pair.certificate.to_vec(), 200, "one".into()));
    let told = world.admin_json("/diagnostics").await.to_string();
    assert!(!told.contains("one-cert"), "{told}");
}

#[tokio::test]
async fn a_secret_that_turns_bad_leaves_the_last_good_certificate_and_deletion_does_not() {
    let world = World::start().await;
    let (one, two) = (Backend::named("one").await, Backend::named("two").await);
    let good = Pair::of("one.example");
    world.put(good.secret("one-cert"));
    world.apply(APPS, &[("ONE", &one), ("TWO", &two)]).await;
    world.put(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "one-cert", "namespace": "shop"},
        "data": {"tls.crt": "eA==", "tls.key": "eA=="},
    }));
    world.settled().await;
    assert_eq!(ask(&world, "one.example").await, (good.certificate.to_vec(), 200, "one".into()));
    assert!(world.admin_json("/diagnostics").await.to_string().contains("data[tls.crt]"));
    world.delete(&kinds::SECRET, "shop", "one-cert");
    world.settled().await;
    assert_eq!(world.get("https://one.example/").await.brief(), NOT_FOUND);
}

#[tokio::test]
async fn http_2_is_agreed_by_alpn_and_spoken_with_prior_knowledge() {
    let world = World::start().await;
    let (one, two) = (Backend::named("one").await, Backend::named("two").await);
    let pair = Pair::of("one.example");
    world.put(pair.secret("one-cert"));
    world.apply(APPS, &[("ONE", &one), ("TWO", &two)]).await;
    let https = world.router.addr(fairlead_router::HTTPS).unwrap();
    let mut tls = Connection::tls(https, "one.example", &[b"h2", b"http/1.1"]).await;
    assert!(tls.is_http2());
    assert_eq!(tls.get("one.example", "/").await.brief(), (200, "one"));
    let http = world.router.addr(fairlead_router::HTTP).unwrap();
    let mut plain = Connection::plain_http2(http).await;
    assert_eq!(plain.get("two.example", "/").await.brief(), (200, "two"));
}

#[tokio::test]
async fn secrets_that_no_service_names_are_never_read() {
    let world = World::start().await;
    let (one, two) = (Backend::named("one").await, Backend::named("two").await);
    for (host, name) in [
        ("other.example", "password"),
        ("one.example", "one-cert"),
        ("two.example", "two-cert"),
        ("*.two.example", "two-wild-cert"),
    ] {
        world.put(Pair::of(host).secret(name));
    }
    world.apply(APPS, &[("ONE", &one), ("TWO", &two)]).await;
    world.put(Pair::of("other.example").secret("password"));
    world.settled().await;
    let accesses = world.cluster.tokens().accesses("router");
    let reads = accesses.iter().filter(|(a, _)| a.verb == "get" && a.resource == "secrets");
    assert_eq!(reads.map(|(_, n)| *n).sum::<u64>(), 3, "{accesses:?}");
}

#[tokio::test]
async fn authorities_of_pods_are_read_from_config_maps_with_the_label_alone() {
    let (world, pod) = (World::start().await, Backend::named("web").await);
    world.apply(crate::admin::APP, &[("WEB", &pod)]).await;
    world.annotate("router.fairlead.dev/upstreamProtocol", "https").await;
    world.annotate("router.fairlead.dev/upstreamCA", "configmap/ca").await;
    let map = |labels: serde_json::Value| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "ca", "namespace": "shop", "labels": labels},
            "data": {"ca.crt": Pair::of("ca.example").pem()},
        })
    };
    world.put(map(json!({"router.fairlead.dev/pages": "true"})));
    world.settled().await;
    let told = world.admin_json("/diagnostics").await["objects"].to_string();
    assert!(told.contains("ConfigMap shop/ca does not exist, or has not the label"), "{told}");
    world.put(map(json!({"router.fairlead.dev/authorities": "true"})));
    eventually("the authorities are read", async || {
        let told = world.admin_json("/diagnostics").await["objects"].clone();
        if told == json!([]) { Ok(()) } else { Err(told) }
    })
    .await;
}
