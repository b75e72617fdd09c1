//! Following the changes of one kind.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::watch;

use super::stored::Stored;
use super::table::{Action, Change, Phase, Table};
use crate::kinds::Kind;
use crate::meta;
use crate::selector::Selector;
use crate::status::Status;

/// How many changes are taken from the table under one lock.
const BATCH: usize = 64;

/// What an [`Event`] tells about its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventType {
    /// The object is there now: created, or it came to match the selector.
    Added,
    /// The object changed.
    Modified,
    /// The object is gone: deleted, or it no longer matches the selector.
    Deleted,
    /// Nothing happened up to this revision beyond what was told.
    Bookmark,
}

/// One step of a watch.
#[derive(Debug, Clone)]
pub struct Event {
    /// What happened.
    pub event: EventType,
    /// The object after the change; for `Deleted`, its last state; for a bookmark, an object that
    /// has only a resourceVersion.
    pub object: Arc<Value>,
    /// Resuming after this revision loses nothing.
    pub revision: u64,
    pub(crate) stored: Stored,
}

impl Event {
    pub(crate) fn new(event: EventType, stored: Stored, revision: u64) -> Self {
        Self { event, object: stored.object().clone(), revision, stored }
    }
}

/// A stream of changes. Has no queue of its own: it reads the table's window, so that a slow
/// reader costs no memory and gets 410 once it has fallen out of the window.
#[derive(Debug)]
pub struct Watch {
    kind: &'static Kind,
    table: Arc<Table>,
    namespace: Option<Arc<str>>,
    selector: Selector,
    /// Everything up to this revision was taken from the table.
    position: u64,
    taken: VecDeque<Event>,
    published: watch::Receiver<u64>,
}

impl Watch {
    pub(super) fn new(
        kind: &'static Kind,
        table: Arc<Table>,
        namespace: Option<Arc<str>>,
        selector: Selector,
        since: u64,
    ) -> Result<Self, Status> {
        let published = table.subscribe();
        let horizon = table.read().horizon;
        if since < horizon {
            return Err(Status::expired(since, horizon));
        }
        Ok(Self {
            kind,
            table,
            namespace,
            selector,
            position: since,
            taken: VecDeque::new(),
            published,
        })
    }

    /// Puts events before those that the watch will see.
    pub(super) fn preceded_by(mut self, events: impl IntoIterator<Item = Event>) -> Self {
        self.taken.extend(events);
        self
    }

    /// The next change; waits for it. Cancel safe.
    ///
    /// # Errors
    /// 410 once the watch has fallen out of the window of remembered changes: list again. 404 once
    /// the kind itself is gone, and everything about it was told.
    pub async fn next(&mut self) -> Result<Event, Status> {
        loop {
            if let Some(event) = self.ready()? {
                return Ok(event);
            }
            // The sender lives in the table, which `self` holds: it cannot be gone.
            let _ = self.published.changed().await;
        }
    }

    /// The next change if there is one already.
    ///
    /// # Errors
    /// As [`Watch::next`].
    pub fn ready(&mut self) -> Result<Option<Event>, Status> {
        loop {
            if let Some(event) = self.taken.pop_front() {
                return Ok(Some(event));
            }
            self.published.mark_unchanged();
            if !self.take()? {
                return Ok(None);
            }
        }
    }

    /// A bookmark for what was told so far; `None` while there is more to tell.
    pub fn bookmark(&mut self) -> Option<Event> {
        if !self.taken.is_empty() {
            return None;
        }
        let state = self.table.read();
        if state.horizon > self.position || state.since(self.position).next().is_some() {
            return None;
        }
        self.position = self.position.max(self.table.revision(&state));
        drop(state);
        Some(bookmark(self.kind, self.position))
    }

    /// Takes a batch of changes; `false` when there were none.
    fn take(&mut self) -> Result<bool, Status> {
        let state = self.table.read();
        if self.position < state.horizon {
            return Err(Status::expired(self.position, state.horizon));
        }
        let closed = state.phase == Phase::Closed;
        let changes: Vec<Change> = state.since(self.position).take(BATCH).cloned().collect();
        drop(state);
        let Some(last) = changes.last() else {
            return if closed { Err(Status::no_such_resource()) } else { Ok(false) };
        };
        self.position = last.revision;
        let events = changes
            .into_iter()
            .filter_map(|change| event(change, self.namespace.as_deref(), &self.selector));
        self.taken.extend(events);
        Ok(true)
    }
}

/// An event that tells only a revision.
pub(super) fn bookmark(kind: &Kind, revision: u64) -> Event {
    let object = serde_json::json!({
        "kind": kind.kind, "apiVersion": kind.api_version(),
        "metadata": { "resourceVersion": revision.to_string() },
    });
    Event::new(EventType::Bookmark, Stored::new(Arc::new(object)), revision)
}

/// What a change looks like through a namespace and a selector: an object that comes to match is
/// added, one that no longer does is deleted.
fn event(change: Change, namespace: Option<&str>, selector: &Selector) -> Option<Event> {
    if namespace.is_some() && meta::namespace(change.object.object()) != namespace {
        return None;
    }
    let revision = change.revision;
    let before = change.before.as_ref().filter(|before| selector.matches(before.object()));
    let after = change.action != Action::Deleted && selector.matches(change.object.object());
    let (event, object) = match (before, after, change.action) {
        (_, _, Action::Deleted) => match before {
            Some(_) => (EventType::Deleted, change.object),
            None => return None,
        },
        (None, true, _) => (EventType::Added, change.object),
        (Some(_), true, _) => (EventType::Modified, change.object),
        (Some(before), false, _) => {
            let mut last = Value::clone(before.object());
            meta::set_resource_version(&mut last, revision);
            (EventType::Deleted, Stored::new(Arc::new(last)))
        }
        (None, false, _) => return None,
    };
    Some(Event::new(event, object, revision))
}
