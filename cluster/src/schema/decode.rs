//! Bringing an object into the form that Go's decoder would give it: fields that the type has, of
//! the right type, and nothing that is null or empty.

use serde_json::Value;

use super::{Scalar, Schema, Type, TypeId};

/// What decoding found.
#[derive(Debug, Default, PartialEq)]
pub struct Decoded {
    /// Fields that the type does not have, which were dropped: `spec.ports[0].prot`.
    pub unknown: Vec<String>,
}

/// What becomes of nulls and of empty lists and maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Empties {
    /// They are dropped, as Go does when it writes an object.
    Drop,
    /// They stay: in the configuration of an apply they say what is owned.
    Keep,
}

/// Drops unknown fields, nulls and empty lists and maps, and checks types.
///
/// # Errors
/// In the words of Go's decoder, where a value has the wrong type.
pub fn decode(
    schema: &Schema,
    id: TypeId,
    value: &mut Value,
    empties: Empties,
) -> Result<Decoded, String> {
    let mut decoder = Decoder {
        empties,
        schema,
        owner: "",
        go_path: Vec::new(),
        path: String::new(),
        decoded: Decoded::default(),
    };
    decoder.value(id, value)?;
    Ok(decoder.decoded)
}

struct Decoder<'a> {
    schema: &'a Schema,
    empties: Empties,
    /// The struct that the value is a field of, for messages.
    owner: &'a str,
    /// Fields on the way, without indices: what Go prints.
    go_path: Vec<String>,
    /// The way with indices: what Kubernetes prints for unknown fields.
    path: String,
    decoded: Decoded,
}

impl<'a> Decoder<'a> {
    fn value(&mut self, id: TypeId, value: &mut Value) -> Result<(), String> {
        match self.schema.get(id) {
            Type::Any | Type::Deduced => Ok(()),
            Type::Scalar(scalar) => self.scalar(*scalar, value),
            Type::Struct(of) => {
                let Value::Object(fields) = value else {
                    return Err(self.mismatch(value, &format!("v1.{}", of.name)));
                };
                let owner = std::mem::replace(&mut self.owner, &of.name);
                let mut kept = Ok(());
                fields.retain(|name, value| {
                    if kept.is_err() {
                        return true;
                    }
                    let Some(field) = of.fields.get(name) else {
                        self.decoded.unknown.push(join(&self.path, name));
                        return false;
                    };
                    match self.descend(name, field.ty, value) {
                        Ok(keep) => keep,
                        Err(error) => {
                            kept = Err(error);
                            true
                        }
                    }
                });
                self.owner = owner;
                kept
            }
            Type::Map { values, .. } => {
                let Value::Object(entries) = value else {
                    return Err(
                        self.mismatch(value, &format!("map[string]{}", self.go_type(*values)))
                    );
                };
                let length = self.path.len();
                for (name, value) in entries.iter_mut() {
                    self.path.truncate(length);
                    self.path = join(&self.path, name);
                    if value.is_null() {
                        *value = self.zero(*values);
                        continue;
                    }
                    self.value(*values, value)?;
                }
                self.path.truncate(length);
                Ok(())
            }
            Type::List { items, .. } => {
                let Value::Array(elements) = value else {
                    return Err(self.mismatch(value, &format!("[]{}", self.go_type(*items))));
                };
                let length = self.path.len();
                for (index, element) in elements.iter_mut().enumerate() {
                    self.path.truncate(length);
                    self.path.push_str(&format!("[{index}]"));
                    if element.is_null() {
                        *element = self.zero(*items);
                        continue;
                    }
                    self.value(*items, element)?;
                }
                self.path.truncate(length);
                Ok(())
            }
        }
    }

    /// Decodes a field; `false` when nothing of it is to be kept.
    fn descend(&mut self, name: &str, id: TypeId, value: &mut Value) -> Result<bool, String> {
        if value.is_null() {
            return Ok(self.empties == Empties::Keep);
        }
        let length = self.path.len();
        self.path = join(&self.path, name);
        self.go_path.push(name.to_owned());
        self.value(id, value)?;
        self.go_path.pop();
        self.path.truncate(length);
        if self.empties == Empties::Keep {
            return Ok(true);
        }
        Ok(match (self.schema.get(id), &*value) {
            (Type::List { .. }, Value::Array(elements)) => !elements.is_empty(),
            (Type::Map { .. }, Value::Object(entries)) => !entries.is_empty(),
            _ => true,
        })
    }

    fn scalar(&self, scalar: Scalar, value: &mut Value) -> Result<(), String> {
        let int32 = |value: &Value| value.as_i64().is_some_and(|n| i32::try_from(n).is_ok());
        let fits = match scalar {
            Scalar::Text | Scalar::Time => value.is_string(),
            Scalar::Bytes => return self.bytes(value),
            Scalar::Int32 => {
                whole(value);
                int32(value)
            }
            Scalar::Int64 => {
                whole(value);
                value.is_i64()
            }
            Scalar::Number => value.is_number(),
            Scalar::Bool => value.is_boolean(),
            Scalar::IntOrString => value.is_string() || int32(value),
            Scalar::Quantity => {
                // Amounts are texts once they were read.
                if value.is_number() {
                    *value = value.to_string().into();
                }
                value.is_string()
            }
        };
        if fits { Ok(()) } else { Err(self.mismatch(value, go_name(scalar))) }
    }

    fn bytes(&self, value: &Value) -> Result<(), String> {
        use base64::Engine;
        use base64::engine::general_purpose::STANDARD;
        let Value::String(text) = value else {
            return Err(self.mismatch(value, "[]uint8"));
        };
        match STANDARD.decode(text) {
            Ok(_) => Ok(()),
            Err(error) => {
                let at = match error {
                    base64::DecodeError::InvalidByte(at, _)
                    | base64::DecodeError::InvalidLastSymbol(at, _) => at,
                    _ => text.len(),
                };
                Err(format!("illegal base64 data at input byte {at}"))
            }
        }
    }

    fn mismatch(&self, found: &Value, wanted: &str) -> String {
        let found = match found {
            Value::Number(number) if wanted.starts_with("int") => format!("number {number}"),
            other => json_type(other).to_owned(),
        };
        format!(
            "json: cannot unmarshal {found} into Go struct field {}.{} of type {wanted}",
            self.owner,
            self.go_path.join(".")
        )
    }

    fn go_type(&self, id: TypeId) -> String {
        match self.schema.get(id) {
            Type::Any | Type::Deduced => "interface {}".to_owned(),
            Type::Scalar(scalar) => go_name(*scalar).to_owned(),
            Type::Struct(of) => format!("v1.{}", of.name),
            Type::Map { values, .. } => format!("map[string]{}", self.go_type(*values)),
            Type::List { items, .. } => format!("[]{}", self.go_type(*items)),
        }
    }

    /// What Go makes of null where there is no pointer.
    fn zero(&self, id: TypeId) -> Value {
        match self.schema.get(id) {
            Type::Scalar(Scalar::Text | Scalar::Bytes) => "".into(),
            Type::Scalar(Scalar::Quantity) => "0".into(),
            Type::Scalar(Scalar::Int32 | Scalar::Int64 | Scalar::Number | Scalar::IntOrString) => {
                0.into()
            }
            Type::Scalar(Scalar::Bool) => false.into(),
            Type::Struct(_) => Value::Object(serde_json::Map::new()),
            _ => Value::Null,
        }
    }
}

/// The type of a value, as Go's decoder names it.
pub fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Go reads `1.0` and `1e3` as whole numbers too.
fn whole(value: &mut Value) {
    if let Some(number) = value.as_f64().filter(|_| value.is_f64())
        && number.fract() == 0.0
        && number.abs() < 9e15
    {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "checked to be a whole number in range"
        )]
        let number = number as i64;
        *value = number.into();
    }
}

fn go_name(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::Text => "string",
        Scalar::Bytes => "[]uint8",
        Scalar::Time => "v1.Time",
        Scalar::Int32 => "int32",
        Scalar::Int64 => "int64",
        Scalar::Number => "float64",
        Scalar::Bool => "bool",
        Scalar::IntOrString => "intstr.IntOrString",
        Scalar::Quantity => "resource.Quantity",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::{self, Kind};
    use crate::schema::of;

    fn decoded(kind: &Kind, mut value: Value) -> Result<(Value, Vec<String>), String> {
        let (schema, id) = of(kind);
        let decoded = decode(schema, id, &mut value, Empties::Drop)?;
        Ok((value, decoded.unknown))
    }

    #[test]
    fn unknown_fields_are_dropped_and_named_with_indices() {
        let pod = json!({
            "foo": 1,
            "metadata": {"name": "a", "labels": {"x": "1"}, "lables": {}},
            "spec": {"containers": [{"name": "a"}, {"name": "b", "imagee": "x"}]},
        });
        let (value, unknown) = decoded(&kinds::POD, pod).expect("right types");
        assert_eq!(unknown, ["foo", "metadata.lables", "spec.containers[1].imagee"]);
        assert_eq!(
            value,
            json!({
                "metadata": {"name": "a", "labels": {"x": "1"}},
                "spec": {"containers": [{"name": "a"}, {"name": "b"}]},
            })
        );
    }

    #[test]
    fn nulls_and_empty_lists_and_maps_are_dropped_but_empty_structs_stay() {
        let pod = json!({
            "metadata": {"name": "a", "labels": {}, "annotations": null, "finalizers": []},
            "spec": {"volumes": [{"name": "v", "emptyDir": {}}], "nodeSelector": {}, "hostname": null},
        });
        let (value, unknown) = decoded(&kinds::POD, pod).expect("right types");
        assert!(unknown.is_empty());
        assert_eq!(
            value,
            json!({
                "metadata": {"name": "a"},
                "spec": {"volumes": [{"name": "v", "emptyDir": {}}]},
            })
        );
    }

    #[test]
    fn wrong_types_are_told_as_go_tells_them() {
        for (kind, value, expected) in [
            (
                &kinds::CONFIG_MAP,
                json!({"data": {"k": 1}}),
                "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
            ),
            (
                &kinds::SERVICE,
                json!({"spec": {"ports": [{"port": "http"}]}}),
                "json: cannot unmarshal string into Go struct field ServicePort.spec.ports.port of type int32",
            ),
            (
                &kinds::POD,
                json!({"spec": {"containers": {}}}),
                "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
            ),
            (&kinds::SECRET, json!({"data": {"k": "*"}}), "illegal base64 data at input byte 0"),
        ] {
            assert_eq!(decoded(kind, value).expect_err(expected), expected);
        }
    }
}
