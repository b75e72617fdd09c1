//! Which logds there are, and which of them has an app.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::str::FromStr;
use std::sync::Arc;

use futures::StreamExt as _;
use http::Uri;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt as _};
use thiserror::Error;
use tokio::sync::watch;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// The port of logd's Service for senders.
pub const WIRE: &str = "wire";

/// The port of logd's Service for readers.
pub const HTTP: &str = "http";

/// Label that names an EndpointSlice's Service (Kubernetes: "EndpointSlices", Ownership).
const SERVICE: &str = "kubernetes.io/service-name";

/// Where logds are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Logds {
    /// One, at `http://HOST:PORT` or `https://HOST:PORT`.
    At(Uri),
    /// The ready endpoints of a Service: `service:NAMESPACE/NAME`.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

/// Neither a URL nor a Service.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?}: write http://HOST:PORT, https://HOST:PORT or service:NAMESPACE/NAME")]
pub struct NoLogds(String);

impl FromStr for Logds {
    type Err = NoLogds;

    fn from_str(text: &str) -> Result<Self, NoLogds> {
        let wrong = || NoLogds(text.to_owned());
        let name = |name: &str| {
            let valid = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            let ok = (1..=63).contains(&name.len()) && name.bytes().all(valid);
            ok.then(|| name.to_owned())
        };
        if let Some(service) = text.strip_prefix("service:") {
            let (namespace, service) = service.split_once('/').ok_or_else(wrong)?;
            let (namespace, name) = name(namespace).zip(name(service)).ok_or_else(wrong)?;
            return Ok(Self::Service { namespace, name });
        }
        let uri = text.parse::<Uri>().map_err(|_| wrong())?;
        let web = matches!(uri.scheme_str(), Some("http" | "https"));
        let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
        if web && bare && uri.port_u16().is_some() { Ok(Self::At(uri)) } else { Err(wrong()) }
    }
}

/// A logd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What it is told apart by, on whatever port: its pod's name, else its address.
    pub name: String,
    /// Where it is.
    pub url: Uri,
}

/// All logds, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Members(Arc<[Member]>);

impl Members {
    /// These.
    #[must_use]
    pub fn new(mut members: Vec<Member>) -> Self {
        members.sort_by(|a, b| a.name.cmp(&b.name));
        members.dedup_by(|a, b| a.name == b.name);
        Self(members.into())
    }

    /// The one that has the app `NAMESPACE/NAME`: rendezvous hashing, so that a member that comes or
    /// goes moves only apps to or from itself. `None` where there is no member.
    #[must_use]
    pub fn owner(&self, app: &str) -> Option<&Member> {
        let weight = |m: &&Member| xxh3_64_with_seed(app.as_bytes(), xxh3_64(m.name.as_bytes()));
        self.0.iter().max_by_key(weight)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.0.iter()
    }
}

/// Where the members are now and from now on; none until the Service's endpoints are known. `port`
/// is [`WIRE`] or [`HTTP`]. Follows the Service until all receivers are dropped; while the API is
/// away the last members stay.
///
/// Belongs to the runtime it is called on.
pub fn follow(logds: Logds, port: &'static str, client: Client) -> watch::Receiver<Members> {
    match logds {
        Logds::At(url) => {
            let name = url.authority().map(ToString::to_string).unwrap_or_default();
            watch::Sender::new(Members::new(vec![Member { name, url }])).subscribe()
        }
        Logds::Service { namespace, name } => {
            let (members, receiver) = watch::channel(Members::default());
            tokio::spawn(async move {
                let slices = Api::namespaced(client, &namespace);
                tokio::select! {
                    () = follow_service(slices, &name, port, &members) => {}
                    () = members.closed() => {}
                }
            });
            receiver
        }
    }
}

async fn follow_service(
    slices: Api<EndpointSlice>,
    name: &str,
    port: &str,
    members: &watch::Sender<Members>,
) {
    let config = watcher::Config::default().labels(&format!("{SERVICE}={name}"));
    let mut events = watcher(slices, config).default_backoff().boxed();
    let (mut known, mut listing) = (BTreeMap::new(), BTreeMap::new());
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => listing.clear(),
            Ok(Event::InitApply(slice)) => {
                listing.insert(slice.name_any(), ready(&slice, port));
                continue;
            }
            Ok(Event::InitDone) => known = std::mem::take(&mut listing),
            Ok(Event::Apply(slice)) => {
                known.insert(slice.name_any(), ready(&slice, port));
            }
            Ok(Event::Delete(slice)) => {
                known.remove(&slice.name_any());
            }
            Err(error) => {
                tracing::warn!(%error, service = name, "the endpoints of logd cannot be watched");
                continue;
            }
        }
        let now = Members::new(known.values().flatten().cloned().collect());
        members.send_if_modified(|members| {
            let changed = *members != now;
            *members = now;
            changed
        });
    }
}

/// The ready endpoints of a slice that has the port.
fn ready(slice: &EndpointSlice, port: &str) -> Vec<Member> {
    let mut ports = slice.ports.iter().flatten();
    let number = ports.find(|p| p.name.as_deref() == Some(port)).and_then(|port| port.port);
    let Some(number) = number else { return Vec::new() };
    let members = slice.endpoints.iter().flatten().filter_map(|endpoint| {
        // Unknown is to be taken as ready.
        let ready = endpoint.conditions.as_ref().and_then(|conditions| conditions.ready);
        let address = endpoint.addresses.first().filter(|_| ready != Some(false))?;
        let mut url = String::from("http://");
        let bracketed = address.contains(':');
        let written = if bracketed {
            write!(url, "[{address}]:{number}")
        } else {
            write!(url, "{address}:{number}")
        };
        written.ok()?;
        let pod = endpoint.target_ref.as_ref().and_then(|target| target.name.clone());
        Some(Member { name: pod.unwrap_or_else(|| address.clone()), url: url.parse().ok()? })
    });
    members.collect()
}

#[cfg(test)]
mod tests;
