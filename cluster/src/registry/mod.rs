//! The API without HTTP: everything that a request can do, as a method call.
//!
//! Handlers are thin over it; controllers and the kubelet call it directly.

mod create;
mod definitions;
mod delete;
mod prepare;
mod stored;
mod table;
mod update;
mod watch;

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::watch::{Receiver, Sender};

pub use delete::{DeleteOptions, Deleted, Preconditions, Propagation};
pub(crate) use stored::Stored;
pub use update::{Patch, Patched};
pub use watch::{Event, EventType, Watch};

use crate::kinds::{self, Kind, Served};
use crate::meta;
use crate::selector::Selector;
use crate::status::Status;
use definitions::Definitions;
use table::{Key, Phase, Table};

/// The objects of a cluster. Clones share them.
#[derive(Debug, Clone)]
pub struct Registry {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    catalog: Sender<Arc<Catalog>>,
    definitions: Mutex<Definitions>,
    /// The last revision given out.
    revision: Arc<AtomicU64>,
}

/// What is served, and a table for every resource.
#[derive(Debug)]
pub(crate) struct Catalog {
    served: Arc<Served>,
    /// By group and plural name.
    tables: HashMap<(&'static str, &'static str), Arc<Table>>,
}

/// Who writes, and how.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// The user that the request was made as.
    pub user: Arc<str>,
    /// Who owns the fields that are set; Kubernetes calls it `unknown` where none is given.
    pub field_manager: Option<String>,
    /// Do everything but store.
    pub dry_run: bool,
    /// What happens to fields that the kind does not have.
    pub field_validation: FieldValidation,
    /// Where warnings of the write are left.
    pub warnings: Warnings,
}

/// What happens to fields that the kind does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FieldValidation {
    /// They are dropped.
    Ignore,
    /// They are dropped with a warning.
    #[default]
    Warn,
    /// The write is refused with 400.
    Strict,
}

/// Warnings of a write. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Warnings(Arc<Mutex<Vec<String>>>);

impl Warnings {
    /// Takes the warnings so far.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock())
    }

    fn add(&self, warnings: Vec<String>) {
        self.0.lock().extend(warnings);
    }
}

impl WriteOptions {
    /// A write by a user, with no field manager given.
    pub fn new(user: Arc<str>) -> Self {
        Self {
            user,
            field_manager: None,
            dry_run: false,
            field_validation: FieldValidation::default(),
            warnings: Warnings::default(),
        }
    }

    /// A write by a component of the cluster: user and field manager are its name.
    pub fn by(name: &str) -> Self {
        Self { field_manager: Some(name.to_owned()), ..Self::new(name.into()) }
    }

    fn manager(&self) -> &str {
        self.field_manager.as_deref().unwrap_or("unknown")
    }
}

/// The objects that a list found.
#[derive(Debug, Clone)]
pub struct List {
    /// Ordered by namespace and name.
    pub items: Vec<Arc<Value>>,
    /// A watch since this revision sees every later change and none that is in `items`.
    pub revision: u64,
}

/// The same with the objects' JSON.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) items: Vec<Stored>,
    pub(crate) revision: u64,
}

impl From<Snapshot> for List {
    fn from(snapshot: Snapshot) -> Self {
        let items = snapshot.items.iter().map(|stored| stored.object().clone()).collect();
        Self { items, revision: snapshot.revision }
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Registry {
    /// An empty cluster.
    pub fn new() -> Self {
        let revision = Arc::new(AtomicU64::new(1));
        let served = Served::with([]);
        let table = || Arc::new(Table::new(revision.clone(), Phase::Open));
        let tables = served.stored().map(|kind| ((kind.group, kind.plural), table())).collect();
        let catalog = Sender::new(Arc::new(Catalog { served: Arc::new(served), tables }));
        let definitions = Mutex::default();
        Self { shared: Arc::new(Shared { catalog, definitions, revision }) }
    }

    /// The kinds that are served now.
    pub fn served(&self) -> Arc<Served> {
        self.shared.catalog.borrow().served.clone()
    }

    /// Tells when the kinds that are served change.
    pub(crate) fn served_changes(&self) -> Receiver<Arc<Catalog>> {
        self.shared.catalog.subscribe()
    }

    /// The objects of a kind; a table that is closed where there is no such kind any more.
    fn table(&self, kind: &Kind) -> Arc<Table> {
        let known = self.shared.catalog.borrow().tables.get(&(kind.group, kind.plural)).cloned();
        known.unwrap_or_else(|| Arc::new(Table::new(self.shared.revision.clone(), Phase::Closed)))
    }

    /// What a write of a kind entails: a definition changes what is served.
    fn written(&self, kind: &Kind, options: &WriteOptions) {
        if kind.is(&kinds::CUSTOM_RESOURCE_DEFINITION) && !options.dry_run {
            self.define();
        }
    }

    /// One object. `namespace` is ignored for cluster-wide kinds.
    ///
    /// # Errors
    /// 404.
    pub fn get(
        &self,
        kind: &'static Kind,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Arc<Value>, Status> {
        self.table(kind)
            .get(scope(kind, namespace), name)
            .ok_or_else(|| Status::not_found(kind, name))
    }

    /// All objects of a kind, in one namespace or in all.
    pub fn list(&self, kind: &'static Kind, namespace: Option<&str>, selector: &Selector) -> List {
        self.snapshot(kind, namespace, selector).into()
    }

    pub(crate) fn snapshot(
        &self,
        kind: &'static Kind,
        namespace: Option<&str>,
        selector: &Selector,
    ) -> Snapshot {
        let table = self.table(kind);
        let state = table.read();
        let items = select(&state.objects, namespace, selector);
        Snapshot { items, revision: table.revision(&state) }
    }

    /// All objects of a kind as they were at a revision.
    ///
    /// # Errors
    /// 410 where changes since then are no longer remembered, 504 for a revision to come.
    pub fn list_at(
        &self,
        kind: &'static Kind,
        namespace: Option<&str>,
        selector: &Selector,
        revision: u64,
    ) -> Result<List, Status> {
        self.snapshot_at(kind, namespace, selector, revision).map(List::from)
    }

    pub(crate) fn snapshot_at(
        &self,
        kind: &'static Kind,
        namespace: Option<&str>,
        selector: &Selector,
        revision: u64,
    ) -> Result<Snapshot, Status> {
        let table = self.table(kind);
        let state = table.read();
        let current = table.revision(&state);
        if revision > current {
            return Err(Status::future_revision(revision, current));
        }
        let objects = state.at(revision)?;
        drop(state);
        Ok(Snapshot { items: select(&objects, namespace, selector), revision })
    }

    /// Changes after the revision `since`.
    ///
    /// # Errors
    /// 410 where changes since then are no longer remembered: list, and watch from there.
    pub fn watch(
        &self,
        kind: &'static Kind,
        namespace: Option<&str>,
        selector: &Selector,
        since: u64,
    ) -> Result<Watch, Status> {
        let namespace = namespace.map(Arc::from);
        Watch::new(kind, self.table(kind), namespace, selector.clone(), since)
    }

    /// What is there as `Added` events, a bookmark that ends them, then every change: what a
    /// controller starts from.
    pub fn list_watch(
        &self,
        kind: &'static Kind,
        namespace: Option<&str>,
        selector: &Selector,
    ) -> Watch {
        loop {
            let list = self.snapshot(kind, namespace, selector);
            // Refused only if the whole window has passed between the two lines.
            let Ok(watch) = self.watch(kind, namespace, selector, list.revision) else { continue };
            let end = watch::bookmark(kind, list.revision);
            let added = list.items.into_iter().map(|stored| {
                let revision = meta::revision(stored.object());
                Event::new(EventType::Added, stored, revision)
            });
            return watch.preceded_by(added.chain([end]));
        }
    }

    /// Forgets all changes so far: watches that have not seen them get 410.
    pub fn compact(&self) {
        // Not borrowed any longer than that: tables are waited for.
        let catalog = self.shared.catalog.borrow().clone();
        for table in catalog.tables.values() {
            table.compact();
        }
    }
}

fn select(
    objects: &BTreeMap<Key, Stored>,
    namespace: Option<&str>,
    selector: &Selector,
) -> Vec<Stored> {
    let from: Bound<Key> = match namespace {
        Some(namespace) => Bound::Included((namespace.into(), "".into())),
        None => Bound::Unbounded,
    };
    objects
        .range((from, Bound::Unbounded))
        .take_while(|((found, _), _)| namespace.is_none_or(|namespace| **found == *namespace))
        .filter(|(_, stored)| selector.matches(stored.object()))
        .map(|(_, stored)| stored.clone())
        .collect()
}

/// The namespace part of a key: empty for cluster-wide kinds.
fn scope<'a>(kind: &Kind, namespace: Option<&'a str>) -> &'a str {
    if kind.namespaced { namespace.unwrap_or_default() } else { "" }
}
