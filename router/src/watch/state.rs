//! Where the watches are: what `/readyz`, `/status` and the metrics tell of them.

use std::{
    fmt,
    time::{Duration, Instant},
};

use fairlead_router_core::object::Kind;
use kube::runtime::watcher::Error;
use parking_lot::Mutex;
use serde::Serialize;

/// Where one watch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    /// It has not listed its objects yet.
    Listing,
    /// It follows changes.
    Watching,
    /// The server does not have the kind; asked for again now and then.
    Absent,
    /// The server does not allow it; asked for again now and then.
    Forbidden,
    /// The server does not answer, or not with a list; asked again now and then.
    Failing,
}

/// What is watched: a kind, in one namespace or in all, or one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) kind: Kind,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    /// The labels that the server is asked for; `None` for any.
    pub(crate) labels: Option<&'static str>,
}

impl Scope {
    /// The RBAC rule that the watch needs, and where it has to be.
    fn permission(&self) -> String {
        let (group, resource) = match self.kind {
            Kind::Service => ("", "services"),
            Kind::EndpointSlice => ("discovery.k8s.io", "endpointslices"),
            Kind::Secret => ("", "secrets"),
            Kind::ConfigMap => ("", "configmaps"),
            Kind::Deployment => ("apps", "deployments"),
            Kind::DaemonSet => ("apps", "daemonsets"),
            Kind::StatefulSet => ("apps", "statefulsets"),
            // Only looked up, to find who owns it.
            Kind::Pod => {
                let namespace = self.namespace.as_deref().unwrap_or_default();
                return format!(
                    "add to the router's Role in namespace {namespace}: \
                     - {{apiGroups: [\"\"], resources: [pods], verbs: [get]}} \
                     - {{apiGroups: [apps], resources: [replicasets], verbs: [get]}}; \
                     or name the object with the settings with --settings"
                );
            }
        };
        let place = match &self.namespace {
            Some(namespace) => format!("Role in namespace {namespace}"),
            None => "ClusterRole".to_owned(),
        };
        format!(
            "add to the router's {place}: \
             - {{apiGroups: [\"{group}\"], resources: [{resource}], verbs: [get, list, watch]}}"
        )
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.namespace, &self.name) {
            (Some(namespace), Some(name)) => write!(f, "{} {namespace}/{name}", self.kind),
            (Some(namespace), None) => write!(f, "{} in {namespace}", self.kind),
            (None, _) => write!(f, "{}", self.kind),
        }?;
        match self.labels {
            Some(labels) => write!(f, " with {labels}"),
            None => Ok(()),
        }
    }
}

/// One watch, as its task sees it; read by the admin endpoints.
#[derive(Debug)]
pub(crate) struct WatchState {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    scope: Scope,
    phase: Phase,
    since: Instant,
    objects: usize,
    problem: Option<String>,
}

/// A watch as `/status` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct WatchReport {
    /// The kind.
    pub(crate) kind: Kind,
    /// The namespace; absent where all are watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<String>,
    /// The object's name, where only one is watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// The labels that the server is asked for, where not for all objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) labels: Option<&'static str>,
    /// Where it is.
    pub(crate) state: Phase,
    /// How many objects it has shown.
    pub(crate) objects: usize,
    /// How old what it has shown may be: 0 while it follows changes, else the time since then.
    pub(crate) age_seconds: u64,
    /// What is wrong and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<String>,
}

impl WatchState {
    pub(crate) fn new(scope: Scope) -> Self {
        let since = Instant::now();
        let inner = Inner { scope, phase: Phase::Listing, since, objects: 0, problem: None };
        Self { inner: Mutex::new(inner) }
    }

    /// What is watched.
    pub(crate) fn scope(&self) -> Scope {
        self.inner.lock().scope.clone()
    }

    /// It has been found out what is to be watched.
    pub(crate) fn rescope(&self, scope: Scope) {
        let mut inner = self.inner.lock();
        inner.scope = scope;
        inner.phase = Phase::Listing;
        inner.problem = None;
    }

    /// The watch follows changes and knows of `objects`.
    pub(crate) fn watching(&self, objects: usize) {
        let mut inner = self.inner.lock();
        if inner.phase != Phase::Watching {
            tracing::info!(watch = %inner.scope, objects, "watching");
            inner.phase = Phase::Watching;
            inner.problem = None;
        }
        inner.objects = objects;
    }

    /// The watch broke.
    pub(crate) fn failed(&self, failure: Failure) {
        let mut inner = self.inner.lock();
        let (phase, problem) = match failure.status {
            Some(404) => (Phase::Absent, "the server does not have this kind".to_owned()),
            Some(403) => (Phase::Forbidden, format!("forbidden: {}", inner.scope.permission())),
            _ => (Phase::Failing, failure.message),
        };
        if inner.phase == Phase::Watching {
            inner.since = Instant::now();
        }
        if inner.phase != phase {
            tracing::warn!(watch = %inner.scope, ?phase, problem, "not watching");
        }
        inner.phase = phase;
        inner.problem = Some(problem);
    }

    pub(crate) fn phase(&self) -> Phase {
        self.inner.lock().phase
    }

    /// How old what the watch has shown may be.
    pub(crate) fn age(&self) -> Duration {
        let inner = self.inner.lock();
        if inner.phase == Phase::Watching { Duration::ZERO } else { inner.since.elapsed() }
    }

    pub(crate) fn report(&self) -> WatchReport {
        let age_seconds = self.age().as_secs();
        let inner = self.inner.lock();
        let missing = inner.scope.name.is_some()
            && inner.scope.kind != Kind::Pod
            && inner.phase == Phase::Watching
            && inner.objects == 0;
        let problem = inner.problem.clone();
        WatchReport {
            kind: inner.scope.kind,
            namespace: inner.scope.namespace.clone(),
            name: inner.scope.name.clone(),
            labels: inner.scope.labels,
            state: inner.phase,
            objects: inner.objects,
            age_seconds,
            problem: if missing {
                Some("it does not exist: what it said last holds, or the flags alone".to_owned())
            } else {
                problem
            },
        }
    }
}

/// Why a watch broke.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The HTTP status that the server gave, where it gave one.
    status: Option<u16>,
    message: String,
}

impl Failure {
    /// The server says nothing.
    pub(crate) fn silent() -> Self {
        Self { status: None, message: "the server does not go on with its list".to_owned() }
    }
}

impl From<&kube::Error> for Failure {
    fn from(error: &kube::Error) -> Self {
        let status = match error {
            kube::Error::Api(status) => Some(status.code),
            _ => None,
        };
        Self { status, message: error.to_string() }
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let status = match error {
            Error::InitialListFailed(kube::Error::Api(status))
            | Error::WatchStartFailed(kube::Error::Api(status))
            | Error::WatchFailed(kube::Error::Api(status)) => Some(status.code),
            Error::WatchError(status) => Some(status.code),
            _ => None,
        };
        Self { status, message: error.to_string() }
    }
}
