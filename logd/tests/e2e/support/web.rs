//! A receiver of HTTP requests that takes all.

use std::net::SocketAddr;

use axum::{Router, body::Bytes, extract::State, http::Uri, routing::post};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};

use super::within;

/// Takes requests until it is dropped.
pub(crate) struct Web {
    pub(crate) address: SocketAddr,
    requests: mpsc::UnboundedReceiver<(String, Vec<u8>)>,
    serve: JoinHandle<()>,
}

impl Web {
    /// One that answers `answer` to all, with the number of lines of the body in place of `LINES`.
    pub(crate) async fn start(answer: fn(lines: usize) -> String) -> Self {
        let (taken, requests) = mpsc::unbounded_channel();
        let take = move |State(answer): State<fn(usize) -> String>, uri: Uri, body: Bytes| async move {
            let body = plain(&body);
            let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
            let _ = taken.send((uri.to_string(), body));
            ([("content-type", "application/json")], answer(lines))
        };
        let routes = Router::new().fallback(post(take)).with_state(answer);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serve = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { address, requests, serve }
    }

    /// Path with query, and body, of the next request.
    pub(crate) async fn request(&mut self) -> (String, String) {
        let (path, body) = within("a request", self.requests.recv()).await.unwrap();
        (path, String::from_utf8(body).unwrap())
    }
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
