//! The node agent: tails the logs of a node's containers and sends them to logd.
//!
//! ```text
//! discover -> container, file -> line -> decode -> engine -> link (fairlead-wire) -> logd
//!                                                    |
//!                                    pods, checkpoint, admin
//! ```
//!
//! [`Shipper`] is the whole component; nothing in it is global, so that several can run in one
//! process. It works on a thread of its own: log files are read from the page cache, and one thread
//! is faster than what containers write.
#![forbid(unsafe_code)]

mod admin;
mod backoff;
mod checkpoint;
mod clock;
pub mod container;
pub mod decode;
mod discover;
mod engine;
mod error;
pub mod file;
mod flags;
pub mod line;
mod link;
mod metrics;
mod options;
pub mod path;
mod pods;
mod shipper;

pub use clock::Clock;
pub use error::StartError;
pub use flags::{Flags, own_namespace};
pub use options::{Credentials, ShipperOptions, Token};
pub use shipper::Shipper;
