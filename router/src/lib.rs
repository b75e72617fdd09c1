//! The edge router: watches Kubernetes, compiles routes, serves them.
#![forbid(unsafe_code)]

mod publish;
mod watch;
