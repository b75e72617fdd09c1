//! The engine's promises: whole exchanges over real sockets, literal bytes in and out.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

mod answers;
mod client_limits;
mod compression;
mod conversations;
mod drain;
mod forwarded;
mod http1;
mod http2;
mod lifetimes;
mod pages;
mod records;
mod retries;
mod rfc9113;
mod rolling;
mod routing;
mod scenes;
mod slow_readers;
mod streaming;
mod strict;
mod timeouts;
mod upstreams;
mod websocket;
