//! A cluster, a router and backends in one process, spoken to over real sockets.

mod api;
mod backend;
mod client;
mod log;
mod pki;
mod websocket;

use std::{collections::BTreeMap, num::NonZeroUsize, time::Duration};

use fairlead_cluster::{Cluster, ClusterOptions, Edit, Kind, Patch, WriteOptions, kinds};
use fairlead_router::{HTTP, HTTPS, Router, RouterOptions};
use serde_json::{Value, json};

pub(crate) use self::{
    api::Api,
    backend::Backend,
    client::{Answer, Connection, Handshake},
    log::Log,
    pki::Pair,
    websocket::WebSocket,
};

/// Long enough for anything that happens at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A cluster and a router that reads from it.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) api: Api,
    pub(crate) router: Router,
    /// The newest version written of each kind.
    written: parking_lot::Mutex<BTreeMap<&'static str, u64>>,
}

impl World {
    /// A ready router with nothing to serve.
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A ready router, set up by `adjust`.
    pub(crate) async fn with(adjust: impl FnOnce(&mut RouterOptions)) -> Self {
        let cluster = Cluster::start(ClusterOptions::default()).await.unwrap();
        let world = Self::on(cluster, |_| {}, adjust).await;
        within("the router is ready", world.router.ready()).await;
        world
    }

    /// A router on `cluster`, ready or not; `hinder` can make the API misbehave from the start.
    pub(crate) async fn on(
        cluster: Cluster,
        hinder: impl FnOnce(&Api),
        adjust: impl FnOnce(&mut RouterOptions),
    ) -> Self {
        let api = Api::of(&cluster);
        hinder(&api);
        let mut options = options();
        adjust(&mut options);
        let router = Router::start(options, api.client().await).unwrap();
        Self { cluster, api, router, written: Default::default() }
    }

    /// Writes the objects of `manifest`; `$NAME` stands for a backend's address and
    /// `$NAME_PORT` for its port. Returns once they are written, not once they are served.
    pub(crate) fn write(&self, manifest: &str, backends: &[(&str, &Backend)]) {
        let mut text = dedent(manifest);
        for (name, backend) in backends {
            let address = backend.address();
            text = text.replace(&format!("${name}_PORT"), &address.port().to_string());
            text = text.replace(&format!("${name}"), &address.ip().to_string());
        }
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        for object in documents {
            self.put(object);
        }
    }

    /// Writes `manifest` and waits until it is served.
    pub(crate) async fn apply(&self, manifest: &str, backends: &[(&str, &Backend)]) {
        self.write(manifest, backends);
        self.settled().await;
    }

    /// Creates or replaces one object.
    pub(crate) fn put(&self, object: Value) {
        let kind = kind(&object);
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let namespace = object["metadata"]["namespace"].as_str().unwrap().to_owned();
        let (registry, by) = (self.cluster.registry(), WriteOptions::by("test"));
        let space = json!({"metadata": {"name": namespace}});
        let _ = registry.create(&kinds::NAMESPACE, None, space, &by);
        let known = registry.get(kind, Some(&namespace), &name).is_ok();
        let written = if known {
            registry.update(kind, Some(&namespace), &name, None, object, &by)
        } else {
            registry.create(kind, Some(&namespace), object, &by)
        };
        self.note(kind, &written.unwrap());
    }

    /// Merges `patch` into an object.
    pub(crate) fn patch(&self, kind: &'static Kind, namespace: &str, name: &str, patch: Value) {
        let by = WriteOptions::by("test");
        let registry = self.cluster.registry();
        let patch = Patch::Edit(Edit::Merge(patch));
        let patched = registry.patch(kind, Some(namespace), name, None, patch, &by).unwrap();
        self.note(kind, &patched.object);
    }

    /// Deletes an object.
    pub(crate) fn delete(&self, kind: &'static Kind, namespace: &str, name: &str) {
        let by = WriteOptions::by("test");
        let registry = self.cluster.registry();
        let gone = registry.delete(kind, Some(namespace), name, &Default::default(), &by).unwrap();
        self.note(kind, gone.object());
    }

    fn note(&self, kind: &'static Kind, object: &Value) {
        let version = object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
        self.written.lock().insert(kind.kind, version);
    }

    /// Waits until everything written is in effect.
    pub(crate) async fn settled(&self) {
        let written = self.written.lock().clone();
        eventually("what was written is served", async || {
            let status = self.admin_json("/status").await;
            // Of other kinds the router knows nothing.
            let served = |kind: &str| status["revisions"][kind].as_u64();
            written
                .iter()
                .all(|(kind, version)| served(kind).is_none_or(|served| served >= *version))
                .then_some(())
                .ok_or(status)
        })
        .await;
    }

    /// A connection to the HTTP listener.
    pub(crate) async fn connect(&self) -> Connection {
        Connection::plain(self.router.addr(HTTP).unwrap()).await
    }

    /// A connection to the HTTPS listener, asking for `name`.
    pub(crate) async fn connect_tls(&self, name: &str) -> Connection {
        Connection::tls(self.router.addr(HTTPS).unwrap(), name, &[b"http/1.1"]).await
    }

    /// A WebSocket to `host`, over plain HTTP.
    pub(crate) async fn websocket(&self, host: &str) -> WebSocket {
        WebSocket::open(self.router.addr(HTTP).unwrap(), host).await
    }

    /// GET `url` on a connection of its own.
    pub(crate) async fn get(&self, url: &str) -> Answer {
        self.get_with(url, &[]).await
    }

    /// GET `url` with further header fields.
    pub(crate) async fn get_with(&self, url: &str, headers: &[(&str, &str)]) -> Answer {
        let url: http::Uri = url.parse().unwrap();
        let host = url.authority().unwrap().as_str();
        let mut connection = match url.scheme_str() {
            Some("https") => self.connect_tls(url.host().unwrap()).await,
            _ => self.connect().await,
        };
        connection.get_with(host, url.path_and_query().unwrap().as_str(), headers).await
    }

    /// GET of an admin endpoint.
    pub(crate) async fn admin(&self, path: &str) -> Answer {
        let address = self.router.admin_addr();
        Connection::plain(address).await.get(&address.to_string(), path).await
    }

    /// GET of an admin endpoint that answers JSON.
    pub(crate) async fn admin_json(&self, path: &str) -> Value {
        let answer = self.admin(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        serde_json::from_str(&answer.body).unwrap()
    }
}

/// Options for tests: any port of loopback, one worker, no access log.
pub(crate) fn options() -> RouterOptions {
    let any = "127.0.0.1:0".parse().unwrap();
    RouterOptions {
        http: any,
        https: any,
        admin: any,
        workers: NonZeroUsize::new(2).unwrap(),
        access_log: fairlead_router::AccessFormat::Off,
        shutdown_delay: Duration::ZERO,
        drain_timeout: Duration::from_secs(5),
        ..RouterOptions::default()
    }
}

/// Manifests stand indented in the tests.
fn dedent(text: &str) -> String {
    let lines = || text.lines().filter(|line| !line.trim().is_empty());
    let margin = lines().map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
    lines().map(|line| format!("{}\n", &line[margin..])).collect()
}

fn kind(object: &Value) -> &'static Kind {
    let (version, kind) =
        (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
    Kind::of(version, kind).unwrap_or_else(|| panic!("{version} {kind} is not served"))
}

/// Waits for `future`, for [`PATIENCE`] at most.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let result = tokio::time::timeout(PATIENCE, future).await;
    result.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain: {what}"))
}

/// Asks again and again until `probe` gives `Ok`, and shows the last `Err` when it never does.
pub(crate) async fn eventually<T, E: std::fmt::Debug>(
    what: &str,
    mut probe: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let start = tokio::time::Instant::now();
    loop {
        match within(what, probe()).await {
            Ok(value) => return value,
            Err(last) if start.elapsed() > PATIENCE => panic!("{what}: in the end {last:?}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    }
}
