//! A receiver of HTTP requests.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::Uri,
    response::{IntoResponse as _, Response},
    routing::post,
};
use parking_lot::Mutex;
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};

use super::within;

/// What it answers to a body.
type Answers = Box<dyn FnMut(&[u8]) -> Response + Send>;

/// Takes requests until it is dropped.
pub(crate) struct Web {
    pub(crate) address: SocketAddr,
    requests: mpsc::UnboundedReceiver<(String, Vec<u8>)>,
    answers: Arc<Mutex<Answers>>,
    serve: JoinHandle<()>,
}

impl Web {
    /// One that takes all, and answers what `answer` makes of the number of a body's lines.
    pub(crate) async fn start(answer: fn(lines: usize) -> String) -> Self {
        Self::with(move |body| {
            let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
            json(answer(lines))
        })
        .await
    }

    /// One that answers to bodies, which are not compressed any more, what it is told to.
    pub(crate) async fn with(answers: impl FnMut(&[u8]) -> Response + Send + 'static) -> Self {
        let answers: Arc<Mutex<Answers>> = Arc::new(Mutex::new(Box::new(answers)));
        let (taken, requests) = mpsc::unbounded_channel();
        let take = move |State(answers): State<Arc<Mutex<Answers>>>, uri: Uri, body: Bytes| async move {
            let body = plain(&body);
            let answer = (*answers.lock())(&body);
            let _ = taken.send((uri.to_string(), body));
            answer
        };
        let routes = Router::new().fallback(post(take)).with_state(answers.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serve = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { address, requests, answers, serve }
    }

    /// It answers so from now on.
    pub(crate) fn answers(&self, answers: impl FnMut(&[u8]) -> Response + Send + 'static) {
        *self.answers.lock() = Box::new(answers);
    }

    /// Path with query, and body, of the next request.
    pub(crate) async fn request(&mut self) -> (String, String) {
        let (path, body) = within("a request", self.requests.recv()).await.unwrap();
        (path, String::from_utf8(body).unwrap())
    }

    /// Whether no more requests have come.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.requests.try_recv().is_err()
    }
}

/// An answer that is JSON.
pub(crate) fn json(text: String) -> Response {
    ([("content-type", "application/json")], text).into_response()
}

/// Without compression.
fn plain(body: &[u8]) -> Vec<u8> {
    use std::io::Read as _;
    if !body.starts_with(&[0x1f, 0x8b]) {
        return body.to_vec();
    }
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(body).read_to_end(&mut plain).unwrap();
    plain
}

impl Drop for Web {
    fn drop(&mut self) {
        self.serve.abort();
    }
}
