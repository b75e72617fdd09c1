//! HTTP/2: several requests at a time on one connection.

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Request, header};

use super::{Client, LoadError, Target, stream::Stream};

/// One of those who share a connection; sends one request at a time.
pub(crate) struct Sharing {
    send: SendRequest<Bytes>,
    request: Request<()>,
    expected: usize,
}

/// Opens a connection for `n` to share.
pub(crate) async fn open(target: &Target, n: usize) -> Result<Vec<Sharing>, LoadError> {
    let (send, connection) = h2::client::handshake(Stream::connect(target).await?).await?;
    // When it breaks, the requests on it say so.
    tokio::spawn(connection);
    let request = Request::get(format!("https://{}{}", target.host, target.path))
        .header(header::USER_AGENT, "edge")
        .header(header::ACCEPT, "*/*")
        .body(())?;
    let expected = target.body;
    Ok((0..n).map(|_| Sharing { send: send.clone(), request: request.clone(), expected }).collect())
}

impl Client for Sharing {
    async fn exchange(&mut self) -> Result<(), LoadError> {
        self.send = self.send.clone().ready().await?;
        let (response, _) = self.send.send_request(self.request.clone(), true)?;
        let response = response.await?;
        let status = response.status().as_u16();
        let mut stream = response.into_body();
        let mut body = 0;
        while let Some(part) = stream.data().await {
            let part = part?.len();
            body += part;
            stream.flow_control().release_capacity(part)?;
        }
        if (status, body) != (200, self.expected) {
            return Err(LoadError::Wrong { status, body, expected: self.expected });
        }
        Ok(())
    }
}
