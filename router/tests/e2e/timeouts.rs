//! Limits in time, upstream and towards the client.

use std::time::Duration;

use crate::support::{Backend, World, options, within};

/// An application with limits of its own, and the same pods as another with the defaults.
const APPS: &str = r#"
    apiVersion: v1
    kind: Service
    metadata:
      name: short
      namespace: shop
      labels: {router.deis.io/routable: "true"}
      annotations:
        router.deis.io/domains: short.example
        router.deis.io/connectTimeout: CONNECT
        router.deis.io/tcpTimeout: TCP
    spec: {ports: [{port: 80}]}
    ---
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {name: short, namespace: shop, labels: {kubernetes.io/service-name: short}}
    addressType: IPv4
    ports: [{port: $POD_PORT}]
    endpoints: [{addresses: [$POD]}]
    ---
    apiVersion: v1
    kind: Service
    metadata:
      name: long
      namespace: shop
      labels: {router.deis.io/routable: "true"}
      annotations: {router.deis.io/domains: long.example}
    spec: {ports: [{port: 80}]}
    ---
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {name: long, namespace: shop, labels: {kubernetes.io/service-name: long}}
    addressType: IPv4
    ports: [{port: $POD_PORT}]
    endpoints: [{addresses: [$POD]}]
"#;

const TIMEOUT: (u16, &str) = (504, "The application did not answer in time.\n");

/// The app with limits answers 504 while the one without still waits.
async fn short_gives_up_and_long_waits(world: &World) {
    let mut patient = world.connect().await;
    tokio::select! {
        biased;
        answer = patient.get("long.example", "/") => panic!("no limit, but {answer:?}"),
        answer = world.get("http://short.example/") => assert_eq!(answer.brief(), TIMEOUT),
    }
}

#[tokio::test]
async fn row_14_tcp_timeout_per_app_gives_504_at_the_limit() {
    let (world, pod) = (World::start().await, Backend::silent().await);
    let manifest = APPS.replace("CONNECT", "30s").replace("TCP", "300ms");
    world.apply(&manifest, &[("POD", &pod)]).await;
    short_gives_up_and_long_waits(&world).await;
}

#[tokio::test]
async fn row_14_connect_timeout_per_app_gives_504_at_the_limit() {
    let (world, pod) = (World::start().await, Backend::unreachable().await);
    let manifest = APPS.replace("CONNECT", "300ms").replace("TCP", "30s");
    world.apply(&manifest, &[("POD", &pod)]).await;
    short_gives_up_and_long_waits(&world).await;
}

#[tokio::test]
async fn row_21_a_websocket_lives_while_it_talks_and_ends_after_tcp_timeout_of_silence() {
    let (world, pod) = (World::start().await, Backend::echoing().await);
    let manifest = APPS.replace("CONNECT", "30s").replace("TCP", "2s");
    world.write(&manifest, &[("POD", &pod)]);
    let manifest = APPS.replace("CONNECT", "30s").replace("TCP", "4s").replace("short", "longer");
    world.apply(&manifest, &[("POD", &pod)]).await;
    let mut socket = world.websocket("short.example").await;
    let mut longer = world.websocket("longer.example").await;
    let mut other = world.websocket("long.example").await;
    // Longer than the limit in all, never silent for as long.
    for i in 0..5 {
        let text = format!("message {i}");
        for socket in [&mut socket, &mut longer] {
            assert_eq!(socket.echo(&text).await.as_ref(), Ok(&text));
        }
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
    // Both are silent from here on; the one with the lower limit is the first to end.
    assert_eq!(longer.echo("still there").await.as_deref(), Ok("still there"));
    assert_eq!(socket.echo("still there").await.as_deref(), Ok("still there"));
    socket.closed().await;
    assert_eq!(longer.echo("not yet").await.as_deref(), Ok("not yet"));
    longer.closed().await;
    assert_eq!(other.echo("no limit here").await.as_deref(), Ok("no limit here"));
}

#[tokio::test]
async fn row_23_keep_alive_lasts_as_long_as_set() {
    assert_eq!(fairlead_router::Settings::default().idle_timeout, Duration::from_secs(1300));
    let world = World::with(|options| options.settings.idle_timeout = Duration::from_secs(1)).await;
    let patient = fairlead_router::Router::start(options(), world.api.client().await).unwrap();
    within("the other router is ready", patient.ready()).await;
    let pod = Backend::named("pod").await;
    let manifest = APPS.replace("CONNECT", "30s").replace("TCP", "30s");
    world.apply(&manifest, &[("POD", &pod)]).await;

    let mut long = crate::support::Connection::plain(patient.addr("http").unwrap()).await;
    assert_eq!(long.get("unknown.example", "/").await.status, 404);
    let mut short = world.connect().await;
    for _ in 0..3 {
        assert_eq!(short.get("short.example", "/").await.brief(), (200, "pod"));
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    short.closed().await;
    assert_eq!(long.get("unknown.example", "/").await.status, 404, "kept by the other");
}
