//! Where settings are read, and what is said of those that mean nothing.

use fairlead_cluster::{Cluster, ClusterOptions, Selector, kinds};
use fairlead_router::{Router, RouterOptions, SettingsSource};
use fairlead_router_core::Key;
use fairlead_router_core::object::Kind;
use serde_json::{Value, json};

use super::{APP, DENIED, ROUTER, start, start_with};
use crate::support::{Backend, Connection, World, eventually, options, within};

#[tokio::test]
async fn row_26_a_setting_that_cannot_be_read_is_told_and_the_others_live_on() {
    let web = Backend::named("web").await;
    let world =
        start(&web, &[("bodySize", "1MB"), ("ssl.enforce", "yes"), ("requestIDs", "true")]).await;
    let answer = world.get("http://web.example/").await;
    assert_eq!((answer.status, answer.header("x-request-id").map(str::len)), (200, Some(32)));
    let expected = json!([
        {
            "field": "metadata.annotations[router.deis.io/nginx.bodySize]",
            "severity": "warning",
            "reason": "\"1MB\" is not a size; write a whole number of bytes, or of KiB, MiB or GiB with k, m or g, \
                       such as 10m. The default stands",
        },
        {
            "field": "metadata.annotations[router.deis.io/nginx.ssl.enforce]",
            "severity": "warning",
            "reason": "\"yes\" is neither true nor false. The default stands",
        },
    ]);
    assert_eq!(world.findings().await, expected);
    world.set("bodySize", "1m").await;
    world.set("ssl.enforce", Value::Null).await;
    assert_eq!(world.findings().await, Value::Null);
}

#[tokio::test]
async fn row_24_buffering_and_tuning_of_nginx_are_reported_as_void() {
    let web = Backend::named("web").await;
    let settings =
        [("proxyBuffers.enabled", "true"), ("serverNameHashMaxSize", "1024"), ("noSuch", "x")];
    let world = start(&web, &settings).await;
    let finding = |name: &str, reason: &str| {
        json!({
            "field": format!("metadata.annotations[router.deis.io/{name}]"),
            "severity": "warning",
            "reason": reason,
        })
    };
    let streamed = "this annotation does nothing here: responses are always streamed, so there are no buffers to set";
    let expected = json!([
        finding("nginx.noSuch", "this annotation is not known and does nothing"),
        finding("nginx.proxyBuffers.enabled", streamed),
        finding(
            "nginx.serverNameHashMaxSize",
            "this annotation does nothing here: any number of names of any length is looked up alike"
        ),
    ]);
    assert_eq!(world.findings().await, expected);
    world.annotate("router.deis.io/nginx.proxyBuffers.enabled", "true").await;
    let told = world.admin_json("/diagnostics").await;
    let found = told["objects"].as_array().unwrap().iter().find(|o| o["kind"] == "Service");
    assert_eq!(
        found.unwrap()["findings"],
        json!([finding("nginx.proxyBuffers.enabled", streamed)])
    );
}

#[tokio::test]
async fn the_own_prefix_wins_and_flags_hold_where_the_object_says_nothing() {
    let web = Backend::named("web").await;
    let world = start_with(&web, &[("referrerPolicy", "origin")], |options| {
        options.settings.referrer_policy = None;
        options.settings.request_ids = true;
    })
    .await;
    let fields = async || {
        let answer = world.get("http://web.example/").await;
        let policy = answer.header("referrer-policy").map(str::to_owned);
        (policy, answer.header("x-request-id").is_some())
    };
    assert_eq!(fields().await, (Some("origin".to_owned()), true));
    let own = |value: Value| {
        let patch =
            json!({"metadata": {"annotations": {"router.fairlead.dev/referrerPolicy": value}}});
        world.patch(&kinds::DEPLOYMENT, "deis", "deis-router", patch);
    };
    own(json!("same-origin"));
    world.set("requestIDs", "false").await;
    assert_eq!(fields().await, (Some("same-origin".to_owned()), false));
}

/// A mistake elsewhere does not open what was closed.
#[tokio::test]
async fn settings_outlive_their_object_and_one_that_was_never_there_is_awaited() {
    let web = Backend::named("web").await;
    let closed = [("defaultWhitelist", "192.0.2.1"), ("enforceWhitelists", "true")];
    let world = start(&web, &closed).await;
    assert_eq!(world.get("http://web.example/").await.brief(), DENIED);
    world.delete(&kinds::DEPLOYMENT, "deis", "deis-router");
    let problem = eventually("it is told", async || {
        let told = world.admin_json("/diagnostics").await["watches"][0].clone();
        if told.is_null() { Err(()) } else { Ok(told) }
    })
    .await;
    assert_eq!(
        (&problem["kind"], &problem["name"], &problem["problem"]),
        (
            &json!("Deployment"),
            &json!("deis-router"),
            &json!("it does not exist: what it said last holds, or the flags alone")
        )
    );
    assert_eq!(world.get("http://web.example/").await.brief(), DENIED);

    let object = Key::new("deis", "deis-router").of(Kind::Deployment);
    let settings_from = Some(SettingsSource::Object(object));
    let options = RouterOptions { settings_from, ..options() };
    let router = Router::start(options, world.api.client().await).unwrap();
    let readyz = async || {
        let mut admin = Connection::plain(router.admin_addr()).await;
        admin.get("localhost", "/readyz").await
    };
    let expected = "not ready\nDeployment deis/deis-router: it does not exist: what it said last holds, or the flags alone\n";
    eventually("the reason is told", async || {
        let answer = readyz().await;
        if answer.brief() == (503, expected) { Ok(()) } else { Err(answer) }
    })
    .await;
    world.write(ROUTER, &[]);
    within("the router is ready", router.ready()).await;
}

#[tokio::test]
async fn what_restricts_access_and_cannot_be_read_is_as_strict_as_can_be() {
    let web = Backend::named("web").await;
    let world = start(&web, &[("enforceWhitelists", "ture")]).await;
    assert_eq!(world.get("http://web.example/").await.brief(), DENIED);
    world.set("enforceWhitelists", "false").await;
    assert_eq!(world.get("http://web.example/").await.brief(), (200, "web"));
    world.set("defaultWhitelist", "127.0.0.1").await;
    world.annotate("router.deis.io/whitelist", "192.0.2.1").await;
    assert_eq!(world.get("http://web.example/").await.brief(), (200, "web"), "extended");
    world.set("whitelistMode", "Override").await;
    assert_eq!(world.get("http://web.example/").await.brief(), DENIED);
    let finding = world.findings().await;
    assert_eq!(finding[0]["severity"], "error");
    assert_eq!(
        finding[0]["reason"],
        "\"Override\" is none of extend, override. Until then the strictest value holds"
    );
}

#[tokio::test]
async fn without_a_name_the_settings_are_those_of_the_workload_that_owns_the_pod() {
    let world = World::start().await;
    world.write(&ROUTER.replace("replicas: 0", "replicas: 1"), &[]);
    let patch = json!({"metadata": {"annotations": {"router.deis.io/nginx.platformDomain": "apps.example"}}});
    world.patch(&kinds::DEPLOYMENT, "deis", "deis-router", patch);
    let web = Backend::named("web").await;
    world.apply(&APP.replace("web.example\n", "web\n"), &[("WEB", &web)]).await;
    let pod = eventually("the pod is there", async || {
        let pods = world.cluster.registry().list(&kinds::POD, Some("deis"), &Selector::default());
        let name =
            pods.items.first().map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned());
        name.ok_or(())
    })
    .await;
    let settings_from = Some(SettingsSource::OwnerOf(Key::new("deis", pod)));
    let options = RouterOptions { settings_from, ..options() };
    let router = Router::start(options, world.api.client().await).unwrap();
    within("the router is ready", router.ready()).await;
    let mut connection = Connection::plain(router.addr(fairlead_router::HTTP).unwrap()).await;
    assert_eq!(connection.get("web.apps.example", "/").await.brief(), (200, "web"));
}

#[tokio::test]
async fn settings_that_may_not_be_read_keep_the_router_from_being_ready() {
    let cluster = Cluster::start(ClusterOptions::default()).await.unwrap();
    let object = Key::new("deis", "deis-router").of(Kind::Deployment);
    let world = World::on(
        cluster,
        |api| api.refuse("/deployments", 403),
        |options| options.settings_from = Some(SettingsSource::Object(object)),
    )
    .await;
    let expected = "not ready\nDeployment deis/deis-router: forbidden: add to the router's Role in namespace deis: \
        - {apiGroups: [\"apps\"], resources: [deployments], verbs: [get, list, watch]}\n";
    eventually("the watch is refused", async || {
        let answer = world.admin("/readyz").await;
        if answer.brief() == (503, expected) { Ok(()) } else { Err(answer) }
    })
    .await;
    world.write(ROUTER, &[]);
    world.api.allow();
    within("the router is ready", world.router.ready()).await;
}
