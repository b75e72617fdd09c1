//! Secrets that declare drains, in one namespace.

use std::{collections::BTreeMap, sync::Arc};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, ResourceExt,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};

use super::{
    manager::{Declared, Source},
    spec::{self, Means, Owner, SpecError},
};

/// Says that a Secret declares a drain.
const LABEL: &str = "fairlead.dev/drain=true";

/// Follows the Secrets of a namespace for ever. While the API is away its drains stay as they are.
pub(super) async fn follow(
    client: Client,
    namespace: String,
    platform: bool,
    means: Arc<Means>,
    source: Source,
) {
    let secrets: Api<Secret> = Api::namespaced(client, &namespace);
    let config = watcher::Config::default().labels(LABEL);
    let mut events = watcher(secrets, config).default_backoff().boxed();
    let owner = if platform { Owner::Platform } else { Owner::Namespace(&namespace) };
    let mut known = Known::default();
    let mut listing = None;
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => listing = Some(Vec::new()),
            Ok(Event::InitApply(secret)) => listing.get_or_insert_default().push(secret),
            Ok(Event::InitDone) => {
                let all = listing.take().unwrap_or_default();
                let names: Vec<String> = all.iter().map(ResourceExt::name_any).collect();
                known.0.retain(|name, _| names.contains(name));
                all.into_iter().for_each(|secret| known.apply(&namespace, secret, owner, &means));
                source.set(known.drains(), known.refused()).await;
            }
            Ok(Event::Apply(secret)) => {
                known.apply(&namespace, secret, owner, &means);
                source.set(known.drains(), known.refused()).await;
            }
            Ok(Event::Delete(secret)) => {
                known.0.remove(&secret.name_any());
                source.set(known.drains(), known.refused()).await;
            }
            Err(error) => {
                tracing::warn!(%error, namespace, "Secrets of drains cannot be watched");
            }
        }
    }
}

/// What the Secrets of a namespace say, by name.
#[derive(Default)]
struct Known(BTreeMap<String, Said>);

/// What one says: the last that could be, and what is wrong with what it says now.
#[derive(Default)]
struct Said {
    drain: Option<Declared>,
    error: Option<SpecError>,
}

impl Known {
    fn apply(&mut self, namespace: &str, secret: Secret, owner: Owner<'_>, means: &Means) {
        let name = secret.name_any();
        let data = secret.data.unwrap_or_default();
        let data = data.into_iter().map(|(key, value)| (key, value.0)).collect();
        let said = self.0.entry(name.clone()).or_default();
        match spec::read(format!("{namespace}/{name}").into(), &data, owner, means) {
            Ok(drain) => *said = Said { drain: Some(drain), error: None },
            Err(error) if said.error.as_ref() != Some(&error) => {
                tracing::warn!(%error, "a drain cannot be as it is declared");
                said.error = Some(error);
            }
            Err(_) => {}
        }
    }

    fn drains(&self) -> Vec<Declared> {
        self.0.values().filter_map(|said| said.drain.clone()).collect()
    }

    fn refused(&self) -> Vec<SpecError> {
        self.0.values().filter_map(|said| said.error.clone()).collect()
    }
}
