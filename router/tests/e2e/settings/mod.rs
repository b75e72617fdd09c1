//! Settings of the router as a whole, from annotations of its Deployment as on Deis Workflow.

mod bodies;
mod clients;
mod headers;
mod hosts;
mod mounts;
mod pages;
mod source;
mod tls;

use std::sync::Arc;

use fairlead_cluster::{Cluster, ClusterOptions, kinds};
use fairlead_router::{RouterOptions, SettingsSource};
use fairlead_router_core::Key;
use fairlead_router_core::object::Kind;
use http_body_util::Full;
use hyper::Response;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::support::{Backend, Pair, World, within};

const NOT_FOUND: (u16, &str) = (404, "No application answers at this address.\n");
pub(crate) const DENIED: (u16, &str) = (403, "Your address may not use this application.\n");

/// The Deployment of a router, without pods.
const ROUTER: &str = r#"
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: deis-router, namespace: deis}
    spec:
      replicas: 0
      selector: {matchLabels: {app: deis-router}}
      template:
        metadata: {labels: {app: deis-router}}
        spec: {containers: [{name: deis-router, image: router}]}
"#;

/// One application `web` at `web.example`, with a certificate.
const APP: &str = r#"
    apiVersion: v1
    kind: Service
    metadata:
      name: web
      namespace: shop
      labels: {router.deis.io/routable: "true"}
      annotations:
        router.deis.io/domains: web.example
        router.deis.io/certificates: "web.example:web"
    spec: {ports: [{port: 80}]}
    ---
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {name: web, namespace: shop, labels: {kubernetes.io/service-name: web}}
    addressType: IPv4
    ports: [{port: $WEB_PORT}]
    endpoints: [{addresses: [$WEB]}]
"#;

/// The app `web`, and a router that reads `settings` from its Deployment.
pub(crate) async fn start(web: &Backend, settings: &[(&str, &str)]) -> World {
    start_with(web, settings, |_| {}).await
}

pub(crate) async fn start_with(
    web: &Backend,
    settings: &[(&str, &str)],
    adjust: impl FnOnce(&mut RouterOptions),
) -> World {
    let cluster = Cluster::start(ClusterOptions::default()).await.unwrap();
    let settings_from = |options: &mut RouterOptions| {
        let object = Key::new("deis", "deis-router").of(Kind::Deployment);
        options.settings_from = Some(SettingsSource::Object(object));
        adjust(options);
    };
    let world = World::on(cluster, |_| {}, settings_from).await;
    world.write(ROUTER, &[]);
    within("the router is ready", world.router.ready()).await;
    for (name, value) in settings {
        world.set(name, *value).await;
    }
    world.put(Pair::of("web.example").secret("web-cert"));
    world.apply(APP, &[("WEB", web)]).await;
    world
}

impl World {
    /// Sets a setting as on Deis Workflow, or takes it away.
    pub(crate) async fn set(&self, name: &str, value: impl Into<Value>) {
        let name = format!("router.deis.io/nginx.{name}");
        let patch = json!({"metadata": {"annotations": {name: value.into()}}});
        self.patch(&kinds::DEPLOYMENT, "deis", "deis-router", patch);
        self.settled().await;
    }

    /// What is wrong with the router's Deployment.
    pub(crate) async fn findings(&self) -> Value {
        let told = self.admin_json("/diagnostics").await;
        let objects = told["objects"].as_array().unwrap();
        let found = objects.iter().find(|object| object["kind"] == "Deployment");
        found.map_or(Value::Null, |object| object["findings"].clone())
    }
}

/// A backend that notes the header fields of the requests it gets.
pub(crate) async fn noting() -> (Backend, Arc<Mutex<Vec<http::HeaderMap>>>) {
    let seen = Arc::<Mutex<Vec<http::HeaderMap>>>::default();
    let noted = seen.clone();
    let backend = Backend::answering(move |request| {
        noted.lock().push(request.headers().clone());
        Response::new(Full::from("web"))
    })
    .await;
    (backend, seen)
}

/// A field of the last request.
pub(crate) fn last(seen: &Mutex<Vec<http::HeaderMap>>, name: &str) -> Option<String> {
    seen.lock().last().unwrap().get(name).map(|value| value.to_str().unwrap().to_owned())
}
