//! `fairlead up`: a cluster, a router and a log pipeline in one process.
//!
//! ```text
//! manifests -> Kubernetes API (embedded) -> controllers, kubelet -> pods -> log files
//!                       |                                                      |
//!                       +-> router -> http, https                           shipper
//!                       |      +-> access lines --+                            |
//!                       +-> shipper               +--> logd <------------------+
//!                                                        +-> fairlead logs
//! ```
//! The parts meet only in the API, as they do in a real cluster.

mod access;
mod args;
mod certificates;
mod error;
mod logs;
mod manifests;
mod parts;
mod run;
mod state;
mod status;
mod urls;

use std::io::IsTerminal;

pub(crate) use access::{LOGD_ACCESS, LogdAccess};
pub(crate) use args::UpArgs;
pub(crate) use error::UpError;
pub(crate) use state::{StateError, default_path as default_state};

/// Runs until SIGINT or SIGTERM, then stops every part and every pod.
///
/// # Errors
/// When a part cannot start; says which, and what to change.
pub(crate) fn run(args: UpArgs) -> Result<(), UpError> {
    let screen = status::Screen::new(std::io::stdout(), std::io::stdout().is_terminal());
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(run::run(args, screen))
}
