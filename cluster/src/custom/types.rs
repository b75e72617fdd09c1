//! The types that a structural schema stands for: what server-side apply merges by.

use std::collections::HashMap;

use super::structural::{Additional, Structural};
use crate::schema::{Field, ListMerge, OBJECT_META, Scalar, Schema, Struct, Type, TypeId};

/// Types of the objects of a custom kind, and which of them is the object's.
pub(crate) fn of(root: &Structural, kind: &str) -> (Schema, TypeId) {
    let mut schema = Schema::default();
    let deduced = schema.push(Type::Deduced);
    let published = Schema::kubernetes();
    let metadata = published.named(OBJECT_META).expect("the generated file has ObjectMeta");
    let metadata = schema.import(published, metadata);
    let mut maker = Maker { schema, deduced, metadata };
    let object = maker.structure(root, kind, true);
    let object = maker.schema.push(object);
    (maker.schema, object)
}

struct Maker {
    schema: Schema,
    deduced: TypeId,
    metadata: TypeId,
}

impl Maker {
    fn ty(&mut self, of: &Structural) -> TypeId {
        let ty = match of.ty.as_str() {
            _ if of.int_or_string => Type::Scalar(Scalar::IntOrString),
            "object" => match &of.additional {
                None if of.properties.is_empty() && of.preserve && !of.embedded => {
                    return self.deduced;
                }
                Some(Additional::Anything) => Type::Map { values: self.deduced, atomic: of.atomic },
                Some(Additional::Of(values)) => {
                    Type::Map { values: self.ty(values), atomic: of.atomic }
                }
                None => self.structure(of, "", of.embedded),
            },
            "array" => Type::List {
                items: match &of.items {
                    Some(items) => self.ty(items),
                    None => self.deduced,
                },
                merge: of.list.clone().unwrap_or(ListMerge::Atomic),
                patch_key: None,
            },
            "string" => Type::Scalar(Scalar::Text),
            "integer" => Type::Scalar(Scalar::Int64),
            "number" => Type::Scalar(Scalar::Number),
            "boolean" => Type::Scalar(Scalar::Bool),
            _ => return self.deduced,
        };
        self.schema.push(ty)
    }

    fn structure(&mut self, of: &Structural, name: &str, has_metadata: bool) -> Type {
        let mut fields: HashMap<String, Field> = HashMap::new();
        for (name, property) in &of.properties {
            fields.insert(name.clone(), plain(self.ty(property)));
        }
        if has_metadata {
            let text = self.schema.push(Type::Scalar(Scalar::Text));
            for name in ["apiVersion", "kind"] {
                fields.insert(name.to_owned(), plain(text));
            }
            let metadata = Field { embedded: true, ..plain(self.metadata) };
            fields.insert("metadata".to_owned(), metadata);
        }
        let rest = of.preserve.then_some(self.deduced);
        Type::Struct(Struct { name: name.to_owned(), fields, rest, atomic: of.atomic })
    }
}

fn plain(ty: TypeId) -> Field {
    Field { ty, embedded: false, retain_keys: false }
}
