//! Writing the manifests into the cluster.

use std::collections::BTreeMap;

use fairlead_cluster::Kind;
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, Patch, PatchParams},
    core::{ApiResource, GroupVersionKind},
};

use super::{
    parse::{Document, ObjectId},
    plan::{Action, plan},
};

/// The field manager of everything that comes from a manifest.
const MANAGER: &str = "fairlead-up";

/// Keeps the cluster as the manifests say.
pub(crate) struct Sync {
    client: Client,
    applied: BTreeMap<ObjectId, Document>,
}

/// A manifest that the cluster refused. It is tried again with the next change.
#[derive(Debug, thiserror::Error)]
#[error("{id}: {source}")]
pub(crate) struct SyncError {
    id: ObjectId,
    source: Box<kube::Error>,
}

/// What one pass wrote.
#[derive(Debug, Default)]
pub(crate) struct Synced {
    /// Objects created or changed.
    pub(crate) applied: Vec<ObjectId>,
    /// Objects deleted.
    pub(crate) deleted: Vec<ObjectId>,
    /// Objects that the cluster refused; the others were written.
    pub(crate) errors: Vec<SyncError>,
}

impl Sync {
    /// Writes as the user of `client`.
    pub(crate) fn new(client: Client) -> Self {
        Self { client, applied: BTreeMap::new() }
    }

    /// What was last written of an object.
    pub(crate) fn applied(&self, id: &ObjectId) -> Option<&Document> {
        self.applied.get(id)
    }

    /// Writes what differs from the last pass. An object that is refused costs only itself.
    pub(crate) async fn sync(&mut self, wanted: impl Iterator<Item = &Document>) -> Synced {
        let mut synced = Synced::default();
        for action in plan(&self.applied, wanted) {
            match action {
                Action::Apply(document) => match self.apply(&document).await {
                    Ok(()) => {
                        synced.applied.push(document.id.clone());
                        self.applied.insert(document.id.clone(), document);
                    }
                    Err(source) => {
                        synced.errors.push(SyncError { id: document.id, source: source.into() });
                    }
                },
                Action::Delete(id) => match self.delete(&id).await {
                    Ok(()) => {
                        self.applied.remove(&id);
                        synced.deleted.push(id);
                    }
                    Err(source) => synced.errors.push(SyncError { id, source: source.into() }),
                },
            }
        }
        synced
    }

    fn api(&self, id: &ObjectId) -> Api<DynamicObject> {
        let (group, version) = id.api_version.split_once('/').unwrap_or(("", &id.api_version));
        let plural = Kind::of(&id.api_version, &id.kind).map_or("", |kind| kind.plural);
        let resource = ApiResource::from_gvk_with_plural(
            &GroupVersionKind::gvk(group, version, &id.kind),
            plural,
        );
        match id.namespace.as_str() {
            "" => Api::all_with(self.client.clone(), &resource),
            namespace => Api::namespaced_with(self.client.clone(), namespace, &resource),
        }
    }

    async fn apply(&self, document: &Document) -> Result<(), kube::Error> {
        let params = PatchParams::apply(MANAGER).force();
        self.api(&document.id)
            .patch(&document.id.name, &params, &Patch::Apply(&document.object))
            .await
            .map(drop)
    }

    async fn delete(&self, id: &ObjectId) -> Result<(), kube::Error> {
        match self.api(id).delete(&id.name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            result => result.map(drop),
        }
    }
}
