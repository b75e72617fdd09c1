//! A thread that owns some of the apps: the only one that writes their logs.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::{
    Shared,
    counters::Counters,
    inbox::Letter,
    log::AppLog,
    message::{Message, OpenFile},
    patience::Patience,
};
use crate::{
    app::{AppId, Follower},
    drain::{Feeds, Scope},
};

/// How often time alone has effects.
const TICK: Duration = Duration::from_secs(1);

/// Some of the apps.
pub(super) struct Shard {
    index: usize,
    shared: Arc<Shared>,
    drains: Feeds,
    /// Boxed, since a table keeps room for more.
    apps: HashMap<AppId, Box<Held>>,
    /// What each app holds, for the largest to be found.
    by_memory: BTreeSet<(usize, AppId)>,
    patience: Patience,
}

struct Held {
    log: AppLog,
    /// What it was found to hold.
    memory: usize,
}

impl Shard {
    pub(super) fn new(index: usize, shared: Arc<Shared>, drains: Feeds) -> Self {
        let memory = shared.budget.limit() / shared.counters.len();
        let patience = Patience::new(memory, shared.limits.age);
        let (apps, by_memory) = (HashMap::new(), BTreeSet::new());
        Self { index, shared, drains, apps, by_memory, patience }
    }

    /// Works until nobody can send any more.
    pub(super) fn run(mut self, inbox: &Receiver<Letter>) {
        let mut tick = Instant::now() + TICK;
        loop {
            match inbox.recv_deadline(tick) {
                Ok(letter) => self.handle(letter.message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if Instant::now() >= tick {
                tick = Instant::now() + TICK;
                self.tick();
            }
        }
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Open(file, source) => {
                let (shared, index) = (self.shared.clone(), self.index);
                let opened = self.app(&file.app).open(&file, source, &shared.counters[index]);
                if let Some(outbox) = &file.outbox {
                    outbox.opened(opened);
                }
                self.weigh(&file.app);
            }
            Message::Batch(file, batch, records) => self.change(&file, |log, counters| {
                file.answer(log.take(&file, &batch, &records, counters));
            }),
            Message::Gap(file, gap) => self.change(&file, |log, counters| {
                file.answer(log.gap(&file, &gap, counters));
            }),
            Message::Close(file) => self.change(&file, |log, _| log.close(&file)),
            Message::Follow(app, reply) => {
                let follower = Follower::new(self.app(&app).app.clone());
                self.weigh(&app);
                // Whoever asked may have gone.
                let _ = reply.send(follower);
            }
            Message::Clear(app, reply) => {
                if let Some(held) = self.apps.get_mut(&app) {
                    held.log.clear(&self.shared.counters[self.index]);
                    self.weigh(&app);
                }
                let _ = reply.send(());
            }
            Message::Drains(drains) => {
                let changed = drains.changed(&self.drains);
                let concerned =
                    |app| Scope::all_of(app).iter().any(|scope| changed.contains(scope));
                for (_, held) in self.apps.iter_mut().filter(|(app, _)| concerned(app)) {
                    held.log.set_drains(&drains, self.drains.complete);
                }
                self.drains = drains;
            }
            Message::Settle(reply) => {
                self.apps.values_mut().for_each(|held| held.log.settle());
                let _ = reply.send(());
            }
            Message::Notice(app, text) => {
                if let Some(held) = self.apps.get_mut(&app) {
                    held.log.tell_of_drain(&text, &self.shared.counters[self.index]);
                    held.log.app.announce(&self.shared.herald);
                    self.weigh(&app);
                }
            }
            Message::Ledger(app, reply) => {
                let _ = reply.send(self.apps.get(&app).map(|held| held.log.ledger()));
            }
        }
        self.give_back();
    }

    /// Changes the log that a file belongs to, and tells its followers.
    fn change(&mut self, file: &OpenFile, change: impl FnOnce(&mut AppLog, &Counters)) {
        let Some(held) = self.apps.get_mut(&file.app) else { return };
        change(&mut held.log, &self.shared.counters[self.index]);
        held.log.app.announce(&self.shared.herald);
        self.weigh(&file.app);
    }

    fn app(&mut self, id: &AppId) -> &mut AppLog {
        let Self { shared, apps, drains, .. } = self;
        let held = apps.entry(id.clone()).or_insert_with(|| {
            let mut log =
                AppLog::new(id.clone(), shared.instance.clone(), fastrand::u64(..), shared.limits);
            log.set_drains(drains, false);
            shared.apps.insert(&log.app);
            Box::new(Held { log, memory: 0 })
        });
        &mut held.log
    }

    /// Notes what an app holds now.
    fn weigh(&mut self, id: &AppId) {
        let Some(held) = self.apps.get_mut(id) else { return };
        let (before, now) = (held.memory, held.log.memory());
        if before != now {
            held.memory = now;
            self.note(id, before, now);
        }
    }

    fn note(&mut self, id: &AppId, before: usize, now: usize) {
        self.by_memory.remove(&(before, id.clone()));
        if now > 0 {
            self.by_memory.insert((now, id.clone()));
        }
        self.shared.budget.change(before, now);
    }

    /// Gives back memory that is not this shard's to use.
    fn give_back(&mut self) {
        let Self { shared, index, .. } = self;
        let (shared, index) = (shared.clone(), *index);
        // Those of at least so much have no records to give.
        let mut below = None;
        loop {
            let largest = match &below {
                None => self.by_memory.last(),
                Some(below) => self.by_memory.range(..below).next_back(),
            };
            let Some((memory, id)) = largest.cloned() else { return };
            if !shared.budget.is_short(index, memory) {
                return;
            }
            let log = self.apps.get_mut(&id).map(|held| &mut held.log);
            if log.is_some_and(|log| log.give_back(&shared.counters[index])) {
                self.weigh(&id);
            } else {
                below = Some((memory, id));
            }
        }
    }

    fn tick(&mut self) {
        let ids: Vec<AppId> = self.apps.keys().cloned().collect();
        let (mut files, mut remembered) = (0, 0);
        for id in ids {
            let Some(held) = self.apps.get_mut(&id) else { continue };
            if held.log.tick(self.patience.keep(), &self.shared.counters[self.index]) {
                held.log.app.announce(&self.shared.herald);
            }
            files += held.log.files() as u64;
            remembered += held.log.remembered();
            if held.log.is_idle() {
                let memory = held.memory;
                held.log.end();
                self.apps.remove(&id);
                self.shared.apps.remove(&id);
                self.note(&id, memory, 0);
            } else {
                self.weigh(&id);
            }
        }
        self.shared.counters[self.index].files.store(files, Relaxed);
        self.patience.adapt(remembered);
        self.give_back();
    }
}
