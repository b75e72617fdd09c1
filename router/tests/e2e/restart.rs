//! One of two routers restarts under load, again and again: no request fails.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use fairlead_router::{HTTP, Router, laggards};
use fairlead_test_support::{figure, soaking};
use parking_lot::Mutex;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::{
    admin::APP,
    support::{Backend, Connection, WebSocket, World, eventually, options, within},
};

/// What stands before routers: new connections go to those in rotation, in turn.
struct Front {
    address: SocketAddr,
    rotation: Arc<Mutex<Vec<SocketAddr>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Front {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let rotation = Arc::<Mutex<Vec<SocketAddr>>>::default();
        let targets = rotation.clone();
        let task = tokio::spawn(async move {
            let mut turn = 0;
            while let Ok((mut client, _)) = listener.accept().await {
                turn += 1;
                let target = {
                    let targets = targets.lock();
                    targets[turn % targets.len()]
                };
                tokio::spawn(async move {
                    let mut router = TcpStream::connect(target).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut router).await;
                });
            }
        });
        Self { address, rotation, task }
    }

    fn add(&self, router: &Router) {
        self.rotation.lock().push(router.addr(HTTP).unwrap());
    }

    fn remove(&self, address: SocketAddr) {
        self.rotation.lock().retain(|other| *other != address);
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Default)]
struct Tally {
    good: AtomicUsize,
    /// Requests made again, since their kept connection had been closed between two requests.
    repeated: AtomicUsize,
    failed: Mutex<Vec<String>>,
    over: AtomicBool,
}

/// Asks until it is over, each time on a connection of its own or always on one.
async fn load(front: SocketAddr, kept: bool, tally: Arc<Tally>) {
    let mut connection = None;
    while !tally.over.load(Relaxed) {
        let old = connection.take();
        let was_kept = old.is_some();
        let mut current = match old {
            Some(old) => old,
            None => Connection::plain(front).await,
        };
        match current.try_get("web.example", "/", &[]).await {
            Ok(answer) if answer.brief() == (200, "web") => {
                tally.good.fetch_add(1, Relaxed);
                // Who is told that the connection closes opens another.
                connection =
                    (kept && answer.header("connection") != Some("close")).then_some(current);
            }
            // RFC 9112 §9.3.1: a kept connection may close at any time, and who keeps one asks again:
            // as long as nothing of an answer has come.
            Err(error)
                if was_kept
                    && (error.is_closed()
                        || error.is_canceled()
                        || error.is_incomplete_message()) =>
            {
                tally.repeated.fetch_add(1, Relaxed);
            }
            other => tally.failed.lock().push(format!("{other:?}")),
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn router(world: &World) -> Router {
    let mut options = options();
    options.shutdown_delay = Duration::from_millis(200);
    options.drain_timeout = Duration::from_millis(500);
    let router = Router::start(options, world.api.client().await).unwrap();
    within("the router is ready", router.ready()).await;
    router
}

#[tokio::test]
async fn replicas_are_behind_until_they_report_the_revision() {
    let (world, pod) = (World::start().await, Backend::named("web").await);
    world.apply(APP, &[("WEB", &pod)]).await;
    let revisions = world.admin_json("/status").await["revisions"].clone();
    let revision = |kind: &str| revisions[kind].as_u64().unwrap();
    // Written one after the other.
    let (older, revision) = (revision("Service"), revision("EndpointSlice"));
    assert!(older < revision, "{revisions}");
    let admin = world.router.admin_addr();
    let replica = |name: &str, ready: &str| {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": name},
            "spec": {"containers": [
                {"name": "router", "ports": [{"name": "admin", "containerPort": admin.port()}]},
            ]},
            "status": {
                "podIP": admin.ip().to_string(),
                "conditions": [{"type": "Ready", "status": ready}],
            },
        }))
        .unwrap()
    };
    let pods = [replica("router-0", "True"), replica("router-1", "False")];
    let behind = async |kind, revision| laggards(&pods, 9090, kind, revision).await;
    assert_eq!(behind("EndpointSlice", revision).await, Vec::<String>::new());
    assert_eq!(behind("Service", older).await, Vec::<String>::new());
    let expected = [format!("router-0 serves EndpointSlice {revision}")];
    assert_eq!(behind("EndpointSlice", revision + 1).await, expected);
    // Of what came later by another watch nothing follows.
    assert_eq!(behind("Service", revision).await, [format!("router-0 serves Service {older}")]);
    assert_eq!(behind("Gateway", 1).await, ["router-0: it does not watch Gateway"]);
    assert_eq!(laggards(&pods[1..], 9090, "Service", older).await, ["no replica is ready"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rolling_restarts_under_load_fail_no_request() {
    let restarts = if soaking() { 100 } else { 10 };
    let (world, pod, echo) =
        (World::start().await, Backend::named("web").await, Backend::echoing().await);
    world.apply(APP, &[("WEB", &pod)]).await;
    let sockets =
        APP.replace("name: web", "name: sockets").replace("web.example", "sockets.example");
    world.apply(&sockets, &[("WEB", &echo)]).await;
    let front = Front::start().await;
    let mut routers = Vec::new();
    for _ in 0..2 {
        let router = router(&world).await;
        front.add(&router);
        routers.push(router);
    }
    let tally = Arc::<Tally>::default();
    let mut clients = JoinSet::new();
    for n in 0..6 {
        clients.spawn(load(front.address, n % 2 == 0, tally.clone()));
    }

    for _ in 0..restarts {
        let old = routers.remove(0);
        let (address, admin) = (old.addr(HTTP).unwrap(), old.admin_addr());
        let mut socket = WebSocket::open(address, "sockets.example").await;
        assert_eq!(socket.echo("open").await.as_deref(), Ok("open"));
        let end = tokio::spawn(old.shutdown());
        eventually("readiness fails", async || {
            let answer = Connection::plain(admin).await.get("localhost", "/readyz").await;
            if answer.status == 503 { Ok(()) } else { Err(answer) }
        })
        .await;
        front.remove(address);
        eventually("the listener is closed", async || match TcpStream::connect(address).await {
            Ok(_) => Err("connected"),
            Err(_) => Ok(()),
        })
        .await;
        // It has until the deadline.
        assert_eq!(socket.echo("still open").await.as_deref(), Ok("still open"));
        assert_eq!(within("the router ends", end).await.unwrap(), 1);
        socket.closed().await;
        let new = router(&world).await;
        front.add(&new);
        routers.push(new);
    }

    tally.over.store(true, Relaxed);
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    let (good, repeated) = (tally.good.load(Relaxed), tally.repeated.load(Relaxed));
    let failed = tally.failed.lock();
    figure(
        "rolling_restarts_under_load_fail_no_request",
        &format!(
            "{restarts} restarts, {good} requests, {repeated} repeated on a new connection, {} failed",
            failed.len()
        ),
    );
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(good > restarts * 10);
}
