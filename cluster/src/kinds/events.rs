//! Events under their second name: `events.k8s.io` shows the same objects with other field names.

use serde_json::{Map, Value, json};

use super::{Alias, EVENT};
use crate::meta::object_at;

/// `events.k8s.io/v1`, kept as core events.
pub(crate) static EVENTS_V1: Alias = Alias { kind: &EVENT, inward, outward };

/// Names of one field in `events.k8s.io/v1` and in `v1`. The others are the same.
const NAMES: [(&str, &str); 7] = [
    ("regarding", "involvedObject"),
    ("note", "message"),
    ("reportingController", "reportingComponent"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
];

fn inward(event: &mut Value) {
    rename(event, "v1", |(outer, inner)| (outer, inner));
}

fn outward(event: &mut Value) {
    rename(event, "events.k8s.io/v1", |(outer, inner)| (inner, outer));
}

fn rename(
    event: &mut Value,
    version: &str,
    direction: impl Fn((&'static str, &'static str)) -> (&'static str, &'static str),
) {
    let fields = object_at(event);
    // Taken out before any is put in: a name may not overwrite another.
    let taken: Map<String, Value> = NAMES
        .into_iter()
        .filter_map(|names| {
            let (from, to) = direction(names);
            Some((to.to_owned(), fields.remove(from)?))
        })
        .collect();
    fields.extend(taken);
    fields.insert("apiVersion".to_owned(), json!(version));
}

/// Where the value of a field that selects events of this version stands.
pub(crate) fn selected_path(path: &str) -> String {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let inner = NAMES.iter().find(|(outer, _)| *outer == first).map_or(first, |(_, inner)| inner);
    if rest.is_empty() { inner.to_owned() } else { format!("{inner}.{rest}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_two_forms() {
        let core = json!({
            "apiVersion": "v1", "kind": "Event", "involvedObject": {"name": "p"}, "message": "m",
            "reportingComponent": "c", "source": {}, "firstTimestamp": null, "type": "Normal",
        });
        let mut event = core.clone();
        outward(&mut event);
        assert_eq!(
            event,
            json!({
                "apiVersion": "events.k8s.io/v1", "kind": "Event", "regarding": {"name": "p"}, "note": "m",
                "reportingController": "c", "deprecatedSource": {}, "deprecatedFirstTimestamp": null,
                "type": "Normal",
            })
        );
        inward(&mut event);
        assert_eq!(event, core);
        assert_eq!(selected_path("regarding.name"), "involvedObject.name");
        assert_eq!(selected_path("reason"), "reason");
    }
}
