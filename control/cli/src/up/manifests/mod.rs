//! The folder of manifests that `fairlead up` loads and follows.

mod folder;
mod follow;
mod parse;
mod plan;
mod sync;

pub use follow::{Follow, follow};
pub use folder::Folder;
pub use parse::{Document, ManifestError, ObjectId};
pub use sync::{Sync, Synced};
#[cfg(test)]
pub use parse::parse;
