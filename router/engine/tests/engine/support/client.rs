//! An HTTP/1 client that sends what it is told, byte for byte.

use std::{fmt, net::SocketAddr, os::fd::AsFd, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};

use super::within;

/// Where a head ends in `bytes`, if it does.
pub(crate) fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// A response as it came but for the field `Date`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.head, String::from_utf8_lossy(&self.body))
    }

    pub(crate) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (field, value) = line.split_once(": ")?;
            field.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// The client's side of a connection.
pub(crate) struct Client<S> {
    pub(crate) stream: S,
    buffer: Vec<u8>,
}

impl Client<TcpStream> {
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        let stream = within(TcpStream::connect(addr)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::new(stream)
    }

    /// Sends `piece` again and again.
    pub(crate) fn drip(&self, piece: &[u8]) -> JoinHandle<()> {
        drip(&self.stream, piece)
    }
}

/// Sends `piece` again and again, until the other side has closed.
pub(crate) fn drip(stream: &TcpStream, piece: &[u8]) -> JoinHandle<()> {
    let twin = stream.as_fd().try_clone_to_owned().unwrap();
    let mut stream = TcpStream::from_std(twin.into()).unwrap();
    let piece = piece.to_vec();
    tokio::spawn(async move {
        while stream.write_all(&piece).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        within(self.stream.write_all(bytes.as_ref())).await.unwrap();
        within(self.stream.flush()).await.unwrap();
    }

    pub(crate) async fn ask(&mut self, request: &str) -> Response {
        self.send(request).await;
        self.response().await
    }

    /// Reads a response: its head, and its body by `Content-Length`, by chunks, or none.
    pub(crate) async fn response(&mut self) -> Response {
        let head = self.head().await.expect("a response, not the end of the connection");
        let response = Response { head, body: Vec::new() };
        let body = if response.header("transfer-encoding").is_some() {
            self.until(b"0\r\n\r\n").await
        } else {
            let length = response.header("content-length").map_or(0, |n| n.parse().unwrap());
            self.exactly(length).await
        };
        Response { body, ..response }
    }

    /// Reads a head without its `Date`; `None` at the end of the connection.
    pub(crate) async fn head(&mut self) -> Option<String> {
        loop {
            if let Some(end) = head_end(&self.buffer) {
                let head = String::from_utf8(self.take(end)).unwrap();
                let lines = head.split_inclusive("\r\n");
                return Some(
                    lines.filter(|line| !line.to_ascii_lowercase().starts_with("date: ")).collect(),
                );
            }
            if !self.fill().await {
                assert_eq!(String::from_utf8_lossy(&self.buffer), "", "half a head");
                return None;
            }
        }
    }

    pub(crate) async fn exactly(&mut self, n: usize) -> Vec<u8> {
        while self.buffer.len() < n {
            assert!(self.fill().await, "{n} bytes expected, got {}", self.buffer.len());
        }
        self.take(n)
    }

    pub(crate) async fn text(&mut self, n: usize) -> String {
        String::from_utf8(self.exactly(n).await).unwrap()
    }

    async fn until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.buffer.windows(end.len()).position(|window| window == end) {
                return self.take(at + end.len());
            }
            assert!(self.fill().await, "the connection ended inside the body");
        }
    }

    /// Reads a chunk; an empty one is the last.
    pub(crate) async fn chunk(&mut self) -> Vec<u8> {
        let size = self.until(b"\r\n").await;
        let size = str::from_utf8(&size).unwrap().trim_end();
        let mut chunk = self.exactly(usize::from_str_radix(size, 16).unwrap() + 2).await;
        assert!(chunk.ends_with(b"\r\n"), "a chunk ends with CR LF");
        chunk.truncate(chunk.len() - 2);
        chunk
    }

    /// All that comes until the connection ends or breaks.
    pub(crate) async fn rest(&mut self) -> String {
        String::from_utf8_lossy(&self.rest_bytes().await).into_owned()
    }

    /// As [`Client::rest`], in bytes.
    pub(crate) async fn rest_bytes(&mut self) -> Vec<u8> {
        while self.fill().await {}
        self.take(self.buffer.len())
    }

    fn take(&mut self, n: usize) -> Vec<u8> {
        let rest = self.buffer.split_off(n);
        std::mem::replace(&mut self.buffer, rest)
    }

    async fn fill(&mut self) -> bool {
        matches!(within(self.stream.read_buf(&mut self.buffer)).await, Ok(n) if n > 0)
    }
}
