//! The HTTP engine: an accepted stream and a routing table in, proxied exchanges out.
//!
//! The only crate that depends on Pingora, and by its public API alone. An
//! [`Engine`] per worker serves the connections that `fairlead-router-listen`
//! accepts; what it shares with other workers is read-only or its own cache line.
//!
//! ```text
//! connection -> io (Pingora's view of it) -> proxy (one request)
//!                 head -> forwarded -> Table -> Rule -> upstream -> retry
//! ```
#![forbid(unsafe_code)]

mod access;
mod body;
mod compress;
mod connection;
mod context;
mod engine;
mod fields;
mod forwarded;
mod head;
mod hop;
mod io;
mod limits;
mod metrics;
mod proxy;
mod record;
mod respond;
mod retry;
mod route;
mod silence;
mod strict;
mod tcp;
mod upstream;

pub use access::{AccessEntry, AccessLog};
pub use engine::{Engine, Shared};
pub use limits::EngineLimits;
pub use metrics::{EngineMetrics, LATENCY_BOUNDS, Snapshot};
