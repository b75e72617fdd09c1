//! The pages.

use std::{
    io::{self, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{Query, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use futures::stream;
use jiff::Timestamp;
use serde::Deserialize;
use tokio::{sync::watch, time};

use super::{DemoArgs, websocket};

/// Longest time that `/slow` takes, and that `/stream` pauses between two chunks.
const LONGEST: Duration = Duration::from_secs(60);
/// Most chunks that `/stream` sends.
const MOST_CHUNKS: u32 = 1000;

/// All pages, with a line on standard output per request.
pub(super) fn routes(args: DemoArgs, stopped: watch::Receiver<()>) -> Router {
    let front = format!("{} from {}\npod: {}\n", args.greeting, args.app, args.pod);
    let pod =
        HeaderValue::try_from(args.pod).unwrap_or_else(|_| HeaderValue::from_static("invalid"));
    Router::new()
        .route("/", get(|| async { front }))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/headers", any(headers))
        .route("/echo", any(echo))
        .route("/slow", any(slow))
        .route("/stream", get(stream_chunks))
        .route("/ws", get(move |request| websocket::upgrade(request, stopped)))
        .layer(middleware::from_fn_with_state(Arc::new(pod), log))
}

/// The header lines as they arrived, in order.
async fn headers(headers: HeaderMap) -> String {
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
        format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()))
    };
    headers.iter().map(line).collect()
}

/// The request's body and trailers back, piece by piece as they arrive.
async fn echo(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut response = Response::new(body);
    if let Some(kind) = parts.headers.get(header::CONTENT_TYPE) {
        response.headers_mut().insert(header::CONTENT_TYPE, kind.clone());
    }
    response
}

#[derive(Deserialize)]
struct Slow {
    /// Milliseconds until the answer.
    #[serde(default)]
    ms: u64,
}

async fn slow(Query(slow): Query<Slow>) -> String {
    let wait = Duration::from_millis(slow.ms).min(LONGEST);
    time::sleep(wait).await;
    format!("waited {} ms\n", wait.as_millis())
}

#[derive(Deserialize)]
#[serde(default)]
struct Stream {
    /// How many chunks.
    chunks: u32,
    /// Milliseconds between two.
    ms: u64,
}

impl Default for Stream {
    fn default() -> Self {
        Self { chunks: 5, ms: 200 }
    }
}

async fn stream_chunks(Query(wanted): Query<Stream>) -> Response {
    let pause = Duration::from_millis(wanted.ms).min(LONGEST);
    let last = wanted.chunks.min(MOST_CHUNKS);
    let chunks = stream::unfold(1, move |number| async move {
        if number > last {
            return None;
        }
        if number > 1 {
            time::sleep(pause).await;
        }
        Some((Ok::<_, io::Error>(format!("chunk {number}\n")), number + 1))
    });
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], Body::from_stream(chunks))
        .into_response()
}

/// One line per request, and the header that tells which instance answered.
async fn log(State(pod): State<Arc<HeaderValue>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let mut response = next.run(request).await;
    response.headers_mut().insert("x-pod", HeaderValue::clone(&pod));
    // Who reads the lines may have gone away; that is no reason to stop answering.
    let _ = writeln!(
        io::stdout(),
        "{:.3} {method} {uri} {} {:.1} ms",
        Timestamp::now(),
        response.status().as_u16(),
        started.elapsed().as_secs_f64() * 1000.0,
    );
    response
}
