//! From container log files to a reader of logd, with real processes that are killed: every line once,
//! or told to be missing. `./dev soak` runs them longer.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod kills;
mod ring;
mod rotation;
mod still;
mod world;
