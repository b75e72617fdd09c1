//! Changes under load: nothing fails and nothing is cut.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::support::{Backend, Pair, World};

const APP: &str = r#"
    apiVersion: v1
    kind: Service
    metadata:
      name: web
      namespace: shop
      labels: {router.deis.io/routable: "true"}
      annotations:
        router.deis.io/domains: "web.example,extra-TURN.example"
        router.deis.io/certificates: "web.example:SECRET"
    spec: {ports: [{port: 80}]}
"#;

const POD: &str = r#"
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}
    addressType: IPv4
    ports: [{port: $POD_PORT}]
    endpoints: [{addresses: [$POD]}]
"#;

/// Kept through all changes: WebSockets run here.
const SOCKETS: &str = r#"
    apiVersion: v1
    kind: Service
    metadata:
      name: sockets
      namespace: shop
      labels: {router.deis.io/routable: "true"}
      annotations: {router.deis.io/domains: "sockets.example,extra-TURN.sockets.example"}
    spec: {ports: [{port: 80}]}
    ---
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {name: sockets, namespace: shop, labels: {kubernetes.io/service-name: sockets}}
    addressType: IPv4
    ports: [{port: $ECHO_PORT}]
    endpoints: [{addresses: [$ECHO]}]
"#;

const UNRELATED: &str = r#"
    apiVersion: v1
    kind: Service
    metadata:
      name: unrelated-TURN
      namespace: blog
      labels: {router.deis.io/routable: "true"}
      annotations: {router.deis.io/domains: unrelated-TURN.example}
    spec: {ports: [{port: 80}]}
"#;

/// What went well and what did not.
#[derive(Default)]
struct Tally {
    good: [AtomicUsize; 3],
    bad: parking_lot::Mutex<Vec<String>>,
    over: AtomicBool,
}

impl Tally {
    fn note(&self, client: usize, result: Result<(), String>) {
        match result {
            Ok(()) => {
                self.good[client].fetch_add(1, Relaxed);
            }
            Err(error) => self.bad.lock().push(error),
        }
    }

    /// Whether all clients have had a turn since it was asked last.
    fn progress(&self, last: &mut [usize; 3]) -> bool {
        let now = [0, 1, 2].map(|client| self.good[client].load(Relaxed));
        let all = now.iter().zip(&*last).all(|(now, last)| now > last);
        if all {
            *last = now;
        }
        all || !self.bad.lock().is_empty()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reconfigurations_cut_nothing() {
    let turns = if std::env::var_os("FAIRLEAD_SOAK").is_some() { 500 } else { 100 };
    let world = Arc::new(World::start().await);
    // Long enough for many handshakes: a Service must not be served before its certificate.
    world.api.slow("/secrets/", Duration::from_millis(20));
    let pods = [Backend::named("pod").await, Backend::named("pod").await];
    let echo = Backend::echoing().await;
    for name in ["one-cert", "two-cert"] {
        world.put(Pair::of("web.example").secret(name));
    }
    world.write(&APP.replace("TURN", "0").replace("SECRET", "one"), &[]);
    world.write(POD, &[("POD", &pods[0])]);
    world.apply(&SOCKETS.replace("TURN", "0"), &[("ECHO", &echo)]).await;

    let tally = Arc::new(Tally::default());
    let clients = [
        tokio::spawn(keep_alive(world.clone(), tally.clone())),
        tokio::spawn(new_tls(world.clone(), tally.clone())),
        tokio::spawn(web_sockets(world.clone(), tally.clone())),
    ];
    let mut seen = [0; 3];
    for turn in 0..turns {
        let number = turn.to_string();
        match turn % 5 {
            // Another domain, and every other time another Secret.
            0 => {
                let secret = if turn % 2 == 0 { "two" } else { "one" };
                world.write(&APP.replace("TURN", &number).replace("SECRET", secret), &[]);
            }
            1 => world.write(POD, &[("POD", &pods[turn % 2])]),
            2 => {
                let name = if turn % 2 == 0 { "two-cert" } else { "one-cert" };
                world.put(Pair::of("web.example").secret(name));
            }
            3 => world.write(&SOCKETS.replace("TURN", &number), &[("ECHO", &echo)]),
            _ => world.write(&UNRELATED.replace("TURN", &number), &[]),
        }
        world.settled().await;
        // Each client does something under each configuration.
        crate::support::eventually("the clients go on", async || {
            if tally.progress(&mut seen) { Ok(()) } else { Err(()) }
        })
        .await;
    }
    tally.over.store(true, Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(*tally.bad.lock(), Vec::<String>::new());
    let good = tally.good.each_ref().map(|n| n.load(Relaxed));
    assert!(good.iter().all(|n| *n >= turns), "{good:?}");
    let status = world.admin_json("/status").await;
    assert!(status["generation"].as_u64().unwrap() >= turns as u64 * 4 / 5, "{status}");
}

/// Requests on connections that are never closed by the client.
async fn keep_alive(world: Arc<World>, tally: Arc<Tally>) {
    let mut connection = world.connect().await;
    while !tally.over.load(Relaxed) {
        let result = match connection.try_get("web.example", "/", &[]).await {
            Ok(answer) if answer.brief() == (200, "pod") => Ok(()),
            Ok(answer) => Err(format!("keep-alive: {answer:?}")),
            Err(error) => {
                connection = world.connect().await;
                Err(format!("keep-alive: {error}"))
            }
        };
        tally.note(0, result);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A new TLS connection for each request; the certificate has to be one of the host.
async fn new_tls(world: Arc<World>, tally: Arc<Tally>) {
    let default = world.connect_tls("unknown.example").await.certificate;
    while !tally.over.load(Relaxed) {
        let mut connection = world.connect_tls("web.example").await;
        let answer = connection.try_get("web.example", "/", &[]).await;
        let result = match answer {
            _ if connection.certificate == default => Err("TLS: the default certificate".into()),
            Ok(answer) if answer.brief() == (200, "pod") => Ok(()),
            other => Err(format!("TLS: {other:?}")),
        };
        tally.note(1, result);
    }
}

/// One WebSocket for the whole time, and one more that is opened anew each time.
async fn web_sockets(world: Arc<World>, tally: Arc<Tally>) {
    let mut lasting = world.websocket("sockets.example").await;
    while !tally.over.load(Relaxed) {
        let mut fresh = world.websocket("sockets.example").await;
        for socket in [&mut lasting, &mut fresh] {
            let result = socket
                .echo("hello")
                .await
                .and_then(|text| if text == "hello" { Ok(()) } else { Err(text) });
            tally.note(2, result.map_err(|error| format!("WebSocket: {error}")));
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
