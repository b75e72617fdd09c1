//! Changes under load: nothing fails and nothing is cut.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use fairlead_cluster::kinds;
use rustls::pki_types::CertificateDer;
use tokio::task::JoinSet;

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
      name: unrelated
      namespace: blog
      labels: {router.deis.io/routable: "true"}
      annotations: {router.deis.io/domains: DOMAIN}
    spec: {ports: [{port: 80}]}
"#;

const PODS: [&str; 2] = ["pod-0", "pod-1"];

/// What may be seen of `web.example`: while a change is on its way the old and the new, once
/// it is in effect the new alone.
#[derive(Clone)]
struct Allowed {
    pods: Vec<&'static str>,
    certificates: Vec<CertificateDer<'static>>,
}

impl Allowed {
    fn settle(&mut self) {
        self.pods.drain(..self.pods.len() - 1);
        self.certificates.drain(..self.certificates.len() - 1);
    }
}

/// What a client did not get.
enum Trouble {
    /// Another answer than the right one.
    Failed(String),
    /// An answer, since the connection ended.
    Cut(String),
}

/// What went well and what did not.
struct Tally {
    allowed: parking_lot::Mutex<Allowed>,
    good: [AtomicUsize; 3],
    failed: parking_lot::Mutex<Vec<String>>,
    cut: parking_lot::Mutex<Vec<String>>,
    over: AtomicBool,
}

impl Tally {
    fn note(&self, client: usize, result: Result<(), Trouble>) {
        match result {
            Ok(()) => {
                self.good[client].fetch_add(1, Relaxed);
            }
            Err(Trouble::Failed(error)) => self.failed.lock().push(error),
            Err(Trouble::Cut(error)) => self.cut.lock().push(error),
        }
    }

    fn good(&self) -> [usize; 3] {
        self.good.each_ref().map(|n| n.load(Relaxed))
    }

    fn all_is_well(&self) {
        assert_eq!((&*self.failed.lock(), &*self.cut.lock()), (&vec![], &vec![]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reconfigurations_cut_nothing() {
    let turns = if fairlead_test_support::soaking() { 500 } else { 100 };
    let world = Arc::new(World::start().await);
    // Long enough for many handshakes: a Service must not be served before its certificate.
    world.api.slow("/secrets/", Duration::from_millis(20));
    let pods = [Backend::named(PODS[0]).await, Backend::named(PODS[1]).await];
    let echo = Backend::echoing().await;
    let secrets = ["one", "two"];
    let mut certificates = secrets.map(|name| {
        let pair = Pair::of("web.example");
        world.put(pair.secret(&format!("{name}-cert")));
        pair.certificate
    });
    world.write(&APP.replace("TURN", "first").replace("SECRET", secrets[1]), &[]);
    world.write(POD, &[("POD", &pods[0])]);
    world.apply(&SOCKETS.replace("TURN", "first"), &[("ECHO", &echo)]).await;

    let tally = Arc::new(Tally {
        allowed: Allowed { pods: vec![PODS[0]], certificates: vec![certificates[1].clone()] }
            .into(),
        good: Default::default(),
        failed: Default::default(),
        cut: Default::default(),
        over: AtomicBool::new(false),
    });
    let mut clients = JoinSet::new();
    clients.spawn(keep_alive(world.clone(), tally.clone()));
    clients.spawn(new_tls(world.clone(), tally.clone()));
    clients.spawn(web_sockets(world.clone(), tally.clone()));

    let changes = async {
        for turn in 0..turns {
            let (number, side) = (turn.to_string(), turn % 2);
            // Seven is odd: each kind of change goes from one side to the other.
            match turn % 7 {
                // Another domain and another Secret.
                0 => {
                    tally.allowed.lock().certificates.push(certificates[side].clone());
                    let app = APP.replace("TURN", &number).replace("SECRET", secrets[side]);
                    world.write(&app, &[]);
                }
                1 => {
                    tally.allowed.lock().pods.push(PODS[side]);
                    world.write(POD, &[("POD", &pods[side])]);
                }
                // The Secret in use, renewed.
                2 => {
                    let pair = Pair::of("web.example");
                    certificates[side] = pair.certificate.clone();
                    tally.allowed.lock().certificates.push(pair.certificate.clone());
                    world.put(pair.secret(&format!("{}-cert", secrets[side])));
                }
                3 => world.write(&SOCKETS.replace("TURN", &number), &[("ECHO", &echo)]),
                4 => world.write(&UNRELATED.replace("DOMAIN", "added.example"), &[]),
                5 => world.write(&UNRELATED.replace("DOMAIN", "edited.example"), &[]),
                _ => world.delete(&kinds::SERVICE, "blog", "unrelated"),
            }
            world.settled().await;
            tally.allowed.lock().settle();
            in_effect(&world, &tally, turn).await;
            // Each client has its turn under each configuration: of two answers only the
            // first can have been asked for before.
            let before = tally.good();
            crate::support::eventually("the clients go on", async || {
                tally.all_is_well();
                let now = tally.good();
                let all = now.iter().zip(before).all(|(now, before)| *now >= before + 2);
                if all { Ok(()) } else { Err((before, now)) }
            })
            .await;
        }
        tally.over.store(true, Relaxed);
    };
    tokio::select! {
        () = changes => {}
        // Before the end only with a panic, whose reason is to be seen.
        Some(ended) = clients.join_next() => ended.unwrap(),
    }
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }

    let [kept, tls, echoes] = tally.good();
    let figures = format!(
        "{turns} reconfigurations, {} requests, {tls} new TLS connections, {} WebSockets, {} \
         failed, {} cut",
        kept + tls,
        // One message on each new one, and one on the one that lasts.
        echoes / 2 + 1,
        tally.failed.lock().len(),
        tally.cut.lock().len(),
    );
    fairlead_test_support::figure("reconfigurations_cut_nothing", &figures);
    tally.all_is_well();
    let status = world.admin_json("/status").await;
    // All but the changes of endpoints made a new table.
    assert!(status["generation"].as_u64().unwrap() >= turns as u64 * 6 / 7, "{status}");
}

/// The change of this turn can be seen from outside.
async fn in_effect(world: &World, tally: &Tally, turn: usize) {
    let Allowed { pods, certificates } = tally.allowed.lock().clone();
    let mut connection = world.connect_tls("web.example").await;
    assert_eq!(connection.certificate.as_ref(), Some(&certificates[0]), "turn {turn}");
    assert_eq!(connection.get("web.example", "/").await.brief(), (200, pods[0]), "turn {turn}");
    let unrelated = match turn % 7 {
        4 => [503, 404],
        5 => [404, 503],
        _ => [404, 404],
    };
    for (domain, status) in ["added.example", "edited.example"].into_iter().zip(unrelated) {
        let answer = world.get(&format!("http://{domain}/")).await;
        assert_eq!(answer.status, status, "{domain} in turn {turn}");
    }
}

/// Requests on a connection that is never closed by the client.
async fn keep_alive(world: Arc<World>, tally: Arc<Tally>) {
    let mut connection = world.connect().await;
    while !tally.over.load(Relaxed) {
        let before = tally.allowed.lock().clone();
        let answer = connection.try_get("web.example", "/", &[]).await;
        if answer.is_err() {
            connection = world.connect().await;
        }
        tally.note(0, right(&tally, &before, answer));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A new TLS connection for each request; the certificate has to be the one just written.
async fn new_tls(world: Arc<World>, tally: Arc<Tally>) {
    while !tally.over.load(Relaxed) {
        let before = tally.allowed.lock().clone();
        let mut connection = world.connect_tls("web.example").await;
        let shown = connection.certificate.clone().unwrap();
        let answer = connection.try_get("web.example", "/", &[]).await;
        let after = tally.allowed.lock().clone();
        let known = before.certificates.contains(&shown) || after.certificates.contains(&shown);
        let result = right(&tally, &before, answer);
        tally.note(1, if known { result } else { Err(Trouble::Failed("certificate".into())) });
    }
}

/// Whether `answer` is of a pod that was allowed when it was asked for or when it came.
fn right(
    tally: &Tally,
    before: &Allowed,
    answer: Result<crate::support::Answer, hyper::Error>,
) -> Result<(), Trouble> {
    let answer = answer.map_err(|error| Trouble::Cut(format!("{error:?}")))?;
    let mut pods = before.pods.clone();
    pods.extend(&tally.allowed.lock().pods);
    if answer.status == 200 && pods.contains(&&*answer.body) {
        Ok(())
    } else {
        Err(Trouble::Failed(format!("{answer:?} instead of one of {pods:?}")))
    }
}

/// One WebSocket for the whole time, and one more that is opened anew each time.
async fn web_sockets(world: Arc<World>, tally: Arc<Tally>) {
    let mut lasting = world.websocket("sockets.example").await;
    while !tally.over.load(Relaxed) {
        let mut fresh = world.websocket("sockets.example").await;
        for socket in [&mut lasting, &mut fresh] {
            let result = match socket.echo("hello").await {
                Ok(text) if text == "hello" => Ok(()),
                Ok(text) => Err(Trouble::Failed(format!("WebSocket: {text}"))),
                Err(error) => Err(Trouble::Cut(format!("WebSocket: {error}"))),
            };
            tally.note(2, result);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
