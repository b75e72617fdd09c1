//! Removing all objects of a kind: what deleting a namespace or a definition begins with.

use serde_json::Value;

use crate::kinds::Kind;
use crate::meta;
use crate::registry::{DeleteOptions, Preconditions, Propagation, Registry, WriteOptions};
use crate::selector::Selector;
use crate::status::Status;

/// Deletes every object of a kind, in one namespace or in all. Those with finalizers are marked.
pub(crate) fn delete_all(
    registry: &Registry,
    kind: &'static Kind,
    namespace: Option<&str>,
    options: &WriteOptions,
) {
    for object in registry.list(kind, namespace, &Selector::everything()).items {
        delete(registry, kind, &object, options);
    }
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

/// Waits until a kind has no objects. Nothing can be created in what is being deleted: the objects
/// only become fewer.
pub(crate) async fn wait_until_gone(
    registry: &Registry,
    kind: &'static Kind,
    namespace: Option<&str>,
) {
    let everything = Selector::everything();
    loop {
        let list = registry.list(kind, namespace, &everything);
        if list.items.is_empty() {
            return;
        }
        if let Ok(mut watch) = registry.watch(kind, namespace, &everything, list.revision) {
            // Any change, or having fallen behind, is a reason to look again.
            let _ = watch.next().await;
        }
    }
}

/// What is gone already is as it should be.
pub(crate) fn report<T>(kind: &Kind, result: Result<T, Status>) {
    if let Err(status) = result
        && !matches!(status.code, 404 | 409)
    {
        tracing::warn!(kind = kind.kind, %status, "could not remove objects");
    }
}
