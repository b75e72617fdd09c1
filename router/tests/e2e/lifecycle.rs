//! From start to end: readiness, a lost API, shutdown.

use std::time::Duration;

use fairlead_cluster::{Cluster, ClusterOptions};
use fairlead_router::{HTTP, Router, StartError};
use serde_json::json;

use crate::{
    admin::APP,
    support::{Api, Backend, Connection, Pair, World, eventually, options, within},
};

async fn cluster() -> Cluster {
    Cluster::start(ClusterOptions::default()).await.unwrap()
}

async fn readyz(world: &World) -> (u16, String) {
    let answer = world.admin("/readyz").await;
    (answer.status, answer.body)
}

#[tokio::test]
async fn a_forbidden_kind_keeps_it_unready_with_the_rbac_line_to_add() {
    let hinder = |api: &Api| api.refuse("endpointslices", 403);
    let world = World::on(cluster().await, hinder, |_| {}).await;
    let expected = (
        503,
        "not ready\nEndpointSlice: forbidden: add to the router's ClusterRole: - {apiGroups: [\"discovery.k8s.io\"], \
         resources: [endpointslices], verbs: [get, list, watch]}\n"
            .to_owned(),
    );
    eventually("the reason is told", async || {
        let got = readyz(&world).await;
        if got == expected { Ok(()) } else { Err(got) }
    })
    .await;
    assert_eq!(world.admin("/healthz").await.brief(), (200, "ok\n"));
    assert_eq!(world.admin_json("/status").await["ready"], json!(false));

    world.api.allow();
    within("the router is ready", world.router.ready()).await;
    assert_eq!(readyz(&world).await, (200, "ready\n".to_owned()));
}

#[tokio::test]
async fn a_secret_that_may_not_be_read_keeps_it_unready_and_is_named() {
    let world = World::on(cluster().await, Api::down, |_| {}).await;
    world.api.refuse("/secrets/", 403);
    world.put(Pair::of("web.example").secret("web-cert"));
    let with_certificate = "domains: web.example, router.deis.io/certificates: \"web.example:web\"";
    let web = Backend::named("web").await;
    world.write(&APP.replace("domains: web.example", with_certificate), &[("WEB", &web)]);
    world.api.up();
    let expected = (
        503,
        "not ready\nreading Secret shop/web-cert is forbidden: allow the verb get on secrets in namespace shop\n"
            .to_owned(),
    );
    eventually("the reason is told", async || {
        let got = readyz(&world).await;
        if got == expected { Ok(()) } else { Err(got) }
    })
    .await;
    world.api.allow();
    within("the router is ready", world.router.ready()).await;
    assert_eq!(world.get("https://web.example/").await.brief(), (200, "web"));
}

#[tokio::test]
async fn a_kind_that_the_server_lacks_is_passed_over_and_picked_up_when_it_appears() {
    let hinder = |api: &Api| api.refuse("endpointslices", 404);
    let world = World::on(cluster().await, hinder, |_| {}).await;
    let web = Backend::named("web").await;
    within("the router is ready", world.router.ready()).await;
    world.write(APP, &[("WEB", &web)]);
    eventually("the route is there", async || {
        let answer = world.get("http://web.example/").await;
        if answer.status == 503 { Ok(()) } else { Err(answer) }
    })
    .await;
    let watches = world.admin_json("/diagnostics").await["watches"].clone();
    assert_eq!(
        (&watches[0]["kind"], &watches[0]["state"]),
        (&json!("EndpointSlice"), &json!("absent"))
    );

    world.api.allow();
    world.settled().await;
    assert_eq!(world.get("http://web.example/").await.brief(), (200, "web"));
    assert_eq!(world.admin_json("/diagnostics").await["watches"], json!([]));
}

#[tokio::test]
async fn a_server_that_has_none_of_the_kinds_is_no_api() {
    let hinder = |api: &Api| api.refuse("/", 404);
    let world = World::on(cluster().await, hinder, |_| {}).await;
    eventually("all kinds are absent", async || {
        let (status, body) = readyz(&world).await;
        assert_eq!(status, 503);
        if body.matches("the server does not have this kind").count() == 5 {
            Ok(())
        } else {
            Err(body)
        }
    })
    .await;
}

#[tokio::test]
async fn ready_means_that_everything_there_was_is_served() {
    let (cluster, web) = (cluster().await, Backend::named("web").await);
    let world = World::on(cluster, Api::down, |_| {}).await;
    world.write(APP, &[("WEB", &web)]);
    assert_eq!(readyz(&world).await.0, 503);
    world.api.up();
    within("the router is ready", world.router.ready()).await;
    assert_eq!(world.get("http://web.example/").await.brief(), (200, "web"));
}

#[tokio::test]
async fn without_the_api_it_serves_on_stays_ready_and_catches_up() {
    let (world, web) = (World::start().await, Backend::named("web").await);
    world.apply(APP, &[("WEB", &web)]).await;
    world.api.down();
    world.cluster.drop_watches();
    eventually("the loss is noticed", async || {
        let status = world.admin_json("/status").await;
        let watches = status["watches"].as_array().unwrap();
        if watches.iter().all(|watch| watch["state"] == "failing") { Ok(()) } else { Err(status) }
    })
    .await;
    assert_eq!(world.get("http://web.example/").await.brief(), (200, "web"));
    assert_eq!(readyz(&world).await, (200, "ready\n".to_owned()));
    eventually("the age grows", async || {
        let status = world.admin_json("/status").await;
        if status["watches"][0]["age_seconds"].as_u64().unwrap() > 0 { Ok(()) } else { Err(status) }
    })
    .await;

    // Meanwhile one app goes and another comes.
    world.delete(&fairlead_cluster::kinds::SERVICE, "shop", "web");
    let other = APP.replace("name: web", "name: other").replace("web.example", "other.example");
    world.write(&other, &[("WEB", &web)]);
    world.api.up();
    world.settled().await;
    assert_eq!(world.get("http://other.example/").await.brief(), (200, "web"));
    assert_eq!(world.get("http://web.example/").await.status, 404);
}

#[tokio::test]
async fn shutdown_fails_readiness_first_then_closes_then_lets_requests_end() {
    // Long enough for all that is asked before the listener closes.
    let world = World::with(|options| options.shutdown_delay = Duration::from_secs(3)).await;
    let pod = Backend::echoing().await;
    world.apply(APP, &[("WEB", &pod)]).await;
    let mut socket = world.websocket("web.example").await;
    assert_eq!(socket.echo("open").await.as_deref(), Ok("open"));
    let (http, admin) = (world.router.addr(HTTP).unwrap(), world.router.admin_addr());
    let end = tokio::spawn(world.router.shutdown());
    eventually("readiness fails", async || {
        let answer = Connection::plain(admin).await.get("localhost", "/readyz").await;
        if answer.status == 503 { Ok(()) } else { Err(answer) }
    })
    .await;
    // Not ready, and still open: load balancers take time to notice.
    assert_eq!(Connection::plain(http).await.get("unknown.example", "/").await.status, 404);
    eventually("the listener is closed", async || {
        match tokio::net::TcpStream::connect(http).await {
            Ok(_) => Err("connected"),
            Err(_) => Ok(()),
        }
    })
    .await;
    // A WebSocket has until the deadline.
    assert_eq!(socket.echo("still open").await.as_deref(), Ok("still open"));
    assert!(!end.is_finished());
    drop(socket);
    assert_eq!(within("the router ends", end).await.unwrap(), 0);
}

#[tokio::test]
async fn what_does_not_end_by_the_deadline_is_cut_off() {
    let world = World::with(|options| options.drain_timeout = Duration::from_millis(200)).await;
    let pod = Backend::echoing().await;
    world.apply(APP, &[("WEB", &pod)]).await;
    let mut socket = world.websocket("web.example").await;
    assert_eq!(socket.echo("open").await.as_deref(), Ok("open"));
    assert_eq!(within("the router ends", world.router.shutdown()).await, 1);
    socket.closed().await;
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_port_and_flag() {
    let api = Api::of(&cluster().await);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for flag in ["--http", "--https", "--admin"] {
        let mut options = options();
        match flag {
            "--http" => options.http = address,
            "--https" => options.https = address,
            _ => options.admin = address,
        }
        let error = Router::start(options, api.client().await).err().unwrap();
        assert!(matches!(error, StartError::Bind { .. }));
        let message = error.to_string();
        assert!(message.contains(&format!("port {}", address.port())), "{message}");
        assert!(message.ends_with(&format!("choose another with {flag}")), "{message}");
    }
}
