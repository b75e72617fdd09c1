//! The environment of a container's process.

use std::sync::Arc;

use base64::Engine as _;
use serde_json::Value;

use super::expand::expand;
use crate::controllers::object::Fields;
use crate::kinds::{CONFIG_MAP, Kind, SECRET};
use crate::meta;

/// Variables of this machine that every process gets: without them hardly any program runs.
/// Nothing else is inherited, because the environment of a developer's shell holds credentials.
const INHERITED: [&str; 6] = ["PATH", "HOME", "USER", "LANG", "TMPDIR", "TZ"];

/// Why a container cannot be configured. Shown as `CreateContainerConfigError`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ConfigError {
    /// The object is not there.
    #[error("{kind} \"{name}\" not found")]
    Missing {
        /// Kind in lower case.
        kind: &'static str,
        /// Name of the object.
        name: String,
    },
    /// The object does not have the key.
    #[error("couldn't find key {key} in {kind} {namespace}/{name}")]
    NoKey {
        /// Key that was asked for.
        key: String,
        /// Kind of the object.
        kind: &'static str,
        /// Namespace of the object.
        namespace: String,
        /// Name of the object.
        name: String,
    },
    /// A field that the kubelet cannot give a value.
    #[error("{0} is not supported here")]
    Unsupported(String),
}

/// Finds ConfigMaps and Secrets of the pod's namespace.
pub(super) trait Source {
    /// The object of this name.
    fn find(&self, kind: &'static Kind, name: &str) -> Option<Arc<Value>>;
}

/// Names and values in the order of their definition; a later one replaces an earlier one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Env(Vec<(String, String)>);

impl Env {
    /// What every process gets from this machine.
    pub(super) fn inherited() -> Self {
        let known = INHERITED.into_iter();
        Self(known.filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?))).collect())
    }

    pub(super) fn set(&mut self, name: &str, value: String) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some(known) => known.1 = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Applies a change to every value.
    pub(super) fn map(&mut self, change: impl Fn(&str) -> String) {
        for (_, value) in &mut self.0 {
            *value = change(value);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Adds `envFrom` and `env` of a container. `fixed` names are left as they are.
    pub(super) fn define(
        &mut self,
        container: &Value,
        pod: &Value,
        source: &dyn Source,
        fixed: &[&str],
    ) -> Result<(), ConfigError> {
        for from in container.list("/envFrom") {
            for (key, value) in everything_in(from, source)? {
                let name = format!("{}{key}", from.text("/prefix"));
                if !fixed.contains(&name.as_str()) {
                    self.set(&name, value);
                }
            }
        }
        for entry in container.list("/env") {
            let name = entry.text("/name");
            if fixed.contains(&name) {
                continue;
            }
            let value = match entry.get("valueFrom").filter(|from| !from.is_null()) {
                Some(from) => value_from(from, pod, source)?,
                None => Some(expand(entry.text("/value"), |name| self.get(name))),
            };
            if let Some(value) = value {
                self.set(name, value);
            }
        }
        Ok(())
    }
}

fn everything_in(from: &Value, source: &dyn Source) -> Result<Vec<(String, String)>, ConfigError> {
    let (kind, reference): (&'static Kind, _) = match (&from["configMapRef"], &from["secretRef"]) {
        (reference @ Value::Object(_), _) => (&CONFIG_MAP, reference),
        (_, reference @ Value::Object(_)) => (&SECRET, reference),
        _ => return Ok(Vec::new()),
    };
    let name = reference.text("/name");
    match source.find(kind, name) {
        Some(object) => Ok(data(kind, &object)
            .filter_map(|(key, bytes)| Some((key.to_owned(), String::from_utf8(bytes).ok()?)))
            .collect()),
        None if reference["optional"] == true => Ok(Vec::new()),
        None => Err(ConfigError::Missing { kind: kind.singular, name: name.to_owned() }),
    }
}

fn value_from(
    from: &Value,
    pod: &Value,
    source: &dyn Source,
) -> Result<Option<String>, ConfigError> {
    if from["fieldRef"].is_object() {
        let path = from.text("/fieldRef/fieldPath");
        return field(pod, path)
            .map(Some)
            .ok_or_else(|| ConfigError::Unsupported(format!("fieldPath {path}")));
    }
    let (kind, reference): (&'static Kind, _) =
        match (&from["configMapKeyRef"], &from["secretKeyRef"]) {
            (reference @ Value::Object(_), _) => (&CONFIG_MAP, reference),
            (_, reference @ Value::Object(_)) => (&SECRET, reference),
            _ => {
                let keys = from.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
                return Err(ConfigError::Unsupported(keys.collect::<Vec<_>>().join(", ")));
            }
        };
    let (name, key) = (reference.text("/name"), reference.text("/key"));
    let optional = reference["optional"] == true;
    let Some(object) = source.find(kind, name) else {
        let missing = ConfigError::Missing { kind: kind.singular, name: name.to_owned() };
        return if optional { Ok(None) } else { Err(missing) };
    };
    let found = data(kind, &object).find(|(found, _)| *found == key);
    match found.and_then(|(_, bytes)| String::from_utf8(bytes).ok()) {
        Some(value) => Ok(Some(value)),
        None if optional => Ok(None),
        None => Err(ConfigError::NoKey {
            key: key.to_owned(),
            kind: kind.kind,
            namespace: meta::namespace(pod).unwrap_or_default().to_owned(),
            name: name.to_owned(),
        }),
    }
}

/// Keys and content of a ConfigMap or Secret: `data` (base64 in a Secret) and `binaryData`.
pub(super) fn data<'o>(
    kind: &'static Kind,
    object: &'o Value,
) -> impl Iterator<Item = (&'o str, Vec<u8>)> {
    let secret = std::ptr::eq(kind, &SECRET);
    let decode = |value: &str| base64::engine::general_purpose::STANDARD.decode(value).ok();
    let entries = |field: &str| object[field].as_object().into_iter().flatten();
    let plain = entries("data").filter_map(move |(key, value)| {
        let text = value.as_str()?;
        let bytes = if secret { decode(text)? } else { text.as_bytes().to_vec() };
        Some((key.as_str(), bytes))
    });
    let binary = entries("binaryData")
        .filter_map(move |(key, value)| Some((key.as_str(), decode(value.as_str()?)?)));
    plain.chain(binary)
}

/// A field of the pod by the path of the downward API.
pub(super) fn field(pod: &Value, path: &str) -> Option<String> {
    let keyed = |prefix: &str| path.strip_prefix(prefix)?.strip_suffix("']");
    if let Some(key) = keyed("metadata.labels['") {
        return Some(meta::label(pod, key).unwrap_or_default().to_owned());
    }
    if let Some(key) = keyed("metadata.annotations['") {
        return Some(meta::annotation(pod, key).unwrap_or_default().to_owned());
    }
    let pointer = match path {
        "metadata.name" => "/metadata/name",
        "metadata.namespace" => "/metadata/namespace",
        "metadata.uid" => "/metadata/uid",
        "spec.nodeName" => "/spec/nodeName",
        "spec.serviceAccountName" => "/spec/serviceAccountName",
        "status.podIP" | "status.podIPs" => "/status/podIP",
        "status.hostIP" | "status.hostIPs" => "/status/hostIP",
        _ => return None,
    };
    Some(pod.text(pointer).to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct Objects(Vec<Value>);

    impl Source for Objects {
        fn find(&self, kind: &'static Kind, name: &str) -> Option<Arc<Value>> {
            let mut all = self.0.iter();
            let found =
                all.find(|object| object["kind"] == kind.kind && meta::name(object) == name);
            found.cloned().map(Arc::new)
        }
    }

    fn objects() -> Objects {
        Objects(vec![
            json!({"kind": "ConfigMap", "metadata": {"name": "conf"}, "data": {"LEVEL": "info", "PORT": "1"}}),
            json!({"kind": "Secret", "metadata": {"name": "keys"}, "data": {"TOKEN": "czNjcmV0"}}),
        ])
    }

    fn pod() -> Value {
        json!({
            "metadata": {"name": "web-1", "namespace": "app", "labels": {"tier": "front"}},
            "status": {"podIP": "127.8.0.1"},
        })
    }

    fn env(container: &Value) -> Result<Vec<(String, String)>, ConfigError> {
        let mut env = Env::default();
        env.set("PORT", "21000".to_owned());
        env.define(container, &pod(), &objects(), &["PORT"])?;
        Ok(env.0)
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn values_come_from_the_spec_the_pod_and_other_objects() {
        let container = json!({
            "envFrom": [{"configMapRef": {"name": "conf"}}, {"prefix": "K_", "secretRef": {"name": "keys"}}],
            "env": [
                {"name": "LEVEL", "value": "debug"},
                {"name": "PORT", "value": "8080"},
                {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                {"name": "TIER", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['tier']"}}},
                {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "TOKEN"}}},
                {"name": "GONE", "valueFrom": {"secretKeyRef": {"name": "none", "key": "x", "optional": true}}},
                {"name": "URL", "value": "http://$(IP):$(PORT)/$(NOPE)"},
                {"name": "EMPTY"},
            ],
        });
        assert_eq!(
            env(&container).expect("complete"),
            pairs(&[
                ("PORT", "21000"),
                ("LEVEL", "debug"),
                ("K_TOKEN", "s3cret"),
                ("IP", "127.8.0.1"),
                ("TIER", "front"),
                ("TOKEN", "s3cret"),
                ("URL", "http://127.8.0.1:21000/$(NOPE)"),
                ("EMPTY", ""),
            ])
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        for (container, message) in [
            (
                json!({"envFrom": [{"configMapRef": {"name": "none"}}]}),
                "configmap \"none\" not found",
            ),
            (
                json!({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "none", "key": "x"}}}]}),
                "secret \"none\" not found",
            ),
            (
                json!({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "conf", "key": "x"}}}]}),
                "couldn't find key x in ConfigMap app/conf",
            ),
            (
                json!({"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}]}),
                "resourceFieldRef is not supported here",
            ),
        ] {
            assert_eq!(env(&container).expect_err("missing").to_string(), message);
        }
    }
}
