//! The API without HTTP: everything that a request can do, as a method call.
//!
//! Handlers are thin over it; controllers and the kubelet call it directly.

mod create;
mod delete;
mod table;
mod update;
mod watch;

use std::collections::HashMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use serde_json::Value;

pub use delete::{DeleteOptions, Deleted, Preconditions, Propagation};
pub use update::Patch;
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
}

impl WriteOptions {
    /// A write by a component of the cluster: user and field manager are its name.
    pub fn by(name: &str) -> Self {
        Self { user: name.into(), field_manager: Some(name.to_owned()), dry_run: false }
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
        let from: Bound<Key> = match namespace {
            Some(namespace) => Bound::Included((namespace.into(), "".into())),
            None => Bound::Unbounded,
        };
        let items = state
            .objects
            .range((from, Bound::Unbounded))
            .take_while(|((found, _), _)| namespace.is_none_or(|namespace| **found == *namespace))
            .filter(|(_, object)| selector.matches(object))
            .map(|(_, object)| object.clone())
            .collect();
        List { items, revision: table.revision(&state) }
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

/// The namespace part of a key: empty for cluster-wide kinds.
fn scope<'a>(kind: &Kind, namespace: Option<&'a str>) -> &'a str {
    if kind.namespaced { namespace.unwrap_or_default() } else { "" }
}
