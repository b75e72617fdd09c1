//! The ports that a pod really listens on.
//!
//! In Kubernetes every pod has a network of its own, so that all can listen on port 8080. Here they
//! share the machine's: a container that declares `PORT` gets a free one, and the kubelet records
//! what it stands for in the pod's annotation [`ANNOTATION`], so that EndpointSlices and probes are
//! functions of the objects alone.

use serde_json::Value;

use crate::meta;

/// Pairs of declared and actual port, separated by commas: `8080:21734,9090:21735`. `*` instead of
/// the declared port stands for every port that is not listed.
pub const ANNOTATION: &str = "cluster.fairlead.dev/ports";

/// Declared ports and the actual ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PortMap {
    listed: Vec<(u16, u16)>,
    rest: Option<u16>,
}

impl PortMap {
    /// Reads a pod's annotation. What is malformed or absent maps nothing.
    pub fn of(pod: &Value) -> Self {
        let mut map = Self::default();
        let pairs = meta::annotation(pod, ANNOTATION).unwrap_or_default().split(',');
        for (declared, actual) in pairs.filter_map(|pair| pair.split_once(':')) {
            match (declared, declared.parse(), actual.parse()) {
                (_, Ok(declared), Ok(actual)) => map.insert(Some(declared), actual),
                ("*", _, Ok(actual)) => map.insert(None, actual),
                _ => {}
            }
        }
        map
    }

    /// Adds a pair; `None` stands for every port that is not listed. The first of a kind stays.
    pub fn insert(&mut self, declared: Option<u16>, actual: u16) {
        match declared {
            None => self.rest = self.rest.or(Some(actual)),
            Some(port) if self.listed.iter().all(|(known, _)| *known != port) => {
                self.listed.push((port, actual));
            }
            Some(_) => {}
        }
    }

    /// The actual port behind a declared one: the same where nothing is recorded.
    pub fn actual(&self, declared: u16) -> u16 {
        let listed = self.listed.iter().find(|(port, _)| *port == declared);
        listed.map(|(_, actual)| *actual).or(self.rest).unwrap_or(declared)
    }

    /// Whether nothing is recorded.
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty() && self.rest.is_none()
    }

    /// The value of the annotation.
    pub fn annotation(&self) -> String {
        let listed = self.listed.iter().map(|(declared, actual)| format!("{declared}:{actual}"));
        let rest = self.rest.map(|actual| format!("*:{actual}"));
        listed.chain(rest).collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_annotation_reads_back() {
        let mut map = PortMap::default();
        map.insert(Some(8080), 21734);
        map.insert(None, 21735);
        assert_eq!(map.annotation(), "8080:21734,*:21735");
        let pod = json!({"metadata": {"annotations": {ANNOTATION: map.annotation()}}});
        assert_eq!(PortMap::of(&pod), map);
        assert_eq!((map.actual(8080), map.actual(9090)), (21734, 21735));
    }

    #[test]
    fn without_a_record_ports_are_what_they_say() {
        for annotation in [json!(null), json!(""), json!("x:y,,8080:")] {
            let pod = json!({"metadata": {"annotations": {ANNOTATION: annotation}}});
            assert!(PortMap::of(&pod).is_empty());
            assert_eq!(PortMap::of(&pod).actual(8080), 8080);
        }
    }
}
