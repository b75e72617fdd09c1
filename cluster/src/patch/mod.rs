//! The patch languages, on plain values.

pub mod json;
mod merge;
pub mod strategic;

pub use merge::merge;
