//! The Service dialect: a labelled Service with annotations, as on Deis Workflow.
//!
//! `router.fairlead.dev/NAME` and `router.deis.io/NAME` mean the same; where both
//! are set the first one counts.

mod annotation;
mod claim;
mod name;
mod read;

pub use annotation::{ANNOTATIONS, Annotation, VOID};
pub use claim::{Claim, Mount, Options};
pub use name::{HostName, Unresolved};
pub use read::{Reading, main_port, read};
