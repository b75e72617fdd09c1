//! What every object goes through before it is stored.

use serde_json::Value;

use super::{FieldValidation, WriteOptions};
use crate::kinds::Kind;
use crate::meta;
use crate::schema::{self, Empties};
use crate::status::Status;

/// Checks that the object is of the kind and in the namespace that the request names, and fills in
/// what it leaves out.
pub(super) fn identify(kind: &Kind, namespace: &str, object: &mut Value) -> Result<(), Status> {
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

/// Brings the object into the form of its kind, and fills in what Kubernetes fills in.
pub(super) fn decode(
    kind: &Kind,
    object: &mut Value,
    options: &WriteOptions,
) -> Result<(), Status> {
    typed(kind, object, Empties::Drop, options)?;
    (kind.defaults)(object);
    Ok(())
}

/// Brings an object or a configuration into the form of its kind.
pub(super) fn typed(
    kind: &Kind,
    object: &mut Value,
    empties: Empties,
    options: &WriteOptions,
) -> Result<(), Status> {
    let (schema, id) = schema::of(kind);
    let bad = |why: &str| {
        Status::bad_request(format!(
            "{} in version \"{}\" cannot be handled as a {}: {why}",
            kind.kind, kind.version, kind.kind
        ))
    };
    let decoded = schema::decode(schema, id, object, empties).map_err(|why| bad(&why))?;
    let unknown: Vec<String> =
        decoded.unknown.iter().map(|field| format!("unknown field {field:?}")).collect();
    match options.field_validation {
        FieldValidation::Strict if !unknown.is_empty() => {
            Err(bad(&format!("strict decoding error: {}", unknown.join(", "))))
        }
        FieldValidation::Warn => {
            options.warnings.add(unknown);
            Ok(())
        }
        _ => Ok(()),
    }
}
