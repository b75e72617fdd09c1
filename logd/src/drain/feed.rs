//! What the store and a drain have in common: which apps, how far, and that there is news.

use std::{
    collections::{HashMap, HashSet},
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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Scope {
    /// One.
    App(AppId),
    /// All of a namespace.
    Namespace(String),
    /// All.
    All,
}

impl Scope {
    /// All that an app is in.
    pub(crate) fn all_of(app: &AppId) -> [Self; 3] {
        [Self::All, Self::Namespace(app.namespace().to_owned()), Self::App(app.clone())]
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
    by_scope: Arc<HashMap<Scope, Vec<Arc<Feed>>>>,
    /// Whether it is known which drains there are. As long as it is not, nothing is settled, and a
    /// drain that comes begins with what is there.
    pub(crate) complete: bool,
}

impl Feeds {
    /// These, in whichever order.
    pub(super) fn new(feeds: impl IntoIterator<Item = Arc<Feed>>, complete: bool) -> Self {
        let mut by_scope: HashMap<Scope, Vec<Arc<Feed>>> = HashMap::new();
        for feed in feeds {
            by_scope.entry(feed.scope.clone()).or_default().push(feed);
        }
        by_scope.values_mut().for_each(|feeds| feeds.sort_by_key(|feed| feed.run));
        Self { by_scope: Arc::new(by_scope), complete }
    }

    /// No drains, now or until others are told.
    pub(crate) fn none(complete: bool) -> Self {
        Self::new([], complete)
    }

    /// Those that an app is in the scopes of.
    pub(crate) fn of(&self, app: &AppId) -> impl Iterator<Item = &Arc<Feed>> {
        Scope::all_of(app).into_iter().filter_map(|scope| self.by_scope.get(&scope)).flatten()
    }

    /// The scopes that had others before: none of the apps of other scopes is concerned.
    pub(crate) fn changed(&self, before: &Self) -> HashSet<Scope> {
        let scopes = self.by_scope.keys().chain(before.by_scope.keys());
        if self.complete != before.complete {
            return scopes.cloned().chain([Scope::All]).collect();
        }
        let runs = |feeds: &Self, scope| {
            let feeds = feeds.by_scope.get(scope).into_iter().flatten();
            feeds.map(|feed| feed.run).collect::<Vec<u64>>()
        };
        scopes.filter(|scope| runs(self, scope) != runs(before, scope)).cloned().collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(run: u64, scope: &Scope) -> Arc<Feed> {
        let (news, _) = tokio::sync::mpsc::unbounded_channel();
        Arc::new(Feed { run, scope: scope.clone(), news })
    }

    #[test]
    fn an_app_has_the_drains_of_its_scopes_and_a_change_concerns_no_others() {
        let app = |app: &str| Scope::App(app.parse().unwrap());
        let shop = Scope::Namespace("shop".to_owned());
        let (web, api) = (app("shop/web"), app("shop/api"));
        let before = Feeds::new(
            [feed(1, &Scope::All), feed(2, &shop), feed(3, &web), feed(4, &app("bank/web"))],
            true,
        );
        let runs = |feeds: &Feeds, app: &str| {
            let mut runs: Vec<u64> = feeds.of(&app.parse().unwrap()).map(|feed| feed.run).collect();
            runs.sort_unstable();
            runs
        };
        assert_eq!(runs(&before, "shop/web"), [1, 2, 3]);
        assert_eq!(runs(&before, "shop/api"), [1, 2]);
        assert_eq!(runs(&before, "bank/web"), [1, 4]);
        assert_eq!(runs(&before, "bank/api"), [1]);
        // One goes, one comes, one is now for another app; the order is no change.
        let after = [feed(5, &shop), feed(3, &api), feed(2, &shop), feed(1, &Scope::All)];
        let after = Feeds::new(after, true);
        let changed = after.changed(&before);
        assert_eq!(changed, HashSet::from([shop, web, api, app("bank/web")]));
        assert!(after.changed(&after.clone()).is_empty());
        let unknown = Feeds { complete: false, ..after.clone() };
        assert!(after.changed(&unknown).contains(&Scope::All), "all apps are concerned");
    }
}
