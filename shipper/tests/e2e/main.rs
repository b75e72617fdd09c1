//! The whole shipper in one process, over real files and sockets: what it promises, one test each.
//! Tests named `row_NN` are rows of the checklist of what Deis Workflow's log agent did.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![forbid(unsafe_code)]

mod admin;
mod away;
mod checkpoint;
mod crash;
mod docker;
mod faults;
mod files;
mod history;
mod owners;
mod pods;
mod process;
mod sending;
mod support;
