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
use rustls_pki_types::ServerName;
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
    /// What its certificate is for; `None`: the host of the URL.
    pub server_name: Option<ServerName<'static>>,
}

impl Member {
    /// The one at this URL.
    #[must_use]
    pub fn at(url: Uri) -> Self {
        let name = url.authority().map(ToString::to_string).unwrap_or_default();
        Self { name, url, server_name: None }
    }
}

/// All logds, sorted by name; or that they are not known yet, which is the default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Members(Option<Arc<[Member]>>);

impl Members {
    /// These.
    #[must_use]
    pub fn new(mut members: Vec<Member>) -> Self {
        members.sort_by(|a, b| a.name.cmp(&b.name));
        members.dedup_by(|a, b| a.name == b.name);
        Self(Some(members.into()))
    }

    /// Whether it is known which there are.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.0.is_some()
    }

    /// The one that has the app `NAMESPACE/NAME`: rendezvous hashing, so that a member that comes or
    /// goes moves only apps to or from itself. `None` where there is no member.
    #[must_use]
    pub fn owner(&self, app: &str) -> Option<&Member> {
        let weight = |m: &&Member| xxh3_64_with_seed(app.as_bytes(), xxh3_64(m.name.as_bytes()));
        self.iter().max_by_key(weight)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.0.iter().flat_map(|members| members.iter())
    }
}

/// A port of logd's Service, and how it is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port {
    /// [`WIRE`] or [`HTTP`].
    pub name: &'static str,
    /// By TLS; the certificate has to be for `NAME.NAMESPACE.svc`, since addresses come and go.
    pub secure: bool,
}

impl Logds {
    /// Where the members are now and from now on; not known until the Service's endpoints are. A URL
    /// is the only one, and says itself how it is spoken to. Follows the Service until all receivers
    /// are dropped; while the API is away the last members stay.
    ///
    /// Belongs to the runtime it is called on. `None` where a Service cannot be followed for want of
    /// a client.
    #[must_use]
    pub fn follow(self, port: Port, client: Option<Client>) -> Option<watch::Receiver<Members>> {
        let (namespace, name) = match self {
            Self::At(url) => {
                return Some(watch::Sender::new(Members::new(vec![Member::at(url)])).subscribe());
            }
            Self::Service { namespace, name } => (namespace, name),
        };
        let slices = Api::namespaced(client?, &namespace);
        let server_name = ServerName::try_from(format!("{name}.{namespace}.svc")).ok();
        let server_name = server_name.filter(|_| port.secure);
        let (members, receiver) = watch::channel(Members::default());
        tokio::spawn(async move {
            tokio::select! {
                () = follow_service(slices, &name, port.name, server_name.as_ref(), &members) => {}
                () = members.closed() => {}
            }
        });
        Some(receiver)
    }
}

async fn follow_service(
    slices: Api<EndpointSlice>,
    name: &str,
    port: &str,
    server_name: Option<&ServerName<'static>>,
    members: &watch::Sender<Members>,
) {
    let config = watcher::Config::default().labels(&format!("{SERVICE}={name}"));
    let mut events = watcher(slices, config).default_backoff().boxed();
    let (mut known, mut listing) = (BTreeMap::new(), BTreeMap::new());
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => {
                listing.clear();
                continue;
            }
            Ok(Event::InitApply(slice)) => {
                listing.insert(slice.name_any(), ready(&slice, port, server_name));
                continue;
            }
            Ok(Event::InitDone) => known = std::mem::take(&mut listing),
            Ok(Event::Apply(slice)) => {
                known.insert(slice.name_any(), ready(&slice, port, server_name));
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

/// The ready endpoints of a slice that has the port. With a name they are spoken to by TLS.
fn ready(
    slice: &EndpointSlice,
    port: &str,
    server_name: Option<&ServerName<'static>>,
) -> Vec<Member> {
    let mut ports = slice.ports.iter().flatten();
    let number = ports.find(|p| p.name.as_deref() == Some(port)).and_then(|port| port.port);
    let Some(number) = number else { return Vec::new() };
    let members = slice.endpoints.iter().flatten().filter_map(|endpoint| {
        // Unknown is to be taken as ready.
        let ready = endpoint.conditions.as_ref().and_then(|conditions| conditions.ready);
        let address = endpoint.addresses.first().filter(|_| ready != Some(false))?;
        let mut url = format!("{}://", if server_name.is_some() { "https" } else { "http" });
        let bracketed = address.contains(':');
        let written = if bracketed {
            write!(url, "[{address}]:{number}")
        } else {
            write!(url, "{address}:{number}")
        };
        written.ok()?;
        let pod = endpoint.target_ref.as_ref().and_then(|target| target.name.clone());
        let name = pod.unwrap_or_else(|| address.clone());
        Some(Member { name, url: url.parse().ok()?, server_name: server_name.cloned() })
    });
    members.collect()
}

#[cfg(test)]
mod tests;
