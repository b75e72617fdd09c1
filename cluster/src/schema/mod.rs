//! The published types of Kubernetes: which fields a kind has, how lists merge, what is atomic.

mod decode;
mod load;

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

pub use decode::{Decoded, Empties, decode, json_type};

use crate::kinds::Kind;

/// The type of `metadata`.
pub(crate) const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// A set of types that refer to each other.
#[derive(Debug, Default)]
pub struct Schema {
    types: Vec<Type>,
    named: HashMap<String, TypeId>,
    /// The file that it was read from.
    document: Map<String, Value>,
}

/// A type in a [`Schema`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypeId(usize);

/// A type.
#[derive(Debug)]
pub enum Type {
    /// An object with known fields.
    Struct(Struct),
    /// An object with any keys.
    Map {
        /// Type of every value.
        values: TypeId,
        /// Owned and replaced as a whole.
        atomic: bool,
    },
    /// A list.
    List {
        /// Type of every element.
        items: TypeId,
        /// How elements of two lists are matched.
        merge: ListMerge,
        /// The key that strategic merge patch matches elements by. Empty: elements are plain
        /// values of a set. `None`: the patch replaces the list.
        patch_key: Option<String>,
    },
    /// A plain value.
    Scalar(Scalar),
    /// Any value, owned and replaced as a whole.
    Any,
    /// Any value; objects are owned key by key, as far down as there are any.
    Deduced,
}

/// An object with known fields.
#[derive(Debug, Default)]
pub struct Struct {
    /// Name in Go, for messages.
    pub name: String,
    /// By name.
    pub fields: HashMap<String, Field>,
    /// Type of further fields; `None`: there are none.
    pub rest: Option<TypeId>,
    /// Owned and replaced as a whole.
    pub atomic: bool,
}

/// A field of a [`Struct`].
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its type.
    pub ty: TypeId,
    /// A value rather than a pointer in Go: it is there, empty, in every object.
    pub embedded: bool,
    /// A strategic merge patch keeps only the keys that it names.
    pub retain_keys: bool,
}

/// How elements of two lists are matched by server-side apply.
#[derive(Debug, Clone, PartialEq)]
pub enum ListMerge {
    /// Not at all: the list is owned and replaced as a whole.
    Atomic,
    /// By value.
    Set,
    /// By the values of these fields.
    Keys(Vec<String>),
}

/// A plain value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scalar {
    /// Text.
    Text,
    /// Base64 of bytes.
    Bytes,
    /// A point in time, RFC 3339.
    Time,
    /// Whole number of 32 bits.
    Int32,
    /// Whole number of 64 bits.
    Int64,
    /// A number.
    Number,
    /// True or false.
    Bool,
    /// A whole number or text: a port, a percentage.
    IntOrString,
    /// An amount: `100m`, `1Gi`, or a number.
    Quantity,
}

impl Schema {
    /// The types of Kubernetes 1.36.
    pub fn kubernetes() -> &'static Self {
        // Constant data, parsed once.
        static KUBERNETES: LazyLock<Schema> = LazyLock::new(load::kubernetes);
        &KUBERNETES
    }

    /// Adds a type.
    pub(crate) fn push(&mut self, ty: Type) -> TypeId {
        self.types.push(ty);
        TypeId(self.types.len() - 1)
    }

    /// Adds a type of another schema and what it refers to, which must not refer back to it.
    pub(crate) fn import(&mut self, from: &Self, id: TypeId) -> TypeId {
        let ty = match from.get(id) {
            Type::Struct(of) => {
                let fields = of.fields.iter().map(|(name, field)| {
                    (name.clone(), Field { ty: self.import(from, field.ty), ..*field })
                });
                let fields = fields.collect();
                let rest = of.rest.map(|rest| self.import(from, rest));
                Type::Struct(Struct { name: of.name.clone(), fields, rest, atomic: of.atomic })
            }
            Type::Map { values, atomic } => {
                Type::Map { values: self.import(from, *values), atomic: *atomic }
            }
            Type::List { items, merge, patch_key } => Type::List {
                items: self.import(from, *items),
                merge: merge.clone(),
                patch_key: patch_key.clone(),
            },
            Type::Scalar(scalar) => Type::Scalar(*scalar),
            Type::Any => Type::Any,
            Type::Deduced => Type::Deduced,
        };
        self.push(ty)
    }

    /// A type of this schema.
    pub fn get(&self, id: TypeId) -> &Type {
        &self.types[id.0]
    }

    /// A type by its published name.
    pub fn named(&self, name: &str) -> Option<TypeId> {
        self.named.get(name).copied()
    }

    /// The published types, as OpenAPI's `components/schemas`.
    pub fn document(&self) -> &Map<String, Value> {
        &self.document
    }

    /// What is published about a field; empty where nothing is.
    pub fn description(&self, owner: &str, field: &str) -> &str {
        let owner =
            self.document.get(owner).map(|owner| &owner["properties"][field]["description"]);
        owner.and_then(Value::as_str).unwrap_or_default()
    }

    /// The type of a field or of a key; `None` where the type has no such field.
    pub fn field(&self, id: TypeId, name: &str) -> Option<TypeId> {
        match self.get(id) {
            Type::Struct(of) => of.fields.get(name).map(|field| field.ty).or(of.rest),
            Type::Map { values, .. } => Some(*values),
            Type::Deduced => Some(id),
            _ => None,
        }
    }
}

/// The schema and the type of a kind's objects.
pub fn of(kind: &Kind) -> (&'static Schema, TypeId) {
    if let Some(custom) = kind.custom {
        return (&custom.types.0, custom.types.1);
    }
    let schema = Schema::kubernetes();
    let id = schema.named(kind.definition).expect("every row of the table names a published type");
    (schema, id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::KINDS;

    #[test]
    fn every_kind_has_a_published_type_with_metadata() {
        for kind in KINDS {
            let (schema, id) = of(kind);
            let metadata = schema.field(id, "metadata").expect(kind.kind);
            let Type::Struct(metadata) = schema.get(metadata) else { panic!("{}", kind.kind) };
            assert_eq!(metadata.name, "ObjectMeta", "{}", kind.kind);
            assert_eq!(schema.field(id, "status").is_some(), kind.status, "{}", kind.kind);
        }
    }

    #[test]
    fn lists_know_their_keys() {
        let schema = Schema::kubernetes();
        let list = |name: &str, field: &str| {
            let id = schema.named(name).expect(name);
            match schema.get(schema.field(id, field).expect(field)) {
                Type::List { merge, patch_key, .. } => (merge.clone(), patch_key.clone()),
                other => panic!("{name}.{field} is {other:?}"),
            }
        };
        let keys = |keys: &[&str]| ListMerge::Keys(keys.iter().map(|k| (*k).to_owned()).collect());
        let key = |key: &str| Some(key.to_owned());
        assert_eq!(
            list("io.k8s.api.core.v1.ServiceSpec", "ports"),
            (keys(&["port", "protocol"]), key("port"))
        );
        assert_eq!(
            list("io.k8s.api.core.v1.PodSpec", "containers"),
            (keys(&["name"]), key("name"))
        );
        assert_eq!(
            list("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", "finalizers"),
            (ListMerge::Set, key(""))
        );
        assert_eq!(
            list("io.k8s.api.networking.v1.IngressSpec", "rules"),
            (ListMerge::Atomic, None)
        );
    }
}
