//! Answers of the router's own.

use fairlead_cluster::kinds;
use serde_json::{Value, json};

use crate::support::{Backend, Pair, World};

/// One application `web` at `web.example`, with a certificate.
const APP: &str = r#"
    apiVersion: v1
    kind: Service
    metadata:
      name: web
      namespace: shop
      labels: {router.deis.io/routable: "true"}
      annotations:
        router.deis.io/domains: web.example
        router.deis.io/certificates: "web.example:web"
    spec: {ports: [{port: 80}]}
    ---
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {name: web, namespace: shop, labels: {kubernetes.io/service-name: web}}
    addressType: IPv4
    ports: [{port: $WEB_PORT}]
    endpoints: [{addresses: [$WEB], conditions: {ready: true}}]
"#;

async fn start(web: &Backend) -> World {
    start_with(web, |_| {}).await
}

async fn start_with(
    web: &Backend,
    adjust: impl FnOnce(&mut fairlead_router::RouterOptions),
) -> World {
    let world = World::with(adjust).await;
    world.put(Pair::of("web.example").secret("web-cert"));
    world.apply(APP, &[("WEB", web)]).await;
    world
}

impl World {
    /// Sets an annotation of the application `web`, or takes it away.
    pub(crate) async fn annotate(&self, name: &str, value: impl Into<Value>) {
        let patch = json!({"metadata": {"annotations": {name: value.into()}}});
        self.patch(&kinds::SERVICE, "shop", "web", patch);
        self.settled().await;
    }
}

#[tokio::test]
async fn row_09_maintenance_gives_503_with_a_page_and_leaves_the_pods_alone() {
    let web = Backend::named("web").await;
    let world = start(&web).await;
    world.annotate("router.deis.io/maintenance", "true").await;
    let answer = world.get("http://web.example/").await;
    assert_eq!(
        answer.brief(),
        (
            503,
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Down for maintenance</title></head>\n\
             <body><h1>Down for maintenance</h1><p>This application is being worked on. Please try again later.</p></body></html>\n"
        )
    );
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(web.requests(), 0);
    world.annotate("router.deis.io/maintenance", "false").await;
    assert_eq!(world.get("http://web.example/").await.brief(), (200, "web"));
    assert_eq!(web.requests(), 1);
}

#[tokio::test]
async fn row_10_no_ready_endpoint_gives_503() {
    let web = Backend::named("web").await;
    let world = start(&web).await;
    let down = (503, "This application has no running instance.\n");
    world.apply(&APP.replace("ready: true", "ready: false"), &[("WEB", &web)]).await;
    assert_eq!(world.get("http://web.example/").await.brief(), down);
    world.apply(APP, &[("WEB", &web)]).await;
    assert_eq!(world.get("http://web.example/").await.brief(), (200, "web"));
    world.delete(&kinds::ENDPOINT_SLICE, "shop", "web");
    world.settled().await;
    assert_eq!(world.get("http://web.example/").await.brief(), down);
}

#[tokio::test]
async fn row_11_ssl_enforce_redirects_with_path_and_query_and_ws_to_wss() {
    let web = Backend::named("web").await;
    let world = start(&web).await;
    world.annotate("router.deis.io/ssl.enforce", "true").await;
    let answer = world.get("http://web.example/a%20b/c?d=e&f=%2F").await;
    assert_eq!(answer.brief(), (301, ""));
    assert_eq!(answer.header("location"), Some("https://web.example/a%20b/c?d=e&f=%2F"));
    let upgrade = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let answer = world.get_with("http://web.example/socket?a=b", &upgrade).await;
    assert_eq!(answer.brief(), (301, ""));
    assert_eq!(answer.header("location"), Some("wss://web.example/socket?a=b"));
    assert_eq!(web.requests(), 0);
    assert_eq!(world.get("https://web.example/").await.brief(), (200, "web"));
}

#[tokio::test]
async fn redirects_name_the_public_https_port() {
    let web = Backend::named("web").await;
    let world = start_with(&web, |options| options.settings.public_https_port = 8443).await;
    world.annotate("router.deis.io/ssl.enforce", "true").await;
    let answer = world.get("http://web.example:8080/a").await;
    assert_eq!(answer.header("location"), Some("https://web.example:8443/a"));
}

#[tokio::test]
async fn an_access_list_denies_before_all_else_and_a_bad_one_denies_everyone() {
    let web = Backend::named("web").await;
    let world = start(&web).await;
    let denied = (403, "Your address may not use this application.\n");
    world.annotate("router.deis.io/whitelist", "127.0.0.0/8,2001:db8::/32").await;
    assert_eq!(world.get("http://web.example/").await.brief(), (200, "web"));
    world.annotate("router.deis.io/whitelist", "192.0.2.0/24").await;
    assert_eq!(world.get("http://web.example/").await.brief(), denied);
    world.annotate("router.deis.io/maintenance", "true").await;
    assert_eq!(world.get("http://web.example/").await.brief(), denied);
    world.annotate("router.deis.io/maintenance", Value::Null).await;
    world.annotate("router.deis.io/whitelist", "my office").await;
    assert_eq!(world.get("http://web.example/").await.brief(), denied);
}

#[tokio::test]
async fn an_annotation_that_cannot_be_read_is_told_and_the_others_live_on() {
    let web = Backend::named("web").await;
    let world = start(&web).await;
    world.annotate("router.deis.io/maintenance", "perhaps").await;
    assert_eq!(world.get("http://web.example/").await.brief(), (200, "web"));
    let expected = json!([{
        "kind": "Service", "namespace": "shop", "name": "web",
        "findings": [{
            "field": "metadata.annotations[router.deis.io/maintenance]",
            "severity": "warning",
            "reason": "\"perhaps\" is neither true nor false. The default stands",
        }],
    }]);
    assert_eq!(world.admin_json("/diagnostics").await["objects"], expected);
}
