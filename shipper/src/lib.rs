//! The node agent: tails the logs of a node's containers and sends them to logd.
//!
//! ```text
//! inotify, rescan -> files -> line -> decode -> batches -> fairlead-wire -> logd
//! ```
#![forbid(unsafe_code)]

pub mod decode;
pub mod line;
pub mod path;
