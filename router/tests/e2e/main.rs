//! The whole router in one process, over real sockets: what it promises, one test each.
//! Tests named `row_NN` are rows of the checklist of what Deis Workflow's router did.

mod access_log;
mod admin;
mod faults;
mod https;
mod lifecycle;
mod policies;
mod reconfigure;
mod routing;
mod support;
mod timeouts;
