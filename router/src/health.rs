//! Whether the router is to get traffic.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use crate::{publish::State, watch::Watches};

/// What `/readyz` says and why.
#[derive(Debug)]
pub(crate) struct Health {
    pub(crate) state: Arc<State>,
    pub(crate) watches: Arc<Watches>,
    stopping: AtomicBool,
}

impl Health {
    pub(crate) const fn new(state: Arc<State>, watches: Arc<Watches>) -> Self {
        Self { state, watches, stopping: AtomicBool::new(false) }
    }

    /// The router is going to stop: not ready from here on.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Relaxed);
    }

    /// Why the router is not to get traffic, a line each. Once the first complete state
    /// is served, losing the API is no reason: that state is served on.
    pub(crate) fn obstacles(&self) -> Vec<String> {
        if self.stopping.load(Relaxed) {
            return vec!["the router is shutting down".to_owned()];
        }
        if self.state.is_synced() {
            return Vec::new();
        }
        let problems = self.watches.problems();
        if problems.is_empty() {
            vec!["the first state is being compiled".to_owned()]
        } else {
            problems
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.obstacles().is_empty()
    }
}
