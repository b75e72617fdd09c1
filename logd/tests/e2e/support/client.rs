//! A reader.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use fairlead_logd::Logd;
use http::{HeaderMap, Request, StatusCode, header::AUTHORIZATION};
use http_body_util::{BodyExt as _, Empty};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::within;

/// Asks a logd.
pub(crate) struct Client {
    address: SocketAddr,
    token: Option<String>,
}

/// What it answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn lines(&self) -> Vec<&str> {
        self.body.lines().collect()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// An answer without an end.
pub(crate) struct Follow {
    pub(crate) headers: HeaderMap,
    body: Incoming,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) fn of(logd: &Logd) -> Self {
        Self::at(logd.http_addr())
    }

    pub(crate) const fn at(address: SocketAddr) -> Self {
        Self { address, token: None }
    }

    pub(crate) fn with_token(logd: &Logd, token: &str) -> Self {
        Self { address: logd.http_addr(), token: Some(token.to_owned()) }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[]).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.ask("DELETE", path, &[]).await
    }

    /// What it answers once that is as wanted.
    pub(crate) async fn until(&self, path: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
        let wait = async {
            loop {
                let answer = self.get(path).await;
                if wanted(&answer) {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        within(path, wait).await
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let (parts, body) = self.send(method, path, headers).await.into_parts();
        let body = within("the answer's body", body.collect()).await.unwrap().to_bytes();
        let body = String::from_utf8(body.into()).unwrap();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn follow(&self, path: &str) -> Follow {
        self.follow_with(path, &[]).await
    }

    pub(crate) async fn follow_with(&self, path: &str, headers: &[(&str, &str)]) -> Follow {
        self.try_follow(path, headers).await.unwrap()
    }

    /// An answer, or its status where that is no success.
    pub(crate) async fn try_follow(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Follow, StatusCode> {
        let (parts, body) = self.send("GET", path, headers).await.into_parts();
        match parts.status {
            StatusCode::OK => Ok(Follow { headers: parts.headers, body, buffer: Vec::new() }),
            status => Err(status),
        }
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> http::Response<Incoming> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", self.address.to_string());
        }
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        within("an answer", requests.send_request(request)).await.unwrap()
    }
}

impl Follow {
    /// The next line; none when the answer has ended.
    pub(crate) async fn line(&mut self) -> Option<String> {
        self.try_line().await.ok().flatten()
    }

    /// The same; an error when it was broken off rather than ended.
    pub(crate) async fn try_line(&mut self) -> Result<Option<String>, hyper::Error> {
        loop {
            if let Some(end) = self.buffer.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(Some(String::from_utf8(line[..end].to_vec()).unwrap()));
            }
            let Some(frame) = within("a line", self.body.frame()).await else { return Ok(None) };
            self.buffer.extend_from_slice(frame?.data_ref().unwrap());
        }
    }

    pub(crate) async fn lines(&mut self, count: usize) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.len() < count {
            lines.push(self.line().await.unwrap());
        }
        lines
    }

    pub(crate) async fn json(&mut self, count: usize) -> Vec<Value> {
        let lines = self.lines(count).await;
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
