//! Gives lines to a sink as logd does: what failed goes again.

use std::collections::VecDeque;
use std::time::Duration;

use fairlead_drain::{Batch, Failure, FailureKind, Sink, Verdict};
use tokio::time::{sleep, timeout};

use super::{PATIENCE, line, text};

/// Lines by their numbers.
pub(crate) struct Pump {
    pub(crate) sink: Box<dyn Sink>,
    waiting: VecDeque<usize>,
    under_way: VecDeque<usize>,
    /// In the order of their verdicts.
    pub(crate) sent: Vec<usize>,
    /// Given to the sink once more.
    pub(crate) resent: usize,
    pub(crate) failures: Vec<FailureKind>,
    /// How many lines had their verdicts at each of them.
    pub(crate) sent_at_failures: Vec<usize>,
}

impl Pump {
    pub(crate) fn new(sink: Box<dyn Sink>, lines: usize) -> Self {
        Self {
            sink,
            waiting: (0..lines).collect(),
            under_way: VecDeque::new(),
            sent: Vec::new(),
            resent: 0,
            failures: Vec::new(),
            sent_at_failures: Vec::new(),
        }
    }

    /// How many have not been given to the sink, or have to be once more.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Until each line has its verdict.
    pub(crate) async fn run(&mut self) {
        timeout(PATIENCE, async { while self.step().await {} }).await.expect("all lines are sent");
    }

    /// One batch, or what is left of the verdicts; whether there is more to do.
    pub(crate) async fn step(&mut self) -> bool {
        let mut batch = Batch::default();
        let limits = self.sink.limits();
        while batch.len() < limits.lines && batch.bytes.len() < limits.bytes {
            let Some(number) = self.waiting.pop_front() else { break };
            let refused = self.sink.encode(&line(text(number).as_bytes()), &mut batch);
            assert_eq!(refused, None);
            self.under_way.push_back(number);
        }
        let outcome = if batch.is_empty() {
            if self.under_way.is_empty() {
                return false;
            }
            self.sink.confirm().await
        } else {
            self.sink.send(&mut batch).await
        };
        match outcome {
            Ok(verdicts) => {
                for verdict in verdicts {
                    assert_eq!(verdict, Verdict::Sent);
                    self.sent.push(self.under_way.pop_front().expect("a line for each verdict"));
                }
            }
            Err(failure) => self.fail(failure).await,
        }
        true
    }

    async fn fail(&mut self, failure: Failure) {
        self.failures.push(failure.kind);
        self.sent_at_failures.push(self.sent.len());
        self.resent += self.under_way.len();
        while let Some(number) = self.under_way.pop_back() {
            self.waiting.push_front(number);
        }
        sleep(Duration::from_millis(10)).await;
    }
}
