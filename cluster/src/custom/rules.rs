//! Checking a custom object against its schema, in the words of Kubernetes.

use serde_json::{Number, Value};

use super::formats;
use super::structural::{Bound, Range, Structural};
use crate::schema::{ListMerge, json_type};
use crate::status::Cause;

/// What is wrong with an object. A value that was there before and did not change is not looked at,
/// so that objects that were valid once can still be changed elsewhere.
pub(crate) fn check(schema: &Structural, object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut checker = Checker { causes: Vec::new() };
    checker.value(schema, object, old, "");
    checker.causes
}

struct Checker {
    causes: Vec<Cause>,
}

impl Checker {
    fn value(&mut self, schema: &Structural, value: &Value, old: Option<&Value>, path: &str) {
        if old == Some(value) || (value.is_null() && schema.nullable) {
            return;
        }
        if !self.has_type(schema, value, path) {
            return;
        }
        self.choice(schema, value, path);
        match value {
            Value::String(text) => self.text(schema, text, path),
            Value::Number(number) => self.number(schema, number, path),
            Value::Array(elements) => self.list(schema, elements, path),
            Value::Object(_) => self.object(schema, value, old, path),
            _ => {}
        }
        self.combined(schema, value, path);
    }

    fn has_type(&mut self, schema: &Structural, value: &Value, path: &str) -> bool {
        let found = match value {
            Value::Number(number) if is_whole(number) => "integer",
            Value::Bool(_) => "boolean",
            other => json_type(other),
        };
        let fits = match schema.ty.as_str() {
            _ if schema.int_or_string => matches!(found, "integer" | "string"),
            "" => !value.is_null(),
            "number" => value.is_number(),
            wanted => found == wanted,
        };
        if !fits {
            let wanted = match schema.ty.as_str() {
                _ if schema.int_or_string => "integer,string",
                wanted => wanted,
            };
            let why = format!("{path} in body must be of type {wanted}: {found:?}");
            self.causes.push(Cause::type_invalid(path, &found.into(), &why));
        }
        fits
    }

    fn invalid(&mut self, path: &str, value: &Value, why: &str) {
        self.causes.push(Cause::invalid(path, value, &format!("{path} in body {why}")));
    }

    fn choice(&mut self, schema: &Structural, value: &Value, path: &str) {
        let choices = &schema.rules.choices;
        if choices.is_empty() || choices.contains(value) {
            return;
        }
        let shown = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let allowed: Vec<String> = choices.iter().map(shown).collect();
        let allowed: Vec<&str> = allowed.iter().map(String::as_str).collect();
        self.causes.push(Cause::not_supported(path, &shown(value), &allowed));
    }

    fn text(&mut self, schema: &Structural, text: &str, path: &str) {
        let rules = &schema.rules;
        let value = Value::from(text);
        let length = text.chars().count();
        if let Some(most) = beyond(&rules.length, length) {
            self.causes.push(Cause::too_long(path, most));
        }
        if let Some(least) = below(&rules.length, length) {
            self.invalid(path, &value, &format!("should be at least {least} chars long"));
        }
        if rules.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(text)) {
            self.invalid(path, &value, &format!("should match '{}'", rules.pattern_text));
        }
        if !formats::fits(&rules.format, text) {
            let why = format!("{path} in body must be of type {}: {text:?}", rules.format);
            self.causes.push(Cause::type_invalid(path, &value, &why));
        }
    }

    fn number(&mut self, schema: &Structural, number: &Number, path: &str) {
        let rules = &schema.rules;
        let value = Value::from(number.clone());
        let found = number.as_f64().unwrap_or_default();
        let limit = |bound: &Bound| bound.number.as_f64().unwrap_or_default();
        if let Some(bound) = &rules.minimum
            && (found < limit(bound) || bound.exclusive && found <= limit(bound))
        {
            let or_equal = if bound.exclusive { "" } else { " or equal to" };
            self.invalid(
                path,
                &value,
                &format!("should be greater than{or_equal} {}", bound.number),
            );
        }
        if let Some(bound) = &rules.maximum
            && (found > limit(bound) || bound.exclusive && found >= limit(bound))
        {
            let or_equal = if bound.exclusive { "" } else { " or equal to" };
            self.invalid(path, &value, &format!("should be less than{or_equal} {}", bound.number));
        }
        if let Some(factor) = &rules.multiple_of {
            let of = factor.as_f64().unwrap_or(1.0);
            if (found / of).fract().abs() > f64::EPSILON {
                self.invalid(path, &value, &format!("should be a multiple of {factor}"));
            }
        }
    }

    fn list(&mut self, schema: &Structural, elements: &[Value], path: &str) {
        if let Some(most) = beyond(&schema.rules.items, elements.len()) {
            self.causes.push(Cause::too_many(path, elements.len(), most));
        }
        if let Some(least) = below(&schema.rules.items, elements.len()) {
            let found = Value::from(elements.len());
            self.invalid(path, &found, &format!("should have at least {least} items"));
        }
        self.duplicates(schema, elements, path);
        let Some(items) = &schema.items else { return };
        for (index, element) in elements.iter().enumerate() {
            self.value(items, element, None, &format!("{path}[{index}]"));
        }
    }

    fn duplicates(&mut self, schema: &Structural, elements: &[Value], path: &str) {
        let keys: &dyn Fn(&Value) -> Value = match &schema.list {
            Some(ListMerge::Set) => &Value::clone,
            Some(ListMerge::Keys(keys)) => &|element| {
                let found = keys.iter().map(|key| (key.clone(), element[key].clone()));
                Value::Object(found.filter(|(_, value)| !value.is_null()).collect())
            },
            _ => return,
        };
        let mut seen = std::collections::HashSet::new();
        for (index, element) in elements.iter().enumerate() {
            let key = keys(element).to_string();
            if seen.contains(&key) {
                self.causes.push(Cause::duplicate(format!("{path}[{index}]"), &key));
            }
            seen.insert(key);
        }
    }

    fn object(&mut self, schema: &Structural, value: &Value, old: Option<&Value>, path: &str) {
        let Value::Object(fields) = value else { return };
        if let Some(most) = beyond(&schema.rules.properties, fields.len()) {
            self.causes.push(Cause::too_many(path, fields.len(), most));
        }
        if let Some(least) = below(&schema.rules.properties, fields.len()) {
            self.invalid(path, value, &format!("should have at least {least} properties"));
        }
        let embedded = schema.embedded.then_some(["apiVersion", "kind"]);
        let embedded = embedded.into_iter().flatten();
        for name in schema.rules.required.iter().map(String::as_str).chain(embedded) {
            if !fields.contains_key(name) {
                self.causes.push(Cause::required(join(path, name), ""));
            }
        }
        for (name, value) in fields {
            if let Some(field) = schema.field(name) {
                let old = old.and_then(|old| old.get(name));
                self.value(field, value, old, &join(path, name));
            }
        }
    }

    /// `allOf`, `anyOf`, `oneOf`, `not`.
    fn combined(&mut self, schema: &Structural, value: &Value, path: &str) {
        let rules = &schema.rules;
        for each in &rules.all_of {
            self.value(each, value, None, path);
        }
        let fitting = |list: &[Structural]| {
            list.iter().filter(|each| check(each, value, None).is_empty()).count()
        };
        let shown = Value::String(path.to_owned());
        let mut refuse = |why: &str| {
            let why = format!("{shown} must {why}");
            self.causes.push(Cause::invalid(path, value, &why));
        };
        if !rules.any_of.is_empty() && fitting(&rules.any_of) == 0 {
            refuse("validate at least one schema (anyOf)");
        }
        match fitting(&rules.one_of) {
            1 => {}
            _ if rules.one_of.is_empty() => {}
            0 => refuse("validate one and only one schema (oneOf). Found none valid"),
            found => refuse(&format!(
                "validate one and only one schema (oneOf). Found {found} valid alternatives"
            )),
        }
        if rules.not.as_ref().is_some_and(|not| check(not, value, None).is_empty()) {
            refuse("not validate the schema (not)");
        }
    }
}

fn is_whole(number: &Number) -> bool {
    !number.is_f64() || number.as_f64().is_some_and(|number| number.fract() == 0.0)
}

/// The greatest count, if there are more.
fn beyond(range: &Range, found: usize) -> Option<u64> {
    range.most.filter(|most| found as u64 > *most)
}

/// The least count, if there are fewer.
fn below(range: &Range, found: usize) -> Option<u64> {
    range.least.filter(|least| (found as u64) < *least)
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The causes for a value of `spec.v`, as `field: message`.
    fn told(schema: Value, value: Value) -> Vec<String> {
        let schema = json!({"type": "object", "properties": {
            "spec": {"type": "object", "properties": {"v": schema}},
        }});
        let causes = check(&Structural::of(&schema), &json!({"spec": {"v": value}}), None);
        causes.into_iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
    }

    #[test]
    fn rules_are_told_in_the_words_of_kubernetes() {
        let text = |field: &str, value: Value| json!({"type": "string", field: value});
        let number = |field: &str, value: Value| json!({"type": "number", field: value});
        for (schema, value, expected) in [
            (
                json!({"type": "integer"}),
                json!("x"),
                r#"spec.v: Invalid value: "string": spec.v in body must be of type integer: "string""#,
            ),
            (
                json!({"type": "string"}),
                json!(null),
                r#"spec.v: Invalid value: "null": spec.v in body must be of type string: "null""#,
            ),
            (
                json!({"x-kubernetes-int-or-string": true}),
                json!(true),
                r#"spec.v: Invalid value: "boolean": spec.v in body must be of type integer,string: "boolean""#,
            ),
            (
                text("enum", json!(["a", "b"])),
                json!("c"),
                r#"spec.v: Unsupported value: "c": supported values: "a", "b""#,
            ),
            (
                text("pattern", json!("^a+$")),
                json!("b"),
                r#"spec.v: Invalid value: "b": spec.v in body should match '^a+$'"#,
            ),
            (
                text("maxLength", json!(1)),
                json!("éé"),
                "spec.v: Too long: may not be more than 1 bytes",
            ),
            (
                text("minLength", json!(2)),
                json!("é"),
                r#"spec.v: Invalid value: "é": spec.v in body should be at least 2 chars long"#,
            ),
            (
                text("format", json!("date-time")),
                json!("now"),
                r#"spec.v: Invalid value: "now": spec.v in body must be of type date-time: "now""#,
            ),
            (
                number("minimum", json!(1)),
                json!(0),
                "spec.v: Invalid value: 0: spec.v in body should be greater than or equal to 1",
            ),
            (
                json!({"type": "number", "minimum": 1, "exclusiveMinimum": true}),
                json!(1),
                "spec.v: Invalid value: 1: spec.v in body should be greater than 1",
            ),
            (
                number("maximum", json!(1)),
                json!(1.5),
                "spec.v: Invalid value: 1.5: spec.v in body should be less than or equal to 1",
            ),
            (
                json!({"type": "integer", "maximum": 1, "exclusiveMaximum": true}),
                json!(1),
                "spec.v: Invalid value: 1: spec.v in body should be less than 1",
            ),
            (
                number("multipleOf", json!(5)),
                json!(7),
                "spec.v: Invalid value: 7: spec.v in body should be a multiple of 5",
            ),
            (
                json!({"type": "array", "maxItems": 1, "items": {"type": "integer"}}),
                json!([1, 2]),
                "spec.v: Too many: 2: must have at most 1 items",
            ),
            (
                json!({"type": "array", "minItems": 1, "items": {"type": "integer"}}),
                json!([]),
                "spec.v: Invalid value: 0: spec.v in body should have at least 1 items",
            ),
            (
                json!({"type": "array", "items": {"type": "integer"}}),
                json!([1, "x"]),
                r#"spec.v[1]: Invalid value: "string": spec.v[1] in body must be of type integer: "string""#,
            ),
            (
                json!({"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}),
                json!(["a", "a"]),
                r#"spec.v[1]: Duplicate value: "a""#,
            ),
            (
                json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"],
                       "items": {"type": "object", "properties": {"n": {"type": "string"}, "x": {"type": "integer"}}}}),
                json!([{"n": "a", "x": 1}, {"n": "a", "x": 2}]),
                r#"spec.v[1]: Duplicate value: {"n":"a"}"#,
            ),
            (
                json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}}),
                json!({}),
                "spec.v.a: Required value",
            ),
            (
                json!({"type": "object", "additionalProperties": {"type": "integer"}}),
                json!({"k": "x"}),
                r#"spec.v.k: Invalid value: "string": spec.v.k in body must be of type integer: "string""#,
            ),
            (
                json!({"type": "object", "maxProperties": 1, "additionalProperties": {"type": "integer"}}),
                json!({"a": 1, "b": 2}),
                "spec.v: Too many: 2: must have at most 1 items",
            ),
            (
                json!({"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true}),
                json!({"apiVersion": "v1"}),
                "spec.v.kind: Required value",
            ),
            (
                json!({"type": "integer", "anyOf": [{"minimum": 5}, {"maximum": 1}]}),
                json!(3),
                r#"spec.v: Invalid value: 3: "spec.v" must validate at least one schema (anyOf)"#,
            ),
            (
                json!({"type": "integer", "oneOf": [{"minimum": 1}, {"minimum": 2}]}),
                json!(3),
                r#"spec.v: Invalid value: 3: "spec.v" must validate one and only one schema (oneOf). Found 2 valid alternatives"#,
            ),
            (
                json!({"type": "integer", "not": {"minimum": 1}}),
                json!(3),
                r#"spec.v: Invalid value: 3: "spec.v" must not validate the schema (not)"#,
            ),
        ] {
            assert_eq!(told(schema.clone(), value.clone()), [expected], "{schema} {value}");
        }
    }

    #[test]
    fn what_fits_is_not_told() {
        for (schema, value) in [
            (json!({"type": "integer"}), json!(1.0)),
            (json!({"type": "number"}), json!(1)),
            (json!({"type": "string", "nullable": true}), json!(null)),
            (json!({"x-kubernetes-int-or-string": true}), json!("50%")),
            (json!({"x-kubernetes-int-or-string": true}), json!(5)),
            (json!({"x-kubernetes-preserve-unknown-fields": true}), json!([{"x": true}])),
            (json!({"type": "number", "multipleOf": 0.5}), json!(1.5)),
            (json!({"type": "string", "format": "unheard-of"}), json!("x")),
            (json!({"type": "integer", "allOf": [{"minimum": 1}, {"maximum": 5}]}), json!(3)),
            (json!({"type": "integer", "oneOf": [{"minimum": 5}, {"maximum": 1}]}), json!(0)),
        ] {
            assert_eq!(told(schema.clone(), value.clone()), [""; 0], "{schema} {value}");
        }
    }

    #[test]
    fn what_was_wrong_before_and_did_not_change_is_let_be() {
        let schema = Structural::of(&json!({"type": "object", "properties": {
            "a": {"type": "string", "maxLength": 1}, "b": {"type": "string", "maxLength": 1},
        }}));
        let old = json!({"a": "long", "b": "x"});
        assert_eq!(check(&schema, &json!({"a": "long", "b": "y"}), Some(&old)), []);
        let causes = check(&schema, &json!({"a": "long!", "b": "long"}), Some(&old));
        let fields: Vec<&str> = causes.iter().map(|cause| cause.field.as_str()).collect();
        assert_eq!(fields, ["a", "b"]);
    }
}
