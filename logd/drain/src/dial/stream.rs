//! A stream that knows how many of its bytes the other side's system has.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A connection to a receiver, plain or with TLS.
pub struct Stream(Kind);

enum Kind {
    Plain(Counted),
    Secure(Box<TlsStream<Counted>>),
}

/// TCP whose bytes are counted: below TLS, which adds its own.
pub(super) struct Counted {
    tcp: TcpStream,
    written: u64,
    read: u64,
}

impl Stream {
    pub(super) fn plain(tcp: TcpStream) -> Self {
        Self(Kind::Plain(Counted::new(tcp)))
    }

    pub(super) fn secure(tls: TlsStream<Counted>) -> Self {
        Self(Kind::Secure(Box::new(tls)))
    }

    fn counted(&self) -> &Counted {
        match &self.0 {
            Kind::Plain(counted) => counted,
            Kind::Secure(tls) => tls.get_ref().0,
        }
    }

    /// Whether it has TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        matches!(self.0, Kind::Secure(_))
    }

    /// Bytes given to TCP since it was connected, those of TLS among them.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.counted().written
    }

    /// Bytes that have come since it was connected, those of TLS among them.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.counted().read
    }

    /// How many of the bytes [`written`](Self::written) the other side's system has acknowledged.
    /// Still answers when the connection is broken.
    ///
    /// # Errors
    /// Where the system does not say.
    pub fn acknowledged(&self) -> io::Result<u64> {
        let counted = self.counted();
        Ok(counted.written.saturating_sub(outq::unacknowledged(&counted.tcp)?))
    }

    /// What is not acknowledged is dropped with it, and with no word to the receiver but a reset:
    /// without this the system goes on sending it for minutes.
    ///
    /// # Errors
    /// Where the system does not take it.
    pub fn reset_on_drop(&self) -> io::Result<()> {
        self.counted().tcp.set_zero_linger()
    }

    /// Takes [`reset_on_drop`](Self::reset_on_drop) back: what was written is sent, and its end behind
    /// it.
    ///
    /// # Errors
    /// Where the system does not take it.
    pub fn end_on_drop(&self) -> io::Result<()> {
        socket2::SockRef::from(&self.counted().tcp).set_linger(None)
    }
}

impl Counted {
    pub(super) fn new(tcp: TcpStream) -> Self {
        Self { tcp, written: 0, read: 0 }
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let done = Pin::new(&mut self.tcp).poll_read(cx, buf);
        self.read += (buf.filled().len() - before) as u64;
        done
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.tcp).poll_write(cx, buf);
        if let Poll::Ready(Ok(written)) = done {
            self.written += written as u64;
        }
        done
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Kind::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Kind::Secure(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Kind::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Kind::Secure(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Kind::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Kind::Secure(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Kind::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Kind::Secure(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

mod outq {
    #![allow(unsafe_code, reason = "nix offers no safe function for this request")]

    use std::io;
    use std::os::fd::AsRawFd as _;

    use nix::libc::{TIOCOUTQ, c_int};
    use tokio::net::TcpStream;

    // Linux: SIOCOUTQ (tcp(7)) has the number of TIOCOUTQ.
    nix::ioctl_read_bad!(siocoutq, TIOCOUTQ, c_int);

    /// Bytes that were written and that the other side's system has not acknowledged.
    pub(super) fn unacknowledged(tcp: &TcpStream) -> io::Result<u64> {
        let mut bytes = 0;
        // SAFETY: the socket is open as long as `tcp` is borrowed, and the kernel writes one int.
        unsafe { siocoutq(tcp.as_raw_fd(), &raw mut bytes) }?;
        Ok(u64::try_from(bytes).unwrap_or(0))
    }
}
