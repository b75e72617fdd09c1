//! What a setting is.

use crate::{diagnostic::Severity, dialect::value::ValueError, settings::Settings};

/// One setting: its names, how it is documented, what it does.
#[derive(Debug)]
pub struct Setting {
    /// The name behind a prefix.
    pub name: &'static str,
    /// The flag, without `--`.
    pub flag: &'static str,
    /// The kind of value.
    pub syntax: &'static str,
    /// What holds without it.
    pub default: &'static str,
    /// What it does.
    pub meaning: &'static str,
    pub(super) apply: fn(&mut Settings, &str) -> Result<(), Problem>,
}

/// A value that cannot be read, or not wholly.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Problem {
    /// What it costs.
    pub severity: Severity,
    /// What is wrong and what holds now.
    pub reason: String,
}

impl From<ValueError> for Problem {
    fn from(error: ValueError) -> Self {
        warning(error.to_string())
    }
}

impl Setting {
    /// Sets what `text` says.
    ///
    /// # Errors
    /// For a value that cannot be read. Then all is as before, but for what restricts clients: that is
    /// as strict as it can be.
    pub fn set(&self, settings: &mut Settings, text: &str) -> Result<(), Problem> {
        (self.apply)(settings, text)
    }
}

/// The syntax of settings that are on or off.
pub const SWITCH: &str = "true or false";

/// Some words of a list are of no use.
pub(super) fn partly(words: &[&str], why: &str) -> Result<(), Problem> {
    if words.is_empty() {
        return Ok(());
    }
    let words: Vec<_> = words.iter().map(|word| format!("{word:?}")).collect();
    Err(Problem { severity: Severity::Warning, reason: format!("{} {why}", words.join(", ")) })
}

/// The value is of no use.
pub(super) fn warning(reason: String) -> Problem {
    Problem { severity: Severity::Warning, reason: format!("{reason}. The default stands") }
}
