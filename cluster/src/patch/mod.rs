//! The patch languages, on plain values.

pub mod json;
mod merge;
pub mod strategic;

use serde_json::Value;

pub use merge::merge;

use crate::kinds::Kind;
use crate::schema;
use crate::status::Status;

/// A change of what is there, in one of the patch languages.
#[derive(Debug, Clone)]
pub enum Edit {
    /// JSON merge patch, RFC 7386.
    Merge(Value),
    /// Merge patch that merges lists by the keys that the schema names.
    Strategic(Value),
    /// JSON patch, RFC 6902.
    Json(json::Operations),
}

impl Edit {
    /// Changes an object of a kind.
    ///
    /// # Errors
    /// 400 for a patch that is malformed, 422 for one that does not fit the object.
    pub fn apply(self, kind: &Kind, object: &mut Value) -> Result<(), Status> {
        match self {
            Self::Merge(patch) => {
                merge(object, patch);
                Ok(())
            }
            Self::Strategic(patch) => {
                let (schema, id) = schema::of(kind);
                strategic::merge(schema, id, object, patch)
            }
            Self::Json(operations) => json::apply(object, &operations),
        }
    }
}
