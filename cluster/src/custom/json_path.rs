//! The part of Kubernetes' JSONPath that columns of a table may use:
//! `.spec.list[0].name`, `.metadata.labels.a\.b`, `.status.conditions[?(@.type=="Ready")].status`.

use serde_json::Value;

/// A path to values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JsonPath(Vec<Step>);

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Field(String),
    /// Negative counts from the end.
    Index(i64),
    Every,
    /// Elements whose value at a path is, or is not, this.
    Where {
        path: JsonPath,
        equal: bool,
        value: Value,
    },
}

impl JsonPath {
    /// Reads a path.
    ///
    /// # Errors
    /// What is not understood, for people.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(text);
        let mut steps = Vec::new();
        let mut rest = text.trim();
        rest = rest.strip_prefix('$').unwrap_or(rest);
        while !rest.is_empty() {
            let (step, after) = if let Some(bracket) = rest.strip_prefix('[') {
                in_brackets(bracket)?
            } else if let Some(name) = rest.strip_prefix('.') {
                field(name)?
            } else {
                return Err(format!("expected '.' or '[' before {rest:?}"));
            };
            steps.extend(step);
            rest = after;
        }
        Ok(Self(steps))
    }

    /// The first value that the path leads to.
    pub(crate) fn first<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        let Some((step, rest)) = self.0.split_first() else { return Some(value) };
        let rest = Self(rest.to_vec());
        match step {
            Step::Field(name) => rest.first(value.get(name)?),
            Step::Index(index) => {
                let list = value.as_array()?;
                let length = i64::try_from(list.len()).ok()?;
                let index = if *index < 0 { length + index } else { *index };
                rest.first(list.get(usize::try_from(index).ok()?)?)
            }
            Step::Every => {
                let list = value.as_array().into_iter().flatten();
                let map = value.as_object().into_iter().flatten().map(|(_, value)| value);
                list.chain(map).find_map(|value| rest.first(value))
            }
            Step::Where { path, equal, value: wanted } => {
                let mut list = value.as_array()?.iter();
                list.find_map(|value| {
                    let fits = (path.first(value)? == wanted) == *equal;
                    rest.first(value).filter(|_| fits)
                })
            }
        }
    }
}

/// A name up to the next step; `\` takes the next letter as it is.
fn field(text: &str) -> Result<(Option<Step>, &str), String> {
    let mut name = String::new();
    let mut letters = text.char_indices();
    let mut end = text.len();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => name.extend(letters.next().map(|(_, letter)| letter)),
            '.' | '[' => {
                end = at;
                break;
            }
            other => name.push(other),
        }
    }
    match name.as_str() {
        // `.[0]`, and `.` alone: the value itself.
        "" if end == text.len() || text.starts_with('[') => Ok((None, &text[end..])),
        "" => Err("recursive descent is not supported".to_owned()),
        "*" => Ok((Some(Step::Every), &text[end..])),
        _ => Ok((Some(Step::Field(name)), &text[end..])),
    }
}

fn in_brackets(text: &str) -> Result<(Option<Step>, &str), String> {
    if let Some(filter) = text.strip_prefix("?(") {
        let (inner, rest) = filter.split_once(")]").ok_or("unterminated filter")?;
        return Ok((Some(condition(inner)?), rest));
    }
    let (inner, rest) = text.split_once(']').ok_or("unterminated array")?;
    let step = match inner.trim() {
        "*" => Step::Every,
        inner => match (quoted(inner), inner.parse()) {
            (Some(name), _) => Step::Field(name.to_owned()),
            (None, Ok(index)) => Step::Index(index),
            _ => return Err(format!("invalid array index {inner:?}")),
        },
    };
    Ok((Some(step), rest))
}

fn condition(text: &str) -> Result<Step, String> {
    let (path, equal, value) = if let Some((path, value)) = text.split_once("==") {
        (path, true, value)
    } else if let Some((path, value)) = text.split_once("!=") {
        (path, false, value)
    } else {
        return Err(format!("filter {text:?} is neither == nor !="));
    };
    let path = path.trim().strip_prefix('@').ok_or("a filter begins with @")?;
    let value = value.trim();
    let value = match quoted(value) {
        Some(text) => text.into(),
        None => serde_json::from_str(value).map_err(|_| format!("{value:?} is no value"))?,
    };
    Ok(Step::Where { path: JsonPath::parse(path)?, equal, value })
}

fn quoted(text: &str) -> Option<&str> {
    ['"', '\''].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_lead_to_values() {
        let object = json!({
            "metadata": {"labels": {"a.b/c": "label"}},
            "spec": {"n": 1, "list": [{"name": "x"}, {"name": "y"}]},
            "status": {"conditions": [
                {"type": "Synced", "status": "False"}, {"type": "Ready", "status": "True"},
            ]},
        });
        for (path, expected) in [
            (".spec.n", Some(json!(1))),
            ("{.spec.n}", Some(json!(1))),
            (".spec['n']", Some(json!(1))),
            (".spec.list[0].name", Some(json!("x"))),
            (".spec.list[-1].name", Some(json!("y"))),
            (".spec.list[*].name", Some(json!("x"))),
            (".spec.list[2].name", None),
            (r".metadata.labels.a\.b/c", Some(json!("label"))),
            (r#".status.conditions[?(@.type=="Ready")].status"#, Some(json!("True"))),
            (".status.conditions[?(@.type == 'Ready')].status", Some(json!("True"))),
            (r#".status.conditions[?(@.type!="Ready")].status"#, Some(json!("False"))),
            (r#".status.conditions[?(@.type=="Other")].status"#, None),
            (".nothing.at.all", None),
        ] {
            let parsed = JsonPath::parse(path).expect(path);
            assert_eq!(parsed.first(&object), expected.as_ref(), "{path}");
        }
        for path in ["spec", "..name", ".a[", ".a[x]", ".a[?(@.b)]", ".a[?(b==1)]"] {
            assert!(JsonPath::parse(path).is_err(), "{path}");
        }
    }
}
