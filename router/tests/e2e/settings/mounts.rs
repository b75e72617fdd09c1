//! Applications at paths of another one's host.

use fairlead_cluster::kinds;
use http_body_util::Full;
use hyper::Response;
use serde_json::{Value, json};

use super::{DENIED, NOT_FOUND, start};
use crate::support::Backend;

/// An application in a namespace of its own, as each has on Deis Workflow.
const API: &str = r#"
    apiVersion: v1
    kind: Service
    metadata:
      name: api
      namespace: api
      labels: {router.deis.io/routable: "true"}
      annotations:
        router.deis.io/domains: api.example
        router.deis.io/proxyDomain: PROXY_DOMAIN
        router.deis.io/proxyLocations: "/api/, = /status"
    spec: {ports: [{port: 80}]}
    ---
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {name: api, namespace: api, labels: {kubernetes.io/service-name: api}}
    addressType: IPv4
    ports: [{port: $API_PORT}]
    endpoints: [{addresses: [$API]}]
"#;

#[tokio::test]
async fn row_31_a_service_is_mounted_at_paths_of_another_ones_host() {
    let web = Backend::named("web").await;
    let api =
        Backend::answering(|request| Response::new(Full::from(format!("api {}", request.uri()))))
            .await;
    let world = start(&web, &[]).await;
    world.apply(&API.replace("PROXY_DOMAIN", "web.example"), &[("API", &api)]).await;
    let ask = async |path: &str| world.get(&format!("http://web.example{path}")).await.body;
    for (path, expected) in [
        ("/", "web"),
        ("/api", "api /api"),
        ("/api/", "api /api/"),
        ("/api/users?a=b", "api /api/users?a=b"),
        ("/apis", "web"),
        ("/status", "api /status"),
        ("/status/more", "web"),
    ] {
        assert_eq!(ask(path).await, expected, "{path}");
    }
    assert_eq!(world.get("http://api.example/").await.body, "api /");

    // The owner's access list holds for all of its host.
    world.annotate("router.deis.io/whitelist", "192.0.2.1").await;
    assert_eq!(world.get("http://web.example/api").await.brief(), DENIED);
    assert_eq!(world.get("http://api.example/").await.status, 200);
    world.annotate("router.deis.io/whitelist", Value::Null).await;
    assert_eq!(ask("/api").await, "api /api");

    // A host that nobody has costs only the mount.
    world.apply(&API.replace("PROXY_DOMAIN", "nobody.example"), &[("API", &api)]).await;
    assert_eq!(ask("/api").await, "web");
    assert_eq!(world.get("http://nobody.example/api").await.brief(), NOT_FOUND);
    assert_eq!(world.get("http://api.example/").await.body, "api /");
    let told = world.admin_json("/diagnostics").await["objects"].clone();
    let expected = json!([{
        "kind": "Service", "namespace": "api", "name": "api",
        "findings": [{
            "field": "metadata.annotations[proxyDomain]",
            "severity": "error",
            "reason": "no Service has nobody.example among its domains; until one has, nothing is served there",
        }],
    }]);
    assert_eq!(told, expected);
}

// RFC 3986 §2.2, §3.3, §5.2.4: `/api` is closed to this client, and stays so in every spelling.
#[tokio::test]
async fn a_path_that_endpoints_may_read_in_two_ways_does_not_pass_a_rule_by() {
    let (web, api) = (Backend::named("web").await, Backend::named("api").await);
    let world = start(&web, &[]).await;
    world.apply(&API.replace("PROXY_DOMAIN", "web.example"), &[("API", &api)]).await;
    let closed = json!({"metadata": {"annotations": {"router.deis.io/whitelist": "192.0.2.1"}}});
    world.patch(&kinds::SERVICE, "api", "api", closed);
    world.settled().await;
    const AMBIGUOUS: (u16, &str) = (400, "The path of this request can be read in two ways.\n");
    for (path, expected) in [
        ("/api/users", DENIED),
        // Everybody reads these alike.
        ("/%61pi/users", DENIED),
        ("/x/../api/users", DENIED),
        ("/x/%2e%2e/api/users", DENIED),
        ("/api/../x", (200, "web")),
        // These are `/api` to some and not to others.
        ("//api/users", AMBIGUOUS),
        ("/%2fapi/users", AMBIGUOUS),
        ("/x%2f..%2fapi/users", AMBIGUOUS),
        ("/x/..%2fapi/users", AMBIGUOUS),
        ("/api;a=b/users", AMBIGUOUS),
        ("/api%2fusers", AMBIGUOUS),
        // Two readings, and one rule for both.
        ("/x%2fy", (200, "web")),
        ("/x//y", (200, "web")),
        ("/x;a=b/y", (200, "web")),
    ] {
        let mut connection = world.connect().await;
        let answer = connection.get("web.example", path).await;
        assert_eq!(answer.brief(), expected, "{path}");
    }
}
