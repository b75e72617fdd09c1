//! How drains are set up.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use fairlead_drain::{Guard, Network, Resolve, System, Timeouts};
use ipnet::IpNet;
use kube::Client;

use super::{
    host::Hosts,
    manager::{Drains, Source},
    spec::{self, Means, Owner, SpecError},
    watch,
};
use crate::store::Store;

/// Names that are asked for at a time by the platform's drains, by those of a namespace, and by those
/// of all namespaces together.
const QUESTIONS: usize = 16;
const QUESTIONS_OF_ONE: usize = 4;
const QUESTIONS_OF_ALL: usize = 256;
/// What stands in the place of a namespace where a drain is of no Secret; no namespace has it.
const FLAG: &str = "_flag";

/// How drains are set up.
#[derive(Clone)]
pub struct DrainOptions {
    /// The Kubernetes API where Secrets declare drains. None
    pub client: Option<Client>,
    /// logd's own namespace: a drain of it may be for any app. None
    pub namespace: Option<String>,
    /// Further namespaces whose Secrets declare drains for their own apps. None
    pub namespaces: Vec<String>,
    /// Drains for all apps, without Secrets. None
    pub platform: Vec<PlatformDrain>,
    /// The cluster's networks, where drains of `namespaces` may not lead. None
    pub cluster: Vec<IpNet>,
    /// Networks where they may lead whatever they are. None
    pub allowed: Vec<IpNet>,
    /// How long drains have at the end to send what is there. 5 s
    pub shutdown: Duration,
    /// How long sinks wait for the network.
    pub timeouts: Timeouts,
    /// Who tells names' addresses. The system
    pub resolve: Option<Arc<dyn Resolve>>,
}

/// A drain for all apps that no Secret declares.
#[derive(Clone)]
pub struct PlatformDrain {
    /// What it is called.
    pub name: String,
    /// Where it leads; may have secrets.
    pub url: String,
}

impl fmt::Debug for PlatformDrain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PlatformDrain").field(&self.name).finish()
    }
}

impl fmt::Debug for DrainOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, namespaces, platform, .. } = self;
        f.debug_tuple("DrainOptions").field(namespace).field(namespaces).field(platform).finish()
    }
}

impl Default for DrainOptions {
    fn default() -> Self {
        Self {
            client: None,
            namespace: None,
            namespaces: Vec::new(),
            platform: Vec::new(),
            cluster: Vec::new(),
            allowed: Vec::new(),
            shutdown: Duration::from_secs(5),
            timeouts: Timeouts::default(),
            resolve: None,
        }
    }
}

/// A drain without a Secret that cannot be.
#[derive(Debug, thiserror::Error)]
#[error("the drain {0}")]
pub struct DrainError(SpecError);

impl DrainOptions {
    /// Whether Secrets are to be read: then there has to be a client.
    #[must_use]
    pub fn needs_api(&self) -> bool {
        self.namespace.is_some() || !self.namespaces.is_empty()
    }

    /// Namespaces whose Secrets are followed, and whether a drain of it may be for any app.
    fn followed(&self) -> Vec<(String, bool)> {
        let Some(_) = self.client else { return Vec::new() };
        let own = self.namespace.iter().map(|own| (own.clone(), true));
        let others = self.namespaces.iter().filter(|other| Some(*other) != self.namespace.as_ref());
        own.chain(others.map(|other| (other.clone(), false))).collect()
    }

    /// How many sources there are: each has to speak before anything is settled.
    pub(crate) fn sources(&self) -> usize {
        self.followed().len() + usize::from(!self.platform.is_empty())
    }

    /// Starts them. Belongs to the runtime it is called on.
    ///
    /// # Errors
    /// Where a drain of `platform` cannot be.
    pub(crate) fn start(self, store: Store) -> Result<Drains, DrainError> {
        let resolve = self.resolve.clone().unwrap_or_else(|| Arc::new(System));
        let network = |guard, questions| Network {
            resolve: resolve.clone(),
            timeouts: self.timeouts,
            ..Network::new(guard, questions)
        };
        let (hosts, kinds) = (Arc::<Hosts>::default(), Arc::default());
        let means = |network| Means { network, hosts: hosts.clone(), kinds: Arc::clone(&kinds) };
        let of_platform = Arc::new(means(network(Guard::platform(), QUESTIONS)));
        let guard = Guard::tenant(self.cluster.clone(), self.allowed.clone());
        let questions =
            (QUESTIONS_OF_ALL / self.namespaces.len().max(1)).clamp(1, QUESTIONS_OF_ONE);
        let read = |drain: &PlatformDrain| {
            let id = format!("{FLAG}/{}", drain.name).into();
            let data = BTreeMap::from([("url".to_owned(), drain.url.clone().into_bytes())]);
            spec::read(id, &data, Owner::Platform, &of_platform).map_err(DrainError)
        };
        let platform = self.platform.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let (drains, mut sources) = Drains::start(store, self.sources(), kinds.clone());
        if !platform.is_empty()
            && let Some(source) = sources.pop()
        {
            tokio::spawn(async move { Source::set(&source, platform, Vec::new()).await });
        }
        for ((namespace, platform), source) in self.followed().into_iter().zip(sources) {
            let Some(client) = self.client.clone() else { continue };
            let means = match platform {
                true => of_platform.clone(),
                false => Arc::new(means(network(guard.clone(), questions))),
            };
            tokio::spawn(watch::follow(client, namespace, platform, means, source));
        }
        Ok(drains)
    }
}
