//! What is to be reconciled, now or later. An object stands in it once however often it changed.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Failure;
use crate::kinds::{self, Kind};

/// Which function reconciles. Those that traffic depends on come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Controller {
    EndpointSlice,
    Scheduler,
    ReplicaSet,
    StatefulSet,
    DaemonSet,
    Job,
    Deployment,
}

impl Controller {
    /// The kind that it is started by.
    pub(super) fn kind(self) -> &'static Kind {
        match self {
            Self::EndpointSlice => &kinds::SERVICE,
            Self::Scheduler => &kinds::POD,
            Self::ReplicaSet => &kinds::REPLICA_SET,
            Self::StatefulSet => &kinds::STATEFUL_SET,
            Self::DaemonSet => &kinds::DAEMON_SET,
            Self::Job => &kinds::JOB,
            Self::Deployment => &kinds::DEPLOYMENT,
        }
    }
}

/// One object for one controller.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) controller: Controller,
    pub(super) namespace: Arc<str>,
    pub(super) name: Arc<str>,
}

/// Waits between attempts: doubling from the first to the last.
const FIRST_RETRY: Duration = Duration::from_millis(5);
const LAST_RETRY: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct Queue {
    now: BTreeSet<Key>,
    later: BTreeSet<(Instant, Key)>,
    due: HashMap<Key, Instant>,
    failures: HashMap<Key, (Failure, u32)>,
}

impl Queue {
    pub(super) fn push(&mut self, key: Key) {
        self.now.insert(key);
    }

    /// Reconciles again then, or sooner when that was already wanted.
    pub(super) fn push_at(&mut self, key: Key, at: Instant) {
        match self.due.get(&key) {
            Some(known) if *known <= at => return,
            Some(known) => {
                self.later.remove(&(*known, key.clone()));
            }
            None => {}
        }
        self.due.insert(key.clone(), at);
        self.later.insert((at, key));
    }

    /// The next object, if one is due.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Key> {
        while let Some((at, _)) = self.later.first()
            && *at <= now
        {
            let (_, key) = self.later.pop_first()?;
            self.due.remove(&key);
            self.now.insert(key);
        }
        self.now.pop_first()
    }

    /// When the next object is due that is not due yet.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.later.first().map(|(at, _)| *at)
    }

    /// Why the last pass over the object failed.
    pub(super) fn failure(&self, key: &Key) -> Option<&Failure> {
        self.failures.get(key).map(|(failure, _)| failure)
    }

    /// Remembers a failed pass and tries again after a while.
    pub(super) fn failed(&mut self, key: Key, failure: Failure, now: Instant) {
        let attempts = self.failures.get(&key).map_or(0, |(_, attempts)| *attempts);
        let wait = FIRST_RETRY.saturating_mul(1 << attempts.min(16)).min(LAST_RETRY);
        self.failures.insert(key.clone(), (failure, attempts + 1));
        self.push_at(key, now + wait);
    }

    /// Forgets failures; a pass more takes them out of the object's status.
    pub(super) fn succeeded(&mut self, key: Key) {
        if self.failures.remove(&key).is_some() {
            self.push(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key { controller: Controller::ReplicaSet, namespace: "app".into(), name: name.into() }
    }

    #[test]
    fn an_object_stands_in_it_once_and_the_earliest_time_wins() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let mut queue = Queue::default();
        queue.push(key("a"));
        queue.push(key("a"));
        queue.push_at(key("b"), now + second * 2);
        queue.push_at(key("b"), now + second);
        queue.push_at(key("b"), now + second * 3);
        assert_eq!(queue.pop(now), Some(key("a")));
        assert_eq!(queue.pop(now), None);
        assert_eq!(queue.next_due(), Some(now + second));
        assert_eq!(queue.pop(now + second * 4), Some(key("b")));
        assert_eq!((queue.pop(now + second * 4), queue.next_due()), (None, None));
    }

    #[test]
    fn failures_are_retried_ever_later_until_a_pass_succeeds() {
        let now = Instant::now();
        let failure = Failure { creating: true, message: "no room".to_owned() };
        let mut queue = Queue::default();
        let mut waits = Vec::new();
        for _ in 0..20 {
            queue.failed(key("a"), failure.clone(), now);
            waits.push(queue.next_due().expect("a retry") - now);
            assert_eq!(queue.pop(now + LAST_RETRY), Some(key("a")));
        }
        assert_eq!(waits[..3], [FIRST_RETRY, FIRST_RETRY * 2, FIRST_RETRY * 4]);
        assert_eq!(waits[19], LAST_RETRY);
        assert_eq!(queue.failure(&key("a")), Some(&failure));
        queue.succeeded(key("a"));
        assert_eq!(queue.failure(&key("a")), None);
        assert_eq!(queue.pop(now), Some(key("a")), "one pass more");
        queue.succeeded(key("a"));
        assert_eq!(queue.pop(now), None);
    }
}
