//! A structural schema: what a CustomResourceDefinition says about the objects of a version.
//!
//! <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema>

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Number, Value};

use super::pattern;
use crate::schema::ListMerge;

/// What is said about a value, and about what is below it.
#[derive(Debug, Default)]
pub(crate) struct Structural {
    /// `type`; empty where the value may be of several types.
    pub(super) ty: String,
    pub(super) properties: BTreeMap<String, Self>,
    pub(super) additional: Option<Additional>,
    pub(super) items: Option<Box<Self>>,
    pub(super) default: Option<Value>,
    pub(super) nullable: bool,
    /// `x-kubernetes-preserve-unknown-fields`
    pub(super) preserve: bool,
    /// `x-kubernetes-embedded-resource`: an object with `apiVersion`, `kind` and `metadata`.
    pub(super) embedded: bool,
    /// `x-kubernetes-int-or-string`
    pub(super) int_or_string: bool,
    /// `x-kubernetes-list-type`
    pub(super) list: Option<ListMerge>,
    /// `x-kubernetes-map-type: atomic`
    pub(super) atomic: bool,
    pub(super) rules: Rules,
}

/// `additionalProperties`
#[derive(Debug)]
pub(super) enum Additional {
    Anything,
    Of(Box<Structural>),
}

/// What is said about values beyond their types.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) required: Vec<String>,
    pub(super) choices: Vec<Value>,
    pub(super) pattern: Option<Regex>,
    /// The pattern as it was written.
    pub(super) pattern_text: String,
    pub(super) format: String,
    pub(super) minimum: Option<Bound>,
    pub(super) maximum: Option<Bound>,
    pub(super) multiple_of: Option<Number>,
    pub(super) length: Range,
    pub(super) items: Range,
    pub(super) properties: Range,
    pub(super) all_of: Vec<Structural>,
    pub(super) any_of: Vec<Structural>,
    pub(super) one_of: Vec<Structural>,
    pub(super) not: Option<Box<Structural>>,
}

/// The least or the greatest number.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) number: Number,
    pub(super) exclusive: bool,
}

/// The least and the greatest count.
#[derive(Debug, Default)]
pub(super) struct Range {
    pub(super) least: Option<u64>,
    pub(super) most: Option<u64>,
}

impl Structural {
    /// Reads an `openAPIV3Schema`. A definition was checked before; what makes no sense is not there.
    pub(crate) fn of(schema: &Value) -> Self {
        let text = |field: &str| schema[field].as_str().unwrap_or_default().to_owned();
        let flag = |field: &str| schema[field] == true;
        Self {
            ty: text("type"),
            properties: entries(&schema["properties"]).collect(),
            additional: match &schema["additionalProperties"] {
                Value::Bool(true) => Some(Additional::Anything),
                of @ Value::Object(_) => Some(Additional::Of(Box::new(Self::of(of)))),
                _ => None,
            },
            items: schema["items"].is_object().then(|| Box::new(Self::of(&schema["items"]))),
            default: schema.get("default").cloned(),
            nullable: flag("nullable"),
            preserve: flag("x-kubernetes-preserve-unknown-fields"),
            embedded: flag("x-kubernetes-embedded-resource"),
            int_or_string: flag("x-kubernetes-int-or-string"),
            list: match text("x-kubernetes-list-type").as_str() {
                "set" => Some(ListMerge::Set),
                "map" => Some(ListMerge::Keys(texts(&schema["x-kubernetes-list-map-keys"]))),
                _ => None,
            },
            atomic: text("x-kubernetes-map-type") == "atomic",
            rules: Rules::of(schema),
        }
    }

    /// What is said about a field of an object; `None` where nothing is.
    pub(super) fn field(&self, name: &str) -> Option<&Self> {
        match (self.properties.get(name), &self.additional) {
            (Some(property), _) => Some(property),
            (None, Some(Additional::Of(values))) => Some(values),
            _ => None,
        }
    }
}

impl Rules {
    fn of(schema: &Value) -> Self {
        let pattern_text = schema["pattern"].as_str().unwrap_or_default().to_owned();
        let number = |field: &str| schema[field].as_number().cloned();
        let count = |field: &str| schema[field].as_u64();
        let bound = |field: &str, exclusive: &str| {
            Some(Bound { number: number(field)?, exclusive: schema[exclusive] == true })
        };
        let all = |field: &str| {
            let list = schema[field].as_array().into_iter().flatten();
            list.map(Structural::of).collect()
        };
        Self {
            required: texts(&schema["required"]),
            choices: schema["enum"].as_array().cloned().unwrap_or_default(),
            pattern: pattern::compile(&pattern_text).ok().filter(|_| !pattern_text.is_empty()),
            pattern_text,
            format: schema["format"].as_str().unwrap_or_default().to_owned(),
            minimum: bound("minimum", "exclusiveMinimum"),
            maximum: bound("maximum", "exclusiveMaximum"),
            multiple_of: number("multipleOf"),
            length: Range { least: count("minLength"), most: count("maxLength") },
            items: Range { least: count("minItems"), most: count("maxItems") },
            properties: Range { least: count("minProperties"), most: count("maxProperties") },
            all_of: all("allOf"),
            any_of: all("anyOf"),
            one_of: all("oneOf"),
            not: schema["not"].is_object().then(|| Box::new(Structural::of(&schema["not"]))),
        }
    }
}

fn entries(map: &Value) -> impl Iterator<Item = (String, Structural)> {
    let entries = map.as_object().into_iter().flatten();
    entries.map(|(name, schema)| (name.clone(), Structural::of(schema)))
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(|text| text.as_str().map(str::to_owned)).collect()
}
