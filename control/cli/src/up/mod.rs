//! `fairlead up`: a cluster and a router in one process.
//!
//! ```text
//! manifests -> Kubernetes API (embedded) -> controllers, kubelet -> pods
//!                       |
//!                       +-> router -> http, https
//! ```
//! The parts meet only in the API, as they do in a real cluster.

mod args;
mod certificates;
mod error;
mod manifests;
mod parts;
mod run;
mod state;
mod status;
mod urls;

use std::io::IsTerminal;

pub(crate) use args::UpArgs;
pub(crate) use error::UpError;

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
