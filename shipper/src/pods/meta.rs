//! What is known of a pod: whose lines its containers' are, and what its owner wishes for them.

use std::collections::BTreeMap;

use fairlead_wire::message::{Limits, Source};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Deserialize;

use crate::container::Identity;
use crate::path::PodPath;

/// Labels that are passed on, at most.
const LABELS: usize = 64;

const APP: &str = "fairlead.dev/app";
const PROCESS: &str = "fairlead.dev/process";
const RELEASE: &str = "fairlead.dev/release";
const EXCLUDE: &str = "fairlead.dev/log-exclude";
const MULTILINE: &str = "fairlead.dev/log-multiline";
const RATE: &str = "fairlead.dev/log-rate";
const BYTES: &str = "fairlead.dev/log-bytes";
const LINES: &str = "fairlead.dev/log-lines";
const AGE: &str = "fairlead.dev/log-age";
/// Of the pod that shows a static pod in the API: what that one's directory has for a uid.
const CONFIG_HASH: &str = "kubernetes.io/config.hash";

/// A pod as far as it concerns its logs: what the server sends is trimmed to this as it is read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Pod {
    pub(crate) metadata: ObjectMeta,
    pub(crate) status: Status,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Status {
    init_container_statuses: Vec<ContainerStatus>,
    container_statuses: Vec<ContainerStatus>,
    ephemeral_container_statuses: Vec<ContainerStatus>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ContainerStatus {
    name: String,
    #[serde(rename = "containerID")]
    container_id: String,
    restart_count: u32,
}

impl Resource for Pod {
    type DynamicType = ();
    type Scope = k8s_openapi::NamespaceResourceScope;

    fn kind(_: &()) -> std::borrow::Cow<'_, str> {
        "Pod".into()
    }

    fn group(_: &()) -> std::borrow::Cow<'_, str> {
        "".into()
    }

    fn version(_: &()) -> std::borrow::Cow<'_, str> {
        "v1".into()
    }

    fn plural(_: &()) -> std::borrow::Cow<'_, str> {
        "pods".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// What is kept of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PodMeta {
    /// The directory that its logs are in. A pod may say that it is shown for another uid, but for no
    /// other namespace or name: so it is known by all three.
    pub(crate) path: PodPath,
    app: String,
    labels: BTreeMap<String, String>,
    /// Those of this project.
    annotations: BTreeMap<String, String>,
    /// Name, restart, id.
    containers: Vec<(String, u32, String)>,
}

impl PodMeta {
    /// `None` for what lacks a name or uid.
    pub(crate) fn of(pod: Pod) -> Option<Self> {
        let Pod { metadata, status } = pod;
        let mut annotations = metadata.annotations.unwrap_or_default();
        let uid = annotations.remove(CONFIG_HASH).or(metadata.uid)?;
        let (namespace, pod) = (metadata.namespace?, metadata.name?);
        annotations.retain(|name, _| name.starts_with("fairlead.dev/"));
        let labels = metadata.labels.unwrap_or_default();
        let mut owners = metadata.owner_references.unwrap_or_default().into_iter();
        let owner = owners.find(|owner| owner.controller == Some(true));
        let named = [labels.get(APP), annotations.get(APP), labels.get("app")];
        let app = named.into_iter().flatten().find(|app| is_app(app)).cloned();
        let app = app.unwrap_or_else(|| match owner {
            Some(owner) if !is_app(&owner.name) => pod.clone(),
            Some(owner) if owner.kind == "ReplicaSet" => {
                let name = deployment(&owner.name, labels.get("pod-template-hash"));
                if is_app(name) { name.to_owned() } else { pod.clone() }
            }
            Some(owner) => owner.name,
            None => pod.clone(),
        });
        let Status { init_container_statuses, container_statuses, ephemeral_container_statuses } =
            status;
        let statuses = init_container_statuses.into_iter();
        let statuses = statuses.chain(container_statuses).chain(ephemeral_container_statuses);
        let containers = statuses
            .filter(|status| !status.container_id.is_empty())
            .map(|status| (status.name, status.restart_count, status.container_id))
            .collect();
        let labels = labels.into_iter().take(LABELS).collect();
        let path = PodPath { namespace, pod, uid };
        Some(Self { path, app, labels, annotations, containers })
    }

    /// Whose lines a container's are. The `rate` is the node's limit.
    pub(crate) fn identity(&self, container: &str, node: &str, rate: Option<u32>) -> Identity {
        let text = |name: &str| self.annotations.get(name).map(String::as_str);
        let label = |name: &str| self.labels.get(name).cloned();
        // Anything may stand in an annotation, and lines are shown with these.
        let named = |name| text(name).filter(|text| is_app(text)).map(str::to_owned);
        let process = label(PROCESS).or_else(|| named(PROCESS));
        let process = process.or_else(|| label("type")).unwrap_or_else(|| container.to_owned());
        let release = label(RELEASE).or_else(|| named(RELEASE));
        let limits = Limits {
            bytes: text(BYTES).and_then(bytes).unwrap_or_default(),
            lines: text(LINES).and_then(|lines| lines.parse().ok()).unwrap_or_default(),
            age: text(AGE).and_then(seconds).unwrap_or_default(),
        };
        let source = Source {
            namespace: self.path.namespace.clone(),
            app: self.app.clone(),
            pod: self.path.pod.clone(),
            process,
            release: release.or_else(|| label("version")).unwrap_or_default(),
            node: node.to_owned(),
            container_id: String::new(),
            labels: self.labels.clone(),
            limits: Some(limits).filter(|limits| *limits != Limits::default()),
        };
        let own = text(RATE).and_then(|rate| rate.parse().ok()).filter(|rate| *rate > 0);
        Identity {
            source: source.into(),
            excluded: text(EXCLUDE).is_some_and(|list| {
                list.split(',').map(str::trim).any(|name| name == "true" || name == container)
            }),
            multiline: text(MULTILINE) == Some("true"),
            rate: [own, rate].into_iter().flatten().min(),
            guessed: false,
        }
    }

    /// The id of a container's run as its runtime has it.
    pub(crate) fn container_id(&self, container: &str, restart: u32) -> Option<&str> {
        let mut runs = self.containers.iter();
        runs.find(|(name, run, _)| name == container && *run == restart).map(|(.., id)| id.as_str())
    }
}

/// What is known from the path alone.
pub(crate) fn from_path(path: &PodPath, container: &str, node: &str) -> Source {
    Source {
        namespace: path.namespace.clone(),
        app: path.pod.clone(),
        pod: path.pod.clone(),
        process: container.to_owned(),
        node: node.to_owned(),
        ..Source::default()
    }
}

/// Whether it names an app, and cannot be taken for the name of one elsewhere.
fn is_app(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let ends = [name.bytes().next(), name.bytes().next_back()];
    name.len() <= 253
        && name.bytes().all(inner)
        && ends.into_iter().all(|end| end.is_some_and(|byte| byte.is_ascii_alphanumeric()))
}

/// The Deployment that made a ReplicaSet.
fn deployment<'a>(replica_set: &'a str, hash: Option<&String>) -> &'a str {
    let name = hash.and_then(|hash| replica_set.strip_suffix(hash.as_str())?.strip_suffix('-'));
    name.filter(|name| !name.is_empty()).unwrap_or(replica_set)
}

/// A whole number of bytes, or of Ki, Mi or Gi.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match &text[digits.len()..] {
        "" => 1,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// A whole number with s, m, h or d.
fn seconds(text: &str) -> Option<u64> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn meta(metadata: Value) -> PodMeta {
        let mut pod =
            json!({"metadata": {"namespace": "shop", "name": "web-7d4b9-x2x", "uid": "u"}});
        pod["metadata"].as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
        pod["status"] = json!({"containerStatuses": [
            {"name": "web", "restartCount": 1, "containerID": "containerd://abc"},
        ]});
        PodMeta::of(serde_json::from_value(pod).unwrap()).unwrap()
    }

    fn source(metadata: Value) -> Source {
        meta(metadata).identity("web", "node-1", None).source.as_ref().clone()
    }

    #[test]
    fn an_app_is_named_by_labels_or_by_its_owner() {
        let replica_set = json!([{
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7d4b9", "uid": "r", "controller": true,
        }]);
        for (metadata, app) in [
            (json!({"labels": {"fairlead.dev/app": "one", "app": "two"}}), "one"),
            (json!({"annotations": {"fairlead.dev/app": "one"}, "labels": {"app": "two"}}), "one"),
            (json!({"labels": {"app": "two"}, "ownerReferences": replica_set}), "two"),
            (
                json!({"labels": {"pod-template-hash": "7d4b9"}, "ownerReferences": replica_set}),
                "web",
            ),
            (json!({"ownerReferences": replica_set}), "web-7d4b9"),
            (json!({}), "web-7d4b9-x2x"),
            // Neither another namespace nor something that is no name.
            (json!({"annotations": {"fairlead.dev/app": "bank/vault"}}), "web-7d4b9-x2x"),
            (json!({"labels": {"fairlead.dev/app": ""}}), "web-7d4b9-x2x"),
            (
                json!({"ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "a b", "uid": "r", "controller": true,
                }]}),
                "web-7d4b9-x2x",
            ),
        ] {
            let source = source(metadata.clone());
            assert_eq!(
                (source.app.as_str(), source.namespace.as_str()),
                (app, "shop"),
                "{metadata}"
            );
        }
    }

    #[test]
    fn process_and_release_are_those_of_deis_where_there_are_none_of_ours() {
        let ours = source(json!({"labels": {
            "fairlead.dev/process": "worker", "fairlead.dev/release": "v3", "type": "web", "version": "v2",
        }}));
        assert_eq!((ours.process.as_str(), ours.release.as_str()), ("worker", "v3"));
        let deis = source(json!({"labels": {"type": "cmd", "version": "v2"}}));
        assert_eq!((deis.process.as_str(), deis.release.as_str()), ("cmd", "v2"));
        for odd in ["a b", "web]: forged\nline", "\u{1b}[2J", &"a".repeat(254), ""] {
            let odd = source(json!({"annotations": {PROCESS: odd, RELEASE: odd}}));
            assert_eq!((odd.process.as_str(), odd.release.as_str()), ("web", ""));
        }
        let none = source(json!({}));
        assert_eq!((none.process.as_str(), none.release.as_str()), ("web", ""));
    }

    #[test]
    fn annotations_exclude_join_and_limit() {
        let identity = |annotations: Value| {
            meta(json!({"annotations": annotations})).identity("web", "n", Some(100))
        };
        for (list, excluded) in
            [("true", true), ("web", true), ("a, web", true), ("a", false), ("false", false)]
        {
            assert_eq!(identity(json!({EXCLUDE: list})).excluded, excluded, "{list}");
        }
        assert!(identity(json!({MULTILINE: "true"})).multiline);
        // Nobody raises the node's limit.
        for (own, rate) in [("5", 5), ("500", 100), ("0", 100), ("many", 100)] {
            assert_eq!(identity(json!({RATE: own})).rate, Some(rate), "{own}");
        }
        let limits = identity(json!({BYTES: "2Mi", LINES: "1000", AGE: "24h"})).source.limits;
        assert_eq!(limits, Some(Limits { bytes: 2 << 20, lines: 1000, age: 86_400 }));
        assert_eq!(identity(json!({BYTES: "2 MB", AGE: "é"})).source.limits, None);
    }

    #[test]
    fn a_static_pod_is_known_by_its_configuration() {
        let mirror = meta(json!({"annotations": {"kubernetes.io/config.hash": "0a1b"}}));
        assert_eq!(mirror.path.to_string(), "shop_web-7d4b9-x2x_0a1b");
        assert_eq!(mirror.container_id("web", 1), Some("containerd://abc"));
        assert_eq!(mirror.container_id("web", 0), None);
    }
}
