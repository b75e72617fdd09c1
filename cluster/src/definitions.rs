//! Deleting a CustomResourceDefinition deletes the objects of its kind first.

use std::sync::Arc;

use serde_json::Value;
use tokio::task::JoinSet;

use crate::defaults::CLEANUP;
use crate::kinds::CUSTOM_RESOURCE_DEFINITION as DEFINITION;
use crate::meta;
use crate::registry::{EventType, Registry, WriteOptions};
use crate::removal::{delete_all, report, wait_until_gone};
use crate::selector::Selector;

/// Runs until dropped.
pub(crate) async fn run(registry: Registry) {
    let mut emptying = JoinSet::new();
    let everything = Selector::everything();
    loop {
        let mut watch = registry.list_watch(&DEFINITION, None, &everything);
        // Fallen behind: list again. What is being emptied is emptied twice, which does no harm.
        while let Ok(event) = watch.next().await {
            while emptying.try_join_next().is_some() {}
            let started = matches!(event.event, EventType::Added | EventType::Modified);
            let held = meta::finalizers(&event.object).any(|finalizer| finalizer == CLEANUP);
            if started && meta::is_deleting(&event.object) && held {
                emptying.spawn(empty(registry.clone(), event.object));
            }
        }
    }
}

async fn empty(registry: Registry, definition: Arc<Value>) {
    let options = WriteOptions::by("customresource-finalizer");
    let (group, plural) = (&definition["spec"]["group"], &definition["spec"]["names"]["plural"]);
    let served = registry.served();
    let kind = served.stored().find(|kind| {
        // A definition that was never established has no objects.
        kind.custom.is_some() && *group == kind.group && *plural == kind.plural
    });
    if let Some(kind) = kind {
        delete_all(&registry, kind, None, &options);
        wait_until_gone(&registry, kind, None).await;
    }
    let name = meta::name(&definition);
    let uid = meta::uid(&definition);
    let emptied = registry.modify(&DEFINITION, None, name, None, &options, |definition| {
        // Another definition of the same name is not the one that was emptied.
        if meta::uid(definition) != uid {
            return Ok(());
        }
        let finalizers = definition.pointer_mut("/metadata/finalizers");
        if let Some(finalizers) = finalizers.and_then(Value::as_array_mut) {
            finalizers.retain(|finalizer| finalizer != CLEANUP);
        }
        Ok(())
    });
    report(&DEFINITION, emptied);
}
