//! logd: keeps the newest log lines of every app in memory, to be read and followed.
//!
//! ```text
//! senders -> ingest -+-> store (a thread per shard, a ring per app) -> read -> http
//!           syslog  -+
//! ```
//!
//! [`Logd`] is the whole component; nothing in it is global, so that several can run in one
//! process.
#![forbid(unsafe_code)]

mod app;
mod auth;
mod drain;
mod error;
mod flags;
mod http;
mod ingest;
mod logd;
mod metrics;
mod options;
mod origin;
mod peers;
mod read;
mod shares;
mod store;
pub mod syslog;
mod time;

pub use app::{AppId, AppIdError};
pub use auth::{Auth, Claims, Keys, KeysError, Role, TokenKey, mint};
pub use drain::{DrainError, DrainOptions, PlatformDrain, drains_of_deis};
pub use error::StartError;
pub use flags::Flags;
pub use logd::Logd;
pub use options::{AppLimits, LogdOptions};
pub use peers::Peers;
pub use store::ledger::{EdgeEntry, GapEntry, Ledger, Loss, Tally};
