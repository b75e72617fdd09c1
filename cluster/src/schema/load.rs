//! Reading the generated file.

use std::collections::HashMap;
use std::io::Read;

use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Field, ListMerge, Scalar, Schema, Struct, Type, TypeId};

/// Made by `schema/generate.py`.
static FILE: &[u8] = include_bytes!("../../schema/kubernetes.json.gz");

/// Fields that are values rather than pointers in Go, so that they are there, empty, in every
/// object. The published schema does not tell; it matters for who owns them.
const EMBEDDED: &[(&str, &[&str])] = &[
    ("PodTemplateSpec", &["metadata", "spec"]),
    ("PodSpec", &["containers"]),
    ("Container", &["resources"]),
    ("ContainerStatus", &["state", "lastState"]),
    ("DeploymentSpec", &["template", "strategy"]),
    ("ReplicaSetSpec", &["template"]),
    ("StatefulSetSpec", &["template", "updateStrategy"]),
    ("DaemonSetSpec", &["template", "updateStrategy"]),
    ("JobSpec", &["template"]),
    ("ServiceStatus", &["loadBalancer"]),
    ("IngressStatus", &["loadBalancer"]),
    ("NetworkPolicySpec", &["podSelector"]),
    ("HorizontalPodAutoscalerSpec", &["scaleTargetRef"]),
    ("RoleBinding", &["roleRef"]),
    ("ClusterRoleBinding", &["roleRef"]),
    ("CustomResourceDefinitionSpec", &["names"]),
    ("CustomResourceDefinitionStatus", &["acceptedNames"]),
    (
        "Event",
        &[
            "involvedObject",
            "source",
            "eventTime",
            "firstTimestamp",
            "lastTimestamp",
            "reportingComponent",
            "reportingInstance",
        ],
    ),
];

/// What is published of a type or of a field.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Published {
    #[serde(rename = "$ref")]
    reference: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    format: Option<String>,
    properties: Option<HashMap<String, Self>>,
    additional_properties: Option<Box<Self>>,
    items: Option<Box<Self>>,
    #[serde(rename = "x-kubernetes-list-type")]
    list_type: Option<String>,
    #[serde(default, rename = "x-kubernetes-list-map-keys")]
    list_keys: Vec<String>,
    #[serde(rename = "x-kubernetes-map-type")]
    map_type: Option<String>,
    #[serde(default, rename = "x-kubernetes-patch-strategy")]
    patch_strategy: String,
    #[serde(default, rename = "x-kubernetes-patch-merge-key")]
    patch_key: String,
}

pub(super) fn kubernetes() -> Schema {
    let mut text = Vec::new();
    GzDecoder::new(FILE).read_to_end(&mut text).expect("the generated file is gzip");
    let document: Map<String, Value> =
        serde_json::from_slice(&text).expect("the generated file is a map of types");
    let published: HashMap<String, Published> =
        serde_json::from_slice(&text).expect("the generated file holds types");
    // Names first, so that types can refer to types that come later.
    let named: HashMap<String, TypeId> =
        published.keys().enumerate().map(|(at, name)| (name.clone(), TypeId(at))).collect();
    let mut loader = Loader { types: Vec::new(), named };
    loader.types.resize_with(published.len(), || Type::Any);
    for (name, schema) in &published {
        let id = loader.named[name];
        let ty = loader.named_type(name, schema);
        loader.types[id.0] = ty;
    }
    Schema { types: loader.types, named: loader.named, document }
}

struct Loader {
    types: Vec<Type>,
    named: HashMap<String, TypeId>,
}

impl Loader {
    fn named_type(&mut self, name: &str, schema: &Published) -> Type {
        match name.rsplit('.').next().unwrap_or(name) {
            "IntOrString" => Type::Scalar(Scalar::IntOrString),
            "Quantity" => Type::Scalar(Scalar::Quantity),
            "FieldsV1" | "RawExtension" | "JSON" => Type::Any,
            // Objects or booleans, or lists: not told by the published schema.
            "JSONSchemaPropsOrBool" | "JSONSchemaPropsOrArray" | "JSONSchemaPropsOrStringArray" => {
                Type::Any
            }
            short => self.ty(short, schema),
        }
    }

    fn id(&mut self, schema: &Published) -> TypeId {
        if let Some(reference) = &schema.reference {
            let name = reference.rsplit('/').next().unwrap_or_default();
            return *self.named.get(name).expect("the generated file holds what it refers to");
        }
        let ty = self.ty("", schema);
        self.push(ty)
    }

    fn push(&mut self, ty: Type) -> TypeId {
        self.types.push(ty);
        TypeId(self.types.len() - 1)
    }

    fn ty(&mut self, name: &str, schema: &Published) -> Type {
        let atomic = schema.map_type.as_deref() == Some("atomic");
        if let Some(values) = &schema.additional_properties {
            return Type::Map { values: self.id(values), atomic };
        }
        match (schema.kind.as_deref(), schema.format.as_deref()) {
            (Some("object"), _) => match &schema.properties {
                Some(properties) => Type::Struct(self.fields(name, properties, atomic)),
                None => Type::Any,
            },
            (Some("array"), _) => self.list(schema),
            (Some("string"), Some("byte")) => Type::Scalar(Scalar::Bytes),
            (Some("string"), Some("date-time")) => Type::Scalar(Scalar::Time),
            (Some("string"), _) => Type::Scalar(Scalar::Text),
            (Some("integer"), Some("int32")) => Type::Scalar(Scalar::Int32),
            (Some("integer"), _) => Type::Scalar(Scalar::Int64),
            (Some("number"), _) => Type::Scalar(Scalar::Number),
            (Some("boolean"), _) => Type::Scalar(Scalar::Bool),
            _ => Type::Any,
        }
    }

    fn fields(
        &mut self,
        name: &str,
        properties: &HashMap<String, Published>,
        atomic: bool,
    ) -> Struct {
        let object = properties.contains_key("metadata") && properties.contains_key("kind");
        let listed = EMBEDDED.iter().find(|(owner, _)| *owner == name).map_or(&[][..], |(_, f)| f);
        let fields = properties
            .iter()
            .map(|(field, schema)| {
                let whole = object && matches!(field.as_str(), "metadata" | "spec" | "status");
                let field_type = Field {
                    ty: self.id(schema),
                    embedded: whole || listed.contains(&field.as_str()),
                    retain_keys: schema.patch_strategy.contains("retainKeys"),
                };
                (field.clone(), field_type)
            })
            .collect();
        Struct { name: name.to_owned(), fields, rest: None, atomic }
    }

    fn list(&mut self, schema: &Published) -> Type {
        let merge = match schema.list_type.as_deref() {
            Some("set") => ListMerge::Set,
            Some("map") => ListMerge::Keys(schema.list_keys.clone()),
            _ => ListMerge::Atomic,
        };
        let merges = schema.patch_strategy.split(',').any(|strategy| strategy == "merge");
        Type::List {
            items: match &schema.items {
                Some(items) => self.id(items),
                None => self.push(Type::Any),
            },
            merge,
            patch_key: merges.then(|| schema.patch_key.clone()),
        }
    }
}
