//! Which drains there are: starts, changes and ends their pumps, and tells the store.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    breaker::State,
    feed::{Feed, Feeds, Scope},
    pump::{Order, Phase, Pump, Settings},
    spec::SpecError,
    status::Status,
    totals::Kinds,
};
use crate::store::Store;

/// Changes that wait to be taken.
const WAITING: usize = 16;
/// The store is told of changes at most so often: it goes through all apps for them.
const GATHER: Duration = Duration::from_millis(100);
/// How long a drain that is removed has to end its connection.
const CLOSE: Duration = Duration::from_secs(5);

/// A drain as it is declared.
#[derive(Clone)]
pub(crate) struct Declared {
    /// `NAMESPACE/NAME`.
    pub(crate) id: Arc<str>,
    pub(crate) scope: Scope,
    /// What is shown of it.
    pub(crate) shown: Arc<Shown>,
    /// Two with the same number are the same.
    pub(crate) hash: u64,
    pub(super) settings: Arc<Settings>,
}

impl fmt::Debug for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Declared({} for {} at {:x})", self.id, self.scope, self.hash)
    }
}

/// What is shown of a drain. No secret is in it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Shown {
    /// The URL, without its secrets.
    pub(crate) url: String,
    /// The URL's scheme.
    #[serde(skip)]
    pub(crate) kind: &'static str,
    /// As it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) filter: Option<String>,
}

/// A drain that runs.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    pub(crate) declared: Declared,
    pub(crate) feed: Arc<Feed>,
    pub(crate) status: Arc<Status>,
}

impl Running {
    /// Whether its receiver is tried, by all drains that lead there.
    pub(crate) fn receiver(&self) -> State {
        self.declared.settings.host.state(Instant::now())
    }
}

/// What a source of drains says.
#[derive(Debug)]
struct Change {
    source: usize,
    drains: Vec<Declared>,
    refused: Vec<SpecError>,
}

/// All drains, as they are seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Those that run, by id.
    pub(crate) running: Vec<Running>,
    /// What is wrong with those that cannot be as they are declared now.
    pub(crate) refused: Vec<SpecError>,
    /// Whether it is known which drains there are.
    pub(crate) complete: bool,
}

/// All drains, as others see them. Its pumps end with the last clone.
#[derive(Clone)]
pub(crate) struct Drains {
    pub(crate) kinds: Arc<Kinds>,
    seen: Arc<ArcSwap<Seen>>,
    ends: mpsc::Sender<Instant>,
}

/// Says which drains one source has.
pub(crate) struct Source {
    number: usize,
    changes: mpsc::Sender<Change>,
}

impl Source {
    /// These are all, and those that cannot be.
    pub(crate) async fn set(&self, drains: Vec<Declared>, refused: Vec<SpecError>) {
        // An error tells that all drains have ended.
        let _ = self.changes.send(Change { source: self.number, drains, refused }).await;
    }
}

/// Runs drains.
struct Manager {
    store: Store,
    shared: Arc<ArcSwap<Seen>>,
    /// What each source has said.
    said: Vec<Option<Change>>,
    pumps: HashMap<Arc<str>, Pumping>,
    /// What the store was told last, and when.
    feeds: Feeds,
    told: Option<Instant>,
    /// When it is to be told of changes.
    due: Option<Instant>,
}

struct Pumping {
    running: Running,
    news: mpsc::UnboundedSender<Arc<super::Subscription>>,
    orders: watch::Sender<Order>,
    task: JoinHandle<()>,
}

impl Drains {
    /// Takes drains from so many sources, one of them each. Belongs to the runtime it is called on.
    pub(crate) fn start(store: Store, sources: usize, kinds: Arc<Kinds>) -> (Self, Vec<Source>) {
        let first = Seen { complete: sources == 0, ..Seen::default() };
        let shared = Arc::new(ArcSwap::from_pointee(first));
        let (changes, mut changed) = mpsc::channel::<Change>(WAITING);
        let (ends, mut ended) = mpsc::channel(1);
        let mut manager = Manager {
            store,
            shared: shared.clone(),
            said: (0..sources).map(|_| None).collect(),
            pumps: HashMap::new(),
            feeds: Feeds::none(sources == 0),
            told: None,
            due: None,
        };
        let all = (0..sources).map(|number| Source { number, changes: changes.clone() }).collect();
        tokio::spawn(async move {
            // Held, so that what is received is a change or the end.
            let _changes = changes;
            loop {
                let due = manager.due;
                tokio::select! {
                    Some(change) = changed.recv() => manager.change(change).await,
                    () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                        manager.tell().await;
                    }
                    deadline = ended.recv() => {
                        if let Some(deadline) = deadline {
                            manager.tell().await;
                            manager.flush(deadline).await;
                        }
                        return;
                    }
                }
            }
        });
        (Self { kinds, seen: shared, ends }, all)
    }

    /// All, as they are now.
    pub(crate) fn seen(&self) -> Arc<Seen> {
        self.seen.load_full()
    }

    /// Ends all: what is there is sent, until a deadline.
    pub(crate) async fn flush(&self, deadline: Instant) {
        if self.ends.send(deadline).await.is_ok() {
            self.ends.closed().await;
        }
    }
}

impl Manager {
    async fn change(&mut self, change: Change) {
        let source = change.source;
        self.said[source] = Some(change);
        let said: BTreeMap<Arc<str>, Declared> = self
            .said
            .iter()
            .flatten()
            .flat_map(|change| &change.drains)
            .map(|one| (one.id.clone(), one.clone()))
            .collect();
        let gone: Vec<_> =
            self.pumps.keys().filter(|id| !said.contains_key(*id)).cloned().collect();
        for id in gone {
            if let Some(pumping) = self.pumps.remove(&id) {
                tracing::info!(drain = &*id, "a drain is removed");
                pumping.stop();
            }
        }
        for declared in said.into_values() {
            self.declare(declared);
        }
        match self.told.map(|told| told + GATHER).filter(|next| *next > Instant::now()) {
            Some(next) => self.due = Some(next),
            None => self.tell().await,
        }
    }

    /// Tells others what has changed, and the store where it is concerned.
    async fn tell(&mut self) {
        self.due = None;
        let mut running: Vec<_> = self.pumps.values().map(|p| p.running.clone()).collect();
        running.sort_by(|a, b| a.declared.id.cmp(&b.declared.id));
        let complete = self.said.iter().all(Option::is_some);
        let refused = self.said.iter().flatten().flat_map(|change| &change.refused);
        let refused = refused.cloned().collect();
        let feeds = Feeds::new(running.iter().map(|running| running.feed.clone()), complete);
        self.shared.store(Arc::new(Seen { running, refused, complete }));
        if complete != self.feeds.complete || !feeds.changed(&self.feeds).is_empty() {
            (self.feeds, self.told) = (feeds.clone(), Some(Instant::now()));
            // An error tells that the process ends.
            let _ = self.store.drains(&feeds).await;
        }
    }

    fn declare(&mut self, declared: Declared) {
        let id = declared.id.clone();
        if let Some(known) = self.pumps.get_mut(&id) {
            let before = std::mem::replace(&mut known.running.declared, declared.clone());
            if before.hash == declared.hash {
                known.running.declared = before;
                return;
            }
            tracing::info!(drain = &*id, to = declared.shown.url, apps = %declared.scope, "a drain is changed");
            if before.scope != declared.scope {
                let Feed { run, .. } = *known.running.feed;
                let feed = Feed { run, scope: declared.scope.clone(), news: known.news.clone() };
                known.running.feed = Arc::new(feed);
            }
            known.orders.send_modify(|order| {
                (order.settings, order.scope) = (declared.settings, declared.scope);
            });
            return;
        }
        tracing::info!(drain = &*id, to = declared.shown.url, apps = %declared.scope, "a drain is added");
        let (news, told) = mpsc::unbounded_channel();
        let (settings, scope) = (declared.settings.clone(), declared.scope.clone());
        let order = Order { settings, scope, phase: Phase::Run };
        let (orders, ordered) = watch::channel(order);
        let status = Arc::<Status>::default();
        let pump = Pump::new(id.clone(), self.store.clone(), told, ordered, status.clone());
        let task = tokio::spawn(pump.run());
        let scope = declared.scope.clone();
        let feed = Arc::new(Feed { run: fastrand::u64(..), scope, news: news.clone() });
        let running = Running { declared, feed, status };
        self.pumps.insert(id, Pumping { running, news, orders, task });
    }

    async fn flush(mut self, deadline: Instant) {
        for pumping in self.pumps.values() {
            pumping.orders.send_modify(|order| order.phase = Phase::Flush);
        }
        for (id, pumping) in &mut self.pumps {
            if timeout_at(deadline, &mut pumping.task).await.is_err() {
                pumping.task.abort();
                tracing::warn!(drain = &**id, "not all lines were sent in time");
            }
        }
        // An error tells that the process ends.
        let _ = self.store.settle().await;
    }
}

impl Pumping {
    /// Ends it, in time.
    fn stop(self) {
        let Self { orders, mut task, .. } = self;
        orders.send_modify(|order| order.phase = Phase::Stop);
        tokio::spawn(async move {
            // Kept until then: without it the pump ends at once.
            let _orders = orders;
            if tokio::time::timeout(CLOSE, &mut task).await.is_err() {
                task.abort();
            }
        });
    }
}
