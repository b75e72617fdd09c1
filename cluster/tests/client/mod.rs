//! A small HTTP client: one request per connection, so that a test says exactly what is sent.
#![allow(dead_code, reason = "every test file uses a part of it")]

use std::net::SocketAddr;

use fairlead_cluster::Registry;
use fairlead_cluster::http::{Server, Tokens};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The API alone, without controllers, and a token for it.
pub(crate) struct Api {
    pub(crate) registry: Registry,
    pub(crate) tokens: Tokens,
    pub(crate) server: Server,
    pub(crate) token: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) head: String,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }
}

impl Api {
    pub(crate) async fn start() -> Self {
        let (registry, tokens) = (Registry::new(), Tokens::default());
        let server =
            Server::start(registry.clone(), tokens.clone(), None).await.expect("a loopback port");
        let token = tokens.mint("tester");
        Self { registry, tokens, server, token }
    }

    /// The API with a namespace.
    pub(crate) async fn with_namespace(name: &str) -> Self {
        let api = Self::start().await;
        let body = format!(
            r#"{{"apiVersion": "v1", "kind": "Namespace", "metadata": {{"name": "{name}"}}}}"#
        );
        assert_eq!(api.post("/api/v1/namespaces", &body).await.code, 201);
        api
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.send("POST", path, &["Content-Type: application/json"], body).await
    }

    pub(crate) async fn put(&self, path: &str, body: &str) -> Answer {
        self.send("PUT", path, &["Content-Type: application/json"], body).await
    }

    pub(crate) async fn merge(&self, path: &str, body: &str) -> Answer {
        self.send("PATCH", path, &["Content-Type: application/merge-patch+json"], body).await
    }

    pub(crate) async fn apply(&self, path: &str, body: &str) -> Answer {
        self.send("PATCH", path, &["Content-Type: application/apply-patch+yaml"], body).await
    }

    pub(crate) async fn delete(&self, path: &str, body: &str) -> Answer {
        self.send("DELETE", path, &["Content-Type: application/json"], body).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[&str],
        body: &str,
    ) -> Answer {
        request(self.server.addr(), &self.token, method, path, headers, body).await
    }
}

/// Sends a request with a token.
pub(crate) async fn request(
    addr: SocketAddr,
    token: &str,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &str,
) -> Answer {
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {addr}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n"
    );
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    if !body.is_empty() {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    raw(addr, format!("{head}\r\n{body}").as_bytes()).await
}

/// Sends bytes as they are and reads until the server closes.
pub(crate) async fn raw(addr: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(addr).await.expect("connect");
    // A server that refuses early may close while the body is still being sent.
    let _ = stream.write_all(request).await;
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    let answer = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let text = if chunked { unchunk(body) } else { body.to_owned() };
    Answer { code, head: head.to_owned(), text }
}

fn unchunk(mut body: &str) -> String {
    let mut text = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a chunk size");
        if size == 0 {
            break;
        }
        text.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    text
}
