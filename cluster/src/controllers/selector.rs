//! `LabelSelector` as objects carry it: `matchLabels` and `matchExpressions`.

use serde_json::Value;

use super::object::Object;

/// Whether an object's labels satisfy a `LabelSelector`. An absent or empty selector matches
/// nothing: a controller that took every pod of the namespace would be a mistake, never a wish.
pub(crate) fn selects(selector: &Value, object: &Value) -> bool {
    let labels = &object["metadata"]["labels"];
    let pairs = selector["matchLabels"].as_object();
    let rules = selector.list("/matchExpressions");
    if pairs.is_none_or(serde_json::Map::is_empty) && rules.is_empty() {
        return false;
    }
    pairs.into_iter().flatten().all(|(key, value)| labels[key.as_str()] == *value)
        && rules.iter().all(|rule| holds(rule, labels))
}

/// Whether an object's labels contain every pair of a plain map, as in `spec.selector` of a
/// Service. An absent or empty map matches nothing.
pub(crate) fn has_labels(pairs: &Value, object: &Value) -> bool {
    let labels = &object["metadata"]["labels"];
    pairs.as_object().is_some_and(|pairs| {
        !pairs.is_empty() && pairs.iter().all(|(key, value)| labels[key.as_str()] == *value)
    })
}

fn holds(rule: &Value, labels: &Value) -> bool {
    let value = &labels[rule["key"].as_str().unwrap_or_default()];
    let listed = rule.list("/values").contains(value);
    match rule["operator"].as_str() {
        Some("In") => listed,
        Some("NotIn") => !listed,
        Some("Exists") => value.is_string(),
        Some("DoesNotExist") => value.is_null(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_label_and_every_expression_must_hold() {
        let pod = json!({"metadata": {"labels": {"app": "web", "tier": "front"}}});
        let yes = [
            json!({"matchLabels": {"app": "web"}}),
            json!({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["front"]}]}),
            json!({"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["a"]}]}),
            json!({"matchExpressions": [{"key": "app", "operator": "Exists"}]}),
            json!({"matchExpressions": [{"key": "zone", "operator": "DoesNotExist"}]}),
        ];
        let no = [
            json!({}),
            json!({"matchLabels": {}}),
            json!({"matchLabels": {"app": "web", "zone": "a"}}),
            json!({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}),
            json!({"matchExpressions": [{"key": "app", "operator": "Like"}]}),
        ];
        for selector in yes {
            assert!(selects(&selector, &pod), "{selector}");
        }
        for selector in no {
            assert!(!selects(&selector, &pod), "{selector}");
        }
    }
}
