//! Looking through lines takes processor time. It is done on threads of its own, by few at a time and
//! in turns, so that neither those who send nor other readers wait for a pattern that takes long.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::available_parallelism,
    time::{Duration, Instant},
};

use thiserror::Error;
use tokio::{
    runtime::Handle,
    task::{JoinError, spawn_blocking},
};

use crate::{
    auth::Caller,
    shares::{Share, Shares},
};

/// How long a turn is. A line that takes longer is not broken off.
const TURN: Duration = Duration::from_millis(10);
/// After so many bytes the clock is looked at.
const STEP: usize = 16 << 10;
/// What a line takes beside its text, in bytes.
const LINE: usize = 24;

/// Gives turns to callers: to each one at a time, and to half as many as there are processors.
#[derive(Debug)]
pub(crate) struct Turns(Shares);

impl Default for Turns {
    fn default() -> Self {
        let processors = available_parallelism().map_or(1, usize::from);
        Self(Shares::new(processors.div_ceil(2), 1))
    }
}

impl Turns {
    /// What `work` gives, which runs on a thread of its own when it is the caller's turn, and is to
    /// ask its [`Turn`] whether to go on. It may use `limit` of time, turns of others not counted.
    ///
    /// When this is dropped, the work is told to stop.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        caller: &Caller,
        limit: Duration,
        work: impl FnOnce(&mut Turn) -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        // The permits are never closed.
        let share = self.0.acquire(caller, 1).await.ok();
        let stop = StopOnDrop::default();
        let stopped = stop.0.clone();
        spawn_blocking(move || work(&mut Turn { share, stopped, left: limit, ..Turn::unlimited() }))
            .await
    }
}

/// Tells the work that nobody waits for it any more.
#[derive(Default)]
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// A look through lines.
#[derive(Debug)]
pub(crate) struct Turn {
    share: Option<Share>,
    stopped: Arc<AtomicBool>,
    /// Bytes since the clock was looked at.
    looked: usize,
    since: Instant,
    /// Of the time that may be used, what is left at the beginning of the turn.
    left: Duration,
}

/// Why a look ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("it takes too long")]
pub(crate) struct TooLong;

impl Turn {
    /// A look that takes little time: it may go on to its end, and gives way to nobody.
    pub(crate) fn unlimited() -> Self {
        let (share, stopped) = (None, Arc::default());
        Self { share, stopped, looked: 0, since: Instant::now(), left: Duration::MAX }
    }

    /// Whether to go on, after a line with such a payload.
    ///
    /// # Errors
    /// When the time is used up, or nobody waits for it any more.
    #[inline]
    pub(crate) fn go_on(&mut self, payload: usize) -> Result<(), TooLong> {
        self.looked += LINE + payload;
        if self.looked < STEP { Ok(()) } else { self.look() }
    }

    fn look(&mut self) -> Result<(), TooLong> {
        self.looked = 0;
        let used = self.since.elapsed();
        if used >= self.left || self.stopped.load(Relaxed) {
            return Err(TooLong);
        }
        if let Some(share) = self.share.as_mut().filter(|_| used >= TURN) {
            // The permits are never closed.
            let _ = Handle::current().block_on(share.give_way());
            (self.left, self.since) = (self.left - used, Instant::now());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::time::timeout;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn one() -> Arc<Turns> {
        Arc::new(Turns(Shares::new(1, 1)))
    }

    async fn run<T: Send + 'static>(
        turns: &Turns,
        name: &str,
        limit: Duration,
        work: impl FnOnce(&mut Turn) -> T + Send + 'static,
    ) -> T {
        let caller = Caller::of(&[name.to_owned()]);
        timeout(PATIENCE, turns.run(&caller, limit, work)).await.expect("its turn").unwrap()
    }

    fn for_ever(turn: &mut Turn) -> TooLong {
        loop {
            if let Err(error) = turn.go_on(STEP) {
                return error;
            }
        }
    }

    #[tokio::test]
    async fn a_look_that_takes_too_long_ends() {
        assert_eq!(run(&one(), "a", TURN * 3, for_ever).await, TooLong);
    }

    #[tokio::test]
    async fn others_get_their_turn_while_one_takes_long() {
        let turns = one();
        let (tell, begun) = mpsc::channel();
        let long = turns.clone();
        let long = tokio::spawn(async move {
            let work = move |turn: &mut Turn| {
                let _ = tell.send(());
                for_ever(turn)
            };
            run(&long, "a", Duration::MAX, work).await
        });
        spawn_blocking(move || begun.recv_timeout(PATIENCE)).await.unwrap().unwrap();
        for _ in 0..3 {
            run(&turns, "b", TURN, |_| ()).await;
        }
        assert!(!long.is_finished());
        long.abort();
        // Nobody goes on for one who has left.
        run(&turns, "a", TURN, |_| ()).await;
    }
}
