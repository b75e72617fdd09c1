//! Kubernetes objects, trimmed to what routing needs.

use std::{collections::BTreeMap, fmt, sync::Arc};

use bytes::Bytes;
use serde::Serialize;

/// The kinds of object that the router reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Kind {
    /// `v1 Service`
    Service,
    /// `discovery.k8s.io/v1 EndpointSlice`
    EndpointSlice,
    /// `v1 Secret`
    Secret,
    /// `v1 ConfigMap`
    ConfigMap,
    /// `apps/v1 Deployment`
    Deployment,
    /// `apps/v1 DaemonSet`
    DaemonSet,
    /// `apps/v1 StatefulSet`
    StatefulSet,
    /// `v1 Pod`
    Pod,
}

impl Kind {
    /// How many kinds there are.
    pub const COUNT: usize = Self::Pod as usize + 1;
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Namespace and name of an object of a known kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Key {
    /// The object's namespace.
    pub namespace: Arc<str>,
    /// The object's name.
    pub name: Arc<str>,
}

impl Key {
    /// The key of `namespace/name`.
    pub fn new(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The key of the object `name` in `namespace`; none where nothing in Kubernetes can have that
    /// name (RFC 1123 subdomains): it would be another path of the API.
    pub fn named(namespace: impl Into<Arc<str>>, name: &str) -> Option<Self> {
        let label = |label: &str| {
            let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte != b'-');
            label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
                && ends(label.bytes().next())
                && ends(label.bytes().last())
        };
        let valid = name.len() <= 253 && name.split('.').all(label);
        valid.then(|| Self::new(namespace, name))
    }

    /// This key as a reference to an object of `kind`.
    pub fn of(&self, kind: Kind) -> ObjectRef {
        ObjectRef { kind, key: self.clone() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Names one object; shown as `Service namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct ObjectRef {
    /// The object's kind.
    pub kind: Kind,
    /// Its namespace and name.
    #[serde(flatten)]
    pub key: Key,
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.key)
    }
}

/// A Service: labels and annotations carry the routing dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Namespace and name.
    pub key: Key,
    /// `metadata.creationTimestamp`, in seconds since the Unix epoch. The older
    /// of two Services that claim a host keeps it.
    pub created: i64,
    /// Labels the dialect reads; watchers may leave out the others.
    pub labels: BTreeMap<Box<str>, Box<str>>,
    /// Annotations the dialect reads; watchers may leave out the others.
    pub annotations: BTreeMap<Box<str>, Box<str>>,
    /// `spec.ports`, TCP only.
    pub ports: Vec<ServicePort>,
    /// `spec.externalName`, for a Service of type ExternalName.
    pub external_name: Option<Box<str>>,
}

/// One entry of `spec.ports` of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// The port's name; empty where the Service has a single unnamed port.
    pub name: Arc<str>,
    /// The Service's own port number.
    pub port: u16,
    /// `appProtocol`: what is spoken there, such as `kubernetes.io/h2c`.
    pub app_protocol: Option<Box<str>>,
}

impl ServicePort {
    /// The port `name` with number `port`, of no known protocol.
    pub fn new(name: impl Into<Arc<str>>, port: u16) -> Self {
        Self { name: name.into(), port, app_protocol: None }
    }
}

/// An EndpointSlice: some of the addresses behind a Service. Values are kept as
/// the object gives them; what cannot be used is reported when they are compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSlice {
    /// Namespace and name.
    pub key: Key,
    /// The Service it belongs to: its label `kubernetes.io/service-name`.
    pub service: Arc<str>,
    /// Port name (empty for the unnamed one) and the number that the endpoints
    /// listen on; TCP only.
    pub ports: Vec<(Arc<str>, Option<i32>)>,
    /// The addresses and their conditions.
    pub endpoints: Vec<SliceEndpoint>,
}

/// One entry of `endpoints` of an [`EndpointSlice`] with its conditions, defaults
/// applied (`ready` and `serving` true, `terminating` false where absent).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SliceEndpoint {
    /// The first of its `addresses`; the others mean the same endpoint.
    pub address: Box<str>,
    /// Takes new requests.
    pub ready: bool,
    /// Can answer requests, whether or not it is terminating.
    pub serving: bool,
    /// Its pod is being deleted.
    pub terminating: bool,
}

/// A TLS Secret: PEM texts under `tls.crt`, `tls.key` and `ca.crt`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// Namespace and name.
    pub key: Key,
    /// `data["tls.crt"]`
    pub certificate: Option<Bytes>,
    /// `data["tls.key"]`
    pub private_key: Option<Bytes>,
    /// `data["ca.crt"]`
    pub authorities: Option<Bytes>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Something that happened to an object: its new state, or `None` when it is gone.
#[derive(Clone, Debug)]
pub enum Change {
    /// A Service was added, changed or deleted.
    Service(Key, Option<Service>),
    /// An EndpointSlice was added, changed or deleted.
    EndpointSlice(Key, Option<EndpointSlice>),
    /// A Secret was read, or is gone.
    Secret(Key, Option<Secret>),
    /// The entries of a ConfigMap with pages changed, or it is gone.
    Pages(Key, Option<BTreeMap<Box<str>, Bytes>>),
    /// The entries of a ConfigMap with authorities changed, or it is gone.
    Authorities(Key, Option<BTreeMap<Box<str>, Bytes>>),
    /// The annotations of the object that holds the router's settings changed, or it is gone.
    Settings(ObjectRef, Option<BTreeMap<Box<str>, Box<str>>>),
}
