//! What the router tells of itself.

use serde_json::json;

use crate::support::{Backend, Connection, World, eventually, within};

/// The application `web` at `web.example`.
pub(crate) const APP: &str = r#"
    apiVersion: v1
    kind: Service
    metadata:
      name: web
      namespace: shop
      labels: {router.deis.io/routable: "true", app: front}
      annotations: {router.deis.io/domains: web.example}
    spec: {ports: [{name: http, port: 80}]}
    ---
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {name: web, namespace: shop, labels: {kubernetes.io/service-name: web}}
    addressType: IPv4
    ports: [{name: http, port: $WEB_PORT}]
    endpoints: [{addresses: [$WEB]}]
"#;

#[tokio::test]
async fn row_28_healthz_answers_on_admin_and_default_host_while_routes_change() {
    let (world, web) = (World::start().await, Backend::named("web").await);
    let mut admin = Connection::plain(world.router.admin_addr()).await;
    let mut public = world.connect().await;
    for i in 0..50 {
        world.write(&APP.replace("web.example", &format!("web-{i}.example")), &[("WEB", &web)]);
        assert_eq!(admin.get("localhost", "/healthz").await.brief(), (200, "ok\n"));
        assert_eq!(public.get("unknown.example", "/healthz").await.brief(), (200, "ok\n"));
    }
    world.settled().await;
    // An application's own /healthz is its own.
    assert_eq!(world.get("http://web-49.example/healthz").await.brief(), (200, "web"));
}

/// More of them than there are connections at a time. Those that came last are not closed.
#[tokio::test]
async fn it_is_healthy_though_strangers_connect_and_say_nothing() {
    let world = World::start().await;
    let address = world.router.admin_addr();
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(Connection::plain(address).await);
    }
    let mut probe = Connection::plain(address).await;
    assert_eq!(probe.get("localhost", "/healthz").await.brief(), (200, "ok\n"));
    assert_eq!(silent[50].get("localhost", "/healthz").await.brief(), (200, "ok\n"));
}

#[tokio::test]
async fn row_33_requests_bytes_and_times_are_counted_per_app() {
    let (world, web) = (World::start().await, Backend::named("web").await);
    world.apply(APP, &[("WEB", &web)]).await;
    for _ in 0..3 {
        world.get("http://web.example/").await;
    }
    world.get("http://unknown.example/").await;
    let page = eventually("all requests are counted", async || {
        let page = world.admin("/metrics").await.body;
        // Counted when a request has ended, which may be after its answer has come.
        let counted = page.contains(r#"requests_total{app="shop/front",class="2xx"} 3"#)
            && page.contains("fairlead_router_unrouted_requests_total 1");
        if counted { Ok(page) } else { Err(page) }
    })
    .await;
    for line in [
        r#"fairlead_router_app_requests_total{app="shop/front",class="2xx"} 3"#,
        r#"fairlead_router_app_requests_total{app="shop/front",class="5xx"} 0"#,
        r#"fairlead_router_app_sent_bytes_total{app="shop/front"} 9"#,
        r#"fairlead_router_app_received_bytes_total{app="shop/front"} 0"#,
        r#"fairlead_router_app_requests_in_flight{app="shop/front"} 0"#,
        r#"fairlead_router_app_upstream_errors_total{app="shop/front"} 0"#,
        "fairlead_router_unrouted_requests_total 1",
        "fairlead_router_synced 1",
        "fairlead_router_table_hosts 1",
        "fairlead_router_table_generation 1",
        r#"fairlead_router_watch_age_seconds{kind="Secret"} 0.0"#,
        r#"fairlead_router_diagnostics{severity="error"} 0"#,
        "fairlead_router_access_log_dropped_lines_total 0",
        "# EOF",
    ] {
        assert!(page.lines().any(|l| l == line), "{line} is not in\n{page}");
    }
    let seconds = |name: &str| {
        let name = format!("fairlead_router_app_{name}_seconds_total{{app=\"shop/front\"}} ");
        let value = page.lines().find_map(|line| line.strip_prefix(&name));
        value.unwrap_or_else(|| panic!("{name} is not in\n{page}")).parse::<f64>().unwrap()
    };
    let (all, upstream) = (seconds("request"), seconds("upstream"));
    assert!(0.0 < upstream && upstream <= all, "{upstream} {all}");
}

#[tokio::test]
async fn apps_beyond_the_limit_share_their_series() {
    let world = World::with(|options| options.metrics_apps = 1).await;
    let web = Backend::named("web").await;
    world.apply(APP, &[("WEB", &web)]).await;
    let other = APP.replace("web.example", "other.example").replace("front", "other");
    world.apply(&other.replace("name: web", "name: other"), &[("WEB", &web)]).await;
    world.get("http://web.example/").await;
    let page = eventually("the request is counted", async || {
        let page = world.admin("/metrics").await.body;
        let line = r#"fairlead_router_app_requests_total{app="shop/front",class="2xx"} 1"#;
        if page.contains(line) { Ok(page) } else { Err(page) }
    })
    .await;
    assert!(page.contains(r#"app_requests_total{app="_other",class="2xx"} 0"#), "{page}");
    assert!(!page.contains("shop/other"), "{page}");
}

#[tokio::test]
async fn routes_and_status_show_what_is_served() {
    let (world, web) = (World::start().await, Backend::named("web").await);
    world.apply(APP, &[("WEB", &web)]).await;
    let expected = json!([{
        "host": "web.example",
        "path": {"prefix": "/"},
        "app": "shop/front",
        "tls": false,
        "policies": ["require-endpoint"],
        "backend": "shop/web:http",
        "endpoints": [web.address().to_string()],
        "upstream": null,
        "connect_timeout_ms": 30_000,
        "tcp_timeout_ms": 1_300_000,
        "body_size": 1_048_576,
        "headers": null,
        "compression": true,
        "origin": {"kind": "Service", "namespace": "shop", "name": "web"},
    }]);
    assert_eq!(world.admin_json("/routes").await, expected);
    let status = world.admin_json("/status").await;
    assert_eq!(
        (&status["ready"], &status["hosts"], &status["apps"]),
        (&json!(true), &json!(1), &json!(1))
    );
    let watches = json!([
        {"kind": "Service", "state": "watching", "objects": 1, "age_seconds": 0},
        {"kind": "EndpointSlice", "state": "watching", "objects": 1, "age_seconds": 0},
        {"kind": "Secret", "state": "watching", "objects": 0, "age_seconds": 0},
        {"kind": "ConfigMap", "labels": "router.fairlead.dev/pages=true", "state": "watching", "objects": 0, "age_seconds": 0},
        {"kind": "ConfigMap", "labels": "router.fairlead.dev/authorities=true", "state": "watching", "objects": 0, "age_seconds": 0},
    ]);
    assert_eq!(status["watches"], watches);
    let empty = json!({"objects": [], "watches": []});
    assert_eq!(world.admin_json("/diagnostics").await, empty);
}

#[tokio::test]
async fn on_loopback_the_admin_endpoints_go_by_no_other_name() {
    let world = World::start().await;
    let mut admin = Connection::plain(world.router.admin_addr()).await;
    assert_eq!(admin.get("rebound.example", "/routes").await.status, 403);
    assert_eq!(admin.get("localhost:9090", "/routes").await.status, 200);
    assert_eq!(admin.get("localhost", "/nothing").await.status, 404);
    let post = hyper::Request::post("/routes").header("host", "localhost");
    let post = post.body(http_body_util::Full::from("x".repeat(1000))).unwrap();
    assert_eq!(within("an answer", admin.send(post)).await.unwrap().status, 405);
}

/// The reference page is made from the metrics' own descriptions. To write it anew:
/// `FAIRLEAD_WRITE_DOCS=1 ./dev test the_metrics_page`
#[tokio::test]
async fn the_metrics_page_shows_every_metric() {
    let (world, web) = (World::start().await, Backend::named("web").await);
    world.apply(APP, &[("WEB", &web)]).await;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/metrics.md");
    let page = metrics_page(&world.admin("/metrics").await.body);
    if std::env::var_os("FAIRLEAD_WRITE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), page);
}

fn metrics_page(metrics: &str) -> String {
    let mut page = "# Metrics of the router\n\n\
        At `/metrics` of the [admin address](admin-api.md), as OpenMetrics text. Eleven series for each application, for the busiest ones\n\
        (`--metrics-apps`, 2,000 unless set); all others together are `app=\"_other\"`, whose counters fall when an application gets series of\n\
        its own. An application is named `namespace/name`; its counters begin anew when its last Service is gone.\n\n\
        | Metric | Type | Labels | Meaning |\n|---|---|---|---|\n"
        .to_owned();
    let mut lines = metrics.lines();
    while let Some(line) = lines.next() {
        let Some(help) = line.strip_prefix("# HELP ") else { continue };
        let (name, meaning) = help.split_once(' ').unwrap();
        let kind = lines.next().unwrap().rsplit_once(' ').unwrap().1;
        let suffix = if kind == "counter" { "_total" } else { "" };
        let labels = metrics.lines().find_map(|sample| {
            let sample = sample.strip_prefix(name)?.strip_prefix(suffix)?.strip_prefix('{')?;
            let (labels, _) = sample.split_once('}')?;
            let names = labels.split(',').map(|label| label.split_once('=').unwrap().0);
            Some(names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
        });
        let labels = labels.unwrap_or_default();
        let meaning = meaning.trim_end_matches('.');
        page += &format!("| `{name}{suffix}` | {kind} | {labels} | {meaning}. |\n");
    }
    page
}
