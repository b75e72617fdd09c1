//! HTTP/1.1: on connections that are kept, or on a new one for each request.

use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Client, LoadError, Target, response, stream::Stream};
use crate::backend::LARGE;

/// Largest response that is understood.
const BUFFER: usize = LARGE + 4096;

/// An answer: the status and the body.
pub(crate) type Answer = (u16, Vec<u8>);

/// A connection that is kept.
pub(crate) struct Connection {
    stream: Stream,
    request: Vec<u8>,
    buffer: Vec<u8>,
    expected: usize,
}

impl Connection {
    pub(crate) async fn open(target: &Target) -> Result<Self, LoadError> {
        let stream = Stream::connect(target).await?;
        let (path, host) = (target.path, &target.host);
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: edge\r\nAccept: */*\r\n\r\n"
        );
        Ok(Self {
            stream,
            request: request.into_bytes(),
            buffer: Vec::new(),
            expected: target.body,
        })
    }

    /// What the server showed, where it speaks TLS.
    pub(crate) fn certificate(&self) -> Option<CertificateDer<'static>> {
        self.stream.certificate()
    }

    /// Sends the request; whatever is answered.
    pub(crate) async fn get(&mut self) -> Result<Answer, LoadError> {
        self.stream.write_all(&self.request).await?;
        self.stream.flush().await?;
        self.buffer.clear();
        self.buffer.reserve(BUFFER);
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
            }
            let Some(head) = response::head(&self.buffer)? else { continue };
            let length = head.length + head.body;
            if self.buffer.len() == length {
                return Ok((head.status, self.buffer.split_off(head.length)));
            }
            if self.buffer.len() > length {
                return Err(LoadError::Surplus(self.buffer.len()));
            }
        }
    }
}

impl Client for Connection {
    async fn exchange(&mut self) -> Result<(), LoadError> {
        let (status, body) = self.get().await?;
        let expected = self.expected;
        if (status, body.len()) != (200, expected) {
            return Err(LoadError::Wrong { status, body: body.len(), expected });
        }
        Ok(())
    }
}

/// A new connection for each request.
pub(crate) struct Connecting(pub(crate) Target);

impl Client for Connecting {
    async fn exchange(&mut self) -> Result<(), LoadError> {
        Connection::open(&self.0).await?.exchange().await
    }
}
