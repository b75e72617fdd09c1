//! JSON patch, RFC 6902.

use serde_json::Value;

use crate::status::Status;

/// The most operations of one patch, as Kubernetes has it.
const MOST: usize = 10_000;

/// Operations that were parsed.
pub type Operations = json_patch::Patch;

/// Parses a patch.
///
/// # Errors
/// 400 where it is no list of operations, 413 where there are more than 10,000.
pub fn parse(patch: Value) -> Result<Operations, Status> {
    let operations: Operations = serde_json::from_value(patch)
        .map_err(|error| Status::bad_request(format!("error decoding patch: {error}")))?;
    if operations.0.len() > MOST {
        return Err(Status::too_large(MOST));
    }
    Ok(operations)
}

/// Carries the operations out, all or none.
///
/// # Errors
/// 422 where one cannot be carried out, or a `test` fails.
pub fn apply(target: &mut Value, patch: &Operations) -> Result<(), Status> {
    json_patch::patch(target, patch).map_err(|_| {
        Status::unprocessable("the server rejected our request due to an error in our request")
    })
}
