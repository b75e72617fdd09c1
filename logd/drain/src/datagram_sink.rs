//! Messages as datagrams: each is [sent](Verdict::Sent) when the system has taken it. Nobody is told
//! what becomes of it.

use std::future::pending;
use std::io;
use std::time::Duration;

use async_trait::async_trait;
use nix::libc::EMSGSIZE;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout};

use crate::dial::Dialer;
use crate::encode::Encode;
use crate::{Batch, Failure, Limits, Line, Reason, Sink, Stage, Verdict};

/// A name's addresses are asked for again so often: there is no connection that would break when
/// they move.
const AGE: Duration = Duration::from_secs(300);

/// Bytes of a datagram, at most: with its headers it passes networks of 1,500 bytes, also inside a
/// tunnel. A message that is longer than this goes in several, all but the last of them full.
pub(crate) const DATAGRAM: usize = 1_400;

/// Sends each message by itself.
pub(crate) struct DatagramSink<E> {
    encoder: E,
    dialer: Dialer,
    socket: Option<(UdpSocket, Instant)>,
    /// What kept it from sending more, while verdicts of what was sent are still to be given.
    failed: Option<Failure>,
}

impl<E: Encode> DatagramSink<E> {
    pub(crate) fn new(encoder: E, dialer: Dialer) -> Self {
        Self { encoder, dialer, socket: None, failed: None }
    }

    async fn socket(&mut self) -> Result<&UdpSocket, Failure> {
        let age = self.dialer.timeouts().age.min(AGE);
        let socket = match self.socket.take() {
            Some((socket, made)) if made.elapsed() < age => (socket, made),
            _ => (self.dialer.datagrams().await?, Instant::now()),
        };
        Ok(&self.socket.insert(socket).0)
    }

    async fn send_all(
        &mut self,
        batch: &mut Batch,
        verdicts: &mut Vec<Verdict>,
    ) -> Result<(), Failure> {
        let stall = self.dialer.timeouts().stall;
        let socket = self.socket().await?;
        batch.left = true;
        let mut failed = None;
        let mut start = 0;
        'lines: for end in &batch.ends {
            let mut verdict = Verdict::Sent;
            for datagram in batch.bytes[start..*end].chunks(DATAGRAM) {
                let late = |_| Err(io::Error::from(io::ErrorKind::TimedOut));
                match timeout(stall, socket.send(datagram)).await.unwrap_or_else(late) {
                    Ok(_) => {}
                    // Some network on the way takes even less.
                    Err(error) if error.raw_os_error() == Some(EMSGSIZE) => {
                        verdict = Verdict::Rejected(Reason::TooLong);
                    }
                    // Of an earlier one: its receiver's system has answered that nobody listens.
                    Err(error) => {
                        failed = Some(error);
                        break 'lines;
                    }
                }
            }
            verdicts.push(verdict);
            start = *end;
        }
        let Some(error) = failed else { return Ok(()) };
        self.socket = None;
        // What has no verdict has not left.
        Err(self.dialer.failure(&error).at(Stage::Reached))
    }
}

#[async_trait]
impl<E: Encode> Sink for DatagramSink<E> {
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
        let mut verdicts = Vec::with_capacity(batch.len());
        match self.send_all(batch, &mut verdicts).await {
            Err(failure) if verdicts.is_empty() => Err(failure),
            Err(failure) => {
                self.failed = Some(failure);
                Ok(verdicts)
            }
            Ok(()) => Ok(verdicts),
        }
    }

    async fn confirm(&mut self) -> Result<Vec<Verdict>, Failure> {
        match self.failed.take() {
            Some(failure) => Err(failure),
            None => pending().await,
        }
    }

    async fn close(&mut self) {
        self.socket = None;
    }
}
