//! The Service dialect: a labelled Service with annotations, as on Deis Workflow.
//!
//! `router.fairlead.dev/NAME` and `router.deis.io/NAME` mean the same; where both
//! are set the first one counts.

mod annotation;
mod claim;
mod read;
pub mod value;

pub use annotation::{ANNOTATIONS, Annotation};
pub use claim::Claim;
pub use read::{PREFIXES, Reading, read};
