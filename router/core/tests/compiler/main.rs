//! The compiler: objects in, tables out.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod objects;
mod properties;
mod support;
