//! Sinks that confirm nothing, with receivers that are real, or behave as real ones do on bad days.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod datagrams;
mod receivers;
mod streams;
mod support;
