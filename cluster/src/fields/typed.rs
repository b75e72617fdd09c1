//! Walking values along their types: which fields a value sets, what differs between two values,
//! merging and removing. The rules are those of Kubernetes' structured-merge-diff.

use serde_json::{Map, Value};

use super::set::{FieldSet, Step, key_text};
use crate::schema::{Field, ListMerge, Schema, Type, TypeId};

/// What differs between two values.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Difference {
    pub(crate) added: FieldSet,
    pub(crate) modified: FieldSet,
    pub(crate) removed: FieldSet,
}

/// The fields that a value sets.
pub(crate) fn fields(schema: &Schema, id: TypeId, value: &Value) -> FieldSet {
    let mut set = FieldSet::default();
    collect(schema, id, value, &mut Vec::new(), &mut set);
    set
}

fn collect(schema: &Schema, id: TypeId, value: &Value, way: &mut Vec<Step>, set: &mut FieldSet) {
    match children(schema, id, value) {
        None => set.insert(way),
        Some(children) => {
            for child in children {
                way.push(child.step);
                collect(schema, child.ty, child.value, way, set);
                let empty =
                    child.value.is_null() || child.value.as_object().is_some_and(Map::is_empty);
                if empty || !child.named {
                    set.insert(way);
                }
                way.pop();
            }
        }
    }
}

/// What changes from one value to another.
pub(crate) fn compare(schema: &Schema, id: TypeId, old: &Value, new: &Value) -> Difference {
    let mut comparison = Comparison { schema, way: Vec::new(), difference: Difference::default() };
    comparison.pair(id, Some(old), Some(new));
    comparison.difference
}

struct Comparison<'a> {
    schema: &'a Schema,
    way: Vec<Step>,
    difference: Difference,
}

impl Comparison<'_> {
    fn pair(&mut self, id: TypeId, old: Option<&Value>, new: Option<&Value>) {
        let empty = |value: Option<&Value>| value.is_none_or(is_empty);
        // Empty values have no parts; whether they are there is told as a whole.
        let (olds, news) = match (parts(self.schema, id, old), parts(self.schema, id, new)) {
            (Some(olds), Some(news)) if !(empty(old) && empty(new)) => (olds, news),
            _ => return self.leaf(old, new),
        };
        for child in &olds {
            let other = news.iter().find(|other| other.step == child.step);
            // A struct that Go always writes is there, if its owner is.
            let stand_in = (child.embedded && new.is_some()).then_some(&Value::Null);
            self.way.push(child.step.clone());
            self.pair(child.ty, Some(child.value), other.map(|o| o.value).or(stand_in));
            self.way.pop();
        }
        for child in news.iter().filter(|child| !olds.iter().any(|old| old.step == child.step)) {
            let stand_in = (child.embedded && old.is_some()).then_some(&Value::Null);
            self.way.push(child.step.clone());
            self.pair(child.ty, stand_in, Some(child.value));
            self.way.pop();
        }
        match (old, new) {
            (None, _) => self.difference.added.insert(&self.way),
            (_, None) => self.difference.removed.insert(&self.way),
            _ => {}
        }
    }

    fn leaf(&mut self, old: Option<&Value>, new: Option<&Value>) {
        let difference = &mut self.difference;
        match (old, new) {
            (None, _) => difference.added.insert(&self.way),
            (_, None) => difference.removed.insert(&self.way),
            (Some(old), Some(new)) if old == new || is_empty(old) && is_empty(new) => {}
            _ => difference.modified.insert(&self.way),
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// Sets in `live` what `config` says.
pub(crate) fn merge(schema: &Schema, id: TypeId, live: &Value, config: &Value) -> Value {
    let both_empty = is_empty(live) && is_empty(config);
    match (schema.get(id), live, config) {
        _ if both_empty => config.clone(),
        (_, Value::Null, _) => config.clone(),
        (Type::Struct(of), Value::Object(live), Value::Object(config)) if !of.atomic => {
            Value::Object(merge_maps(schema, id, live, config))
        }
        (
            Type::Map { atomic: false, .. } | Type::Deduced,
            Value::Object(live),
            Value::Object(config),
        ) => Value::Object(merge_maps(schema, id, live, config)),
        (Type::List { items, merge, .. }, Value::Array(_), Value::Array(_))
            if *merge != ListMerge::Atomic =>
        {
            merge_lists(schema, id, *items, live, config)
        }
        _ => config.clone(),
    }
}

fn merge_maps(
    schema: &Schema,
    id: TypeId,
    live: &Map<String, Value>,
    config: &Map<String, Value>,
) -> Map<String, Value> {
    let mut merged = live.clone();
    for (name, value) in config {
        let value = match (live.get(name), schema.field(id, name)) {
            (Some(live), Some(ty)) => merge(schema, ty, live, value),
            _ => value.clone(),
        };
        merged.insert(name.clone(), value);
    }
    merged
}

/// Elements of both lists, each once. Those that only `live` has keep their place before the
/// elements that both have; otherwise the order is that of `config`.
fn merge_lists(schema: &Schema, id: TypeId, items: TypeId, live: &Value, config: &Value) -> Value {
    let lives = children(schema, id, live).unwrap_or_default();
    let configs = children(schema, id, config).unwrap_or_default();
    let in_config = |step: &Step| configs.iter().any(|child| child.step == *step);
    let merged = |config: &Child<'_>| match lives.iter().find(|live| live.step == config.step) {
        Some(live) => merge(schema, items, live.value, config.value),
        None => config.value.clone(),
    };
    let mut shared =
        configs.iter().filter(|c| lives.iter().any(|l| l.step == c.step)).map(|c| &c.step);
    let mut next_shared = shared.next();
    let mut done: Vec<&Step> = Vec::new();
    let mut out = Vec::new();
    let (mut l, mut c) = (0, 0);
    while l < lives.len() || c < configs.len() {
        if let (Some(live), Some(config)) = (lives.get(l), configs.get(c)) {
            if live.step == config.step {
                out.push(merged(config));
                done.push(&config.step);
                (l, c) = (l + 1, c + 1);
                next_shared = shared.next();
                continue;
            }
            if in_config(&live.step) && next_shared.is_some_and(|next| *next != live.step) {
                // In both, but its turn in the order of `config` is not now.
                l += 1;
                continue;
            }
        }
        if let Some(live) = lives.get(l) {
            if !in_config(&live.step) {
                out.push(live.value.clone());
                l += 1;
                continue;
            }
            if done.contains(&&live.step) {
                l += 1;
            }
        }
        if let Some(config) = configs.get(c) {
            out.push(merged(config));
            done.push(&config.step);
            c += 1;
            if next_shared == Some(&config.step) {
                next_shared = shared.next();
            }
        }
    }
    Value::Array(out)
}

/// Removes fields. `None` when nothing is left of a value that had something.
pub(crate) fn remove(schema: &Schema, id: TypeId, value: &Value, set: &FieldSet) -> Option<Value> {
    let Some(children) = children(schema, id, value) else { return Some(value.clone()) };
    let kept = children.into_iter().filter(|child| !set.has(&child.step)).map(|child| {
        let value = match set.below(&child.step) {
            Some(below) => remove(schema, child.ty, child.value, below),
            None => Some(child.value.clone()),
        };
        (child.step, value)
    });
    match value {
        Value::Array(_) => {
            let elements: Vec<Value> = kept.filter_map(|(_, value)| value).collect();
            (!elements.is_empty()).then_some(Value::Array(elements))
        }
        _ => {
            let fields: Map<String, Value> = kept
                .filter_map(|(step, value)| match (step, value) {
                    (Step::Field(name), Some(value)) => Some((name, value)),
                    _ => None,
                })
                .collect();
            (!fields.is_empty()).then_some(Value::Object(fields))
        }
    }
}

/// Whether a way names a field of a struct.
pub(crate) fn is_struct_field(schema: &Schema, root: TypeId, way: &[Step]) -> bool {
    let Some((Step::Field(last), before)) = way.split_last() else { return false };
    let owner = before.iter().try_fold(root, |id, step| match (schema.get(id), step) {
        (_, Step::Field(name)) => schema.field(id, name),
        (Type::List { items, .. }, _) => Some(*items),
        _ => None,
    });
    let Some(owner) = owner else { return false };
    matches!(schema.get(owner), Type::Struct(of) if of.fields.contains_key(last))
}

/// A part of a value that is owned by itself.
struct Child<'a> {
    step: Step,
    ty: TypeId,
    value: &'a Value,
    /// A field of a struct rather than a key of a map or an element of a list.
    named: bool,
    /// See [`crate::schema::Field::embedded`].
    embedded: bool,
}

/// The parts of a value that may be absent; it then has none.
fn parts<'a>(schema: &Schema, id: TypeId, value: Option<&'a Value>) -> Option<Vec<Child<'a>>> {
    value.map_or_else(|| Some(Vec::new()), |value| children(schema, id, value))
}

/// The parts of a value; `None` for a value that is owned as a whole.
fn children<'a>(schema: &Schema, id: TypeId, value: &'a Value) -> Option<Vec<Child<'a>>> {
    match (schema.get(id), value) {
        (Type::Struct(of), Value::Object(fields)) if !of.atomic => {
            let children = fields.iter().filter_map(|(name, value)| {
                let step = Step::Field(name.clone());
                Some(match of.fields.get(name) {
                    Some(Field { ty, embedded, .. }) => {
                        Child { step, ty: *ty, value, named: true, embedded: *embedded }
                    }
                    None => Child { step, ty: of.rest?, value, named: false, embedded: false },
                })
            });
            Some(children.collect())
        }
        (Type::Deduced, Value::Object(entries)) => {
            let children = entries.iter().map(|(name, value)| {
                let step = Step::Field(name.clone());
                Child { step, ty: id, value, named: false, embedded: false }
            });
            Some(children.collect())
        }
        (Type::Map { values, atomic: false }, Value::Object(entries)) => {
            let children = entries.iter().map(|(name, value)| {
                let step = Step::Field(name.clone());
                Child { step, ty: *values, value, named: false, embedded: false }
            });
            Some(children.collect())
        }
        (Type::List { items, merge, .. }, Value::Array(elements)) => {
            let step: &dyn Fn(&Value) -> Step = match merge {
                ListMerge::Atomic => return None,
                ListMerge::Set => &|element| Step::Value(element.to_string()),
                ListMerge::Keys(keys) => &|element| element_key(keys, element),
            };
            let children = elements.iter().map(|value| Child {
                step: step(value),
                ty: *items,
                value,
                named: false,
                embedded: false,
            });
            Some(children.collect())
        }
        // Null stands for an empty struct, map or list.
        (Type::Struct(of), Value::Null) if !of.atomic => Some(Vec::new()),
        (Type::Map { atomic: false, .. }, Value::Null) => Some(Vec::new()),
        (Type::List { merge, .. }, Value::Null) if *merge != ListMerge::Atomic => Some(Vec::new()),
        _ => None,
    }
}

/// The keys of an element. A protocol that is left out is TCP: the one key with a default.
fn element_key(keys: &[String], element: &Value) -> Step {
    let tcp = Value::from("TCP");
    let found = keys.iter().filter_map(|key| {
        let value = element.get(key).filter(|value| !value.is_null());
        Some((key, value.or_else(|| (key == "protocol").then_some(&tcp))?))
    });
    Step::Key(key_text(found))
}
