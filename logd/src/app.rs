//! Apps: their names, and what readers and the writer of one share.

use std::{
    fmt,
    ops::Range,
    str::FromStr,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64, AtomicUsize,
            Ordering::{Acquire, Relaxed, Release, SeqCst},
            fence,
        },
    },
};

use arc_swap::{ArcSwap, ArcSwapOption};
use fairlead_ring::Log;
use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::{Notify, mpsc::UnboundedSender};

use crate::{
    drain::{Ranges, Subscription},
    origin::Origin,
};

/// Bytes of a namespace or of an app's name, at most.
const NAME_CAP: usize = 253;

/// Names an app: `NAMESPACE/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppId(Arc<str>);

/// What is no name of an app.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no name of an app: write NAMESPACE/NAME in letters, digits, -, _ and .")]
pub struct AppIdError(String);

impl AppId {
    /// The app `name` in `namespace`.
    ///
    /// # Errors
    /// Where one of them is empty, longer than 253 bytes, or has other bytes than letters, digits,
    /// `-`, `_` and `.`.
    pub fn new(namespace: &str, name: &str) -> Result<Self, AppIdError> {
        let fits = |part: &str| {
            (1..=NAME_CAP).contains(&part.len())
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        let id = format!("{namespace}/{name}");
        if fits(namespace) && fits(name) { Ok(Self(id.into())) } else { Err(AppIdError(id)) }
    }

    /// `NAMESPACE/NAME`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.parts().0
    }

    /// Its name in the namespace.
    #[must_use]
    pub fn name(&self) -> &str {
        self.parts().1
    }

    fn parts(&self) -> (&str, &str) {
        self.0.split_once('/').expect("made of two parts")
    }
}

impl FromStr for AppId {
    type Err = AppIdError;

    /// `NAMESPACE/NAME`; `NAME` is short for `NAME/NAME`.
    fn from_str(text: &str) -> Result<Self, AppIdError> {
        let (namespace, name) = text.split_once('/').unwrap_or((text, text));
        Self::new(namespace, name)
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the writer and the readers of an app share.
pub(crate) struct App {
    pub(crate) id: AppId,
    /// Names this ring: an app that was away, or another process, has another one.
    pub(crate) epoch: u64,
    pub(crate) log: Log<Origin>,
    /// Records below it that have left did so because of their age, or were deleted.
    expired: AtomicU64,
    /// Records that are for no drain, as far as drains may still ask for them.
    undrained: Mutex<Ranges>,
    /// The drains that it has.
    drains: ArcSwapOption<Vec<Arc<Subscription>>>,
    followers: AtomicUsize,
    /// It waits to be told to the followers.
    announced: AtomicBool,
    news: Notify,
}

impl App {
    pub(crate) fn new(id: AppId, epoch: u64, log: Log<Origin>) -> Self {
        Self {
            id,
            epoch,
            log,
            expired: AtomicU64::new(0),
            undrained: Mutex::default(),
            drains: ArcSwapOption::empty(),
            followers: AtomicUsize::new(0),
            announced: AtomicBool::new(false),
            news: Notify::new(),
        }
    }

    /// The writer has published. It takes no lock: telling the followers is for another thread.
    pub(crate) fn announce(self: &Arc<Self>, herald: &UnboundedSender<Arc<Self>>) {
        // Either a follower sees what was published, or it is seen here.
        fence(SeqCst);
        let heard = self.followers.load(Relaxed) > 0 || self.drains.load().is_some();
        if heard && !self.announced.swap(true, SeqCst) {
            // An error tells that the process ends.
            let _ = herald.send(self.clone());
        }
    }

    /// Tells the followers and the drains.
    pub(crate) fn herald(&self) {
        self.announced.store(false, SeqCst);
        self.news.notify_waiters();
        self.drains.load().iter().flat_map(|drains| drains.iter()).for_each(Subscription::announce);
    }

    /// The drains that it has.
    pub(crate) fn drains(&self) -> Vec<Arc<Subscription>> {
        self.drains.load().as_ref().map_or_else(Vec::new, |drains| drains.to_vec())
    }

    pub(crate) fn set_drains(&self, drains: Vec<Arc<Subscription>>) {
        self.drains.store((!drains.is_empty()).then(|| Arc::new(drains)));
    }

    /// These records are for no drain. Those below `done` are no longer asked for.
    pub(crate) fn undrained(&self, records: Range<u64>, done: u64) {
        let mut undrained = self.undrained.lock();
        undrained.insert(records);
        undrained.remove(0..done);
    }

    /// How many of these records are for drains.
    pub(crate) fn for_drains(&self, records: Range<u64>) -> u64 {
        let length = records.end.saturating_sub(records.start);
        length - self.undrained.lock().count_in(records)
    }

    /// Records below it that have left did so because of their age, or were deleted.
    pub(crate) fn expired(&self) -> u64 {
        self.expired.load(Acquire)
    }

    pub(crate) fn set_expired(&self, below: u64) {
        self.expired.store(below, Release);
    }

    pub(crate) fn has_followers(&self) -> bool {
        self.followers.load(SeqCst) > 0
    }
}

/// One that follows an app, and keeps it from being forgotten.
pub(crate) struct Follower(Arc<App>);

impl Follower {
    pub(crate) fn new(app: Arc<App>) -> Self {
        app.followers.fetch_add(1, SeqCst);
        fence(SeqCst);
        Self(app)
    }

    pub(crate) fn app(&self) -> &Arc<App> {
        &self.0
    }

    /// Goes off at what is published from now on, once it is enabled.
    pub(crate) fn news(&self) -> tokio::sync::futures::Notified<'_> {
        self.0.news.notified()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.followers.fetch_sub(1, SeqCst);
    }
}

/// All apps, to be looked up without a lock.
#[derive(Default)]
pub(crate) struct Apps(ArcSwap<imbl::HashMap<AppId, Arc<App>>>);

impl Apps {
    pub(crate) fn get(&self, id: &AppId) -> Option<Arc<App>> {
        self.0.load().get(id).cloned()
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<App>> {
        self.0.load().values().cloned().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.load().len()
    }

    pub(crate) fn insert(&self, app: &Arc<App>) {
        self.0.rcu(|apps| apps.update(app.id.clone(), app.clone()));
    }

    pub(crate) fn remove(&self, id: &AppId) {
        self.0.rcu(|apps| apps.without(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_alone_is_that_of_its_namespace_as_well() {
        let id: AppId = "web".parse().unwrap();
        assert_eq!(id, AppId::new("web", "web").unwrap());
        assert_eq!((id.namespace(), id.name(), id.as_str()), ("web", "web", "web/web"));
        assert_eq!("shop/front".parse(), AppId::new("shop", "front"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "/", "a/", "/a", "a/b/c", "a b/c", "a/\n", &"x".repeat(254)] {
            assert!(text.parse::<AppId>().is_err(), "{text:?}");
        }
    }
}
