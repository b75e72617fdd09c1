//! The router's own settings, as annotations of one object: on Deis Workflow, the Deployment
//! of the router.
//!
//! `router.fairlead.dev/NAME`, `router.fairlead.dev/nginx.NAME` and `router.deis.io/nginx.NAME`
//! mean the same; of several that are set the first one counts. Each setting is a flag as well.

mod read;
mod setting;
mod table;
mod tls;
mod values;
mod void;

pub use read::read;
pub use setting::{Problem, SWITCH, Setting};
pub use table::SETTINGS;
pub use void::VOID;

pub(super) const FIREWALL: &str = "there is no web application firewall; put one in front";

/// What may stand in front of a setting's name.
const PREFIXES: [&str; 3] =
    ["router.fairlead.dev/", "router.fairlead.dev/nginx.", "router.deis.io/nginx."];
