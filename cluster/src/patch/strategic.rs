//! Strategic merge patch: a merge patch that merges lists by the keys that the schema names.
//!
//! <https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/>

use serde_json::{Map, Value};

use crate::schema::{Schema, Type, TypeId};
use crate::status::Status;

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const ORDER: &str = "$setElementOrder/";

/// Changes `target` as the patch says.
///
/// # Errors
/// 400 for a directive that is not known, or a list element without its key.
pub fn merge(schema: &Schema, id: TypeId, target: &mut Value, patch: Value) -> Result<(), Status> {
    let Value::Object(patch) = patch else {
        return Err(Status::bad_request("a strategic merge patch must be an object"));
    };
    let merger = Merger { schema };
    let original = std::mem::take(crate::meta::object_at(target));
    *target = Value::Object(merger.maps(Some(id), original, patch)?);
    Ok(())
}

struct Merger<'a> {
    schema: &'a Schema,
}

impl Merger<'_> {
    fn maps(
        &self,
        id: Option<TypeId>,
        mut original: Map<String, Value>,
        mut patch: Map<String, Value>,
    ) -> Result<Map<String, Value>, Status> {
        match directive(&mut patch)? {
            Directive::Replace => return Ok(without_directives(patch)),
            Directive::Delete => return Ok(Map::new()),
            Directive::Merge => {}
        }
        if let Some(Value::Array(keys)) = patch.remove(RETAIN_KEYS) {
            original.retain(|name, _| keys.iter().any(|key| key == name));
        }
        let mut orders = Map::new();
        for (name, value) in patch {
            if let Some(field) = name.strip_prefix(ORDER) {
                orders.insert(field.to_owned(), value);
            } else if let Some(field) = name.strip_prefix(DELETE_FROM) {
                delete_from(&mut original, field, &value);
            } else if value.is_null() {
                original.remove(&name);
            } else {
                let ty = id.and_then(|id| self.schema.field(id, &name));
                let merged = self.values(ty, original.remove(&name), value)?;
                original.insert(name, merged);
            }
        }
        for (field, order) in orders {
            let ty = id.and_then(|id| self.schema.field(id, &field));
            if let (Some(Value::Array(list)), Value::Array(order)) =
                (original.get_mut(&field), order)
            {
                let key = self.patch_key(ty).unwrap_or_default();
                let live = list.clone();
                *list = in_order(std::mem::take(list), &order, &live, key);
            }
        }
        Ok(original)
    }

    fn values(
        &self,
        id: Option<TypeId>,
        original: Option<Value>,
        patch: Value,
    ) -> Result<Value, Status> {
        match (original, patch) {
            (Some(Value::Object(original)), Value::Object(patch)) => {
                Ok(Value::Object(self.maps(id, original, patch)?))
            }
            (original, Value::Array(patch)) => match (original, self.patch_key(id)) {
                (Some(Value::Array(original)), Some(key)) => {
                    Ok(Value::Array(self.lists(id, original, patch, key)?))
                }
                (_, Some(key)) => Ok(Value::Array(self.lists(id, Vec::new(), patch, key)?)),
                (_, None) => Ok(Value::Array(patch.into_iter().map(plain).collect())),
            },
            (_, Value::Object(patch)) => Ok(Value::Object(self.maps(id, Map::new(), patch)?)),
            (_, patch) => Ok(patch),
        }
    }

    /// Merges lists by a key, or with an empty key as sets of plain values.
    fn lists(
        &self,
        id: Option<TypeId>,
        original: Vec<Value>,
        patch: Vec<Value>,
        key: &str,
    ) -> Result<Vec<Value>, Status> {
        let items = id.and_then(|id| match self.schema.get(id) {
            Type::List { items, .. } => Some(*items),
            _ => None,
        });
        let live = original.clone();
        let mut merged = original;
        let mut order = Vec::new();
        for element in patch {
            let Value::Object(mut element) = element else {
                if !merged.contains(&element) {
                    merged.push(element.clone());
                }
                order.push(element);
                continue;
            };
            let directive = directive(&mut element)?;
            if directive == Directive::Replace && !element.contains_key(key) {
                // An element that says only this: the other elements replace the list.
                merged.clear();
                continue;
            }
            let Some(identity) = element.get(key).cloned() else {
                return Err(Status::bad_request(format!(
                    "map: {} does not contain declared merge key: {key}",
                    Value::Object(element)
                )));
            };
            let at = merged.iter().position(|found| found.get(key) == Some(&identity));
            match (directive, at) {
                (Directive::Delete, _) => {
                    merged.retain(|found| found.get(key) != Some(&identity));
                    continue;
                }
                (Directive::Replace, Some(at)) => {
                    merged[at] = Value::Object(without_directives(element.clone()));
                }
                (Directive::Merge, Some(at)) => {
                    let found = merged[at].take();
                    merged[at] = self.values(items, Some(found), Value::Object(element.clone()))?;
                }
                (_, None) => {
                    merged.push(self.values(items, None, Value::Object(element.clone()))?);
                }
            }
            order.push(Value::Object(element));
        }
        Ok(in_order(merged, &order, &live, key))
    }

    /// The key that a list is merged by; empty for plain values; `None` where it is replaced.
    fn patch_key(&self, id: Option<TypeId>) -> Option<&str> {
        match self.schema.get(id?) {
            Type::List { patch_key, .. } => patch_key.as_deref(),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Directive {
    Merge,
    Replace,
    Delete,
}

fn directive(patch: &mut Map<String, Value>) -> Result<Directive, Status> {
    match patch.remove(DIRECTIVE) {
        None => Ok(Directive::Merge),
        Some(value) => match value.as_str() {
            Some("merge") => Ok(Directive::Merge),
            Some("replace") => Ok(Directive::Replace),
            Some("delete") => Ok(Directive::Delete),
            _ => Err(Status::bad_request(format!("unknown patch type: {value}"))),
        },
    }
}

fn delete_from(original: &mut Map<String, Value>, field: &str, values: &Value) {
    let (Some(Value::Array(list)), Value::Array(values)) = (original.get_mut(field), values) else {
        return;
    };
    list.retain(|value| !values.contains(value));
}

/// What is written where nothing is merged: no directives, and no nulls in maps.
fn plain(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(without_directives(map)),
        Value::Array(list) => Value::Array(list.into_iter().map(plain).collect()),
        other => other,
    }
}

fn without_directives(map: Map<String, Value>) -> Map<String, Value> {
    map.into_iter()
        .filter(|(name, value)| {
            let directive = [DIRECTIVE, RETAIN_KEYS].contains(&name.as_str())
                || name.starts_with(ORDER)
                || name.starts_with(DELETE_FROM);
            !directive && !value.is_null()
        })
        .map(|(name, value)| (name, plain(value)))
        .collect()
}

/// Brings elements into the order of `wanted`. Elements that are not in it keep the order that they
/// have in `live`, and stand before the elements that they stood before there, but after new ones.
fn in_order(elements: Vec<Value>, wanted: &[Value], live: &[Value], key: &str) -> Vec<Value> {
    let same = |a: &Value, b: &Value| match a.get(key).or_else(|| b.get(key)) {
        Some(_) => a.get(key) == b.get(key),
        None => a == b,
    };
    let place = |list: &[Value], element: &Value| list.iter().position(|e| same(e, element));
    let (mut named, mut others): (Vec<Value>, Vec<Value>) =
        elements.into_iter().partition(|element| place(wanted, element).is_some());
    named.sort_by_key(|element| place(wanted, element));
    others.sort_by_key(|element| place(live, element));
    let mut all = Vec::with_capacity(named.len() + others.len());
    let (mut named, mut others) = (named.into_iter().peekable(), others.into_iter().peekable());
    loop {
        let before = match (named.peek(), others.peek()) {
            (Some(named), Some(other)) => match (place(live, other), place(live, named)) {
                (Some(other), Some(named)) => other < named,
                _ => false,
            },
            (None, Some(_)) => true,
            (Some(_), None) => false,
            (None, None) => return all,
        };
        all.extend(if before { others.next() } else { named.next() });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds;
    use crate::schema::of;

    fn patched(mut pod: Value, patch: Value) -> Value {
        let (schema, id) = of(&kinds::POD);
        merge(schema, id, &mut pod, patch).expect("a good patch");
        pod
    }

    fn pod() -> Value {
        json!({"metadata": {"finalizers": ["a", "b"]}, "spec": {"containers": [
            {"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]},
            {"name": "b", "image": "2", "args": ["p", "q"]},
        ], "volumes": [{"name": "v", "emptyDir": {}}]}})
    }

    fn names(pod: &Value) -> Vec<&str> {
        let list = pod["spec"]["containers"].as_array().expect("containers");
        list.iter().filter_map(|container| container["name"].as_str()).collect()
    }

    #[test]
    fn elements_are_merged_by_their_key_and_new_ones_come_after() {
        let after = patched(
            pod(),
            json!({"spec": {"containers": [
                {"name": "b", "image": "3"},
                {"name": "c", "image": "4"},
            ]}}),
        );
        assert_eq!(names(&after), ["a", "b", "c"]);
        assert_eq!(
            after["spec"]["containers"][1],
            json!({"name": "b", "image": "3", "args": ["p", "q"]})
        );
        let after = patched(
            pod(),
            json!({"spec": {"containers": [{"name": "a", "env": [{"name": "Y", "value": "9"}]}]}}),
        );
        assert_eq!(
            after["spec"]["containers"][0]["env"],
            json!([{"name": "X", "value": "1"}, {"name": "Y", "value": "9"}])
        );
    }

    #[test]
    fn directives_delete_replace_and_order() {
        let after =
            patched(pod(), json!({"spec": {"containers": [{"$patch": "delete", "name": "a"}]}}));
        assert_eq!(names(&after), ["b"]);
        let after = patched(
            pod(),
            json!({"spec": {"containers": [{"$patch": "replace"}, {"name": "z", "image": "9"}]}}),
        );
        assert_eq!(names(&after), ["z"]);
        let after = patched(
            pod(),
            json!({"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}}),
        );
        assert_eq!(names(&after), ["b", "a"]);
        let after =
            patched(pod(), json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}));
        assert_eq!(after["metadata"]["finalizers"], json!(["b"]));
        let after = patched(
            pod(),
            json!({"spec": {"volumes": [{"name": "v", "$retainKeys": ["name", "secret"], "secret": {"secretName": "s"}}]}}),
        );
        assert_eq!(after["spec"]["volumes"], json!([{"name": "v", "secret": {"secretName": "s"}}]));
        let after = patched(pod(), json!({"spec": {"$patch": "replace", "hostname": "h"}}));
        assert_eq!(after["spec"], json!({"hostname": "h"}));
    }

    #[test]
    fn plain_lists_are_replaced_sets_grow_and_nulls_remove() {
        let after = patched(pod(), json!({"spec": {"containers": [{"name": "b", "args": ["z"]}]}}));
        assert_eq!(after["spec"]["containers"][1]["args"], json!(["z"]));
        let after =
            patched(pod(), json!({"metadata": {"finalizers": ["c"]}, "spec": {"volumes": null}}));
        assert_eq!(
            after["metadata"]["finalizers"],
            json!(["c", "a", "b"]),
            "as Kubernetes orders them"
        );
        assert_eq!(after["spec"].get("volumes"), None);
    }

    #[test]
    fn bad_patches_are_refused() {
        let (schema, id) = of(&kinds::POD);
        for bad in [
            json!([1]),
            json!({"spec": {"$patch": "other"}}),
            json!({"spec": {"containers": [{"image": "1"}]}}),
        ] {
            assert_eq!(merge(schema, id, &mut pod(), bad).expect_err("refused").code, 400);
        }
    }
}
