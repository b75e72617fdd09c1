//! The publishing loop: changes in, tables out.
//!
//! A change that comes alone is published at once. Under a burst a table is published
//! at most every [`INTERVAL`], with everything that has come by then. Before the first
//! state is complete nothing is published: half a state would answer 404 for hosts that exist.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use fairlead_router_core::{Compiler, Diagnostic, Publication, Settings, Table, object::Kind};
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, mpsc},
    time::Instant,
};

use crate::watch::{Feed, QUEUE};

/// The shortest time between two tables.
pub(crate) const INTERVAL: Duration = Duration::from_millis(10);
/// How often it is looked whether old tables can be dropped.
const SWEEP: Duration = Duration::from_secs(1);
/// Old tables that are kept for requests which still use them. Beyond, the request drops its own.
const RETIRED: usize = 256;

/// What is served, and what it was made from.
#[derive(Debug)]
pub(crate) struct State {
    /// The table in use; requests load it.
    pub(crate) table: Arc<ArcSwap<Table>>,
    /// Taken by the publishing loop and the admin endpoints, never by a request.
    pub(crate) compiler: Mutex<Compiler>,
    pub(crate) counts: Counts,
    synced: AtomicBool,
    changed: Notify,
}

/// What the publishing loop has done.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Up to which resourceVersion everything is in effect, by kind.
    pub(crate) revisions: Revisions,
    /// Changes taken.
    pub(crate) changes: AtomicU64,
    /// Tables published.
    pub(crate) publications: AtomicU64,
    /// Hosts compiled for them.
    pub(crate) compiled: AtomicU64,
    /// Time spent on compiling and publishing, in nanoseconds.
    pub(crate) nanoseconds: AtomicU64,
}

/// A resourceVersion for each kind.
#[derive(Debug, Default)]
pub(crate) struct Revisions([AtomicU64; Kind::COUNT]);

impl Revisions {
    pub(crate) fn get(&self, kind: Kind) -> u64 {
        self.0[kind as usize].load(Relaxed)
    }
}

impl State {
    pub(crate) fn new(settings: &Arc<Settings>) -> Self {
        Self {
            table: Arc::new(ArcSwap::from_pointee(Table::new(settings.clone()))),
            compiler: Mutex::new(Compiler::new(settings.clone())),
            counts: Counts::default(),
            synced: AtomicBool::new(false),
            changed: Notify::new(),
        }
    }

    /// Whether the first complete state has been published.
    pub(crate) fn is_synced(&self) -> bool {
        self.synced.load(Relaxed)
    }

    /// Waits for the first complete state.
    pub(crate) async fn synced(&self) {
        loop {
            let changed = self.changed.notified();
            if self.is_synced() {
                return;
            }
            changed.await;
        }
    }
}

/// Told of the table in use and the next one.
type OnTable = Box<dyn Fn(&Table, &Table) + Send>;

/// Owns the old tables, so that their last reference is dropped here and not by a request.
pub(crate) struct Publisher {
    state: Arc<State>,
    retired: Vec<Arc<Table>>,
    /// Up to which resourceVersion everything has been taken, by kind.
    revisions: [u64; Kind::COUNT],
    /// No table before this moment.
    next: Instant,
    findings: mpsc::Sender<Diagnostic>,
    on_table: OnTable,
}

impl Publisher {
    /// `findings` is told of each finding that appears; when it is full they are not told.
    /// `on_table` is called with the table in use and the next one, before that is served.
    pub(crate) fn new(
        state: Arc<State>,
        findings: mpsc::Sender<Diagnostic>,
        on_table: impl Fn(&Table, &Table) + Send + 'static,
    ) -> Self {
        let on_table = Box::new(on_table);
        Self {
            state,
            retired: Vec::new(),
            revisions: [0; Kind::COUNT],
            next: Instant::now(),
            findings,
            on_table,
        }
    }

    /// Publishes what `feed` brings, until it ends.
    pub(crate) async fn run(mut self, mut feed: mpsc::Receiver<Feed>) {
        let mut batch = Vec::new();
        loop {
            let due = self.state.is_synced() && self.state.compiler.lock().is_dirty();
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(self.next), if due => self.publish(),
                taken = feed.recv_many(&mut batch, QUEUE) => {
                    if taken == 0 {
                        return;
                    }
                    batch.drain(..).for_each(|feed| self.take(feed));
                }
                () = tokio::time::sleep(SWEEP), if !self.retired.is_empty() => self.sweep(),
            }
        }
    }

    fn take(&mut self, feed: Feed) {
        match feed {
            Feed::Change(change) => {
                self.state.compiler.lock().apply(change);
                self.state.counts.changes.fetch_add(1, Relaxed);
            }
            Feed::Settled(kind, version) => {
                let revision = &mut self.revisions[kind as usize];
                *revision = (*revision).max(version.unwrap_or(0));
                if self.state.is_synced() && !self.state.compiler.lock().is_dirty() {
                    self.settle();
                }
            }
            Feed::Synced => {
                self.publish();
                self.state.synced.store(true, Relaxed);
                self.state.changed.notify_waiters();
            }
        }
    }

    /// Everything taken is in effect.
    fn settle(&self) {
        for (revision, taken) in self.state.counts.revisions.0.iter().zip(self.revisions) {
            revision.store(taken, Relaxed);
        }
        let appeared = self.state.compiler.lock().take_appeared();
        self.tell(appeared);
    }

    fn publish(&mut self) {
        let begun = Instant::now();
        let publication = self.state.compiler.lock().publish();
        if let Some(Publication { table, compiled, appeared }) = publication {
            tracing::debug!(generation = table.generation, hosts = compiled, "published");
            (self.on_table)(&self.state.table.load(), &table);
            self.retired.push(self.state.table.swap(table));
            let counts = &self.state.counts;
            counts.publications.fetch_add(1, Relaxed);
            counts.compiled.fetch_add(compiled as u64, Relaxed);
            let took = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
            counts.nanoseconds.fetch_add(took, Relaxed);
            self.tell(appeared);
        }
        self.settle();
        self.sweep();
        self.next = begun + INTERVAL;
    }

    fn tell(&self, appeared: Vec<Diagnostic>) {
        for finding in appeared {
            let Diagnostic { object, field, reason, .. } = &finding;
            tracing::warn!(%object, %field, "{reason}");
            // A full queue: `/diagnostics` has them all.
            let _ = self.findings.try_send(finding);
        }
    }

    /// Drops the tables that no request uses any more.
    fn sweep(&mut self) {
        self.retired.retain(|table| Arc::strong_count(table) > 1);
        let surplus = self.retired.len().saturating_sub(RETIRED);
        self.retired.drain(..surplus);
    }
}

#[cfg(test)]
mod tests;
