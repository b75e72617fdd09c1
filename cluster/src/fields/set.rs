//! Sets of fields, in the notation of `FieldsV1`.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

/// One step on the way to a field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// A field of a struct or a key of a map.
    Field(String),
    /// An element of a list, by the values of its keys: compact JSON, keys in order.
    Key(String),
    /// An element of a list, by its value: compact JSON.
    Value(String),
}

/// A set of fields.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct FieldSet(BTreeMap<Step, Node>);

#[derive(Debug, Clone, Default, PartialEq)]
struct Node {
    /// Whether the field itself is in the set, whatever is below it.
    member: bool,
    below: FieldSet,
}

impl FieldSet {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the field at the end of a path.
    pub(crate) fn insert(&mut self, path: &[Step]) {
        let Some((first, rest)) = path.split_first() else { return };
        let node = self.0.entry(first.clone()).or_default();
        match rest {
            [] => node.member = true,
            rest => node.below.insert(rest),
        }
    }

    /// Whether the field one step down is in the set.
    pub(crate) fn has(&self, step: &Step) -> bool {
        self.0.get(step).is_some_and(|node| node.member)
    }

    /// What is in the set below a step.
    pub(crate) fn below(&self, step: &Step) -> Option<&Self> {
        self.0.get(step).map(|node| &node.below).filter(|below| !below.is_empty())
    }

    pub(crate) fn union(&self, other: &Self) -> Self {
        let mut all = self.clone();
        for (step, theirs) in &other.0 {
            let ours = all.0.entry(step.clone()).or_default();
            ours.member |= theirs.member;
            ours.below = ours.below.union(&theirs.below);
        }
        all
    }

    /// The fields of this set that the other does not have. A field is not taken away by one above it.
    pub(crate) fn difference(&self, other: &Self) -> Self {
        self.combine(other, |ours, theirs| ours && !theirs, Self::difference, true)
    }

    /// The fields that both sets have.
    pub(crate) fn intersection(&self, other: &Self) -> Self {
        self.combine(other, |ours, theirs| ours && theirs, Self::intersection, false)
    }

    fn combine(
        &self,
        other: &Self,
        member: impl Fn(bool, bool) -> bool + Copy,
        below: impl Fn(&Self, &Self) -> Self + Copy,
        keep_alone: bool,
    ) -> Self {
        let nodes = self.0.iter().filter_map(|(step, ours)| {
            let node = match other.0.get(step) {
                Some(theirs) => Node {
                    member: member(ours.member, theirs.member),
                    below: below(&ours.below, &theirs.below),
                },
                None if keep_alone => ours.clone(),
                None => return None,
            };
            (node.member || !node.below.is_empty()).then(|| (step.clone(), node))
        });
        Self(nodes.collect())
    }

    /// Takes out a field and everything below it.
    pub(crate) fn without(mut self, path: &[&str]) -> Self {
        let Some((first, rest)) = path.split_first() else { return self };
        let step = Step::Field((*first).to_owned());
        let Some(mut node) = self.0.remove(&step) else { return self };
        if !rest.is_empty() {
            node.below = node.below.without(rest);
            if node.member || !node.below.is_empty() {
                self.0.insert(step, node);
            }
        }
        self
    }

    /// Takes out a field, but not what is below it.
    pub(crate) fn without_only(mut self, path: &[&str]) -> Self {
        let Some((first, rest)) = path.split_first() else { return self };
        let step = Step::Field((*first).to_owned());
        let Some(mut node) = self.0.remove(&step) else { return self };
        match rest {
            [] => node.member = false,
            rest => node.below = node.below.without_only(rest),
        }
        if node.member || !node.below.is_empty() {
            self.0.insert(step, node);
        }
        self
    }

    /// The same set with every step that has something below it and that `choose` accepts as a
    /// member; `choose` is told the way.
    pub(crate) fn with_inner_members(
        &self,
        way: &mut Vec<Step>,
        choose: &dyn Fn(&[Step]) -> bool,
    ) -> Self {
        let nodes = self.0.iter().map(|(step, node)| {
            way.push(step.clone());
            let inner = !node.below.is_empty() && choose(way);
            let below = node.below.with_inner_members(way, choose);
            way.pop();
            (step.clone(), Node { member: node.member || inner, below })
        });
        Self(nodes.collect())
    }

    /// Every field, in order.
    pub(crate) fn paths(&self) -> Vec<Path> {
        let mut paths = Vec::new();
        self.collect(&mut Vec::new(), &mut paths);
        paths
    }

    fn collect(&self, way: &mut Vec<Step>, paths: &mut Vec<Path>) {
        for (step, _) in self.0.iter().filter(|(_, node)| node.member) {
            let mut path = way.clone();
            path.push(step.clone());
            paths.push(Path(path));
        }
        for (step, node) in &self.0 {
            way.push(step.clone());
            node.below.collect(way, paths);
            way.pop();
        }
    }

    /// `FieldsV1`.
    pub(crate) fn to_json(&self) -> Value {
        let mut fields = Map::new();
        for (step, node) in &self.0 {
            let mut below = node.below.to_json();
            if node.member && !node.below.is_empty() {
                below["."] = Value::Object(Map::new());
            }
            let name = match step {
                Step::Field(name) => format!("f:{name}"),
                Step::Key(keys) => format!("k:{keys}"),
                Step::Value(value) => format!("v:{value}"),
            };
            fields.insert(name, below);
        }
        Value::Object(fields)
    }

    /// Reads `FieldsV1`; `None` where it is malformed.
    pub(crate) fn from_json(fields: &Value) -> Option<Self> {
        let mut set = Self::default();
        for (name, below) in fields.as_object()? {
            let step = match name.split_once(':') {
                None if name == "." => continue,
                Some(("f", name)) => Step::Field(name.to_owned()),
                Some(("k", keys)) => Step::Key(canonical(keys)?),
                Some(("v", value)) => Step::Value(canonical(value)?),
                _ => return None,
            };
            let inner = below.as_object()?;
            let node = Node {
                member: inner.is_empty() || inner.contains_key("."),
                below: Self::from_json(below)?,
            };
            set.0.insert(step, node);
        }
        Some(set)
    }
}

/// JSON as it is written here, so that equal values are equal texts.
fn canonical(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    Some(match value.as_object() {
        Some(keys) => key_text(keys.iter()),
        None => value.to_string(),
    })
}

/// Values of keys as compact JSON, ordered by key.
pub(crate) fn key_text<'a>(keys: impl Iterator<Item = (&'a String, &'a Value)>) -> String {
    let ordered: BTreeMap<&String, &Value> = keys.collect();
    serde_json::to_string(&ordered).expect("values with text keys, written to memory")
}

/// The way to a field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Path(Vec<Step>);

/// As Kubernetes writes it: `.spec.containers[name="web"].image`.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.0 {
            match step {
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Value(value) => write!(f, "[={value}]")?,
                Step::Key(keys) => {
                    let keys: BTreeMap<String, Value> =
                        serde_json::from_str(keys).unwrap_or_default();
                    let shown: Vec<String> =
                        keys.iter().map(|(name, value)| format!("{name}={value}")).collect();
                    write!(f, "[{}]", shown.join(","))?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(fields: Value) -> FieldSet {
        FieldSet::from_json(&fields).expect("well-formed")
    }

    #[test]
    fn the_notation_reads_and_writes_the_same() {
        let fields = json!({
            "f:metadata": {"f:finalizers": {".": {}, "v:\"ex.io/f\"": {}}},
            "f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}},
        });
        assert_eq!(set(fields.clone()).to_json(), fields);
        let paths: Vec<String> = set(fields).paths().iter().map(ToString::to_string).collect();
        assert_eq!(
            paths,
            [
                ".metadata.finalizers",
                ".metadata.finalizers[=\"ex.io/f\"]",
                ".spec.ports[port=80,protocol=\"TCP\"]",
                ".spec.ports[port=80,protocol=\"TCP\"].port",
            ]
        );
        assert_eq!(FieldSet::from_json(&json!({"x:a": {}})), None);
        assert_eq!(FieldSet::from_json(&json!({"k:{": {}})), None);
    }

    #[test]
    fn sets_combine_path_by_path() {
        let a = set(json!({"f:d": {".": {}, "f:x": {}, "f:y": {}}}));
        let b = set(json!({"f:d": {"f:x": {}}, "f:e": {}}));
        assert_eq!(
            a.union(&b).to_json(),
            json!({"f:d": {".": {}, "f:x": {}, "f:y": {}}, "f:e": {}})
        );
        assert_eq!(a.difference(&b).to_json(), json!({"f:d": {".": {}, "f:y": {}}}));
        assert_eq!(a.intersection(&b).to_json(), json!({"f:d": {"f:x": {}}}));
        assert_eq!(
            a.difference(&set(json!({"f:d": {}}))).to_json(),
            json!({"f:d": {"f:x": {}, "f:y": {}}})
        );
        assert!(a.difference(&a).is_empty());
        assert_eq!(a.clone().without(&["d"]).to_json(), json!({}));
        assert_eq!(a.without_only(&["d"]).to_json(), json!({"f:d": {"f:x": {}, "f:y": {}}}));
    }
}
