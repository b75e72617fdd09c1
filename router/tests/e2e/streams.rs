//! TCP streams: the builder's port, and any other.

use std::time::Duration;

use fairlead_cluster::kinds;
use fairlead_router::RouterOptions;
use fairlead_router_core::{Key, StreamSpec};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{Backend, World, eventually, within};

const BUILDER: &str = r#"
    apiVersion: v1
    kind: Service
    metadata: {name: deis-builder, namespace: deis}
    spec: {ports: [{name: ssh, port: 2222, targetPort: 2223}, {name: healthz, port: 8092}]}
    ---
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {name: deis-builder, namespace: deis, labels: {kubernetes.io/service-name: deis-builder}}
    addressType: IPv4
    ports: [{name: ssh, port: $POD_PORT}]
    endpoints: [{addresses: [$POD]}]
"#;

/// The listener that leads to the builder.
const STREAM: &str = "tcp deis/deis-builder:2222";

fn builder(options: &mut RouterOptions) {
    options.settings.streams = vec![StreamSpec {
        address: "127.0.0.1:0".parse().unwrap(),
        service: Key::new("deis", "deis-builder"),
        port: 2222,
    }];
}

async fn start(pod: &Backend) -> World {
    let world = World::with(builder).await;
    world.apply(BUILDER, &[("POD", pod)]).await;
    world
}

impl World {
    /// A connection to the builder's port, once there is one.
    async fn connect_builder(&self) -> TcpStream {
        let address =
            eventually("the builder's port is open", async || self.router.addr(STREAM).ok_or(()))
                .await;
        within("a connection", TcpStream::connect(address)).await.unwrap()
    }
}

#[tokio::test]
async fn row_29_a_push_of_100_mb_passes_to_the_builder_on_its_port() {
    const PUSH: usize = 100 << 20;
    let pod = Backend::counting().await;
    let world = World::with(builder).await;
    // Bound only when there is a builder.
    assert_eq!(world.router.addr(STREAM), None);
    world.apply(BUILDER, &[("POD", &pod)]).await;
    let mut git = world.connect_builder().await;
    let chunk = vec![b'g'; 1 << 20];
    for _ in 0..PUSH >> 20 {
        within("the push goes on", git.write_all(&chunk)).await.unwrap();
    }
    // The builder answers after the client has closed its side.
    git.shutdown().await.unwrap();
    let mut answer = String::new();
    within("the answer", git.read_to_string(&mut answer)).await.unwrap();
    assert_eq!(answer, format!("{PUSH} bytes\n"));
    let page = eventually("the push is counted", async || {
        let page = world.admin("/metrics").await.body;
        let line =
            format!("fairlead_router_app_received_bytes_total{{app=\"deis/deis-builder\"}} {PUSH}");
        if page.contains(&line) { Ok(page) } else { Err(page) }
    })
    .await;
    assert!(page.contains("app_requests_in_flight{app=\"deis/deis-builder\"} 0"), "{page}");

    world.delete(&kinds::SERVICE, "deis", "deis-builder");
    world.settled().await;
    eventually("the port is closed", async || match world.router.addr(STREAM) {
        None => Ok(()),
        Some(address) => Err(address),
    })
    .await;
}

#[tokio::test]
async fn row_29_the_builder_has_timeouts_of_its_own() {
    let pod = Backend::silent().await;
    let world = start(&pod).await;
    let annotate = async |name: &str, value: &str| {
        let annotations = json!({format!("router.deis.io/nginx.{name}"): value});
        let patch = json!({"metadata": {"annotations": annotations}});
        world.patch(&kinds::SERVICE, "deis", "deis-builder", patch);
        world.settled().await;
    };
    // One that was made before keeps its limit of 20 minutes.
    let mut patient = world.connect_builder().await;
    patient.write_all(b"SSH-2.0-git\r\n").await.unwrap();
    // The kernel takes a connection before the router does.
    eventually("the connection is the router's", async || {
        let page = world.admin("/metrics").await.body;
        let line = "app_requests_in_flight{app=\"deis/deis-builder\"} 1";
        if page.contains(line) { Ok(()) } else { Err(page) }
    })
    .await;
    annotate("tcpTimeout", "300ms").await;
    // Says nothing: a word that came too late would be answered by a reset.
    let mut client = world.connect_builder().await;
    assert_eq!(within("the limit", client.read(&mut [0])).await.unwrap(), 0);
    let nothing = tokio::time::timeout(Duration::from_millis(100), patient.read(&mut [0])).await;
    assert!(nothing.is_err(), "{nothing:?}");

    // A pod that does not take the connection.
    let nowhere = Backend::unreachable().await;
    annotate("tcpTimeout", "20m").await;
    annotate("connectTimeout", "300ms").await;
    let slice = BUILDER.split("---").nth(1).unwrap();
    world.apply(slice, &[("POD", &nowhere)]).await;
    let mut client = world.connect_builder().await;
    assert_eq!(within("the limit", client.read(&mut [0])).await.unwrap(), 0);
}

#[tokio::test]
async fn row_18_the_proxy_protocol_on_the_builders_port_is_taken_off() {
    let pod = Backend::counting().await;
    let world = World::with(|options| {
        builder(options);
        options.settings.proxy_protocol = true;
        options.settings.trusted = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    world.apply(BUILDER, &[("POD", &pod)]).await;
    let mut git = world.connect_builder().await;
    git.write_all(b"PROXY TCP4 203.0.113.7 198.51.100.1 4711 2222\r\nSSH-2.0-git\r\n")
        .await
        .unwrap();
    git.shutdown().await.unwrap();
    let mut answer = String::new();
    within("the answer", git.read_to_string(&mut answer)).await.unwrap();
    assert_eq!(answer, "13 bytes\n");
}

#[tokio::test]
async fn bytes_pass_both_ways_as_they_come() {
    let pod = Backend::echoing_bytes().await;
    let world = start(&pod).await;
    let mut client = world.connect_builder().await;
    for text in ["a", "longer than that", "\0\r\n\r\nPRI * HTTP/2.0"] {
        client.write_all(text.as_bytes()).await.unwrap();
        let mut echo = vec![0; text.len()];
        within("the echo", client.read_exact(&mut echo)).await.unwrap();
        assert_eq!(echo, text.as_bytes());
    }
}

#[tokio::test]
async fn a_service_without_the_port_is_told() {
    let world = World::with(builder).await;
    let pod = Backend::silent().await;
    world.apply(&BUILDER.replace("port: 2222,", "port: 22,"), &[("POD", &pod)]).await;
    let told: Value = world.admin_json("/diagnostics").await["objects"].clone();
    let expected = json!([{
        "kind": "Service", "namespace": "deis", "name": "deis-builder",
        "findings": [{
            "field": "spec.ports",
            "severity": "error",
            "reason": "this Service has no TCP port 2222, which the router is to lead to",
        }],
    }]);
    assert_eq!(told, expected);
    assert_eq!(world.router.addr(STREAM), None);
}
