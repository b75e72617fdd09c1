//! The whole router in one process, over real sockets: what it promises, one test each.
//! Tests named `row_NN` are rows of the checklist of what Deis Workflow's router did.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![forbid(unsafe_code)]

mod access_log;
mod admin;
mod faults;
mod from_deis;
mod https;
mod lifecycle;
mod listeners;
mod logd;
mod parity;
mod policies;
mod process;
mod reconfigure;
mod restart;
mod routing;
mod settings;
mod streams;
mod support;
mod timeouts;
