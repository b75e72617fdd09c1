//! What callers share, so that none of them can hold all others off.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use crate::auth::Caller;

/// So many callers may wait before those that are gone are looked for.
const CALLERS: usize = 64;

/// Permits for all, of which one caller has at most its share at a time. Callers get them in the
/// order in which they come.
#[derive(Debug)]
pub(crate) struct Shares {
    all: Arc<Semaphore>,
    share: usize,
    own: Mutex<HashMap<Caller, Weak<Semaphore>>>,
}

/// Permits that a caller has.
#[derive(Debug)]
pub(crate) struct Share {
    _own: OwnedSemaphorePermit,
    all: Option<OwnedSemaphorePermit>,
    from: Arc<Semaphore>,
}

impl Shares {
    pub(crate) fn new(all: usize, share: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), share, own: Mutex::default() }
    }

    /// So many permits once the caller can have them; no more than its share.
    pub(crate) async fn acquire(
        &self,
        caller: &Caller,
        count: usize,
    ) -> Result<Share, AcquireError> {
        let count = u32::try_from(count.min(self.share)).unwrap_or(u32::MAX);
        let own = self.own(caller).acquire_many_owned(count).await?;
        let all = self.all.clone().acquire_many_owned(count).await?;
        Ok(Share { _own: own, all: Some(all), from: self.all.clone() })
    }

    /// One permit, if the caller can have it now.
    pub(crate) fn try_acquire(&self, caller: &Caller) -> Option<Share> {
        let own = self.own(caller).try_acquire_owned().ok()?;
        let all = self.all.clone().try_acquire_owned().ok()?;
        Some(Share { _own: own, all: Some(all), from: self.all.clone() })
    }

    fn own(&self, caller: &Caller) -> Arc<Semaphore> {
        let mut own = self.own.lock();
        if let Some(semaphore) = own.get(caller).and_then(Weak::upgrade) {
            return semaphore;
        }
        if own.len() >= CALLERS {
            own.retain(|_, semaphore| semaphore.strong_count() > 0);
        }
        let semaphore = Arc::new(Semaphore::new(self.share));
        own.insert(caller.clone(), Arc::downgrade(&semaphore));
        semaphore
    }
}

impl Share {
    /// Gives one permit to whoever waits longest, and waits for another one. What is the caller's
    /// own it keeps: others of the same caller do not come in between.
    pub(crate) async fn give_way(&mut self) -> Result<(), AcquireError> {
        self.all = None;
        self.all = Some(self.from.clone().acquire_owned().await?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn caller(name: &str) -> Caller {
        Caller::of(&[name.to_owned()])
    }

    #[tokio::test]
    async fn one_caller_has_its_share_and_others_have_the_rest() {
        let shares = Shares::new(3, 2);
        let (a, b) = (caller("a"), caller("b"));
        let first = shares.acquire(&a, 1).await.unwrap();
        let second = shares.acquire(&a, 1).await.unwrap();
        assert!(shares.acquire(&a, 1).now_or_never().is_none());
        let others = shares.acquire(&b, 1).now_or_never().unwrap().unwrap();
        assert!(shares.acquire(&b, 1).now_or_never().is_none(), "there are three");
        drop(first);
        let again = shares.acquire(&a, 1).now_or_never().unwrap().unwrap();
        drop((second, others, again));
        // More than a share is a share.
        let share = shares.acquire(&a, 9).now_or_never().unwrap().unwrap();
        assert!(shares.acquire(&b, 1).now_or_never().is_some());
        assert!(shares.acquire(&b, 2).now_or_never().is_none());
        drop(share);
    }

    #[test]
    fn what_cannot_be_had_now_is_not_waited_for() {
        let shares = Shares::new(2, 1);
        let first = shares.try_acquire(&caller("a")).unwrap();
        assert!(shares.try_acquire(&caller("a")).is_none());
        let second = shares.try_acquire(&caller("b")).unwrap();
        assert!(shares.try_acquire(&caller("c")).is_none());
        drop(first);
        let third = shares.try_acquire(&caller("a")).unwrap();
        drop((second, third));
    }

    #[tokio::test]
    async fn who_gives_way_lets_others_go_first() {
        let shares = Shares::new(1, 1);
        let (a, b) = (caller("a"), caller("b"));
        let mut first = shares.acquire(&a, 1).await.unwrap();
        let mut waits = Box::pin(shares.acquire(&b, 1));
        assert!(waits.as_mut().now_or_never().is_none());
        let mut way = Box::pin(first.give_way());
        assert!(way.as_mut().now_or_never().is_none());
        let second = waits.await.unwrap();
        assert!(way.as_mut().now_or_never().is_none());
        drop(second);
        way.await.unwrap();
    }

    #[tokio::test]
    async fn callers_that_are_gone_are_forgotten() {
        let shares = Shares::new(1, 1);
        for number in 0..1_000 {
            drop(shares.acquire(&caller(&number.to_string()), 1).await.unwrap());
            assert!(shares.own.lock().len() <= CALLERS);
        }
    }
}
