//! The stream that a connection's owner reads and writes: it keeps the connection's deadlines and gathers its writes.

use std::fmt;
use std::io::{ErrorKind, IoSlice, Result};
use std::net::IpAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::caps::Permit;
use crate::counters::Counters;
use crate::deadline::phase::{Period, Phase, PhaseHandle};
use crate::deadline::stall::Stall;
use crate::deadline::timer::Timer;
use crate::frames::Frames;
use crate::limits::Limits;
use crate::transport::Transport;
use crate::write_buffer::{CAPACITY, WriteBuffer};

const REQUEST_TIMEOUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
const HEAD_TOO_LARGE: &[u8] =
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// How long, and for how many bytes, a refused client is listened to after the answer. To close on unread bytes would reset the
/// connection, and the client might never see the answer (RFC 9112 §9.6).
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: u32 = 256 * 1024;

/// What all connections of some workers share.
#[derive(Debug)]
pub(crate) struct Edge {
    pub(crate) limits: Limits,
    /// Peers that speak for others.
    pub(crate) trusted: Box<[IpNet]>,
    /// Whether these tell who their clients are by the PROXY protocol.
    pub(crate) proxy_protocol: bool,
    pub(crate) counters: Arc<Counters>,
}

impl Edge {
    /// Whether the peer at `ip` has to begin with a header of the PROXY protocol.
    pub(crate) fn is_proxy(&self, ip: IpAddr) -> bool {
        self.proxy_protocol && self.is_trusted(ip)
    }

    /// Whether the peer at `ip` speaks for others.
    pub(crate) fn is_trusted(&self, ip: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&ip))
    }

    /// For bytes that are no HTTP: who serves them keeps their limits, on writes too.
    pub(crate) fn without_limits(&self) -> Self {
        let limits = Limits { write: NEVER, ..self.limits.clone() };
        let counters = Arc::clone(&self.counters);
        Self { limits, trusted: Box::default(), proxy_protocol: false, counters }
    }
}

/// Longer than any connection lasts.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// An accepted connection's bytes.
///
/// **Reads** keep the deadline of the [phase](PhaseHandle) that the connection is in; see there for how they fail. Of HTTP/2, a head
/// that takes longer than `Limits::head` from its first byte to its last, and any other frame but DATA: they fail with `TimedOut`.
///
/// **Writes** of HTTP/1 are gathered up to 16 KiB and leave when that is full, on flush, and when a read is pending: a part of a
/// response is never held back while there is nothing else to do. Writes of HTTP/2 go straight through, since its library gathers.
/// A client that takes next to nothing for `Limits::write` is given up: writes and reads fail with `TimedOut`.
///
/// Once a deadline or bound has closed the stream, reads repeat their outcome and writes fail.
pub struct EdgeStream {
    io: Transport,
    edge: Arc<Edge>,
    phase: PhaseHandle,
    /// What comes, where it is HTTP/2.
    frames: Option<Frames>,
    state: State,
    timer: Timer,
    /// The period that `since` belongs to.
    period: Period,
    /// Start of the wait in `period`; in a tunnel, when a byte last moved; of HTTP/2, of what is open.
    since: Instant,
    /// Bytes that the request head may still take.
    head_left: u32,
    buffer: WriteBuffer,
    unflushed: bool,
    stall: Stall,
    _permit: Permit,
}

// A part of what every idle connection costs.
const _: () = assert!(size_of::<EdgeStream>() <= 256);

#[derive(Debug, Clone, Copy)]
enum State {
    Open,
    /// Answered and shut for writing; what the client still sends is thrown away until it closes.
    Lingering {
        until: Instant,
        left: u32,
        then: ErrorKind,
    },
    /// Reads give the end of the stream, or this error.
    Closed(Option<ErrorKind>),
}

impl EdgeStream {
    /// A stream at its first request. `head_since` is when the first byte of its head came, where some were read ahead.
    pub(crate) fn new(
        io: Transport,
        http2: bool,
        head_since: Option<Instant>,
        edge: Arc<Edge>,
        permit: Permit,
    ) -> Self {
        let phase = PhaseHandle::default();
        if http2 {
            phase.busy();
        } else if head_since.is_some() {
            phase.enter(Phase::Head);
        }
        Self {
            io,
            frames: http2.then(Frames::new),
            state: State::Open,
            timer: Timer::default(),
            period: phase.period(),
            since: head_since.unwrap_or_else(Instant::now),
            head_left: less(edge.limits.head_bytes, 0),
            buffer: WriteBuffer::default(),
            unflushed: false,
            stall: Stall::default(),
            edge,
            phase,
            _permit: permit,
        }
    }

    /// By which the stream is told where the connection is. An HTTP/1 connection starts out awaiting a head; HTTP/2 is busy all along.
    pub fn phase(&self) -> PhaseHandle {
        self.phase.clone()
    }

    /// Bytes that may be read in this phase before the head is too large.
    fn allowance(&self) -> usize {
        match self.phase.period().phase() {
            Phase::First | Phase::Idle => self.edge.limits.head_bytes,
            Phase::Head => self.head_left as usize,
            Phase::Busy | Phase::Tunnel => usize::MAX,
        }
    }

    fn received(&mut self, bytes: &[u8]) {
        let n = bytes.len();
        if let Some(frames) = &mut self.frames {
            let opening = frames.is_opening();
            let ended = frames.follow(bytes);
            if frames.is_open() && !frames.is_opening() && (ended || opening) {
                self.since = Instant::now();
            }
            return;
        }
        match self.phase.period().phase() {
            _ if n == 0 => {}
            Phase::First | Phase::Idle => {
                self.phase.enter(Phase::Head);
                self.head_left = less(self.edge.limits.head_bytes, n);
            }
            Phase::Head => self.head_left = less(self.head_left as usize, n),
            Phase::Busy => {}
            Phase::Tunnel => self.since = Instant::now(),
        }
    }

    /// Pending until the deadline of the phase, then how the stream ends.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let limits = &self.edge.limits;
        let timeouts = &self.edge.counters.timeouts;
        let period = self.phase.period();
        let opening = self.frames.as_ref().is_some_and(Frames::is_opening);
        let open = self.frames.as_ref().is_some_and(Frames::is_open);
        let (limit, counter) = match period.phase() {
            _ if opening => (limits.handshake, &timeouts.handshake),
            Phase::First => (limits.first_byte, &timeouts.first_byte),
            Phase::Idle => (limits.idle, &timeouts.idle),
            Phase::Head => (limits.head, &timeouts.head),
            Phase::Busy if open => (limits.head, &timeouts.head),
            Phase::Busy => return Poll::Pending,
            Phase::Tunnel => (self.phase.tunnel_idle(), &timeouts.tunnel),
        };
        if self.period != period && !opening {
            self.period = period;
            self.since = Instant::now();
        }
        ready!(self.timer.poll_until(self.since + limit, cx));
        counter.increment();
        match period.phase() {
            Phase::Head if !opening => self.refuse(REQUEST_TIMEOUT, ErrorKind::TimedOut, cx),
            Phase::First | Phase::Idle => self.close(None),
            _ => self.close(Some(ErrorKind::TimedOut)),
        }
    }

    fn close(&mut self, outcome: Option<ErrorKind>) -> Poll<Result<()>> {
        self.state = State::Closed(outcome);
        self.buffer = WriteBuffer::default();
        Poll::Ready(outcome.map_or(Ok(()), |kind| Err(kind.into())))
    }

    /// Answers a request whose head will not be read to its end, and lingers.
    fn refuse(&mut self, answer: &[u8], then: ErrorKind, cx: &mut Context<'_>) -> Poll<Result<()>> {
        // As far as it goes at once: a client that has not even taken what came before is owed nothing.
        if self.buffer.is_empty() {
            let _ = Pin::new(&mut self.io).poll_write(cx, answer);
        }
        let _ = Pin::new(&mut self.io).poll_shutdown(cx);
        self.state = State::Lingering { until: Instant::now() + LINGER, left: LINGER_BYTES, then };
        self.poll_linger(cx)
    }

    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while let State::Lingering { until, left, then } = self.state {
            let mut scratch = [0; 2048];
            let mut scratch = ReadBuf::new(&mut scratch);
            let n = match Pin::new(&mut self.io).poll_read(cx, &mut scratch) {
                Poll::Ready(Ok(())) => scratch.filled().len(),
                Poll::Ready(Err(_)) => 0,
                Poll::Pending => {
                    ready!(self.timer.poll_until(until, cx));
                    0
                }
            };
            let left = less(left as usize, n);
            if n == 0 || left == 0 {
                return self.close(Some(then));
            }
            self.state = State::Lingering { until, left, then };
        }
        Poll::Pending
    }

    /// For a write that has to wait: pending until the client has taken nothing for too long.
    fn poll_stalled<T>(&mut self, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let since = self.stall.since(self.io.socket().written(), Instant::now());
        ready!(self.timer.poll_until(since + self.edge.limits.write, cx));
        self.edge.counters.timeouts.write.increment();
        let _ = self.close(Some(ErrorKind::TimedOut));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }

    fn wrote(&mut self) {
        self.unflushed = true;
        if self.phase.period().phase() == Phase::Tunnel {
            self.since = Instant::now();
        }
    }

    /// Writes to the transport, past the buffer.
    fn poll_through(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut Transport>, &mut Context<'_>) -> Poll<Result<usize>>,
    ) -> Poll<Result<usize>> {
        match write(Pin::new(&mut self.io), cx) {
            Poll::Ready(Ok(n)) => {
                self.wrote();
                Poll::Ready(Ok(n))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => self.poll_stalled(cx),
        }
    }

    /// Ready once the buffer is empty.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while !self.buffer.is_empty() {
            match Pin::new(&mut self.io).poll_write(cx, self.buffer.unsent()) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => {
                    self.buffer.advance(n);
                    self.wrote();
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return self.poll_stalled(cx),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Ready once the kernel has every byte.
    fn poll_send_all(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(self.poll_drain(cx))?;
        if self.unflushed {
            match Pin::new(&mut self.io).poll_flush(cx) {
                Poll::Ready(flushed) => flushed?,
                Poll::Pending => return self.poll_stalled(cx),
            }
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn check_open(&self) -> Result<()> {
        match self.state {
            State::Open => Ok(()),
            State::Lingering { then: kind, .. } | State::Closed(Some(kind)) => Err(kind.into()),
            State::Closed(None) => Err(ErrorKind::BrokenPipe.into()),
        }
    }
}

/// What is `left` without `n` bytes.
fn less(left: usize, n: usize) -> u32 {
    u32::try_from(left.saturating_sub(n)).unwrap_or(u32::MAX)
}

/// Reads at most `most` bytes.
fn poll_read_up_to(
    io: &mut Transport,
    most: usize,
    cx: &mut Context<'_>,
    buf: &mut ReadBuf<'_>,
) -> Poll<Result<()>> {
    if buf.remaining() <= most {
        return Pin::new(io).poll_read(cx, buf);
    }
    let mut part = ReadBuf::new(buf.initialize_unfilled_to(most));
    ready!(Pin::new(io).poll_read(cx, &mut part))?;
    let n = part.filled().len();
    buf.advance(n);
    Poll::Ready(Ok(()))
}

impl AsyncRead for EdgeStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let this = self.get_mut();
        match this.state {
            State::Open => {}
            State::Lingering { .. } => return this.poll_linger(cx),
            State::Closed(outcome) => {
                return Poll::Ready(outcome.map_or(Ok(()), |kind| Err(kind.into())));
            }
        }
        let allowance = this.allowance();
        if allowance == 0 {
            this.edge.counters.heads_too_large.increment();
            return this.refuse(HEAD_TOO_LARGE, ErrorKind::InvalidData, cx);
        }
        let before = buf.filled().len();
        if let Poll::Ready(read) = poll_read_up_to(&mut this.io, allowance, cx, buf) {
            this.received(&buf.filled()[before..]);
            return Poll::Ready(read);
        }
        if let Poll::Ready(Err(error)) = this.poll_send_all(cx) {
            return Poll::Ready(Err(error));
        }
        this.poll_deadline(cx)
    }
}

impl AsyncWrite for EdgeStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<Result<usize>> {
        let this = self.get_mut();
        this.check_open()?;
        if this.buffer.is_full() {
            ready!(this.poll_drain(cx))?;
        }
        if this.frames.is_some() || (this.buffer.is_empty() && data.len() >= CAPACITY) {
            return this.poll_through(cx, |io, cx| io.poll_write(cx, data));
        }
        Poll::Ready(Ok(this.buffer.push(data)))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        if self.frames.is_none() {
            let first = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| buf);
            return self.poll_write(cx, first);
        }
        let this = self.get_mut();
        this.check_open()?;
        this.poll_through(cx, |io, cx| io.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.frames.is_some()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        this.check_open()?;
        this.poll_send_all(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        if this.check_open().is_err() {
            // Closed by us: say so to the client if that goes at once, and wait for nothing.
            let _ = Pin::new(&mut this.io).poll_shutdown(cx);
            return Poll::Ready(Ok(()));
        }
        ready!(this.poll_send_all(cx))?;
        match Pin::new(&mut this.io).poll_shutdown(cx) {
            Poll::Ready(shut) => Poll::Ready(shut),
            Poll::Pending => this.poll_stalled(cx),
        }
    }
}

impl AsRawFd for EdgeStream {
    fn as_raw_fd(&self) -> RawFd {
        self.io.as_raw_fd()
    }
}

impl Drop for EdgeStream {
    /// Says over TLS that there is no more to come (RFC 8446 §6.1), as far as that goes at once. Only between two requests: in the
    /// middle of an answer the client is to see that it was cut.
    fn drop(&mut self) {
        if matches!(self.state, State::Open) && self.phase.is_idle() {
            let _ = Pin::new(&mut self.io).poll_shutdown(&mut Context::from_waker(Waker::noop()));
        }
    }
}

impl fmt::Debug for EdgeStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EdgeStream")
            .field("fd", &self.as_raw_fd())
            .field("http2", &self.frames.is_some())
            .field("phase", &self.phase.period().phase())
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
