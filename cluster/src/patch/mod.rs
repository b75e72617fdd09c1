//! The patch languages, on plain values.

mod merge;

pub use merge::merge;
