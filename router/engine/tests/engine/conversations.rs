//! Requests whose bodies stand still, to endpoints that speak HTTP/2: who is silent may be listening.

use std::{
    convert::Infallible,
    future::pending,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::stream;
use http::{Request, Response};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::support::{
    Backend, Router, Setup,
    backend::OK,
    eventually,
    frames::{DATA, END_HEADERS, HEADERS, Raw, Said, fields, frame},
};

const SHORT: Duration = Duration::from_millis(400);
const H2C: (&str, &str) = ("router.fairlead.dev/upstreamProtocol", "h2c");

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// What an endpoint does with a request.
#[derive(Clone, Copy)]
enum Script {
    /// Nothing.
    Silent,
    /// A head, and no more.
    Head,
    /// An event each 100 ms, so many, and then the end.
    Events(usize),
}

/// Requests under way.
type Busy = Arc<AtomicUsize>;

/// Counts one as long as it is there.
struct UnderWay(Busy);

impl UnderWay {
    fn new(busy: Busy) -> Self {
        busy.fetch_add(1, Relaxed);
        Self(busy)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// An endpoint that speaks HTTP/2 and does not read what it is sent.
struct Endpoint {
    addr: SocketAddr,
    busy: Busy,
    task: JoinHandle<()>,
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Endpoint {
    async fn start(script: Script) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let busy = Busy::default();
        let count = busy.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let count = count.clone();
                let service = service_fn(move |request| answer(request, script, count.clone()));
                let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { addr, busy, task }
    }

    async fn is_given_up(&self) {
        eventually("given up", || self.busy.load(Relaxed) == 0).await;
    }
}

async fn answer(
    request: Request<Incoming>,
    script: Script,
    busy: Busy,
) -> Result<Answer, Infallible> {
    let held = (request, UnderWay::new(busy));
    if let Script::Silent = script {
        pending::<()>().await;
    }
    let events = stream::unfold((0, held), move |(n, held)| async move {
        match script {
            Script::Events(events) if n == events => None,
            Script::Events(_) => {
                tokio::time::sleep(SHORT / 4).await;
                Some((Ok(Frame::data(Bytes::from_static(b"event"))), (n + 1, held)))
            }
            Script::Silent | Script::Head => pending().await,
        }
    });
    Ok(Response::new(BodyExt::boxed_unsync(StreamBody::new(events))))
}

fn post(stream: u32) -> Vec<u8> {
    let block = fields(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "web.example"),
    ]);
    frame(HEADERS, END_HEADERS, stream, &block)
}

/// A router whose app is given up when nothing moves for 400 ms.
async fn router(script: Script) -> (Router, Endpoint) {
    let endpoint = Endpoint::start(script).await;
    let mut setup = Setup::default();
    (setup.limits.body_read, setup.limits.body_write) = (SHORT / 4, SHORT / 4);
    let mut router = Router::start(setup);
    router.app("web", &[H2C, ("router.deis.io/tcpTimeout", "400ms")], &[endpoint.addr]);
    (router, endpoint)
}

#[tokio::test]
async fn where_nothing_comes_of_body_and_answer_it_is_504() {
    let (router, endpoint) = router(Script::Silent).await;
    let mut raw = Raw::open(router.http).await;
    raw.send(&post(1)).await;
    raw.send(&frame(DATA, 0, 1, b"some of it")).await;
    assert_eq!(raw.said().await, Some(Said::Answer { stream: 1, status: 504 }));
    endpoint.is_given_up().await;
}

#[tokio::test]
async fn where_nothing_comes_of_body_and_the_rest_of_the_answer_the_stream_is_reset() {
    let (router, endpoint) = router(Script::Head).await;
    let mut raw = Raw::open(router.http).await;
    raw.send(&post(1)).await;
    assert_eq!(raw.said().await, Some(Said::Answer { stream: 1, status: 200 }));
    assert!(matches!(raw.said().await, Some(Said::Reset { stream: 1, .. })));
    endpoint.is_given_up().await;
}

/// As of a client that listens to events.
#[tokio::test]
async fn a_client_may_be_silent_while_it_is_answered() {
    let (router, endpoint) = router(Script::Events(20)).await;
    let mut raw = Raw::open(router.http).await;
    raw.send(&post(1)).await;
    let mut events = 0;
    while events < 20 {
        let (kind, ..) = raw.frame().await.unwrap();
        events += usize::from(kind == DATA);
    }
    // The answer has ended, and what is still to come is for nobody.
    endpoint.is_given_up().await;
    assert!(matches!(raw.said().await, Some(Said::Reset { stream: 1, .. })));
    let record = &router.records(1).await[0];
    assert_eq!((record.status, record.sent), (200, 100));
}

/// Else a client would have its answers, and no line in the access log, for a connection to the endpoint each.
#[tokio::test]
async fn a_body_that_stands_still_behind_its_answer_holds_nothing() {
    let old = Backend::start(|mut conn, _| async move {
        conn.head().await?;
        conn.write(OK).await?;
        conn.closed().await;
        None
    })
    .await;
    let mut setup = Setup::default();
    (setup.limits.body_read, setup.limits.body_write) = (SHORT, SHORT);
    let mut router = Router::start(setup);
    router.app("web", &[], &[old.addr]);
    let mut raw = Raw::open(router.http).await;
    raw.send(&post(1)).await;
    raw.send(&frame(DATA, 0, 1, b"some of it")).await;
    assert_eq!(raw.said().await, Some(Said::Answer { stream: 1, status: 200 }));
    // Drips do not help.
    let mut twin = raw.twin();
    let dripping = tokio::spawn(async move {
        loop {
            twin.send(&frame(DATA, 0, 1, b"x")).await;
            tokio::time::sleep(SHORT / 20).await;
        }
    });
    assert_eq!(raw.said().await, Some(Said::Reset { stream: 1, code: 0 }));
    dripping.abort();
    let record = &router.records(1).await[0];
    assert_eq!((record.status, record.sent), (200, 2));
    assert!(record.received >= "some of it".len() as u64);
    let counts = router.counts("web", 1).await;
    assert_eq!((counts.classes, counts.upstream_errors), ([0, 1, 0, 0, 0], 0));
}
