//! The sink that every format over HTTP is: it takes requests apart that are too large, and says
//! what became of each line.

use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, StatusCode};
use tokio::time::Instant;

use super::answer::{Answer, Meaning};
use super::client::Client;
use crate::{Batch, Failure, FailureKind, Limits, Line, Reason, Sink, Verdict};

/// A batch may take so long, all requests that it is taken apart into together. What is left then
/// goes again.
const BATCH: Duration = Duration::from_secs(120);
/// Refused lines are taken apart no further after so many requests of a batch: to find three among
/// 1,000 takes no more. The oldest one is decided by then, however many there are.
const REFUSALS: usize = 32;
/// Batches stay smaller for so long after one was too large.
const SMALLER: Duration = Duration::from_secs(3600);
/// Batches become no smaller than this many bytes, however often they are too large.
const SMALLEST: usize = 4096;

/// Lines as a request, and what its answer says of them.
pub(crate) trait Format: Send {
    /// The same lines may be sent twice: the receiver knows them again.
    const REPEATABLE: bool;

    /// Whether after this status of 5xx the same lines may be taken later.
    fn passing(_: StatusCode) -> bool {
        true
    }

    /// When a batch is sent.
    fn limits(&self) -> Limits;

    /// As [`Sink::encode`].
    fn encode(&mut self, line: &Line<'_>, batch: &mut Batch) -> Option<Verdict>;

    /// The request for these lines.
    fn request(&mut self, lines: Piece<'_>) -> Request;

    /// What an answer with a status of 2xx says of so many lines.
    ///
    /// # Errors
    /// Where it says nothing of them.
    fn confirmed(&mut self, answer: Answer, lines: usize) -> Result<Confirmed, Failure>;
}

/// Some lines of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece<'a> {
    batch: &'a Batch,
    from: usize,
    to: usize,
}

impl<'a> Piece<'a> {
    pub(crate) fn new(batch: &'a Batch, lines: &Range<usize>) -> Self {
        Self { batch, from: lines.start, to: lines.end }
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.to - self.from
    }

    /// All of them, one after the other.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        &self.batch.bytes[self.start(self.from)..self.start(self.to)]
    }

    /// One after the other.
    pub(crate) fn lines(self) -> impl Iterator<Item = &'a [u8]> {
        (self.from..self.to)
            .map(move |line| &self.batch.bytes[self.start(line)..self.batch.ends[line]])
    }

    /// Where a line begins.
    fn start(&self, line: usize) -> usize {
        line.checked_sub(1).map_or(0, |before| self.batch.ends[before])
    }
}

/// What is posted.
#[derive(Debug, Default)]
pub(crate) struct Request {
    /// Beside those that all requests of the drain have.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// What became of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmed {
    /// One for each of them.
    pub verdicts: Vec<Verdict>,
    /// What was said of the newest one that was not taken.
    pub complaint: Option<String>,
}

impl Confirmed {
    /// So many lines have arrived.
    pub(crate) fn all(lines: usize) -> Self {
        Self { verdicts: vec![Verdict::Delivered; lines], complaint: None }
    }
}

/// What became of a request.
enum Sent {
    Done(Vec<Verdict>),
    /// There is more than one line in it, and it is too large.
    TooLarge,
    /// There is more than one line in it, and not all of them can be read.
    Refused,
}

/// Sends lines by HTTP.
pub(crate) struct HttpSink<F> {
    client: Client,
    format: F,
    /// Bytes that were too many, and when.
    too_many: Option<(usize, Instant)>,
    /// Of the lines that the last batch has no verdicts for.
    failure: Option<Failure>,
    complaint: Option<String>,
    /// Lines of this batch that were sent twice.
    repeated: usize,
}

impl<F: Format> HttpSink<F> {
    pub(crate) fn new(client: Client, format: F) -> Self {
        Self { client, format, too_many: None, failure: None, complaint: None, repeated: 0 }
    }

    async fn post(&mut self, lines: Piece<'_>, may_part: bool) -> Result<Sent, Failure> {
        let request = self.format.request(lines);
        let bytes = lines.bytes().len();
        let answer = self.client.post(request, F::REPEATABLE).await;
        if self.client.repeated() {
            self.repeated += lines.len();
        }
        let answer = answer?;
        let reason = match answer.meaning(F::passing) {
            Meaning::Taken => {
                let Confirmed { verdicts, complaint } =
                    self.format.confirmed(answer, lines.len())?;
                self.complaint = complaint.or_else(|| self.complaint.take());
                return Ok(Sent::Done(verdicts));
            }
            Meaning::Unknown(failure) => return Err(failure),
            Meaning::TooLarge => {
                let least = self.too_many().map_or(bytes, |least| least.min(bytes));
                self.too_many = Some((least, Instant::now()));
                if lines.len() > 1 {
                    return Ok(Sent::TooLarge);
                }
                Reason::TooLong
            }
            Meaning::Refused if may_part && lines.len() > 1 => return Ok(Sent::Refused),
            Meaning::Refused if lines.len() > 1 => Reason::Together,
            Meaning::Refused => Reason::Unread,
        };
        self.complaint = Some(answer.told());
        Ok(Sent::Done(vec![Verdict::Rejected(reason); lines.len()]))
    }

    fn too_many(&self) -> Option<usize> {
        let (bytes, since) = self.too_many?;
        (since.elapsed() < SMALLER).then_some(bytes)
    }
}

#[async_trait]
impl<F: Format> Sink for HttpSink<F> {
    fn limits(&self) -> Limits {
        let limits = self.format.limits();
        let most = self.too_many().map_or(usize::MAX, |bytes| (bytes / 2).max(SMALLEST));
        Limits { bytes: limits.bytes.min(most), ..limits }
    }

    fn encode(&mut self, line: &Line<'_>, batch: &mut Batch) -> Option<Verdict> {
        self.format.encode(line, batch)
    }

    async fn send(&mut self, batch: &mut Batch) -> Result<Vec<Verdict>, Failure> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        self.client.connect().await.map_err(|failure| self.client.discreet(failure))?;
        batch.left = true;
        let end = Instant::now() + BATCH;
        let mut verdicts = Vec::with_capacity(batch.len());
        // The oldest on top.
        let mut pieces = Vec::from_iter(std::iter::once(0..batch.len()));
        let mut refusals = 0;
        while let Some(lines) = pieces.pop().filter(|lines| !lines.is_empty()) {
            let may_part = refusals < REFUSALS;
            let sent = match Instant::now() < end {
                true => {
                    let sent = self.post(Piece::new(batch, &lines), may_part).await;
                    batch.repeated += std::mem::take(&mut self.repeated);
                    sent.map_err(|failure| self.client.discreet(failure))
                }
                false => {
                    Err(Failure::new(FailureKind::Timeout, "the batch was taken apart too often"))
                }
            };
            match sent {
                Ok(Sent::Done(these)) => verdicts.extend(these),
                Ok(parted) => {
                    refusals += usize::from(matches!(parted, Sent::Refused));
                    let middle = lines.start + lines.len() / 2;
                    pieces.extend([middle..lines.end, lines.start..middle]);
                }
                Err(failure) if verdicts.is_empty() => return Err(failure),
                Err(failure) => {
                    self.failure = Some(failure);
                    break;
                }
            }
        }
        // Where others were told apart, so were these; but for those that it was not asked for alone.
        let refused = |verdict: &Verdict| match verdict {
            Verdict::Rejected(Reason::Unread) => Some(Verdict::Rejected(Reason::Refused)),
            Verdict::Rejected(Reason::Together) => Some(Verdict::Again),
            _ => None,
        };
        let too_long = Verdict::Rejected(Reason::TooLong);
        if verdicts.iter().any(|verdict| *verdict != too_long && refused(verdict).is_none()) {
            for verdict in &mut verdicts {
                *verdict = refused(verdict).unwrap_or(*verdict);
            }
        }
        Ok(verdicts)
    }

    async fn confirm(&mut self) -> Result<Vec<Verdict>, Failure> {
        match self.failure.take() {
            Some(failure) => Err(failure),
            None => std::future::pending().await,
        }
    }

    fn complaint(&mut self) -> Option<String> {
        self.complaint.take().map(|text| self.client.said(text))
    }

    async fn close(&mut self) {
        self.client.close();
    }
}
