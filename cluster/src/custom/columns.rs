//! Columns of a custom kind's table: `additionalPrinterColumns`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::json_path::JsonPath;
use crate::tables;

/// The columns after the name.
#[derive(Debug)]
pub(crate) struct Columns(Vec<Column>);

#[derive(Debug)]
struct Column {
    definition: Value,
    /// `string`, `integer`, `number`, `boolean`, `date`
    ty: String,
    path: JsonPath,
}

impl Columns {
    /// The columns of a version; the age where it says nothing.
    pub(super) fn of(version: &Value) -> Self {
        let declared = version["additionalPrinterColumns"].as_array().into_iter().flatten();
        let mut columns: Vec<Column> = declared.filter_map(Column::of).collect();
        if columns.is_empty() {
            columns.extend(Column::of(&json!({
                "name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp",
                "description": tables::age_description(),
            })));
        }
        Self(columns)
    }

    /// `columnDefinitions`.
    pub(crate) fn definitions(&self) -> Value {
        let columns = self.0.iter().map(|column| column.definition.clone());
        std::iter::once(tables::name_column()).chain(columns).collect()
    }

    /// The cells of an object's row.
    pub(crate) fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let cells = self.0.iter().map(|column| column.cell(object, now));
        std::iter::once(tables::name(object)).chain(cells).collect()
    }
}

impl Column {
    /// A definition was checked before; a path that cannot be read is no column.
    fn of(declared: &Value) -> Option<Self> {
        let text = |field: &str| declared[field].as_str().unwrap_or_default().to_owned();
        let definition = json!({
            "name": text("name"), "type": text("type"), "format": text("format"),
            "description": match text("description") {
                none if none.is_empty() => {
                    format!("Custom resource definition column (in JSONPath format): {}", text("jsonPath"))
                }
                given => given,
            },
            "priority": declared["priority"].as_i64().unwrap_or_default(),
        });
        Some(Self { definition, ty: text("type"), path: JsonPath::parse(&text("jsonPath")).ok()? })
    }

    /// Null where there is nothing, or nothing of the column's type.
    fn cell(&self, object: &Value, now: Timestamp) -> Value {
        let Some(value) = self.path.first(object).filter(|value| !value.is_null()) else {
            return Value::Null;
        };
        match (self.ty.as_str(), value) {
            ("string", Value::String(text)) => text.as_str().into(),
            ("string", other) => other.to_string().into(),
            ("date", Value::String(time)) => tables::since(Some(time), now).into(),
            ("integer", Value::Number(number)) => {
                #[expect(clippy::cast_possible_truncation, reason = "as Go truncates it")]
                let whole = number.as_f64().map(|number| number as i64);
                number.as_i64().or(whole).into()
            }
            ("number", Value::Number(_)) | ("boolean", Value::Bool(_)) => value.clone(),
            _ => Value::Null,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_of_their_column_s_type() {
        let columns = Columns::of(&json!({"additionalPrinterColumns": [
            {"name": "Text", "type": "string", "jsonPath": ".spec.text"},
            {"name": "List", "type": "string", "jsonPath": ".spec.list"},
            {"name": "N", "type": "integer", "jsonPath": ".spec.n", "priority": 1, "description": "How many"},
            {"name": "Wrong", "type": "integer", "jsonPath": ".spec.text"},
            {"name": "On", "type": "boolean", "jsonPath": ".spec.on"},
            {"name": "Since", "type": "date", "jsonPath": ".spec.since"},
            {"name": "None", "type": "string", "jsonPath": ".spec.none"},
        ]}));
        let object = json!({
            "metadata": {"name": "a"},
            "spec": {"text": "x", "list": ["a", 1], "n": 2, "on": true, "since": "2026-01-01T00:00:00Z"},
        });
        let now = "2026-01-01T00:00:30Z".parse().expect("a time");
        assert_eq!(
            columns.cells(&object, now),
            [
                json!("a"),
                json!("x"),
                json!(r#"["a",1]"#),
                json!(2),
                json!(null),
                json!(true),
                json!("30s"),
                json!(null)
            ]
        );
        assert_eq!(
            columns.definitions()[3],
            json!({"name": "N", "type": "integer", "format": "", "description": "How many", "priority": 1})
        );
        let age = Columns::of(&json!({})).definitions();
        assert_eq!((age[0]["name"].as_str(), age[1]["name"].as_str()), (Some("Name"), Some("Age")));
    }
}
