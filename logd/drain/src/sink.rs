//! What all sinks have in common.

use std::time::Duration;

use async_trait::async_trait;
use thiserror::Error;

use crate::Line;

/// Lines in the form in which they are sent.
#[derive(Debug, Default)]
pub struct Batch {
    /// All lines, one after the other.
    pub bytes: Vec<u8>,
    /// Where each ends in `bytes`.
    pub ends: Vec<usize>,
    /// Whether any of it may have left: said by the sink that sends it, also for who gives that up.
    pub left: bool,
    /// How many lines the sink has sent a second time by itself, since the first may not have arrived.
    pub repeated: usize,
}

impl Batch {
    /// How many lines are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The line that begins at what is not yet one: all of `bytes` from the last end on.
    pub fn end_line(&mut self) {
        self.ends.push(self.bytes.len());
    }

    /// Forgets all lines and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        (self.left, self.repeated) = (false, 0);
    }
}

/// When a batch is sent: at the first of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// So many lines.
    pub lines: usize,
    /// So many bytes; a single line may be longer.
    pub bytes: usize,
    /// So long after its first line.
    pub linger: Duration,
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The receiver's protocol has confirmed it.
    Delivered,
    /// It has left, and nothing more can be known: the receiver's kernel has acknowledged its bytes
    /// (TCP), or it was sent (UDP).
    Sent,
    /// It has to go again, by itself: its receiver said so.
    Again,
    /// It can never be taken.
    Rejected(Reason),
}

/// Why a line is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The receiver refused it for good.
    Refused,
    /// The receiver refused this line by a status, and all others that it was sent with it: it may be
    /// unable to read this one, or anything that is sent like this.
    Unread,
    /// As [`Unread`](Self::Unread), and the receiver was not asked for this line alone.
    Together,
    /// The receiver refused so many lines for good and did not say which: this stands for one of them.
    Unnamed,
    /// It is longer than the receiver takes.
    TooLong,
}

/// Why nothing is known of the lines under way: all of them go again.
#[derive(Debug, Error)]
#[error("{}", self.told())]
pub struct Failure {
    /// What kind of failure.
    pub kind: FailureKind,
    /// How far the attempt came.
    pub stage: Stage,
    /// What happened, at most 512 bytes. Nothing of an answer but its status is in it, so that it may
    /// be told to all who read an app's log.
    pub message: String,
    /// What the receiver answered beyond that: without the drain's secrets, at most 512 bytes.
    pub answer: Option<String>,
    /// Nothing is to be sent before so long, where the receiver said so.
    pub retry_after: Option<Duration>,
}

/// How far an attempt to send came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Nobody was asked: what kept it lies with the drain, or with other drains of its owner.
    Own,
    /// The receiver was not reached: nor would be whoever else tries.
    Unreached,
    /// There was a connection, over which no line has left.
    Reached,
    /// Lines may have left.
    Sent,
}

/// Bytes of what is told of a receiver, at most.
const MESSAGE_CAP: usize = 512;

impl Failure {
    /// A failure of that kind, after which lines may have left; the message is cut where it is too
    /// long.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        let (message, stage) = (told(message.into()), Stage::Sent);
        Self { kind, stage, message, answer: None, retry_after: None }
    }

    /// The same, which came so far.
    #[must_use]
    pub fn at(self, stage: Stage) -> Self {
        Self { stage, ..self }
    }

    /// The same, with what the receiver answered.
    #[must_use]
    pub fn answered(self, answer: impl Into<String>) -> Self {
        let answer = Some(told(answer.into())).filter(|answer| !answer.is_empty());
        Self { answer, ..self }
    }

    /// What is known of it.
    fn told(&self) -> String {
        match &self.answer {
            Some(answer) => told(format!("{}: {answer}", self.message)),
            None => self.message.clone(),
        }
    }
}

/// What is told of a receiver: in one line, without control characters, cut where it is too long.
pub(crate) fn told(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MESSAGE_CAP));
    if text.contains(char::is_control) {
        text = text.replace(char::is_control, " ");
    }
    text
}

/// Kinds of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The name is unknown, or nobody is asked for it.
    Resolve,
    /// An address that may not be connected to.
    Forbidden,
    /// No connection, or it broke.
    Connect,
    /// The certificate is not trusted (`L14`).
    Certificate,
    /// It takes longer than it may.
    Timeout,
    /// The receiver has too much to do, or an error of its own: HTTP 429, 5xx.
    Busy,
    /// The receiver refuses who is asking: HTTP 401, 403, 404 and the like. Tried again, since
    /// it is mended at the receiver or by a new Secret.
    Denied,
    /// What it answers is not what its protocol says.
    Protocol,
}

/// Sends lines to a receiver. Lines are given in order and their verdicts come in the same order.
#[async_trait]
pub trait Sink: Send {
    /// When a batch is sent.
    fn limits(&self) -> Limits;

    /// Adds a line to a batch. One that can never be sent has its verdict at once and is not added.
    /// One batch is made at a time: it is sent or cleared before the next one is begun.
    fn encode(&mut self, line: &Line<'_>, batch: &mut Batch) -> Option<Verdict>;

    /// Sends a batch, over a new connection where there is none. Gives the verdicts of the oldest
    /// lines that have none so far; of the newest ones there may be none yet, where the protocol
    /// confirms later. Bounded in time by the sink.
    ///
    /// # Errors
    /// Where nothing is known of all lines that have no verdict; the connection is closed.
    async fn send(&mut self, batch: &mut Batch) -> Result<Vec<Verdict>, Failure>;

    /// Waits until there are verdicts for lines that were sent and have none; forever where there
    /// are none. What is cancelled loses nothing.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    async fn confirm(&mut self) -> Result<Vec<Verdict>, Failure>;

    /// What the receiver said of the newest line that it [rejected](Verdict::Rejected), without
    /// secrets, at most 512 bytes; once.
    fn complaint(&mut self) -> Option<String> {
        None
    }

    /// Ends the connection on the border of a message, once what was sent is on its way.
    async fn close(&mut self);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_a_receiver_is_one_short_line() {
        assert_eq!(Failure::new(FailureKind::Busy, "a\r\nb\u{1b}c").to_string(), "a  b c");
        assert_eq!(told("ä".repeat(300)), "ä".repeat(256));
        assert_eq!(told(format!("a{}", "ä".repeat(300))).len(), 511);
        // U+0085 takes two bytes and becomes one.
        assert_eq!(told("\u{85}".repeat(300)).len(), 256);
    }
}
