//! Objects in, tables out.

use std::sync::Arc;

use crate::{
    diagnostic::Diagnostic,
    object::{Change, Key},
    settings::Settings,
    table::Table,
};

/// Holds all objects and compiles the hosts that changes touch.
#[derive(Debug)]
pub struct Compiler {
    table: Table,
}

/// What one call of [`Compiler::publish`] made.
#[derive(Debug)]
pub struct Publication {
    /// The new table.
    pub table: Arc<Table>,
    /// How many hosts were compiled for it.
    pub compiled: usize,
    /// Findings that were not there before.
    pub appeared: Vec<Diagnostic>,
}

impl Compiler {
    /// A compiler that knows no object yet.
    pub fn new(settings: Arc<Settings>) -> Self {
        Self { table: Table::new(settings) }
    }

    /// Takes one change. Endpoints take effect at once, everything else with
    /// the next [`Compiler::publish`].
    pub fn apply(&mut self, change: Change) {
        let _ = change;
    }

    /// Whether a [`Compiler::publish`] would make a new table.
    pub fn is_dirty(&self) -> bool {
        false
    }

    /// Compiles the hosts that changed since the last call. `None` when none did.
    pub fn publish(&mut self) -> Option<Publication> {
        None
    }

    /// All findings about objects as they are now, sorted.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        Vec::new()
    }

    /// The Secrets that routable Services name, whether or not they exist.
    pub fn references(&self, secret: &Key) -> bool {
        let _ = secret;
        false
    }
}
