//! Messages over TCP and TLS, where the receiver says nothing: a line is [sent](Verdict::Sent) once
//! the other side's system has acknowledged all of its bytes.

use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::time::{Instant, sleep, timeout};

use crate::dial::{Dialer, Stream};
use crate::encode::Encode;
use crate::{Batch, Failure, Limits, Line, Sink, Verdict};

/// Bytes that TLS puts into a record, at most (RFC 8446 section 5.1). What fills one is given to TCP
/// at once, so that it is known where its lines end there.
const RECORD: usize = 16 * 1024;
/// How soon it is asked again what has been acknowledged, and how late.
const SOON: Duration = Duration::from_millis(1);
const LATE: Duration = Duration::from_millis(50);
/// With TLS 1.3 a receiver says after the handshake that it wants another certificate, when its
/// system has acknowledged what was sent in between. So it is listened to for so long, or until
/// it says something else.
const REFUSAL: Duration = Duration::from_secs(1);
/// For what is under way when a connection is closed.
const CLOSE: Duration = Duration::from_secs(5);

/// Sends messages over one connection at a time.
pub(crate) struct StreamSink<E> {
    encoder: E,
    dialer: Dialer,
    connection: Option<Connection>,
    /// What broke the last connection, while verdicts of it are still to be given.
    failed: Option<Failure>,
}

struct Connection {
    stream: Stream,
    /// Bytes received when it was made.
    received: u64,
    opened: Instant,
    /// Whether its receiver can no longer refuse it.
    accepted: bool,
    /// It is replaced then.
    old: Instant,
    /// Where each line without a verdict ends, in bytes given to TCP.
    ends: VecDeque<u64>,
    /// So much was acknowledged,
    acknowledged: u64,
    /// and more of it was seen last at this time.
    progress: Instant,
}

impl<E: Encode> StreamSink<E> {
    pub(crate) fn new(encoder: E, dialer: Dialer) -> Self {
        Self { encoder, dialer, connection: None, failed: None }
    }

    /// A connection that is neither old nor gone.
    async fn connect(&mut self, verdicts: &mut Vec<Verdict>) -> Result<Connection, Failure> {
        if let Some(mut connection) = self.connection.take() {
            let gone = connection.look();
            let old = connection.old <= Instant::now();
            if gone.is_ok() && !old {
                return Ok(connection);
            }
            let settled = match gone {
                Ok(()) => connection.settle(self.dialer.timeouts().stall, verdicts).await,
                Err(error) => Err(error),
            };
            connection.judge(verdicts);
            if let Err(error) = settled
                && !connection.ends.is_empty()
            {
                return Err(self.dialer.failure(&error));
            }
            connection.close().await;
        }
        let age = self.dialer.timeouts().age;
        // Those that were opened together are not all replaced together.
        let age = age + age.mul_f64(fastrand::f64() / 4.0);
        Ok(Connection::new(self.dialer.stream().await?, age))
    }

    /// Verdicts are given before the failure that followed them.
    fn told(&mut self, verdicts: Vec<Verdict>, failure: Failure) -> Result<Vec<Verdict>, Failure> {
        if verdicts.is_empty() {
            return Err(failure);
        }
        self.failed = Some(failure);
        Ok(verdicts)
    }
}

#[async_trait]
impl<E: Encode> Sink for StreamSink<E> {
    fn limits(&self) -> Limits {
        self.encoder.limits()
    }

    fn encode(&mut self, line: &Line<'_>, batch: &mut Batch) -> Option<Verdict> {
        self.encoder.encode(line, batch)
    }

    async fn send(&mut self, batch: &mut Batch) -> Result<Vec<Verdict>, Failure> {
        if let Some(failure) = self.failed.take() {
            return Err(failure);
        }
        let mut verdicts = Vec::new();
        let mut connection = match self.connect(&mut verdicts).await {
            Ok(connection) => connection,
            Err(failure) => return self.told(verdicts, failure),
        };
        batch.left = true;
        let written = connection.write(batch, self.dialer.timeouts().stall).await;
        let written = written.and_then(|()| connection.look());
        connection.judge(&mut verdicts);
        match written {
            // Only here: what is left in the midst of a message is used no more.
            Ok(()) => self.connection = Some(connection),
            Err(error) => return self.told(verdicts, self.dialer.failure(&error)),
        }
        Ok(verdicts)
    }

    async fn confirm(&mut self) -> Result<Vec<Verdict>, Failure> {
        if let Some(failure) = self.failed.take() {
            return Err(failure);
        }
        let Some(connection) = &mut self.connection else { return pending().await };
        let mut verdicts = Vec::new();
        let Err(error) = connection.confirm(self.dialer.timeouts().stall, &mut verdicts).await
        else {
            return Ok(verdicts);
        };
        let lines = !connection.ends.is_empty();
        connection.judge(&mut verdicts);
        let rest = !connection.ends.is_empty();
        self.connection = None;
        match (lines, rest) {
            // Nobody misses it.
            (false, _) => pending().await,
            (true, false) => Ok(verdicts),
            (true, true) => self.told(verdicts, self.dialer.failure(&error)),
        }
    }

    async fn close(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            // Nobody asks for their verdicts any more, but they shall arrive.
            let mut verdicts = Vec::new();
            let settled = connection.settle(self.dialer.timeouts().stall, &mut verdicts);
            let _ = timeout(CLOSE, settled).await;
            connection.close().await;
        }
    }
}

impl Connection {
    fn new(stream: Stream, age: Duration) -> Self {
        let now = Instant::now();
        Self {
            received: stream.received(),
            accepted: !stream.is_secure(),
            stream,
            opened: now,
            old: now + age,
            ends: VecDeque::new(),
            acknowledged: 0,
            progress: now,
        }
    }

    /// Gives a batch to TCP, all of it. What is given up before that is reset: an end would make a
    /// message of the half that the receiver may have.
    async fn write(&mut self, batch: &Batch, stall: Duration) -> io::Result<()> {
        self.stream.reset_on_drop()?;
        self.write_lines(batch, stall).await?;
        self.stream.end_on_drop()
    }

    async fn write_lines(&mut self, batch: &Batch, stall: Duration) -> io::Result<()> {
        self.progress = Instant::now();
        if !self.stream.is_secure() {
            let start = self.stream.written();
            self.ends.extend(batch.ends.iter().map(|end| start + *end as u64));
            return self.write_all(&batch.bytes, stall).await;
        }
        let (mut start, mut line) = (0, 0);
        while let Some(&first) = batch.ends.get(line) {
            let within = |end: &usize| *end <= start + RECORD;
            let more = batch.ends[line + 1..].partition_point(within);
            let end = if more > 0 { batch.ends[line + more] } else { first };
            self.write_all(&batch.bytes[start..end], stall).await?;
            let written = self.stream.written();
            self.ends.extend(std::iter::repeat_n(written, more + 1));
            (start, line) = (end, line + more + 1);
        }
        Ok(())
    }

    async fn write_all(&mut self, mut bytes: &[u8], stall: Duration) -> io::Result<()> {
        loop {
            let left = self.left(stall);
            let stream = &mut self.stream;
            let step = poll_fn(|cx| {
                listen(stream, cx)?;
                if bytes.is_empty() {
                    return Pin::new(&mut *stream).poll_flush(cx).map_ok(|()| None);
                }
                Pin::new(&mut *stream).poll_write(cx, bytes).map_ok(Some)
            });
            match timeout(left, step).await {
                Ok(Ok(None)) => return Ok(()),
                Ok(Ok(Some(written))) => {
                    bytes = &bytes[written..];
                    self.progress = Instant::now();
                }
                Ok(Err(error)) => return Err(error),
                // A slow receiver makes room rarely, and takes something all the time.
                Err(_) => self.look_for_progress(stall)?,
            }
        }
    }

    /// Waits for verdicts, or for the end of a connection that owes none.
    async fn confirm(&mut self, stall: Duration, verdicts: &mut Vec<Verdict>) -> io::Result<()> {
        let mut pause = SOON;
        loop {
            self.look()?;
            self.judge(verdicts);
            if !verdicts.is_empty() {
                return Ok(());
            }
            let idle = self.ends.is_empty();
            let stream = &mut self.stream;
            let ended = poll_fn(|cx| match listen(stream, cx) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(error),
            });
            if idle {
                return Err(ended.await);
            }
            tokio::select! {
                error = ended => return Err(error),
                () = sleep(pause) => self.look_for_progress(stall)?,
            }
            pause = (pause * 2).min(LATE);
        }
    }

    /// Waits for the verdicts of all lines.
    async fn settle(&mut self, stall: Duration, verdicts: &mut Vec<Verdict>) -> io::Result<()> {
        while !self.ends.is_empty() {
            let mut more = Vec::new();
            let confirmed = self.confirm(stall, &mut more).await;
            verdicts.append(&mut more);
            confirmed?;
        }
        Ok(())
    }

    /// Whether it is still there, without waiting.
    fn look(&mut self) -> io::Result<()> {
        listen(&mut self.stream, &mut Context::from_waker(Waker::noop()))?;
        // Whatever has come was no refusal.
        self.accepted |= self.stream.received() > self.received || self.opened.elapsed() >= REFUSAL;
        Ok(())
    }

    /// What is acknowledged has its verdict.
    fn judge(&mut self, verdicts: &mut Vec<Verdict>) {
        if !self.accepted {
            return;
        }
        // Where the system does not say, nothing is.
        let acknowledged = self.stream.acknowledged().unwrap_or(0);
        while self.ends.front().is_some_and(|end| *end <= acknowledged) {
            self.ends.pop_front();
            verdicts.push(Verdict::Sent);
        }
    }

    /// What is left of the time in which a receiver has to take something.
    fn left(&self, stall: Duration) -> Duration {
        stall.saturating_sub(self.progress.elapsed())
    }

    fn look_for_progress(&mut self, stall: Duration) -> io::Result<()> {
        let acknowledged = self.stream.acknowledged()?;
        if acknowledged > self.acknowledged {
            self.acknowledged = acknowledged;
            self.progress = Instant::now();
        }
        if self.left(stall).is_zero() {
            // The same lines go over another connection: once is enough for who reads at last.
            self.stream.reset_on_drop()?;
            let text = format!("has taken nothing for {stall:?}");
            return Err(io::Error::new(io::ErrorKind::TimedOut, text));
        }
        Ok(())
    }

    /// Ends it behind the last message.
    async fn close(mut self) {
        let end = poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx));
        // One that is gone needs no end.
        let _ = timeout(CLOSE, end).await;
    }
}

/// Takes what a receiver says, which means nothing, until it says no more for now.
///
/// # Errors
/// Where the connection has ended.
fn listen(stream: &mut Stream, cx: &mut Context<'_>) -> io::Result<()> {
    // So much at a time: one that talks all the time keeps nobody from writing.
    for _ in 0..16 {
        let mut said = [0; 256];
        let mut said = ReadBuf::new(&mut said);
        match Pin::new(&mut *stream).poll_read(cx, &mut said) {
            Poll::Pending => return Ok(()),
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Ready(Ok(())) if said.filled().is_empty() => {
                let text = "the receiver has closed the connection";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
            }
            Poll::Ready(Ok(())) => {}
        }
    }
    cx.waker().wake_by_ref();
    Ok(())
}
