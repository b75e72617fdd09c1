//! Reading bodies.

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde_json::Value;

use super::negotiate::BodyType;
use super::protobuf;
use crate::kinds::Kind;
use crate::schema;
use crate::status::Status;

/// The largest body that is read: what Kubernetes reads.
pub(super) const LARGEST: usize = 3 * 1024 * 1024;

/// Reads a body, at most [`LARGEST`] bytes.
pub(super) async fn read(body: Incoming) -> Result<Bytes, Status> {
    match Limited::new(body, LARGEST).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Status::too_large(LARGEST)),
        Err(error) => Err(Status::bad_request(format!("the body could not be read: {error}"))),
    }
}

/// Parses an object of a kind.
pub(super) fn object(kind: &Kind, body_type: BodyType, bytes: &[u8]) -> Result<Value, Status> {
    let parsed = match body_type {
        BodyType::Protobuf => protobuf::decode(kind, bytes),
        _ => value(body_type, bytes),
    };
    let object = parsed.map_err(|error| {
        Status::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): couldn't get version/kind; {error}",
            kind.kind
        ))
    })?;
    if !object.is_object() {
        return Err(Status::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): couldn't get version/kind; \
             json parse error: json: cannot unmarshal {} into Go value of type struct",
            kind.kind,
            schema::json_type(&object),
        )));
    }
    check_kind(kind, &object)?;
    Ok(object)
}

/// Refuses an object of another kind. Both fields may be left out.
fn check_kind(kind: &Kind, object: &Value) -> Result<(), Status> {
    for field in ["apiVersion", "kind"] {
        if object.get(field).is_some_and(|value| !value.is_string() && !value.is_null()) {
            return Err(Status::bad_request(format!("{field} must be a text")));
        }
    }
    let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default();
    let (version, name) = (text("apiVersion"), text("kind"));
    let api_version = kind.api_version();
    if (version.is_empty() || version == api_version) && (name.is_empty() || name == kind.kind) {
        return Ok(());
    }
    if !version.is_empty() && version != api_version {
        return Err(Status::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version ({api_version})"
        )));
    }
    let internal = if kind.group.is_empty() { "core" } else { kind.group };
    let package = internal.split('.').next().unwrap_or_default();
    Err(Status::bad_request(format!(
        "{name} in version \"{}\" cannot be handled as a {}: converting ({}.{name}) to ({package}.{}): unknown conversion",
        kind.version, kind.kind, kind.version, kind.kind
    )))
}

/// Parses a patch.
pub(super) fn patch(body_type: BodyType, bytes: &[u8]) -> Result<Value, Status> {
    value(body_type, bytes)
        .map_err(|error| Status::bad_request(format!("error decoding patch: {error}")))
}

/// Parses a body, empty for none.
pub(super) fn value(body_type: BodyType, bytes: &[u8]) -> Result<Value, String> {
    match body_type {
        BodyType::Json | BodyType::MergePatch | BodyType::StrategicPatch | BodyType::JsonPatch => {
            serde_json::from_slice(bytes).map_err(|error| format!("json parse error: {error}"))
        }
        BodyType::Protobuf => Err("protobuf is not spoken here".to_owned()),
        BodyType::Yaml | BodyType::Apply => {
            serde_saphyr::from_slice(bytes).map_err(|error| format!("yaml parse error: {error}"))
        }
    }
}
