//! Sinks over HTTP against scripted receivers on real sockets.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![forbid(unsafe_code)]

mod connection;
mod elasticsearch;
mod json_lines;
mod logplex;
mod otlp;
mod receiver;
mod sender;
