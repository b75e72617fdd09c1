//! What every object goes through before it is stored.

use serde_json::Value;

use super::{FieldValidation, WriteOptions};
use crate::custom::{self, Custom};
use crate::kinds::Kind;
use crate::meta;
use crate::schema::{self, Empties, OBJECT_META, Schema};
use crate::status::Status;

/// Checks that the object is of the kind and in the namespace that the request names, and fills in
/// what it leaves out.
pub(super) fn identify(kind: &Kind, namespace: &str, object: &mut Value) -> Result<(), Status> {
    check_shape(kind, object)?;
    let fields = meta::object_at(object);
    fields.insert("apiVersion".to_owned(), kind.api_version().into());
    fields.insert("kind".to_owned(), kind.kind.into());
    if !kind.namespaced {
        meta::set(object, "namespace", None);
        return Ok(());
    }
    match meta::namespace(object) {
        Some(given) if given != namespace => Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        )),
        _ => {
            meta::set(object, "namespace", Some(namespace.into()));
            Ok(())
        }
    }
}

/// Refuses what cannot even be read as an object with metadata.
fn check_shape(kind: &Kind, object: &Value) -> Result<(), Status> {
    let (value, wanted) = match object.get("metadata") {
        _ if !object.is_object() => (object, format!("value of type v1.{}", kind.kind)),
        Some(metadata) if !metadata.is_object() && !metadata.is_null() => {
            (metadata, format!("struct field {}.metadata of type v1.ObjectMeta", kind.kind))
        }
        _ => return Ok(()),
    };
    let found = schema::json_type(value);
    Err(undecodable(kind, &format!("json: cannot unmarshal {found} into Go {wanted}")))
}

fn undecodable(kind: &Kind, why: &str) -> Status {
    Status::bad_request(format!(
        "{} in version \"{}\" cannot be handled as a {}: {why}",
        kind.kind, kind.version, kind.kind
    ))
}

/// Brings the object into the form of its kind, and fills in what Kubernetes fills in.
pub(super) fn decode(
    kind: &Kind,
    object: &mut Value,
    options: &WriteOptions,
) -> Result<(), Status> {
    typed(kind, object, Empties::Drop, options)?;
    match kind.custom {
        Some(custom) => custom::fill(&custom.structural, object),
        None => (kind.defaults)(object),
    }
    Ok(())
}

/// Brings an object or a configuration into the form of its kind.
pub(super) fn typed(
    kind: &Kind,
    object: &mut Value,
    empties: Empties,
    options: &WriteOptions,
) -> Result<(), Status> {
    let unknown = match kind.custom {
        Some(custom) => pruned(custom, object, empties),
        None => {
            let (schema, id) = schema::of(kind);
            schema::decode(schema, id, object, empties).map(|decoded| decoded.unknown)
        }
    };
    let unknown: Vec<String> = unknown
        .map_err(|why| undecodable(kind, &why))?
        .iter()
        .map(|field| format!("unknown field {field:?}"))
        .collect();
    match options.field_validation {
        FieldValidation::Strict if !unknown.is_empty() => {
            Err(undecodable(kind, &format!("strict decoding error: {}", unknown.join(", "))))
        }
        FieldValidation::Warn => {
            options.warnings.add(unknown);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Drops what a custom kind does not have, and tells what. Metadata is the same for all kinds.
fn pruned(custom: &Custom, object: &mut Value, empties: Empties) -> Result<Vec<String>, String> {
    let published = Schema::kubernetes();
    let id = published.named(OBJECT_META).expect("the generated file has ObjectMeta");
    let decoded = schema::decode(published, id, &mut object["metadata"], empties)?;
    let unknown = decoded.unknown.iter().map(|field| format!("metadata.{field}"));
    Ok(unknown.chain(custom::prune(&custom.structural, object)).collect())
}
