//! `fairlead up` as a user runs it: the real binary, real pods, real sockets.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;
mod drains;
mod faults;
mod logs;
mod process;
mod rolling;
mod serving;
