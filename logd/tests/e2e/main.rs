//! The whole logd in one process, over real sockets: what it promises, one test each.
//! Tests named `row_NN` are rows of the checklist of what Deis Workflow's logger did.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![forbid(unsafe_code)]

mod access;
mod drains;
mod follow;
mod ingest;
mod limits;
mod logs;
mod memory;
mod several;
mod shards;
mod shipped;
mod support;
mod syslog;
