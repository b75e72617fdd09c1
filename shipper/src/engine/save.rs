//! When checkpoints are written, and which of them are made durable.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::checkpoint;
use crate::metrics::Metrics;

/// How soon after a change one is written, and how often one is made durable.
const WRITE: Duration = Duration::from_millis(200);
const SYNC: Duration = Duration::from_secs(1);

/// Making and writing it takes at most this part of the time.
const SHARE: u32 = 50;

/// What is to be written, and when.
#[derive(Debug)]
struct Schedule {
    /// What is written is not what is to be remembered.
    dirty: bool,
    /// What is written is not durable.
    volatile: bool,
    next: Instant,
    sync: Instant,
}

impl Schedule {
    const fn new(now: Instant) -> Self {
        Self { dirty: false, volatile: false, next: now, sync: now }
    }

    fn due(&self) -> Option<Instant> {
        let changed = self.dirty.then_some(self.next);
        changed.or_else(|| self.volatile.then(|| self.sync.max(self.next)))
    }

    /// One is written if it is time to: whether it is made durable.
    fn begin(&mut self, now: Instant) -> Option<bool> {
        self.due().filter(|due| *due <= now)?;
        let durable = self.sync <= now;
        if durable {
            self.sync = now + SYNC;
        }
        (self.dirty, self.volatile) = (false, !durable);
        Some(durable)
    }

    /// It is written, which took so long.
    fn written(&mut self, now: Instant, time: Duration) {
        self.next = now + WRITE.max(time * SHARE);
    }

    fn failed(&mut self, now: Instant) {
        self.dirty = true;
        self.next = now + SYNC;
    }
}

/// Writes checkpoints, one at a time, on a thread for blocking work.
#[derive(Debug)]
pub(super) struct Saver {
    directory: PathBuf,
    schedule: Schedule,
    writing: Option<JoinHandle<io::Result<Duration>>>,
    failing: bool,
}

impl Saver {
    pub(super) fn new(directory: &Path, now: Instant) -> Self {
        let directory = directory.to_owned();
        Self { directory, schedule: Schedule::new(now), writing: None, failing: false }
    }

    pub(super) const fn changed(&mut self) {
        self.schedule.dirty = true;
    }

    /// When the next one is to be written.
    pub(super) fn due(&self) -> Option<Instant> {
        self.schedule.due().filter(|_| self.writing.is_none())
    }

    /// Whether one is to be written now, and is to be durable.
    pub(super) fn begin(&mut self, now: Instant) -> Option<bool> {
        if self.writing.is_some() { None } else { self.schedule.begin(now) }
    }

    /// Begins to write one, which took so long to make.
    pub(super) fn write(
        &mut self,
        bytes: Vec<u8>,
        durable: bool,
        making: Duration,
        metrics: &Arc<Metrics>,
    ) {
        let (directory, metrics) = (self.directory.clone(), metrics.clone());
        self.writing = Some(tokio::task::spawn_blocking(move || {
            let begun = Instant::now();
            let result = checkpoint::write(&directory, &bytes, durable);
            let counter = match result {
                Ok(()) => &metrics.checkpoints,
                Err(_) => &metrics.checkpoint_errors,
            };
            counter.fetch_add(1, Relaxed);
            result.map(|()| making + begun.elapsed())
        }));
    }

    /// Waits until the one being written is.
    pub(super) async fn saved(&mut self) {
        match &mut self.writing {
            None => std::future::pending().await,
            Some(writing) => {
                let result = writing.await;
                self.writing = None;
                let result = result.unwrap_or_else(|error| Err(io::Error::other(error)));
                self.took(result);
            }
        }
    }

    fn took(&mut self, result: io::Result<Duration>) {
        let now = Instant::now();
        match result {
            Ok(time) => {
                self.schedule.written(now, time);
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the checkpoint is written again");
                }
            }
            Err(error) => {
                self.schedule.failed(now);
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(
                        %error,
                        directory = %self.directory.display(),
                        "the checkpoint cannot be written; after a restart lines may be sent again"
                    );
                }
            }
        }
    }

    /// Writes the last one.
    pub(super) async fn last(&mut self, bytes: &[u8]) -> io::Result<()> {
        // One that is being written would replace it.
        if self.writing.is_some() {
            self.saved().await;
        }
        checkpoint::write(&self.directory, bytes, true)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::checkpoint::{Checkpoint, SavedContainer};

    /// Changes all the time, and writes that take so long: when each was written, and which were
    /// made durable.
    fn play(mut changes: impl FnMut() -> bool, took: Duration, turns: u32) -> Vec<(Instant, bool)> {
        let start = Instant::now();
        let mut schedule = Schedule::new(start);
        let mut written = Vec::new();
        for turn in 0..turns {
            let now = start + Duration::from_millis(10) * turn;
            schedule.dirty |= changes();
            if let Some(durable) = schedule.begin(now) {
                written.push((now, durable));
                schedule.written(now + took, took);
            }
        }
        written
    }

    #[test]
    fn of_five_checkpoints_a_second_one_is_made_durable() {
        let written = play(|| true, Duration::ZERO, 6_000);
        let durable = written.iter().filter(|(_, durable)| *durable).count();
        assert_eq!((written.len(), durable), (300, 60));
    }

    #[test]
    fn what_takes_long_is_written_seldom() {
        let written = play(|| true, Duration::from_millis(100), 6_000);
        // Every 5.1 s.
        assert_eq!(written.len(), 12);
    }

    #[test]
    fn what_was_written_last_is_durable_in_the_end() {
        let mut left = 30;
        let changes = || {
            left -= 1;
            left >= 0
        };
        let written = play(changes, Duration::ZERO, 6_000);
        let durable: Vec<_> = written.iter().map(|(_, durable)| *durable).collect();
        assert_eq!(durable, [true, false, false, true]);
    }

    proptest! {
        #[test]
        fn none_is_made_durable_within_a_second_of_another(
            changes in proptest::collection::vec(any::<bool>(), 2_000),
            took in 0..50_u64,
        ) {
            let mut changes = changes.into_iter();
            let written = play(|| changes.next().unwrap(), Duration::from_millis(took), 2_000);
            let durable: Vec<_> =
                written.iter().filter(|(_, durable)| *durable).map(|(at, _)| *at).collect();
            prop_assert!(durable.windows(2).all(|two| two[1] - two[0] >= SYNC));
        }
    }

    #[tokio::test]
    async fn the_last_one_is_not_replaced_by_one_that_was_being_written() {
        let state = tempfile::tempdir().unwrap();
        let named = |name: &str| Checkpoint {
            containers: vec![SavedContainer { name: name.to_owned(), ..SavedContainer::default() }],
        };
        let mut saver = Saver::new(state.path(), Instant::now());
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let (directory, bytes) = (state.path().to_owned(), checkpoint::encode(&named("before")));
        saver.writing = Some(tokio::task::spawn_blocking(move || {
            gone.recv().unwrap();
            checkpoint::write(&directory, &bytes, false).map(|()| Duration::ZERO)
        }));
        let last = checkpoint::encode(&named("last"));
        // It is polled first, and what is being written ends only then.
        let (result, ()) = tokio::join!(saver.last(&last), async { go.send(()).unwrap() });
        result.unwrap();
        if let Some(writing) = saver.writing.take() {
            writing.await.unwrap().unwrap();
        }
        assert_eq!(checkpoint::load(state.path()).0, named("last"));
    }
}
