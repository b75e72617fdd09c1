//! The API without HTTP: everything that a request can do, as a method call.
//!
//! Handlers are thin over it; controllers and the kubelet call it directly.

mod create;
mod delete;
mod prepare;
mod table;
mod update;
mod watch;

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::Mutex;
use serde_json::Value;

pub use delete::{DeleteOptions, Deleted, Preconditions, Propagation};
pub use update::{Patch, Patched};
pub use watch::{Event, EventType, Watch};

use crate::kinds::{KINDS, Kind};
use crate::meta;
use crate::selector::Selector;
use crate::status::Status;
use table::{Key, Table};

/// The objects of a cluster. Clones share them.
#[derive(Debug, Clone)]
pub struct Registry {
    tables: Arc<HashMap<&'static str, HashMap<&'static str, Arc<Table>>>>,
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

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Registry {
    /// An empty cluster.
    pub fn new() -> Self {
        let revision = Arc::new(AtomicU64::new(1));
        let mut tables: HashMap<_, HashMap<_, _>> = HashMap::new();
        for kind in KINDS {
            let table = Arc::new(Table::new(kind, revision.clone()));
            tables.entry(kind.group).or_default().insert(kind.plural, table);
        }
        Self { tables: Arc::new(tables) }
    }

    fn table(&self, kind: &'static Kind) -> &Arc<Table> {
        self.tables
            .get(kind.group)
            .and_then(|group| group.get(kind.plural))
            .expect("a table was made for every row of KINDS")
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
        let table = self.table(kind);
        let state = table.read();
        let items = select(&state.objects, namespace, selector);
        List { items, revision: table.revision(&state) }
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
        let table = self.table(kind);
        let state = table.read();
        let current = table.revision(&state);
        if revision > current {
            return Err(Status::future_revision(revision, current));
        }
        let objects = state.at(revision)?;
        drop(state);
        Ok(List { items: select(&objects, namespace, selector), revision })
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
        Watch::new(self.table(kind).clone(), namespace, selector.clone(), since)
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
            let list = self.list(kind, namespace, selector);
            // Refused only if the whole window has passed between the two lines.
            let Ok(watch) = self.watch(kind, namespace, selector, list.revision) else { continue };
            let end = watch::bookmark(kind, list.revision);
            let added = list.items.into_iter().map(|object| Event {
                event: EventType::Added,
                revision: meta::revision(&object),
                object,
            });
            return watch.preceded_by(added.chain([end]));
        }
    }

    /// Forgets all changes so far: watches that have not seen them get 410.
    pub fn compact(&self) {
        for table in self.tables.values().flat_map(HashMap::values) {
            table.compact();
        }
    }
}

fn select(
    objects: &BTreeMap<Key, Arc<Value>>,
    namespace: Option<&str>,
    selector: &Selector,
) -> Vec<Arc<Value>> {
    let from: Bound<Key> = match namespace {
        Some(namespace) => Bound::Included((namespace.into(), "".into())),
        None => Bound::Unbounded,
    };
    objects
        .range((from, Bound::Unbounded))
        .take_while(|((found, _), _)| namespace.is_none_or(|namespace| **found == *namespace))
        .filter(|(_, object)| selector.matches(object))
        .map(|(_, object)| object.clone())
        .collect()
}

/// The namespace part of a key: empty for cluster-wide kinds.
fn scope<'a>(kind: &Kind, namespace: Option<&'a str>) -> &'a str {
    if kind.namespaced { namespace.unwrap_or_default() } else { "" }
}
