//! What is wrong with an object, told to its owner.

use std::{borrow::Cow, fmt};

use serde::Serialize;

use crate::object::ObjectRef;

/// How much a [`Diagnostic`] costs the object that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A setting is ignored and its default stands; the object is served.
    Warning,
    /// Part of the object, or all of it, is not served.
    Error,
}

/// One finding about one field of one object. It never affects another object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Diagnostic {
    /// The object at fault.
    pub object: ObjectRef,
    /// The field, as a user would find it: `metadata.annotations[router.deis.io/domains]`.
    pub field: Cow<'static, str>,
    /// What it costs.
    pub severity: Severity,
    /// What is wrong and what to do.
    pub reason: Cow<'static, str>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.object, self.field, self.reason)
    }
}
