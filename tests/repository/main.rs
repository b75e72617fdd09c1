//! What holds for the repository as a whole and for no single crate.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod annotations;
mod cluster;
mod links;

use std::path::PathBuf;

/// The repository's top folder.
fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
