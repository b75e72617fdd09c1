//! The socket below TLS: replays bytes read ahead of HTTP, and counts what the client takes.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::preface::Ahead;

/// A TCP stream with bytes pushed back in front.
#[derive(Debug)]
pub(crate) struct Socket {
    tcp: TcpStream,
    ahead: Ahead,
    written: u64,
}

impl Socket {
    /// `ahead` is read again before anything else.
    pub(crate) fn new(tcp: TcpStream, ahead: Ahead) -> Self {
        Self { tcp, ahead, written: 0 }
    }

    /// Bytes that the kernel has taken from us. It stands still exactly while the client does not read.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    fn count(&mut self, wrote: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(n)) = wrote {
            self.written = self.written.wrapping_add(n as u64);
        }
        wrote
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.tcp.as_raw_fd()
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.tcp).poll_read(cx, buf);
        }
        self.ahead.take_into(buf);
        // What has come since belongs to the same head: with it, one read is enough for most requests. Its error is met again later.
        if buf.remaining() > 0 {
            let _ = Pin::new(&mut self.tcp).poll_read(cx, buf);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.tcp).poll_write(cx, buf);
        self.count(wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs);
        self.count(wrote)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
