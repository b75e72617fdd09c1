//! Secrets that declare drains, in one namespace.

use std::{collections::BTreeMap, sync::Arc};

use futures::StreamExt as _;
use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::Time};
use kube::{
    Api, Client, ResourceExt,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};

use super::{
    manager::{Declared, Source},
    spec::{self, Means, Owner, Problem, SpecError},
};

/// Says that a Secret declares a drain.
const LABEL: &str = "fairlead.dev/drain=true";
/// Drains of a namespace that is not logd's own, at most: those whose Secrets are the oldest.
const DRAINS: usize = 256;

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
    let most = if platform { usize::MAX } else { DRAINS };
    let mut known = Known::default();
    let mut listing = None;
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => {
                listing = Some(Vec::new());
                continue;
            }
            Ok(Event::InitApply(secret)) => {
                listing.get_or_insert_default().push(secret);
                continue;
            }
            Ok(Event::InitDone) => {
                let all = listing.take().unwrap_or_default();
                let names: Vec<String> = all.iter().map(ResourceExt::name_any).collect();
                known.0.retain(|name, _| names.contains(name));
                all.into_iter().for_each(|secret| known.apply(&namespace, secret, owner, &means));
            }
            Ok(Event::Apply(secret)) => known.apply(&namespace, secret, owner, &means),
            Ok(Event::Delete(secret)) => _ = known.0.remove(&secret.name_any()),
            Err(error) => {
                tracing::warn!(%error, namespace, "Secrets of drains cannot be watched");
                continue;
            }
        }
        let (drains, refused) = known.within(most);
        source.set(drains, refused).await;
    }
}

/// What the Secrets of a namespace say, by name.
#[derive(Default)]
struct Known(BTreeMap<String, Said>);

/// What one says: the last that could be, and what is wrong with what it says now.
#[derive(Default)]
struct Said {
    created: Option<Time>,
    drain: Option<Declared>,
    error: Option<SpecError>,
}

impl Known {
    fn apply(&mut self, namespace: &str, secret: Secret, owner: Owner<'_>, means: &Means) {
        let name = secret.name_any();
        let (created, data) = (secret.metadata.creation_timestamp, secret.data.unwrap_or_default());
        let data = data.into_iter().map(|(key, value)| (key, value.0)).collect();
        let said = self.0.entry(name.clone()).or_default();
        said.created.clone_from(&created);
        match spec::read(format!("{namespace}/{name}").into(), &data, owner, means) {
            Ok(drain) => *said = Said { created, drain: Some(drain), error: None },
            Err(error) if said.error.as_ref() != Some(&error) => {
                tracing::warn!(%error, "a drain cannot be as it is declared");
                said.error = Some(error);
            }
            Err(_) => {}
        }
    }

    /// So many drains, those that were there first, and what is wrong with the others.
    fn within(&self, most: usize) -> (Vec<Declared>, Vec<SpecError>) {
        let mut refused: Vec<SpecError> =
            self.0.values().filter_map(|said| said.error.clone()).collect();
        let drains = self.0.values().filter_map(|said| Some((&said.created, said.drain.as_ref()?)));
        let mut drains: Vec<_> = drains.collect();
        if drains.len() > most {
            drains.sort_by(|(a, one), (b, other)| a.cmp(b).then_with(|| one.id.cmp(&other.id)));
            let excess = drains.split_off(most).into_iter();
            let problem = Problem::TooMany(most);
            refused.extend(
                excess
                    .map(|(_, one)| SpecError { drain: one.id.clone(), problem: problem.clone() }),
            );
        }
        (drains.into_iter().map(|(_, one)| one.clone()).collect(), refused)
    }
}

#[cfg(test)]
mod tests {
    use fairlead_drain::{Guard, Network};
    use k8s_openapi::ByteString;

    use super::*;

    fn secret(name: &str, created: i64) -> Secret {
        let mut secret = Secret::default();
        secret.metadata.name = Some(name.to_owned());
        let created = k8s_openapi::jiff::Timestamp::from_second(created).unwrap();
        secret.metadata.creation_timestamp = Some(Time(created));
        let url = ByteString(b"gelf://logs.example.com".to_vec());
        secret.data = Some(BTreeMap::from([("url".to_owned(), url)]));
        secret
    }

    /// A namespace that declares too many keeps those it had.
    #[test]
    fn a_namespace_has_so_many_drains_and_those_that_were_there_first() {
        let network = Network::new(Guard::tenant(Vec::new(), Vec::new()), 1);
        let means = Means { network, hosts: Arc::default(), kinds: Arc::default() };
        let mut known = Known::default();
        for (name, created) in [("a", 3), ("b", 1), ("c", 2), ("d", 2)] {
            known.apply("shop", secret(name, created), Owner::Namespace("shop"), &means);
        }
        let names = |drains: &[Declared]| -> Vec<String> {
            drains.iter().map(|one| one.id.to_string()).collect()
        };
        let (drains, refused) = known.within(4);
        assert_eq!((drains.len(), refused.len()), (4, 0));
        let (drains, refused) = known.within(2);
        assert_eq!(names(&drains), ["shop/b", "shop/c"]);
        let refused: Vec<String> = refused.iter().map(ToString::to_string).collect();
        let why = "there are 2 older drains in this namespace, and there may be no more: delete one of them";
        assert_eq!(refused, [format!("shop/d: {why}"), format!("shop/a: {why}")]);
        known.0.remove("b");
        let (drains, _) = known.within(2);
        assert_eq!(drains.len(), 2);
    }
}
