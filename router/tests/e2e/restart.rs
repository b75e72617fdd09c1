//! One of two routers restarts under load, again and again: no request fails.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use fairlead_router::{HTTP, HTTPS, Router, laggards};
use fairlead_test_support::{figure, soaking};
use http_body_util::Full;
use hyper::Request;
use parking_lot::Mutex;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::{
    admin::APP,
    support::{Backend, Connection, Pair, WebSocket, World, eventually, options, within},
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

    fn add(&self, address: SocketAddr) {
        self.rotation.lock().push(address);
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

/// What a client does again and again.
#[derive(Clone, Copy, Debug)]
struct Habit {
    /// What it speaks over TLS, if it does.
    tls: Option<&'static [u8]>,
    /// It asks always on one connection, as long as that lives.
    kept: bool,
    post: bool,
    target: &'static str,
}

const H1: Option<&[u8]> = Some(b"http/1.1");
const H2: Option<&[u8]> = Some(b"h2");

/// A POST on a connection of HTTP/1 that may be closed meanwhile is nobody's to repeat, and none here.
const HABITS: [Habit; 9] = [
    Habit { tls: None, kept: false, post: false, target: "/" },
    Habit { tls: None, kept: true, post: false, target: "/" },
    Habit { tls: H1, kept: true, post: false, target: "/" },
    Habit { tls: H2, kept: true, post: false, target: "/" },
    Habit { tls: H2, kept: true, post: true, target: "/" },
    Habit { tls: None, kept: false, post: true, target: "/" },
    Habit { tls: None, kept: true, post: false, target: "/slow" },
    Habit { tls: H2, kept: true, post: false, target: "/slow" },
    Habit { tls: H1, kept: false, post: true, target: "/slow" },
];

/// What the slow target takes: less than a router has to drain.
const SLOW: Duration = Duration::from_millis(150);

impl Habit {
    async fn connect(self, fronts: [SocketAddr; 2]) -> Connection {
        match self.tls {
            None => Connection::plain(fronts[0]).await,
            Some(protocol) => Connection::tls(fronts[1], "web.example", &[protocol]).await,
        }
    }

    fn request(self, id: &str) -> Request<Full<Bytes>> {
        let (method, body) = if self.post { ("POST", id) } else { ("GET", "") };
        let request = Request::builder().method(method);
        let request = match self.tls {
            H2 => request.uri(format!("https://web.example{}", self.target)),
            _ => request.uri(self.target).header("host", "web.example"),
        };
        request.body(Full::from(body.to_owned())).unwrap()
    }
}

/// Whether a request may be made again, having met a kept connection that was about to be closed: nothing of an
/// answer has come (RFC 9112 §9.3.1), or the server has said that it was not processed (RFC 9113 §8.7).
fn is_late(error: &hyper::Error, http2: bool, answered: bool) -> bool {
    if error.is_closed() || error.is_canceled() {
        return true;
    }
    if !http2 {
        return !answered && error.is_incomplete_message();
    }
    let error =
        std::error::Error::source(error).and_then(|error| error.downcast_ref::<h2::Error>());
    error.is_some_and(|error| {
        let unprocessed = error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
        unprocessed || error.reason() == Some(h2::Reason::REFUSED_STREAM)
    })
}

/// Asks until it is over.
async fn load(fronts: [SocketAddr; 2], number: usize, tally: Arc<Tally>) {
    let habit = HABITS[number];
    let (mut connection, mut id) = (None, 0);
    while !tally.over.load(Relaxed) {
        let old = connection.take();
        let was_kept = old.is_some();
        let mut current: Connection = match old {
            Some(old) => old,
            None => habit.connect(fronts).await,
        };
        let received = current.received();
        match current.send(habit.request(&format!("{number}.{id}"))).await {
            Ok(answer) if answer.brief() == (200, "web") => {
                tally.good.fetch_add(1, Relaxed);
                id += 1;
                // Who is told that the connection closes opens another.
                connection =
                    (habit.kept && answer.header("connection") != Some("close")).then_some(current);
            }
            Err(error)
                if was_kept && is_late(&error, habit.tls == H2, current.received() > received) =>
            {
                tally.repeated.fetch_add(1, Relaxed);
            }
            other => tally.failed.lock().push(format!("{habit:?}: {other:?}")),
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
    let bodies = Arc::<Mutex<Vec<Bytes>>>::default();
    let (world, pod, echo) = (
        World::start().await,
        Backend::noting("web", SLOW, bodies.clone()).await,
        Backend::echoing().await,
    );
    world.put(Pair::of("web.example").secret("web-cert"));
    let certificates =
        "{router.deis.io/domains: web.example, router.deis.io/certificates: \"web.example:web\"}";
    let web = APP.replace("{router.deis.io/domains: web.example}", certificates);
    world.apply(&web, &[("WEB", &pod)]).await;
    let sockets =
        APP.replace("name: web", "name: sockets").replace("web.example", "sockets.example");
    world.apply(&sockets, &[("WEB", &echo)]).await;
    let fronts = [Front::start().await, Front::start().await];
    let addresses = |router: &Router| [HTTP, HTTPS].map(|name| router.addr(name).unwrap());
    let add = |router: &Router| {
        fronts.iter().zip(addresses(router)).for_each(|(front, address)| front.add(address));
    };
    let mut routers = Vec::new();
    for _ in 0..2 {
        let router = router(&world).await;
        add(&router);
        routers.push(router);
    }
    let tally = Arc::<Tally>::default();
    let mut clients = JoinSet::new();
    for number in 0..HABITS.len() {
        let fronts = [fronts[0].address, fronts[1].address];
        clients.spawn(load(fronts, number, tally.clone()));
    }

    for _ in 0..restarts {
        let old = routers.remove(0);
        let (listeners, admin) = (addresses(&old), old.admin_addr());
        let mut socket = WebSocket::open(listeners[0], "sockets.example").await;
        assert_eq!(socket.echo("open").await.as_deref(), Ok("open"));
        let end = tokio::spawn(old.shutdown());
        eventually("readiness fails", async || {
            let answer = Connection::plain(admin).await.get("localhost", "/readyz").await;
            if answer.status == 503 { Ok(()) } else { Err(answer) }
        })
        .await;
        fronts.iter().zip(listeners).for_each(|(front, address)| front.remove(address));
        for address in listeners {
            eventually("the listener is closed", async || {
                match TcpStream::connect(address).await {
                    Ok(_) => Err("connected"),
                    Err(_) => Ok(()),
                }
            })
            .await;
        }
        // It has until the deadline.
        assert_eq!(socket.echo("still open").await.as_deref(), Ok("still open"));
        assert_eq!(within("the router ends", end).await.unwrap(), 1);
        socket.closed().await;
        let new = router(&world).await;
        add(&new);
        routers.push(new);
    }

    tally.over.store(true, Relaxed);
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    let (good, repeated) = (tally.good.load(Relaxed), tally.repeated.load(Relaxed));
    let failed = tally.failed.lock();
    let bodies = bodies.lock();
    let different: BTreeSet<_> = bodies.iter().collect();
    figure(
        "rolling_restarts_under_load_fail_no_request",
        &format!(
            "{restarts} restarts, {good} requests, {} of them POST, {repeated} repeated on a new connection, {} failed, {} POST made twice",
            different.len(),
            failed.len(),
            bodies.len() - different.len(),
        ),
    );
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(bodies.len(), different.len());
    assert!(good > restarts * 10);
}
