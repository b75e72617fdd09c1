//! Deleting a namespace empties it: its objects go first, then it.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::kinds::{self, KINDS, Kind, Subresource};
use crate::meta;
use crate::registry::{
    DeleteOptions, EventType, Preconditions, Propagation, Registry, WriteOptions,
};
use crate::selector::Selector;
use crate::status::Status;

/// Runs until dropped.
pub(crate) async fn run(registry: Registry) {
    let mut emptying = JoinSet::new();
    let everything = Selector::everything();
    loop {
        let mut watch = registry.list_watch(&kinds::NAMESPACE, None, &everything);
        // Fallen behind: list again. What is being emptied is emptied twice, which does no harm.
        while let Ok(event) = watch.next().await {
            while emptying.try_join_next().is_some() {}
            let started = matches!(event.event, EventType::Added | EventType::Modified);
            if started && meta::is_deleting(&event.object) && is_held(&event.object) {
                emptying.spawn(empty(registry.clone(), event.object));
            }
        }
    }
}

/// Whether a namespace was not yet emptied.
fn is_held(namespace: &Value) -> bool {
    namespace["spec"]["finalizers"].as_array().is_some_and(|list| !list.is_empty())
}

async fn empty(registry: Registry, namespace: Arc<Value>) {
    let options = WriteOptions::by("namespace-controller");
    let name = meta::name(&namespace);
    let kinds: Vec<&Kind> = KINDS.iter().copied().filter(|kind| kind.namespaced).collect();
    for kind in &kinds {
        for object in registry.list(kind, Some(name), &Selector::everything()).items {
            delete(&registry, kind, &object, &options);
        }
    }
    for kind in kinds {
        wait_until_gone(&registry, kind, name).await;
    }
    let finalize = Some(Subresource::Finalize);
    let uid = meta::uid(&namespace);
    let emptied = registry.modify(&kinds::NAMESPACE, None, name, finalize, &options, |namespace| {
        // Another namespace of the same name is not the one that was emptied.
        if meta::uid(namespace) == uid {
            namespace["spec"]["finalizers"] = json!([]);
        }
        Ok(())
    });
    report(&kinds::NAMESPACE, emptied);
}

fn delete(registry: &Registry, kind: &'static Kind, object: &Value, options: &WriteOptions) {
    let delete = DeleteOptions {
        preconditions: Preconditions {
            uid: Some(meta::uid(object).to_owned()),
            ..Preconditions::default()
        },
        propagation: Some(Propagation::Background),
        ..DeleteOptions::default()
    };
    let namespace = meta::namespace(object);
    report(kind, registry.delete(kind, namespace, meta::name(object), &delete, options));
}

/// Nothing can be created in a namespace that is being deleted: the objects only become fewer.
async fn wait_until_gone(registry: &Registry, kind: &'static Kind, namespace: &str) {
    let everything = Selector::everything();
    loop {
        let list = registry.list(kind, Some(namespace), &everything);
        if list.items.is_empty() {
            return;
        }
        if let Ok(mut watch) = registry.watch(kind, Some(namespace), &everything, list.revision) {
            // Any change, or having fallen behind, is a reason to look again.
            let _ = watch.next().await;
        }
    }
}

/// What is gone already is as it should be.
fn report<T>(kind: &Kind, result: Result<T, Status>) {
    if let Err(status) = result
        && !matches!(status.code, 404 | 409)
    {
        tracing::warn!(kind = kind.kind, %status, "could not empty a namespace");
    }
}
