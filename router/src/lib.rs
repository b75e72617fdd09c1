//! The edge router: watches the Kubernetes API and serves HTTP for annotated Services.
//!
//! ```text
//! watch -> gate -> Feed -> publish (core's Compiler) -> Table -> engine, on listen's workers
//!                             |
//!                 admin, metrics, events
//! ```
//!
//! [`Router`] is the whole component; nothing in it is global, so that several can run in
//! one process. Watches, publishing and admin endpoints live on a control thread; requests
//! are served on worker threads that share nothing with it but the table.
#![forbid(unsafe_code)]

mod access_log;
mod admin;
mod control;
mod edge;
mod error;
mod events;
mod flags;
mod health;
mod metrics;
mod options;
mod publish;
mod router;
mod streams;
mod tls;
mod wait;
mod watch;

pub use access_log::{AccessFormat, AccessOutput};
pub use error::StartError;
pub use fairlead_router_core::Settings;
pub use flags::Flags;
pub use options::RouterOptions;
pub use router::{HTTP, HTTPS, Router};
pub use wait::{WaitFlags, laggards, wait};
pub use watch::SettingsSource;
