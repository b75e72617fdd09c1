//! Owner garbage collection: what an object owned goes when the object goes.
//!
//! Background: dependents are deleted once no owner is left. Foreground (finalizer
//! `foregroundDeletion`): dependents go first. Orphan (finalizer `orphan`): dependents stay, without
//! the owner.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::future::{FutureExt, select_all};
use serde_json::Value;

use super::USER;
use super::claim::without_owner;
use super::object::Fields;
use crate::kinds::{self, Kind};
use crate::meta;
use crate::registry::{
    DeleteOptions, Event, EventType, Preconditions, Propagation, Registry, Watch, WriteOptions,
};
use crate::selector::Selector;
use crate::status::Status;

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// Where an object is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    kind: ByName,
    namespace: Option<Arc<str>>,
    name: Arc<str>,
}

/// A kind, told apart by group and plural name: its versions have the same objects.
#[derive(Debug, Clone, Copy)]
struct ByName(&'static Kind);

impl PartialEq for ByName {
    fn eq(&self, other: &Self) -> bool {
        (self.0.group, self.0.plural) == (other.0.group, other.0.plural)
    }
}

impl Eq for ByName {}

impl std::hash::Hash for ByName {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.0.group, self.0.plural).hash(state);
    }
}

/// Runs until dropped.
pub(super) async fn run(registry: Registry) {
    let options = WriteOptions::by(USER);
    loop {
        let mut collector = Collector {
            registry: &registry,
            options: &options,
            dependents: HashMap::new(),
            gone: HashSet::new(),
            work: Vec::new(),
        };
        // Events own nothing and are owned by nothing; they would only make noise.
        let mut changes = registry.served_changes();
        changes.mark_unchanged();
        let served = registry.served();
        let kinds = served.stored().filter(|kind| !kind.is(&kinds::EVENT));
        let mut watches: Vec<(&'static Kind, Watch)> = kinds
            .map(|kind| (kind, registry.list_watch(kind, None, &Selector::everything())))
            .collect();
        loop {
            tokio::select! {
                // What happened to objects of a kind comes before that the kind is gone.
                biased;
                followed = follow(&mut watches, &mut collector) => if followed.is_err() { break },
                _ = changes.changed() => break,
            }
        }
        // A watch fell behind, or kinds came or went: what was missed is found by starting over.
    }
}

async fn follow(
    watches: &mut Vec<(&'static Kind, Watch)>,
    collector: &mut Collector<'_>,
) -> Result<(), Status> {
    let next = watches.iter_mut().map(|(kind, watch)| {
        let kind: &'static Kind = kind;
        async move { (kind, watch.next().await) }.boxed()
    });
    let ((kind, event), at, _) = select_all(next).await;
    match event {
        Err(status) if status.code == 404 => {
            watches.remove(at);
        }
        event => collector.take(kind, &event?),
    }
    loop {
        for (kind, watch) in watches.iter_mut() {
            loop {
                match watch.ready() {
                    Ok(Some(event)) => collector.take(kind, &event),
                    Ok(None) => break,
                    Err(status) if status.code == 404 => break,
                    Err(status) => return Err(status),
                }
            }
        }
        // Only now: a dependent may be told of after its owner, by another watch.
        if collector.work.is_empty() {
            return Ok(());
        }
        collector.settle();
    }
}

/// Something to look at.
#[derive(Debug)]
enum Work {
    /// It may have no owner left.
    Collect(Place),
    /// It is being deleted, and something may wait for its dependents.
    Finalize(Place),
}

struct Collector<'r> {
    registry: &'r Registry,
    options: &'r WriteOptions,
    /// Owner's uid → what names it as owner.
    dependents: HashMap<String, HashSet<Place>>,
    /// Uids of owners that are gone, for the work at hand: their kinds may be gone, too.
    gone: HashSet<String>,
    work: Vec<Work>,
}

impl Collector<'_> {
    #[expect(
        clippy::mutable_key_type,
        reason = "kinds are told apart by names, which do not change"
    )]
    fn take(&mut self, kind: &'static Kind, event: &Event) {
        let object = &event.object;
        let place = Place {
            kind: ByName(kind),
            namespace: meta::namespace(object).map(Arc::from),
            name: meta::name(object).into(),
        };
        let owners = object.list("/metadata/ownerReferences");
        match event.event {
            EventType::Bookmark => {}
            EventType::Deleted => {
                for owner in owners {
                    self.forget(owner.text("/uid"), &place);
                    self.work.extend(self.owner_of(&place, owner).map(Work::Finalize));
                }
                let dependents = self.dependents.remove(meta::uid(object)).unwrap_or_default();
                if !dependents.is_empty() {
                    self.gone.insert(meta::uid(object).to_owned());
                }
                self.work.extend(dependents.into_iter().map(Work::Collect));
            }
            EventType::Added | EventType::Modified => {
                let mut new = false;
                for owner in owners {
                    let known = self.dependents.entry(owner.text("/uid").to_owned()).or_default();
                    new |= known.insert(place.clone());
                }
                if meta::is_deleting(object) {
                    self.work.push(Work::Finalize(place.clone()));
                }
                if new {
                    self.work.push(Work::Collect(place));
                }
            }
        }
    }

    fn settle(&mut self) {
        for work in std::mem::take(&mut self.work) {
            match work {
                Work::Collect(place) => self.collect(&place),
                Work::Finalize(place) => {
                    if let Some(object) =
                        self.get(&place).filter(|object| meta::is_deleting(object))
                    {
                        self.finalize(&place, &object);
                    }
                }
            }
        }
        self.gone.clear();
    }

    /// Where the owner is that a reference names. `None` where its kind is not served.
    fn owner_of(&self, dependent: &Place, reference: &Value) -> Option<Place> {
        let served = self.registry.served();
        let kind = served.of(reference.text("/apiVersion"), reference.text("/kind"))?;
        Some(Place {
            kind: ByName(kind),
            namespace: dependent.namespace.clone().filter(|_| kind.namespaced),
            name: reference.text("/name").into(),
        })
    }

    fn forget(&mut self, owner: &str, place: &Place) {
        if let Some(known) = self.dependents.get_mut(owner) {
            known.remove(place);
            if known.is_empty() {
                self.dependents.remove(owner);
            }
        }
    }

    fn get(&self, place: &Place) -> Option<Arc<Value>> {
        self.registry.get(place.kind.0, place.namespace.as_deref(), &place.name).ok()
    }

    /// Whether the owner that a reference names is gone for sure.
    fn is_gone(&self, dependent: &Place, reference: &Value) -> bool {
        if self.gone.contains(reference.text("/uid")) {
            return true;
        }
        let Some(place) = self.owner_of(dependent, reference) else { return false };
        let found = self.get(&place);
        found.is_none_or(|owner| meta::uid(&owner) != reference.text("/uid"))
    }

    /// Deletes the object if it has owners and none of them is left.
    fn collect(&self, place: &Place) {
        let Some(object) = self.get(place).filter(|object| !meta::is_deleting(object)) else {
            return;
        };
        let owners = object.list("/metadata/ownerReferences");
        if !owners.is_empty() && owners.iter().all(|owner| self.is_gone(place, owner)) {
            self.delete(place, &object, Propagation::Background);
        }
    }

    fn delete(&self, place: &Place, object: &Value, propagation: Propagation) {
        let preconditions =
            Preconditions { uid: Some(meta::uid(object).to_owned()), ..Preconditions::default() };
        let delete = DeleteOptions {
            preconditions,
            propagation: Some(propagation),
            ..DeleteOptions::default()
        };
        let namespace = place.namespace.as_deref();
        let result =
            self.registry.delete(place.kind.0, namespace, &place.name, &delete, self.options);
        if let Err(status) = result {
            tracing::debug!(name = %place.name, %status, "already gone");
        }
    }

    /// Does what the finalizers of an object being deleted wait for.
    fn finalize(&self, place: &Place, object: &Value) {
        let waits_for = |finalizer: &str| meta::finalizers(object).any(|found| found == finalizer);
        let uid = meta::uid(object);
        let known = self.dependents.get(uid);
        let dependents: Vec<(&Place, Arc<Value>)> =
            known.into_iter().flatten().filter_map(|at| Some((at, self.get(at)?))).collect();
        if waits_for(ORPHAN) {
            for (place, dependent) in &dependents {
                self.update(place, without_owner(dependent, uid));
            }
            self.release(place, object, ORPHAN);
        } else if waits_for(FOREGROUND) {
            let mut blocked = false;
            for (place, dependent) in dependents {
                let owners = dependent.list("/metadata/ownerReferences");
                blocked |= owners
                    .iter()
                    .any(|owner| owner["uid"] == uid && owner["blockOwnerDeletion"] == true);
                if !meta::is_deleting(&dependent) {
                    let owns = self.dependents.contains_key(meta::uid(&dependent));
                    let how = if owns { Propagation::Foreground } else { Propagation::Background };
                    self.delete(place, &dependent, how);
                }
            }
            if !blocked {
                self.release(place, object, FOREGROUND);
            }
        }
    }

    fn release(&self, place: &Place, object: &Value, finalizer: &str) {
        let mut object = object.clone();
        let finalizers = object.pointer_mut("/metadata/finalizers").and_then(Value::as_array_mut);
        if let Some(finalizers) = finalizers {
            finalizers.retain(|found| found != finalizer);
        }
        self.update(place, object);
    }

    fn update(&self, place: &Place, object: Value) {
        let namespace = place.namespace.as_deref();
        let result =
            self.registry.update(place.kind.0, namespace, &place.name, None, object, self.options);
        if let Err(status) = result {
            // It has changed meanwhile: the event of that change leads here again.
            tracing::debug!(name = %place.name, %status, "not updated");
        }
    }
}
