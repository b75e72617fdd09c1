//! The folder of manifests that `fairlead up` loads and follows.

mod folder;
mod follow;
mod parse;
mod plan;
mod sync;

pub(crate) use folder::Folder;
pub(crate) use follow::{Follow, follow};
#[cfg(test)]
pub(crate) use parse::parse;
pub(crate) use parse::{Document, ManifestError, ObjectId};
pub(crate) use sync::{Sync, Synced};
