//! The router's way to the API, with switches for what can go wrong on it.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use fairlead_cluster::Cluster;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder, DynBody},
    config::{KubeConfigOptions, Kubeconfig},
};
use parking_lot::Mutex;
use tower::{BoxError, Layer, Service};

/// What is wrong with the API.
#[derive(Debug, Default)]
struct Faults {
    down: bool,
    /// Status codes for paths that contain a text.
    refused: Vec<(String, u16)>,
    /// How long requests for paths that contain a text take, at least.
    slow: Option<(String, Duration)>,
}

#[derive(Clone)]
pub(crate) struct Api {
    config: String,
    faults: Arc<Mutex<Faults>>,
}

impl Api {
    pub(crate) fn of(cluster: &Cluster) -> Self {
        Self { config: cluster.kubeconfig(&cluster.mint("router")), faults: Arc::default() }
    }

    /// Every request from now on fails. Watches that are open go on.
    pub(crate) fn down(&self) {
        self.faults.lock().down = true;
    }

    pub(crate) fn up(&self) {
        self.faults.lock().down = false;
    }

    /// Requests for `path` get `status` from now on.
    pub(crate) fn refuse(&self, path: &str, status: u16) {
        self.faults.lock().refused.push((path.to_owned(), status));
    }

    /// Requests for `path` take `time` from now on.
    pub(crate) fn slow(&self, path: &str, time: Duration) {
        self.faults.lock().slow = Some((path.to_owned(), time));
    }

    /// All requests are answered again.
    pub(crate) fn allow(&self) {
        self.faults.lock().refused.clear();
    }

    /// A client that suffers the faults.
    pub(crate) async fn client(&self) -> Client {
        let config = Kubeconfig::from_yaml(&self.config).unwrap();
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(config, &options).await.unwrap();
        let builder = ClientBuilder::try_from(config).unwrap();
        builder.with_layer(&FaultLayer(self.faults.clone())).build()
    }
}

struct FaultLayer(Arc<Mutex<Faults>>);

impl<S> Layer<S> for FaultLayer {
    type Service = Faulty<S>;

    fn layer(&self, inner: S) -> Faulty<S> {
        Faulty { inner, faults: self.0.clone() }
    }
}

struct Faulty<S> {
    inner: S,
    faults: Arc<Mutex<Faults>>,
}

impl<S> Service<Request<Body>> for Faulty<S>
where
    S: Service<Request<Body>, Response = Response<Box<DynBody>>, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<Box<DynBody>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let faults = self.faults.lock();
        if faults.down {
            return Box::pin(async { Err("the API is down".into()) });
        }
        let path = request.uri().path();
        if let Some((_, status)) = faults.refused.iter().find(|(part, _)| path.contains(part)) {
            let response = refusal(*status);
            return Box::pin(async { Ok(response) });
        }
        let slow = faults.slow.as_ref().filter(|(part, _)| path.contains(part));
        let wait = slow.map(|(_, time)| *time);
        drop(faults);
        let answer = self.inner.call(request);
        Box::pin(async move {
            if let Some(wait) = wait {
                tokio::time::sleep(wait).await;
            }
            answer.await
        })
    }
}

/// As a Kubernetes server says it.
fn refusal(status: u16) -> Response<Box<DynBody>> {
    let reason = if status == 403 { "Forbidden" } else { "NotFound" };
    let body = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "refused by a test", "reason": reason, "code": status,
    });
    let body = Full::new(Bytes::from(body.to_string())).map_err(BoxError::from);
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.body(Box::new(body) as Box<DynBody>).unwrap()
}
