//! All apps' logs. Shards write them, one thread each; whoever wants to change something asks the
//! app's shard. Reading needs no shard.

mod arrivals;
mod budget;
pub(crate) mod counters;
mod files;
mod inbox;
pub(crate) mod ledger;
mod log;
pub(crate) mod message;
mod names;
pub(crate) mod notice;
pub(crate) mod outbox;
mod patience;
mod position;
mod settled;
mod shard;

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    sync::Arc,
    thread,
};

use tokio::sync::{mpsc, oneshot};

use self::{
    budget::Budget, counters::Counters, inbox::Inbox, ledger::Ledger, message::Message,
    shard::Shard,
};
use crate::{
    app::{App, AppId, Apps, Follower},
    drain::Feeds,
    options::AppLimits,
};
pub(crate) use names::{Names, Share};

/// What the shards share.
pub(crate) struct Shared {
    /// Names this process.
    pub(crate) instance: Arc<str>,
    pub(crate) apps: Apps,
    pub(crate) budget: Budget,
    pub(crate) names: Names,
    /// One for each shard.
    pub(crate) counters: Box<[Counters]>,
    limits: AppLimits,
    herald: mpsc::UnboundedSender<Arc<App>>,
}

/// All apps' logs. Clones are the same store; its threads end with the last one.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) shared: Arc<Shared>,
    shards: Arc<[Inbox]>,
}

/// The store is ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ending;

impl Store {
    /// Starts the shards. `drains` are those that there are at first. Followers hear of news as long as what is returned beside it is run.
    ///
    /// # Errors
    /// Where a thread cannot be started.
    pub(crate) fn start(
        shards: usize,
        memory: usize,
        limits: AppLimits,
        drains: Feeds,
    ) -> io::Result<(Self, impl Future<Output = ()> + Send + use<>)> {
        let (herald, mut news) = mpsc::unbounded_channel::<Arc<App>>();
        let shared = Arc::new(Shared {
            instance: uuid::Uuid::new_v4().simple().to_string().into(),
            apps: Apps::default(),
            budget: Budget::new(memory, shards),
            names: Names::of(memory),
            counters: (0..shards).map(|_| Counters::default()).collect(),
            limits,
            herald,
        });
        let inboxes = (0..shards)
            .map(|index| {
                let (inbox, letters) = Inbox::new();
                let shard = Shard::new(index, shared.clone(), drains.clone());
                thread::Builder::new()
                    .name(format!("shard-{index}"))
                    .spawn(move || shard.run(&letters))?;
                Ok(inbox)
            })
            .collect::<io::Result<_>>()?;
        let tell = async move {
            while let Some(app) = news.recv().await {
                app.herald();
            }
        };
        Ok((Self { shared, shards: inboxes }, tell))
    }

    /// The app, where anything is known of it.
    pub(crate) fn app(&self, id: &AppId) -> Option<Arc<App>> {
        self.shared.apps.get(id)
    }

    /// Asks the shard that an app belongs to, once it has room.
    pub(crate) async fn put(&self, app: &AppId, message: Message) -> Result<(), Ending> {
        let mut hasher = DefaultHasher::new();
        app.hash(&mut hasher);
        let shard = (hasher.finish() % self.shards.len() as u64) as usize;
        if self.shards[shard].put(message).await { Ok(()) } else { Err(Ending) }
    }

    /// Follows an app, which may come to be later.
    pub(crate) async fn follow(&self, app: &AppId) -> Result<Follower, Ending> {
        let (reply, follower) = oneshot::channel();
        self.put(app, Message::Follow(app.clone(), reply)).await?;
        follower.await.map_err(|_| Ending)
    }

    /// Forgets an app's records.
    pub(crate) async fn clear(&self, app: &AppId) -> Result<(), Ending> {
        let (reply, done) = oneshot::channel();
        self.put(app, Message::Clear(app.clone(), reply)).await?;
        done.await.map_err(|_| Ending)
    }

    /// Says which drains there are from now on.
    pub(crate) async fn drains(&self, feeds: &Feeds) -> Result<(), Ending> {
        for shard in self.shards.iter() {
            if !shard.put(Message::Drains(feeds.clone())).await {
                return Err(Ending);
            }
        }
        Ok(())
    }

    /// Has senders told how far their files are settled now.
    pub(crate) async fn settle(&self) -> Result<(), Ending> {
        let mut told = Vec::new();
        for shard in self.shards.iter() {
            let (reply, done) = oneshot::channel();
            if !shard.put(Message::Settle(reply)).await {
                return Err(Ending);
            }
            told.push(done);
        }
        for told in told {
            told.await.map_err(|_| Ending)?;
        }
        Ok(())
    }

    /// Adds a line about a drain to an app's log, where the app is known.
    pub(crate) async fn notice(&self, app: &AppId, text: String) -> Result<(), Ending> {
        self.put(app, Message::Notice(app.clone(), text)).await
    }

    /// The account of an app; none where nothing is known of it.
    pub(crate) async fn ledger(&self, app: &AppId) -> Result<Option<Ledger>, Ending> {
        let (reply, ledger) = oneshot::channel();
        self.put(app, Message::Ledger(app.clone(), reply)).await?;
        ledger.await.map_err(|_| Ending)
    }
}
