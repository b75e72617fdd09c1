//! HTTP/2 in raw frames (RFC 9113 §4.1).

use std::{net::SocketAddr, os::fd::AsFd};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

use super::within;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;
/// The flag of HEADERS.
pub(crate) const PRIORITIZED: u8 = 0x20;

/// A frame with the true length of its payload.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Fields in HPACK, each spelled out and not to be remembered (RFC 7541 §6.2.2).
pub(crate) fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            integer(&mut block, text.len());
            block.extend(text.as_bytes());
        }
    }
    block
}

/// A length with a prefix of seven bits (RFC 7541 §5.1).
fn integer(block: &mut Vec<u8>, value: usize) {
    if value < 127 {
        block.push(value as u8);
        return;
    }
    block.push(127);
    let mut rest = value - 127;
    while rest >= 128 {
        block.push((rest % 128 + 128) as u8);
        rest /= 128;
    }
    block.push(rest as u8);
}

/// The pseudo-header fields of GET / of `web.example`.
pub(crate) const GET: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "web.example")];

/// GET with further fields.
pub(crate) fn get(more: &[(&str, &str)]) -> Vec<u8> {
    fields(&[&GET, more].concat())
}

/// What the server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Answer { stream: u32, status: u16 },
    Reset { stream: u32, code: u32 },
    Goaway { code: u32 },
}

/// A connection with prior knowledge.
pub(crate) struct Raw<S = TcpStream> {
    pub(crate) stream: S,
}

impl Raw {
    /// A connection on which nothing has been sent.
    pub(crate) async fn silent(addr: SocketAddr) -> Self {
        let stream = within(TcpStream::connect(addr)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream }
    }

    /// A connection whose settings are agreed.
    pub(crate) async fn open(addr: SocketAddr) -> Self {
        let mut raw = Self::silent(addr).await;
        raw.send(PREFACE).await;
        raw.send(&frame(SETTINGS, 0, 0, &[])).await;
        raw.send(&frame(SETTINGS, ACK, 0, &[])).await;
        raw
    }

    /// The same connection once more, to send by.
    pub(crate) fn twin(&self) -> Self {
        let twin = self.stream.as_fd().try_clone_to_owned().unwrap();
        Self { stream: TcpStream::from_std(twin.into()).unwrap() }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    /// Sends as much of `bytes` as the server takes.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let _ = within(self.stream.write_all(bytes)).await;
    }

    /// The next frame: kind, flags, stream, payload. `None` at the end of the connection.
    pub(crate) async fn frame(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        within(self.stream.read_exact(&mut head)).await.ok()?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        within(self.stream.read_exact(&mut payload)).await.ok()?;
        Some((head[3], head[4], u32::from_be_bytes(head[5..9].try_into().unwrap()), payload))
    }

    /// What the server says next about a stream or the connection; `None` at the end of it.
    pub(crate) async fn said(&mut self) -> Option<Said> {
        loop {
            let (kind, _, stream, payload) = self.frame().await?;
            let number = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
            match kind {
                HEADERS => return Some(Said::Answer { stream, status: status(&payload) }),
                RST_STREAM => return Some(Said::Reset { stream, code: number(0) }),
                GOAWAY => return Some(Said::Goaway { code: number(4) }),
                _ => {}
            }
        }
    }
}

/// The status that a header block begins with: an entry of the static table, or three digits, which
/// may be in Huffman's code (RFC 7541 §5.2, B).
fn status(block: &[u8]) -> u16 {
    const STATIC: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    let at = block.iter().position(|byte| byte & 0xe0 != 0x20).unwrap();
    match block[at] {
        indexed @ 0x88..=0x8e => STATIC[usize::from(indexed - 0x88)],
        _ => {
            let length = usize::from(block[at + 1]);
            let digits = &block[at + 2..at + 2 + (length & 0x7f)];
            if length & 0x80 == 0 {
                str::from_utf8(digits).unwrap().parse().unwrap()
            } else {
                huffman(digits)
            }
        }
    }
}

/// Three digits: 0 to 2 have five bits, the others six.
fn huffman(bytes: &[u8]) -> u16 {
    let mut bits =
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| u16::from(byte >> bit & 1)));
    let mut number = 0;
    for _ in 0..3 {
        let five = (0..5).fold(0, |code, _| code << 1 | bits.next().unwrap());
        let digit = if five < 3 { five } else { (five << 1 | bits.next().unwrap()) - 0x19 + 3 };
        number = number * 10 + digit;
    }
    number
}
