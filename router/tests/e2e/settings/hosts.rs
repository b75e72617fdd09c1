//! Which hosts an application is served at, and what answers where none is found.

use fairlead_cluster::kinds;
use serde_json::{Value, json};

use super::{NOT_FOUND, start};
use crate::support::{Answer, Backend};

#[tokio::test]
async fn row_02_a_dotless_name_is_below_the_platform_domain_or_with_any_suffix() {
    let web = Backend::named("web").await;
    let world = start(&web, &[]).await;
    world.annotate("router.deis.io/domains", "web").await;
    for host in ["web", "web.apps.example", "web.example"] {
        assert_eq!(world.get(&format!("http://{host}/")).await.brief(), NOT_FOUND, "{host}");
    }
    world.set("platformDomain", "apps.example").await;
    assert_eq!(world.get("http://web.apps.example/").await.brief(), (200, "web"));
    assert_eq!(world.get("http://web.example/").await.brief(), NOT_FOUND);
    world.set("platformDomain", "other.example").await;
    assert_eq!(world.get("http://web.apps.example/").await.brief(), NOT_FOUND);
    assert_eq!(world.get("http://web.other.example/").await.brief(), (200, "web"));

    // Only where it is asked for: anybody's name may begin with an app's.
    world.set("platformDomain", Value::Null).await;
    assert_eq!(world.get("http://web.other.example/").await.brief(), NOT_FOUND);
    world.set("matchAnySuffix", "true").await;
    for (host, expected) in [
        ("web.other.example", (200, "web")),
        ("web.a", (200, "web")),
        ("web", NOT_FOUND),
        ("webs.example", NOT_FOUND),
        ("a.web.example", NOT_FOUND),
    ] {
        assert_eq!(world.get(&format!("http://{host}/")).await.brief(), expected, "{host}");
    }
}

#[tokio::test]
async fn regex_domains_are_below_the_platform_domain_where_they_are_allowed() {
    let web = Backend::named("web").await;
    let world = start(&web, &[("platformDomain", "apps.example")]).await;
    world.annotate("router.deis.io/regexDomain", r"store-\d*").await;
    assert_eq!(world.get("http://store-12.apps.example/").await.brief(), NOT_FOUND);
    world.set("enableRegexDomains", "true").await;
    assert_eq!(world.get("http://store-12.apps.example/").await.brief(), (200, "web"));
    assert_eq!(world.get("http://Store-7.apps.example/").await.brief(), (200, "web"));
    assert_eq!(world.get("http://store-x.apps.example/").await.brief(), NOT_FOUND);
    assert_eq!(world.get("http://store-12.example/").await.brief(), NOT_FOUND);
    world.annotate("router.deis.io/regexDomain", "store-(").await;
    assert_eq!(world.get("http://store-12.apps.example/").await.brief(), NOT_FOUND);
    assert_eq!(world.get("http://web.example/").await.brief(), (200, "web"));
}

/// A Service without label: nobody's but the router's settings name it.
const FALLBACK: &str = r#"
    apiVersion: v1
    kind: Service
    metadata: {name: lost, namespace: deis}
    spec: {ports: [{port: 80}]}
    ---
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {name: lost, namespace: deis, labels: {kubernetes.io/service-name: lost}}
    addressType: IPv4
    ports: [{port: $LOST_PORT}]
    endpoints: [{addresses: [$LOST]}]
"#;

#[tokio::test]
async fn row_30_a_catch_all_service_answers_where_no_host_is_found() {
    let (web, lost) = (Backend::named("web").await, Backend::named("lost").await);
    let world = start(&web, &[]).await;
    world.apply(FALLBACK, &[("LOST", &lost)]).await;
    let ask = async |path: &str| {
        let Answer { status, body, .. } = world.get(&format!("http://unknown.example{path}")).await;
        (status, body)
    };
    let text = |status, body: &str| (status, body.to_owned());
    assert_eq!(ask("/a").await, text(404, NOT_FOUND.1));

    // As on Deis Workflow: an address, when it is enabled.
    world.set("defaultServiceIP", lost.address().to_string()).await;
    world.set("defaultAppName", "lost-and-found").await;
    assert_eq!(ask("/a").await, text(404, NOT_FOUND.1));
    world.set("defaultServiceEnabled", "true").await;
    assert_eq!(ask("/a").await, text(200, "lost"));
    assert_eq!(ask("/healthz").await, text(200, "ok\n"));
    assert_eq!(world.get("http://web.example/").await.brief(), (200, "web"));
    let apps: Vec<_> = world
        .admin_json("/routes")
        .await
        .as_array()
        .unwrap()
        .iter()
        .map(|route| (route["host"].clone(), route["app"].clone()))
        .collect();
    let expected =
        [(json!("web.example"), json!("shop/web")), (json!("*"), json!("lost-and-found"))];
    assert_eq!(apps, expected);
    world.set("defaultServiceEnabled", "false").await;
    assert_eq!(ask("/a").await, text(404, NOT_FOUND.1));

    // By its name: its endpoints are followed.
    world.set("defaultService", "deis/lost").await;
    assert_eq!(ask("/a").await, text(200, "lost"));
    world.delete(&kinds::ENDPOINT_SLICE, "deis", "lost");
    world.settled().await;
    assert_eq!(ask("/a").await, text(503, "This application has no running instance.\n"));
    world.delete(&kinds::SERVICE, "deis", "lost");
    world.settled().await;
    assert_eq!(ask("/a").await, text(404, NOT_FOUND.1));
    let told = world.admin_json("/diagnostics").await["objects"].clone();
    let expected = json!([{
        "kind": "Service", "namespace": "deis", "name": "lost",
        "findings": [{
            "field": "spec.ports",
            "severity": "error",
            "reason": "this Service does not exist; it is to be served where no host is found",
        }],
    }]);
    assert_eq!(told, expected);
}
