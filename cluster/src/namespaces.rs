//! Deleting a namespace empties it: its objects go first, then it.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::kinds::{self, Kind, Subresource};
use crate::meta;
use crate::registry::{EventType, Registry, WriteOptions};
use crate::removal::{delete_all, report, wait_until_gone};
use crate::selector::Selector;

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
    let served = registry.served();
    let kinds: Vec<&Kind> = served.stored().filter(|kind| kind.namespaced).collect();
    for kind in &kinds {
        delete_all(&registry, kind, Some(name), &options);
    }
    for kind in kinds {
        wait_until_gone(&registry, kind, Some(name)).await;
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
