//! Dialects: how users say what they want routed. A folder each.

pub mod service;
