//! Bringing a custom object into the form of its schema: what the schema does not know goes, what
//! it has defaults for is filled in.

use serde_json::Value;

use super::structural::{Additional, Structural};

/// Drops fields that the schema does not know, and tells their paths: `spec.list[0].junk`.
pub(crate) fn prune(schema: &Structural, object: &mut Value) -> Vec<String> {
    let mut pruner = Pruner { path: String::new(), unknown: Vec::new() };
    pruner.value(Some(schema), object, true);
    pruner.unknown
}

struct Pruner {
    path: String,
    unknown: Vec<String>,
}

impl Pruner {
    /// Without a schema nothing below is known.
    fn value(&mut self, schema: Option<&Structural>, value: &mut Value, root: bool) {
        let preserve = schema.is_some_and(|schema| schema.preserve);
        let meta = root || schema.is_some_and(|schema| schema.embedded);
        let length = self.path.len();
        match value {
            Value::Object(fields) => fields.retain(|name, value| {
                if meta && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
                    return true;
                }
                if length > 0 {
                    self.path.push('.');
                }
                self.path.push_str(name);
                let known = self.field(schema, name, value, preserve);
                if !known {
                    self.unknown.push(self.path.clone());
                }
                self.path.truncate(length);
                known
            }),
            Value::Array(elements) => {
                let items = schema.and_then(|schema| schema.items.as_deref());
                if preserve && items.is_none() {
                    return;
                }
                for (index, element) in elements.iter_mut().enumerate() {
                    self.path.push_str(&format!("[{index}]"));
                    self.value(items, element, false);
                    self.path.truncate(length);
                }
            }
            _ => {}
        }
    }

    /// Whether a field is known; what is below it is pruned.
    fn field(
        &mut self,
        schema: Option<&Structural>,
        name: &str,
        value: &mut Value,
        preserve: bool,
    ) -> bool {
        let Some(schema) = schema else { return false };
        match (schema.field(name), &schema.additional) {
            (Some(field), _) => self.value(Some(field), value, false),
            (None, Some(Additional::Anything)) if !preserve => self.value(None, value, false),
            (None, Some(_)) => {}
            (None, None) => return preserve,
        }
        true
    }
}

/// Fills in defaults. A null where null may not be stands for nothing.
pub(crate) fn fill(schema: &Structural, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, property) in &schema.properties {
                let Some(default) = &property.default else { continue };
                let missing = match fields.get(name) {
                    None => true,
                    Some(value) => value.is_null() && !property.nullable,
                };
                if missing {
                    fields.insert(name.clone(), default.clone());
                }
            }
            for (name, value) in fields.iter_mut() {
                if let Some(field) = schema.field(name) {
                    if value.is_null()
                        && !field.nullable
                        && let Some(default) = &field.default
                    {
                        *value = default.clone();
                    }
                    fill(field, value);
                }
            }
        }
        Value::Array(elements) => {
            let Some(items) = &schema.items else { return };
            for element in elements {
                if element.is_null()
                    && !items.nullable
                    && let Some(default) = &items.default
                {
                    *element = default.clone();
                }
                fill(items, element);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pruned(schema: Value, mut object: Value) -> (Value, Vec<String>) {
        let unknown = prune(&Structural::of(&schema), &mut object);
        (object, unknown)
    }

    #[test]
    fn what_the_schema_does_not_know_goes() {
        let schema = json!({"type": "object", "properties": {
            "spec": {"type": "object", "properties": {
                "a": {"type": "string"},
                "list": {"type": "array", "items": {"type": "object", "properties": {"b": {}}}},
                "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"c": {}}}},
            }},
        }});
        let object = json!({
            "apiVersion": "x/v1", "kind": "X", "metadata": {"name": "n"}, "junk": 1,
            "spec": {"a": "1", "z": 1, "list": [{"b": 1, "y": 1}], "map": {"k": {"c": 1, "x": 1}}},
        });
        let (object, unknown) = pruned(schema, object);
        assert_eq!(unknown, ["junk", "spec.list[0].y", "spec.map.k.x", "spec.z"]);
        assert_eq!(
            object,
            json!({
                "apiVersion": "x/v1", "kind": "X", "metadata": {"name": "n"},
                "spec": {"a": "1", "list": [{"b": 1}], "map": {"k": {"c": 1}}},
            })
        );
    }

    #[test]
    fn unknown_fields_stay_where_the_schema_says_so() {
        let schema = json!({"type": "object", "properties": {
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {
                "strict": {"type": "object", "properties": {"a": {}}},
            }},
            "pod": {"type": "object", "x-kubernetes-embedded-resource": true},
        }});
        let object = json!({
            "free": {"any": {"thing": [{"x": 1}]}, "strict": {"a": 1, "b": 2}},
            "pod": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {}},
        });
        let (object, unknown) = pruned(schema, object);
        assert_eq!(unknown, ["free.strict.b", "pod.spec"]);
        assert_eq!(
            object,
            json!({
                "free": {"any": {"thing": [{"x": 1}]}, "strict": {"a": 1}},
                "pod": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}},
            })
        );
    }

    #[test]
    fn defaults_are_filled_in_also_within_defaults() {
        let schema = Structural::of(&json!({"type": "object", "properties": {
            "spec": {"type": "object", "default": {}, "properties": {
                "n": {"type": "integer", "default": 3},
                "none": {"type": "string", "nullable": true, "default": "x"},
                "list": {"type": "array", "items": {"type": "object", "properties": {
                    "p": {"type": "string", "default": "TCP"},
                }}},
            }},
        }}));
        for (given, expected) in [
            (json!({}), json!({"spec": {"n": 3, "none": "x"}})),
            (json!({"spec": {"n": null, "none": null}}), json!({"spec": {"n": 3, "none": null}})),
            (
                json!({"spec": {"n": 1, "none": "y", "list": [{}, {"p": "UDP"}]}}),
                json!({"spec": {"n": 1, "none": "y", "list": [{"p": "TCP"}, {"p": "UDP"}]}}),
            ),
        ] {
            let mut object = given.clone();
            fill(&schema, &mut object);
            assert_eq!(object, expected, "{given}");
        }
    }
}
