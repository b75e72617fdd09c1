//! The hash of a pod template that names what was made from it.

use serde_json::Value;

/// Characters that form no words by accident, as Kubernetes uses for generated names.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// A short name for a value, equal for equal values whatever the order of their keys: FNV-1a
/// spelled as Kubernetes spells its hashes. The number differs from Kubernetes', which hashes the
/// memory layout of a Go struct.
pub(crate) fn name_of(value: &Value, collisions: i64) -> String {
    let mut hash = Fnv(0x811c_9dc5);
    hash.value(value);
    if collisions > 0 {
        hash.bytes(&collisions.to_le_bytes());
    }
    let digits = hash.0.to_string();
    digits.bytes().map(|digit| char::from(ALPHABET[usize::from(digit) % ALPHABET.len()])).collect()
}

struct Fnv(u32);

impl Fnv {
    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
    }

    /// Feeds a value; a tag and a terminator per part keep different shapes apart.
    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.bytes(b"n"),
            Value::Bool(flag) => self.bytes(if *flag { b"t" } else { b"f" }),
            Value::Number(number) => self.text(b'#', &number.to_string()),
            Value::String(text) => self.text(b'"', text),
            Value::Array(items) => {
                self.bytes(b"[");
                for item in items {
                    self.value(item);
                }
                self.bytes(b"]");
            }
            Value::Object(fields) => {
                let mut fields: Vec<_> = fields.iter().collect();
                fields.sort_unstable_by_key(|(key, _)| *key);
                self.bytes(b"{");
                for (key, value) in fields {
                    self.text(b':', key);
                    self.value(value);
                }
                self.bytes(b"}");
            }
        }
    }

    fn text(&mut self, tag: u8, text: &str) {
        self.bytes(&[tag]);
        self.bytes(text.as_bytes());
        self.bytes(&[0]);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn equal_values_have_equal_names_and_others_differ() {
        let base = json!({"a": "1", "b": ["x", {"c": 2}]});
        let reordered: Value = serde_json::from_str(r#"{"b":["x",{"c":2}],"a":"1"}"#).unwrap();
        assert_eq!(name_of(&base, 0), name_of(&reordered, 0));
        for other in [json!({"a": 1, "b": ["x", {"c": 2}]}), json!({"a": "1"}), json!({"a1": ""})] {
            assert_ne!(name_of(&base, 0), name_of(&other, 0), "{other}");
        }
        assert_ne!(name_of(&base, 0), name_of(&base, 1));
        assert!(name_of(&base, 0).bytes().all(|c| ALPHABET.contains(&c)));
    }
}
