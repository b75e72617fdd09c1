//! What a reconcile function wants done. The shell does it.

use std::time::Duration;

use serde_json::Value;

use crate::kinds::Kind;

/// One change, decided from objects alone.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// Create this object.
    Create(&'static Kind, Value),
    /// Replace the object; refused when it has changed since it was read.
    Update(&'static Kind, Value),
    /// Replace the status of the object; refused when it has changed since it was read.
    UpdateStatus(&'static Kind, Value),
    /// Delete this very object (by uid), with its own grace.
    Delete(&'static Kind, Value),
    /// Tell the owner of an object what happened to it.
    Event {
        /// The object that it is about.
        about: Value,
        /// Kind of the object.
        kind: &'static Kind,
        /// `Warning` rather than `Normal`.
        warning: bool,
        /// Why, in CamelCase.
        reason: &'static str,
        /// For people.
        message: String,
    },
}

/// What a reconcile function answers.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Changes, in this order; the first that fails ends the pass.
    pub(crate) actions: Vec<Action>,
    /// When time alone can change the answer: reconcile again after this.
    pub(crate) again: Option<Duration>,
}

impl Outcome {
    /// Asks for another pass after this time, or sooner when that was already wanted.
    pub(crate) fn again_in(&mut self, wait: Duration) {
        self.again = Some(self.again.map_or(wait, |known| known.min(wait)));
    }
}
