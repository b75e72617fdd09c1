//! What the store and a drain have in common: which apps, how far, and that there is news.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
        },
    },
};

use tokio::sync::mpsc::UnboundedSender;

use crate::app::{App, AppId};

/// Which apps a drain is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// One.
    App(AppId),
    /// All of a namespace.
    Namespace(String),
    /// All.
    All,
}

impl Scope {
    /// Whether an app is in it.
    pub(crate) fn covers(&self, app: &AppId) -> bool {
        match self {
            Self::App(own) => own == app,
            Self::Namespace(own) => own == app.namespace(),
            Self::All => true,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::App(app) => app.fmt(f),
            Self::Namespace(namespace) => write!(f, "{namespace}/*"),
            Self::All => f.write_str("*"),
        }
    }
}

/// A drain as the store sees it.
#[derive(Debug)]
pub(crate) struct Feed {
    /// Names the drain's run: one that is removed and comes again is another.
    pub(crate) run: u64,
    pub(crate) scope: Scope,
    /// Where news goes. Each subscription is in it once, so it is bounded by the number of apps.
    pub(crate) news: UnboundedSender<Arc<Subscription>>,
}

/// The drains that are concerned with what comes.
#[derive(Debug, Clone)]
pub(crate) struct Feeds {
    pub(crate) feeds: Arc<[Arc<Feed>]>,
    /// Whether it is known which drains there are. As long as it is not, nothing is settled, and a
    /// drain that comes begins with what is there.
    pub(crate) complete: bool,
}

impl Feeds {
    /// Whether they are the same drains.
    pub(super) fn are(&self, others: &Self) -> bool {
        let same = |(one, other): (&Arc<Feed>, &Arc<Feed>)| Arc::ptr_eq(one, other);
        self.complete == others.complete
            && self.feeds.len() == others.feeds.len()
            && self.feeds.iter().zip(&*others.feeds).all(same)
    }

    /// No drains, now or until others are told.
    pub(crate) fn none(complete: bool) -> Self {
        Self { feeds: Arc::new([]), complete }
    }
}

/// An app that a drain is for.
pub(crate) struct Subscription {
    /// Names it to its drain.
    pub(crate) key: u64,
    pub(crate) app: Arc<App>,
    pub(crate) feed: Arc<Feed>,
    /// The first record that is wanted.
    pub(crate) start: u64,
    /// All records below are done with.
    done: AtomicU64,
    /// It is in the drain's queue.
    queued: AtomicBool,
    /// The app is no longer the drain's.
    ended: AtomicBool,
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subscription({} at {})", self.app.id, self.done())
    }
}

impl Subscription {
    pub(crate) fn new(app: Arc<App>, feed: Arc<Feed>, start: u64) -> Arc<Self> {
        let (queued, ended) = (AtomicBool::new(false), AtomicBool::new(false));
        let key = fastrand::u64(..);
        Arc::new(Self { key, app, feed, start, done: AtomicU64::new(start), queued, ended })
    }

    /// There is something to read, or the end to be seen.
    pub(crate) fn announce(self: &Arc<Self>) {
        if !self.queued.swap(true, AcqRel) {
            // An error tells that the drain has ended.
            let _ = self.feed.news.send(self.clone());
        }
    }

    /// It was taken out of the queue. What is published from now on is announced again.
    pub(super) fn taken(&self) {
        self.queued.swap(false, AcqRel);
    }

    /// All records below this number are done with.
    pub(crate) fn done(&self) -> u64 {
        self.done.load(Acquire)
    }

    pub(super) fn set_done(&self, done: u64) {
        self.done.store(done, Release);
    }

    /// The app is no longer the drain's.
    pub(crate) fn end(self: &Arc<Self>) {
        self.ended.store(true, Relaxed);
        self.announce();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Relaxed)
    }
}
