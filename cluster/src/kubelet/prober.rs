//! Repeating a container's probes, in tasks of their own that end with the container.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::probe::Probe;
use super::supervision::Supervision;

/// The first wait between the attempts that are made before a program answers for the first time.
const EAGER: Duration = Duration::from_millis(20);

/// Verdicts that may wait for the container.
const QUEUE: usize = 8;

/// What a probe is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Startup,
    Readiness,
    Liveness,
}

impl Purpose {
    /// As Events say it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Readiness => "Readiness",
            Self::Liveness => "Liveness",
        }
    }
}

/// What a probe says of its container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It succeeded as often in a row as it must.
    Success,
    /// One attempt failed: worth telling, nothing else follows.
    Attempt(String),
    /// It failed as often in a row as it may.
    Failure(String),
}

/// The probes of a running container. Dropping it ends them.
#[derive(Debug)]
pub(super) struct Probers {
    tasks: JoinSet<()>,
    sender: mpsc::Sender<(Purpose, Verdict)>,
    verdicts: mpsc::Receiver<(Purpose, Verdict)>,
    supervision: Supervision,
    /// When the container started.
    start: Instant,
}

impl Probers {
    pub(super) fn new(supervision: Supervision) -> Self {
        let (sender, verdicts) = mpsc::channel(QUEUE);
        let start = Instant::now();
        Self { tasks: JoinSet::new(), sender, verdicts, supervision, start }
    }

    /// Starts a probe.
    pub(super) fn add(&mut self, purpose: Purpose, probe: Probe) {
        let first = self.start + probe.initial_delay;
        let mut prober = Prober {
            // A program that is just starting gets a period before its silence counts.
            due: first.max(self.start + probe.period),
            // Only good news is worth hurrying: liveness has none.
            eager: (purpose != Purpose::Liveness).then_some((first, EAGER)),
            probe,
            supervision: self.supervision.clone(),
            successes: 0,
            failures: 0,
        };
        let verdicts = self.sender.clone();
        self.tasks.spawn(async move {
            loop {
                let verdict = prober.next().await;
                let done = purpose == Purpose::Startup && verdict == Verdict::Success;
                if verdicts.send((purpose, verdict)).await.is_err() || done {
                    return;
                }
            }
        });
    }

    /// The next verdict; waits for ever where there are no probes. Cancel safe.
    pub(super) async fn next(&mut self) -> (Purpose, Verdict) {
        match self.verdicts.recv().await {
            Some(verdict) => verdict,
            None => std::future::pending().await,
        }
    }
}

/// One probe at work.
struct Prober {
    probe: Probe,
    supervision: Supervision,
    /// When the next attempt is due whose failure counts.
    due: Instant,
    /// Until the first success, attempts are also made in between, ever more slowly: when the next
    /// one is due, and how long to wait for the one after it. Only their success counts.
    eager: Option<(Instant, Duration)>,
    successes: u32,
    failures: u32,
}

impl Prober {
    async fn next(&mut self) -> Verdict {
        loop {
            let counts = self.wait().await;
            match self.probe.attempt(&self.supervision).await {
                Ok(()) => {
                    self.failures = 0;
                    self.successes = self.successes.saturating_add(1);
                    if self.successes >= self.probe.successes {
                        self.eager = None;
                        return Verdict::Success;
                    }
                }
                Err(why) => {
                    self.successes = 0;
                    if counts {
                        self.failures = self.failures.saturating_add(1);
                        return if self.failures >= self.probe.failures {
                            Verdict::Failure(why)
                        } else {
                            Verdict::Attempt(why)
                        };
                    }
                }
            }
        }
    }

    /// Waits for the next attempt; tells whether a failure of it counts.
    async fn wait(&mut self) -> bool {
        if let Some((next, pause)) = self.eager
            && next < self.due
        {
            sleep_until(next).await;
            self.eager = Some((Instant::now() + pause, (pause * 2).min(self.probe.period)));
            return false;
        }
        sleep_until(self.due).await;
        self.due = Instant::now() + self.probe.period;
        true
    }
}
