//! The objects of one kind, and the window of changes that watches resume from.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard};
use serde_json::Value;
use tokio::sync::watch;

use super::stored::Stored;
use crate::meta;
use crate::status::Status;

/// How many changes a kind remembers. A watch that falls further behind gets 410 and lists again.
pub(super) const WINDOW: usize = 4096;

/// Namespace (empty for cluster-wide kinds) and name: also the order of lists.
pub(super) type Key = (Arc<str>, Arc<str>);

/// What a change did to its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Added,
    Modified,
    Deleted,
}

/// One remembered change.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) revision: u64,
    pub(super) action: Action,
    /// The state after the change; of a deletion, the last state with the deletion's revision.
    pub(super) object: Stored,
    /// The state before the change; `None` for an addition.
    pub(super) before: Option<Stored>,
}

/// What may be done with a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// It is being emptied: nothing new comes in.
    Emptying,
    /// Its kind is gone.
    Closed,
}

/// The part that readers see.
#[derive(Debug)]
pub(super) struct State {
    pub(super) phase: Phase,
    pub(super) objects: BTreeMap<Key, Stored>,
    /// Ordered by revision.
    pub(super) history: VecDeque<Change>,
    /// Changes up to and including this revision are forgotten.
    pub(super) horizon: u64,
}

/// Objects of one kind. Writers of a kind wait for each other; readers wait only while a finished
/// change is put in place.
#[derive(Debug)]
pub(super) struct Table {
    writer: Mutex<()>,
    state: RwLock<State>,
    /// Shared by all tables: the last revision given out.
    revision: Arc<AtomicU64>,
    /// Wakes watches.
    published: watch::Sender<u64>,
}

/// The right to change a table, held from reading the current state to publishing the next.
pub(super) struct Writer<'a> {
    table: &'a Table,
    _guard: MutexGuard<'a, ()>,
}

impl Table {
    pub(super) fn new(revision: Arc<AtomicU64>, phase: Phase) -> Self {
        let horizon = revision.load(Ordering::Acquire);
        Self {
            writer: Mutex::new(()),
            state: RwLock::new(State {
                phase,
                objects: BTreeMap::new(),
                history: VecDeque::new(),
                horizon,
            }),
            revision,
            published: watch::Sender::new(horizon),
        }
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read()
    }

    /// Keeps the table as it is while the guard lives. Reading goes on meanwhile.
    pub(super) fn hold(&self) -> RwLockReadGuard<'_, State> {
        self.state.read_recursive()
    }

    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let key: Key = (namespace.into(), name.into());
        // Recursive, because a holder reads too.
        self.state.read_recursive().objects.get(&key).map(|stored| stored.object().clone())
    }

    /// The revision that a reader who holds the state may claim to have seen everything up to:
    /// revisions of this kind are given out under the state's write lock only.
    pub(super) fn revision(&self, _seen: &RwLockReadGuard<'_, State>) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.published.subscribe()
    }

    pub(super) fn writer(&self) -> Writer<'_> {
        Writer { table: self, _guard: self.writer.lock() }
    }

    /// A write that began before is finished; one that comes later sees the phase.
    pub(super) fn set_phase(&self, phase: Phase) {
        let writer = self.writer();
        self.state.write().phase = phase;
        drop(writer);
        self.published.send_modify(|_| {});
    }

    /// Forgets all changes: watches that have not seen them get 410.
    pub(super) fn compact(&self) {
        let mut state = self.state.write();
        state.history.clear();
        state.horizon = self.revision.load(Ordering::Acquire);
        drop(state);
        self.published.send_modify(|_| {});
    }
}

impl Writer<'_> {
    pub(super) fn phase(&self) -> Phase {
        self.table.state.read_recursive().phase
    }

    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.table.get(namespace, name)
    }

    /// Puts the object in place under a fresh revision, tells the watches, and returns it.
    pub(super) fn put(&self, mut object: Value) -> Arc<Value> {
        let key = key_of(&object);
        let mut state = self.table.state.write();
        let revision = self.next_revision();
        meta::set_resource_version(&mut object, revision);
        let object = Arc::new(object);
        let stored = Stored::new(object.clone());
        let before = state.objects.insert(key, stored.clone());
        let action = if before.is_some() { Action::Modified } else { Action::Added };
        state.remember(Change { revision, action, object: stored.clone(), before });
        drop(state);
        // Now, and not for thousands of objects at once in the first list.
        stored.fields();
        self.table.published.send_replace(revision);
        object
    }

    /// Removes the object. `last` is its last state, which the watches are told.
    pub(super) fn remove(&self, mut last: Value) -> Arc<Value> {
        let key = key_of(&last);
        let mut state = self.table.state.write();
        let revision = self.next_revision();
        meta::set_resource_version(&mut last, revision);
        let object = Arc::new(last);
        let before = state.objects.remove(&key);
        let stored = Stored::new(object.clone());
        state.remember(Change { revision, action: Action::Deleted, object: stored, before });
        drop(state);
        self.table.published.send_replace(revision);
        object
    }

    fn next_revision(&self) -> u64 {
        self.table.revision.fetch_add(1, Ordering::AcqRel) + 1
    }
}

impl State {
    fn remember(&mut self, change: Change) {
        if self.history.len() == WINDOW
            && let Some(oldest) = self.history.pop_front()
        {
            self.horizon = oldest.revision;
        }
        self.history.push_back(change);
    }

    /// The objects as they were at a revision: the later changes are taken back.
    pub(super) fn at(&self, revision: u64) -> Result<BTreeMap<Key, Stored>, Status> {
        if revision < self.horizon {
            return Err(Status::expired(revision, self.horizon));
        }
        let mut objects = self.objects.clone();
        for change in self.history.iter().rev().take_while(|change| change.revision > revision) {
            let key = key_of(change.object.object());
            match &change.before {
                Some(before) => objects.insert(key, before.clone()),
                None => objects.remove(&key),
            };
        }
        Ok(objects)
    }

    /// Remembered changes after a revision, oldest first.
    pub(super) fn since(&self, revision: u64) -> impl Iterator<Item = &Change> {
        let start = self.history.partition_point(|change| change.revision <= revision);
        self.history.range(start..)
    }
}

pub(super) fn key_of(object: &Value) -> Key {
    (meta::namespace(object).unwrap_or_default().into(), meta::name(object).into())
}
