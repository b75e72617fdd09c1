//! logd, as a client asks it.

use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{
    Request, StatusCode, Uri,
    body::{Body as _, Incoming},
    header::{ACCEPT, AUTHORIZATION, HeaderValue},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use super::error::LogsError;

/// Bytes of an answer's line, at most: a line's payload in JSON, where each byte may take six.
const LINE_CAP: usize = 1 << 20;
/// Bytes of a refusal's text that are shown.
const REASON_CAP: usize = 4096;
/// Bytes of an answer that is no log, at most.
const ANSWER_CAP: usize = 64 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A server that went away without a word is noticed after a minute of silence.
const KEEPALIVE: Duration = Duration::from_secs(15);
const KEEPALIVE_PROBES: u32 = 3;

/// A logd and what it is shown.
#[derive(Debug)]
pub(crate) struct Logd {
    url: String,
    authorization: Option<HeaderValue>,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

impl Logd {
    /// The logd at this URL, with a bearer token to show where there is one.
    ///
    /// # Errors
    /// Where the token has characters that no header may have, or the system has no certificates.
    pub(crate) fn new(url: &str, token: Option<&str>) -> Result<Self, LogsError> {
        let authorization = token
            .map(|token| {
                let mut value = HeaderValue::from_str(&format!("Bearer {token}"))?;
                value.set_sensitive(true);
                Ok(value)
            })
            .transpose()
            .map_err(|_: hyper::header::InvalidHeaderValue| LogsError::Token)?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        tcp.set_keepalive(Some(KEEPALIVE));
        tcp.set_keepalive_interval(Some(KEEPALIVE));
        tcp.set_keepalive_retries(Some(KEEPALIVE_PROBES));
        let tls = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::aws_lc_rs::default_provider())
            .map_err(LogsError::Roots)?
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new()).build(tls);
        Ok(Self { url: url.trim_end_matches('/').to_owned(), authorization, client })
    }

    /// What it answers to a path with a query: JSON lines.
    ///
    /// # Errors
    /// Where it cannot be reached or refuses.
    pub(crate) async fn lines(&self, path: &str) -> Result<Lines, LogsError> {
        let body = self.ask("GET", path, "application/x-ndjson").await?;
        Ok(Lines { body, buffer: BytesMut::new(), searched: 0 })
    }

    /// What it answers to a request for a path: JSON.
    ///
    /// # Errors
    /// Where it cannot be reached or refuses, or the answer has more than 64 MiB.
    pub(crate) async fn json(&self, method: &str, path: &str) -> Result<String, LogsError> {
        let body = self.ask(method, path, "application/json").await?;
        let body = Limited::new(body, ANSWER_CAP).collect().await;
        let body =
            body.map_err(|source| LogsError::Unreachable { url: self.url.clone(), source })?;
        Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
    }

    async fn ask(&self, method: &str, path: &str, accept: &str) -> Result<Incoming, LogsError> {
        let uri = format!("{}{path}", self.url);
        let uri: Uri = uri.parse().map_err(|_| LogsError::Url(self.url.clone()))?;
        let mut request = Request::builder().method(method).uri(uri).header(ACCEPT, accept);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Empty::new()).map_err(|_| LogsError::Url(self.url.clone()))?;
        let answer = self.client.request(request).await.map_err(|error| {
            LogsError::Unreachable { url: self.url.clone(), source: error.into() }
        })?;
        match answer.status() {
            StatusCode::OK | StatusCode::NO_CONTENT => Ok(answer.into_body()),
            status => {
                let text = Limited::new(answer.into_body(), REASON_CAP).collect().await;
                let text = text.map(|body| body.to_bytes()).unwrap_or_default();
                let reason = String::from_utf8_lossy(&text).trim().to_owned();
                Err(LogsError::Refused { status: status.as_u16(), reason })
            }
        }
    }
}

/// The lines of an answer as they come.
#[derive(Debug)]
pub(crate) struct Lines {
    body: Incoming,
    buffer: BytesMut,
    /// Bytes of the buffer in which there is no line feed.
    searched: usize,
}

impl Lines {
    /// The next line without its line feed; `None` at the end of the answer. What follows the last
    /// line feed is a line that was cut off, and is left out.
    ///
    /// # Errors
    /// Where the connection breaks, or a line is longer than [`LINE_CAP`].
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, LogsError> {
        loop {
            let found = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n');
            if let Some(length) = found {
                let line = self.buffer.split_to(self.searched + length).freeze();
                self.buffer.advance(1);
                self.searched = 0;
                return Ok(Some(line));
            }
            self.searched = self.buffer.len();
            if self.searched > LINE_CAP {
                return Err(LogsError::LineTooLong);
            }
            if self.body.is_end_stream() {
                return Ok(None);
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(LogsError::Broken(error)),
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.buffer.extend_from_slice(data);
                    }
                }
            }
        }
    }
}
