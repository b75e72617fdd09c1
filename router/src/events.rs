//! Kubernetes Events: findings told on the object that they are about.
//!
//! Best effort. An Event's name follows from the finding, so that replicas and restarts
//! write it once; a burst is cut off, as `/diagnostics` has everything.

use std::{
    hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher},
    time::{Duration, Instant},
};

use fairlead_router_core::{Diagnostic, Key, Severity, object::Kind};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::{DaemonSet, Deployment, StatefulSet},
        core::v1::{ConfigMap, Event, EventSource, ObjectReference, Pod, Secret, Service},
        discovery::v1::EndpointSlice,
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use kube::{
    Api, Client,
    api::{PartialObjectMeta, PostParams},
};
use tokio::sync::mpsc;

/// Events that may be written at once; then one per [`REFILL`].
const BURST: u32 = 25;
const REFILL: Duration = Duration::from_secs(2);
/// Limit for each request.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest message that Kubernetes takes.
const MESSAGE: usize = 1024;
const COMPONENT: &str = "fairlead-router";

/// Writes Events for what `findings` brings, until it ends.
pub(crate) async fn run(client: Client, mut findings: mpsc::Receiver<Diagnostic>) {
    let mut budget = Budget { left: BURST, since: Instant::now() };
    let mut allowed = true;
    while let Some(finding) = findings.recv().await {
        if !allowed || !budget.take(Instant::now()) {
            continue;
        }
        match tokio::time::timeout(TIMEOUT, write(&client, &finding)).await {
            Ok(Err(kube::Error::Api(status))) if status.code == 403 => {
                allowed = false;
                tracing::info!(
                    "Events are not written: to allow them, add to the router's role: \
                     - {{apiGroups: [\"\"], resources: [events], verbs: [create]}}"
                );
            }
            // Written already.
            Ok(Err(kube::Error::Api(status))) if status.code == 409 => {}
            Ok(Err(error)) => tracing::debug!(%error, "an Event was not written"),
            Ok(Ok(())) => {}
            Err(_) => tracing::debug!("an Event was not written in 5 s"),
        }
    }
}

/// A bucket of tokens.
struct Budget {
    left: u32,
    since: Instant,
}

impl Budget {
    fn take(&mut self, now: Instant) -> bool {
        let earned = now.duration_since(self.since).as_secs() / REFILL.as_secs();
        if earned > 0 {
            self.since = now;
            let earned = u32::try_from(earned).unwrap_or(BURST);
            self.left = self.left.saturating_add(earned).min(BURST);
        }
        self.left.checked_sub(1).map(|left| self.left = left).is_some()
    }
}

async fn write(client: &Client, finding: &Diagnostic) -> kube::Result<()> {
    let namespace = &finding.object.key.namespace;
    // Without the uid an Event is not shown with its object. A Secret may not exist.
    let uid = uid(client, finding).await?;
    let events: Api<Event> = Api::namespaced(client.clone(), namespace);
    events.create(&PostParams::default(), &event(finding, uid)).await.map(drop)
}

async fn uid(client: &Client, finding: &Diagnostic) -> kube::Result<Option<String>> {
    async fn of<K>(client: &Client, key: &Key) -> kube::Result<Option<String>>
    where
        K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + std::fmt::Debug,
    {
        let api: Api<PartialObjectMeta<K>> = Api::namespaced(client.clone(), &key.namespace);
        Ok(api.get_opt(&key.name).await?.and_then(|object| object.metadata.uid))
    }
    let key = &finding.object.key;
    match finding.object.kind {
        Kind::Service => of::<Service>(client, key).await,
        Kind::EndpointSlice => of::<EndpointSlice>(client, key).await,
        Kind::Secret => of::<Secret>(client, key).await,
        Kind::ConfigMap => of::<ConfigMap>(client, key).await,
        Kind::Deployment => of::<Deployment>(client, key).await,
        Kind::DaemonSet => of::<DaemonSet>(client, key).await,
        Kind::StatefulSet => of::<StatefulSet>(client, key).await,
        Kind::Pod => of::<Pod>(client, key).await,
    }
}

fn event(finding: &Diagnostic, uid: Option<String>) -> Event {
    let Diagnostic { object, field, severity, reason } = finding;
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(finding.to_string());
    // A name has at most 253 characters, an object's up to 253 of its own.
    let name: String = object.key.name.chars().take(200).collect();
    let now = Time(k8s_openapi::jiff::Timestamp::now());
    let mut message = format!("{field}: {reason}");
    message.truncate(message.floor_char_boundary(MESSAGE));
    Event {
        metadata: ObjectMeta {
            name: Some(format!("{name}.{hash:016x}")),
            namespace: Some(object.key.namespace.to_string()),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Some(api_version(object.kind).to_owned()),
            kind: Some(object.kind.to_string()),
            namespace: Some(object.key.namespace.to_string()),
            name: Some(object.key.name.to_string()),
            uid,
            ..ObjectReference::default()
        },
        type_: Some("Warning".to_owned()),
        reason: Some(match severity {
            Severity::Warning => "SettingIgnored".to_owned(),
            Severity::Error => "NotServed".to_owned(),
        }),
        message: Some(message),
        source: Some(EventSource { component: Some(COMPONENT.to_owned()), host: None }),
        reporting_component: Some(COMPONENT.to_owned()),
        count: Some(1),
        first_timestamp: Some(now.clone()),
        last_timestamp: Some(now),
        ..Event::default()
    }
}

const fn api_version(kind: Kind) -> &'static str {
    match kind {
        Kind::Service | Kind::Secret | Kind::ConfigMap | Kind::Pod => "v1",
        Kind::Deployment | Kind::DaemonSet | Kind::StatefulSet => "apps/v1",
        Kind::EndpointSlice => "discovery.k8s.io/v1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(reason: String) -> Diagnostic {
        let object = Key::new("shop", "web").of(Kind::Service);
        let severity = Severity::Error;
        Diagnostic { object, field: "spec.ports".into(), severity, reason: reason.into() }
    }

    #[test]
    fn an_event_is_about_its_object_and_has_the_name_of_its_finding() {
        let one = event(&finding("no port".into()), Some("u".into()));
        assert_eq!(one.message.as_deref(), Some("spec.ports: no port"));
        assert_eq!(one.reason.as_deref(), Some("NotServed"));
        let object = one.involved_object;
        assert_eq!(
            (object.api_version.as_deref(), object.kind.as_deref()),
            (Some("v1"), Some("Service"))
        );
        assert_eq!((object.name.as_deref(), object.uid.as_deref()), (Some("web"), Some("u")));
        let same = event(&finding("no port".into()), None);
        let other = event(&finding("no such port".into()), None);
        assert_eq!(one.metadata.name, same.metadata.name);
        assert_ne!(one.metadata.name, other.metadata.name);
        let long = event(&finding("é".repeat(1024)), None).message.unwrap();
        assert!((1023..=1024).contains(&long.len()), "{}", long.len());
    }

    #[test]
    fn a_burst_is_cut_off() {
        let start = Instant::now();
        let mut budget = Budget { left: BURST, since: start };
        let granted = (0..100).filter(|_| budget.take(start)).count();
        assert_eq!(granted, 25);
        assert!(budget.take(start + REFILL) && !budget.take(start + REFILL));
    }
}
