//! How `fairlead logs` finds the logd of the running `fairlead up`.

use serde::{Deserialize, Serialize};

/// The file in the state folder.
pub(crate) const LOGD_ACCESS: &str = "logd.json";

/// Where logd is, and what it is to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogdAccess {
    /// `http://HOST:PORT`.
    pub(crate) url: String,
    /// A bearer token.
    pub(crate) token: Option<String>,
    /// The namespace of apps that are named without one.
    pub(crate) namespace: Option<String>,
}
