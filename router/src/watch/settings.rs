//! The object with the router's settings: which it is, and what it says.

use std::{fmt::Debug, sync::Arc, time::Duration};

use fairlead_router_core::{Key, ObjectRef, object::Kind};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{apps::v1 as apps, core::v1 as core},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use kube::{Api, Client, Resource, core::PartialObjectMeta};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use super::{
    backoff::Backoff,
    convert,
    kind::{Seen, Watched, follow},
    progress::Version,
    state::{Failure, Scope, WatchState},
};

/// How long each look-up of an owner may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The object whose annotations are router-wide settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsSource {
    /// This one, of one of [`SettingsSource::KINDS`].
    Object(ObjectRef),
    /// The workload that owns this pod, found through `ownerReferences`. A pod without owner has
    /// no settings.
    OwnerOf(Key),
}

impl SettingsSource {
    /// The kinds of object that can hold settings.
    pub const KINDS: [Kind; 4] =
        [Kind::Deployment, Kind::DaemonSet, Kind::StatefulSet, Kind::ConfigMap];

    /// What is watched, as far as it is known yet.
    pub(crate) fn scope(&self) -> Scope {
        match self {
            Self::Object(object) => scope(object),
            Self::OwnerOf(pod) => Scope {
                kind: Kind::Pod,
                namespace: Some(pod.namespace.to_string()),
                name: Some(pod.name.to_string()),
                labels: None,
            },
        }
    }
}

fn scope(object: &ObjectRef) -> Scope {
    let Key { namespace, name } = &object.key;
    Scope {
        kind: object.kind,
        namespace: Some(namespace.to_string()),
        name: Some(name.to_string()),
        labels: None,
    }
}

macro_rules! holds_settings {
    ($($kind:ident: $type:ty,)*) => {$(
        impl Watched for PartialObjectMeta<$type> {
            fn there(self, key: Key) -> Seen {
                let version = convert::version(&self.metadata);
                let annotations = convert::dialect_annotations(self.metadata.annotations);
                Seen::Settings(key.of(Kind::$kind), Some(annotations), version)
            }

            fn gone(key: Key, version: Version) -> Seen {
                Seen::Settings(key.of(Kind::$kind), None, version)
            }
        }
    )*};
}

holds_settings! {
    Deployment: apps::Deployment,
    DaemonSet: apps::DaemonSet,
    StatefulSet: apps::StatefulSet,
    ConfigMap: core::ConfigMap,
}

/// Follows the settings of `source` until nobody listens any more.
pub(super) async fn run(
    client: Client,
    source: SettingsSource,
    watch: usize,
    state: Arc<WatchState>,
    out: mpsc::Sender<(usize, Seen)>,
) {
    let object = match source {
        SettingsSource::Object(object) => object,
        SettingsSource::OwnerOf(pod) => match owner(&client, &pod, &state).await {
            Some(object) => object,
            None => {
                state.watching(0);
                let _ = out.send((watch, Seen::Listed { present: true })).await;
                return std::future::pending().await;
            }
        },
    };
    tracing::info!(%object, "settings are read from");
    state.rescope(scope(&object));
    let namespace = object.key.namespace.clone();
    let only = Some(object.key);
    macro_rules! follow_kind {
        ($type:ty) => {{
            let api = Api::<PartialObjectMeta<$type>>::namespaced(client, &namespace);
            follow(api, only, watch, state, out).await
        }};
    }
    match object.kind {
        Kind::DaemonSet => follow_kind!(apps::DaemonSet),
        Kind::StatefulSet => follow_kind!(apps::StatefulSet),
        Kind::ConfigMap => follow_kind!(core::ConfigMap),
        _ => follow_kind!(apps::Deployment),
    }
}

/// The workload that owns `pod`; `None` when nobody does. Asked for until there is an answer.
async fn owner(client: &Client, pod: &Key, state: &WatchState) -> Option<ObjectRef> {
    let mut backoff = Backoff::default();
    loop {
        let failure = match tokio::time::timeout(TIMEOUT, look_up(client, pod)).await {
            Ok(Ok(owner)) => return owner,
            Ok(Err(error)) => Failure::from(&error),
            Err(_) => Failure::silent(),
        };
        state.failed(failure);
        tokio::time::sleep(backoff.next()).await;
    }
}

/// A Deployment's pods are owned by one of its ReplicaSets.
async fn look_up(client: &Client, pod: &Key) -> kube::Result<Option<ObjectRef>> {
    let Some(found) = metadata::<core::Pod>(client, pod).await? else {
        tracing::warn!(%pod, "this pod does not exist, so it has no settings; name them with --settings");
        return Ok(None);
    };
    let Some(owner) = controller(found) else { return Ok(None) };
    let key = Key::new(pod.namespace.clone(), owner.name);
    let kind = match &*owner.kind {
        "DaemonSet" => Kind::DaemonSet,
        "StatefulSet" => Kind::StatefulSet,
        "ReplicaSet" => {
            let found = metadata::<apps::ReplicaSet>(client, &key).await?;
            let owner = found.and_then(controller).filter(|owner| owner.kind == "Deployment");
            return Ok(
                owner.map(|owner| Key::new(pod.namespace.clone(), owner.name).of(Kind::Deployment))
            );
        }
        _ => return Ok(None),
    };
    Ok(Some(key.of(kind)))
}

async fn metadata<K>(client: &Client, key: &Key) -> kube::Result<Option<ObjectMeta>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned,
{
    let api = Api::<K>::namespaced(client.clone(), &key.namespace);
    Ok(api.get_metadata_opt(&key.name).await?.map(|object| object.metadata))
}

/// Who manages the object.
fn controller(metadata: ObjectMeta) -> Option<OwnerReference> {
    metadata.owner_references?.into_iter().find(|owner| owner.controller == Some(true))
}
